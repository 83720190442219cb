"""The vendor's own example, and requests made from it."""

import json
from datetime import datetime
from typing import Any

from multiwhats_async.sandbox import Emulator, SandboxRequest

PATH = "/api/v1/basic/whatsapp/send-dynamic"
EXAMPLE_TIME = datetime(2023, 4, 26, 11, 11, 58)  # noqa: DTZ001 - the wire's times have no zone

REQUEST = r"""{ "from": "908503080335", "to": "905374937766", "message": "Hi, dear guest 👤 \n\nWe want to send message to you.\n\nDo you allow us for sending message to you? \n\n 📨", "type": "button", "buttons": [ "👍 Yes", "⛔ No" ] }"""  # noqa: E501 - the vendor's line, as it stands
RESPONSE = r"""{ "user_id": 264, "social_media_account_id": 34, "platform": "whatsapp", "from_identifier": "908503080335", "message": "Hi, dear guest 👤 \n\nWe want to send message to you.\n\nDo you allow us for sending message to you? \n\n 📨", "file_url": 0, "queue_type": "normal", "message_type": "button", "total_credit": 1, "target_count": 1, "pending_count": 0, "sent_count": 1, "delivered_count": 0, "not_delivered_count": 0, "seen_count": 0, "status": "done", "send_at": "2023-04-26 11:11:58", "created_at": "2023-04-26 11:11:58", "updated_at": "2023-04-26 11:11:58", "extra_data": { "buttons": [ "👍 Yes", "⛔ No" ], "options": null, "selectedItemId": null }, "id": 3664, "targets": [ { "id": 53687, "user_id": 264, "queue_id": 3664, "target_identifier": "905374937766", "message": null, "status": "sent", "extra_data": { "buttons": null, "options": null, "selectedItemId": null }, "created_at": "2023-04-26 11:11:58", "updated_at": "2023-04-26 11:11:58" } ] }"""  # noqa: E501 - the vendor's line, as it stands

JSON_HEADERS = {"content-type": "application/json"}
MISSING = object()


def payload(**changes: Any) -> dict[str, Any]:
    """Return the example's request with fields changed; ``sender`` is ``from``."""
    if "sender" in changes:
        changes["from"] = changes.pop("sender")
    fields = json.loads(REQUEST) | changes
    return {name: value for name, value in fields.items() if value is not MISSING}


def request_of(body: Any, *, query: bytes = b"apikey=KEY", **changes: Any) -> SandboxRequest:
    """Return a request to the endpoint; ``body`` is bytes, or what JSON is made of."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    options = {"method": "POST", "path": PATH, "headers": JSON_HEADERS} | changes
    return SandboxRequest(query=query, body=raw, **options)


def post(emulator: Emulator, *, query: bytes = b"apikey=KEY", **changes: Any) -> int:
    """Send the example with fields changed; return the status."""
    return emulator.handle(request_of(payload(**changes), query=query)).status


def raw_request(body: Any, *, query: str = "apikey=KEY") -> bytes:
    """Return the same as the bytes of an HTTP/1.1 request."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = (
        f"POST {PATH}?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data
