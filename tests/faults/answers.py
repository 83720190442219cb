"""The bytes that servers answer with, good and bad."""

import gzip
import json
from collections.abc import Iterable
from typing import Any

Header = tuple[str, str]


def record(to: str, **changes: Any) -> dict[str, Any]:
    """Return the vendor's record of a message to a number."""
    return {
        "id": 24,
        "user_id": 1,
        "platform": "whatsapp",
        "message_type": "button",
        "total_credit": 1,
        "status": "done",
        "targets": [{"id": 31, "target_identifier": to, "status": "sent"}],
        **changes,
    }


def record_text(to: str, **changes: Any) -> bytes:
    """Return the record as the vendor's body."""
    return json.dumps(record(to, **changes)).encode()


def head(status: int = 200, headers: Iterable[Header] = ()) -> bytes:
    """Return the head of an answer."""
    lines = [f"HTTP/1.1 {status} Reason", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def answer(status: int = 200, body: bytes = b"", headers: Iterable[Header] = ()) -> bytes:
    """Return a whole answer, with the length of its body."""
    given = tuple(headers)
    return head(status, (*given, ("Content-Length", str(len(body))))) + body


def record_answer(request_body: bytes) -> bytes:
    """Return the answer that a request gets when all is well."""
    return answer(200, record_text(json.loads(request_body)["to"]))


def packed(size: int) -> bytes:
    """Return so many zeros as gzip: a bomb of a thousandth of its size."""
    return gzip.compress(bytes(size))
