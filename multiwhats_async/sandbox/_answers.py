"""What the emulator answers: the documented record, and the answers of faults."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import attrs

from . import faults as kinds
from ._reading import error_response
from .exchange import Action, SandboxResponse
from .faults import Fault

USER_ID: Final = 264
ACCOUNT_ID: Final = 34
"""Documented: the ids of the page's example, so that its request is answered with its answer."""

COST: Final = 1
"""Documented in the example's ``total_credit`` only: credits for one message."""

_HTML: Final = (
    b"<!doctype html><title>Maintenance</title><h1>We will be back soon</h1>"
    b"<p>This page stands in for whatever a proxy answers in the name of the API.</p>"
)


def record_of(
    payload: Mapping[str, Any], *, queue_id: int, target_id: int, now: datetime
) -> dict[str, Any]:
    """Return the documented record: its fields, their order and their types."""
    stamp = stamp_of(now)
    return {
        "user_id": USER_ID,
        "social_media_account_id": ACCOUNT_ID,
        "platform": "whatsapp",
        "from_identifier": payload["from"],
        "message": payload["message"],
        "file_url": 0,
        "queue_type": "normal",
        "message_type": payload["type"],
        "total_credit": COST,
        "target_count": 1,
        "pending_count": 0,
        "sent_count": 1,
        "delivered_count": 0,
        "not_delivered_count": 0,
        "seen_count": 0,
        "status": "done",
        "send_at": stamp,
        "created_at": stamp,
        "updated_at": stamp,
        "extra_data": {"buttons": payload["buttons"], "options": None, "selectedItemId": None},
        "id": queue_id,
        "targets": [
            {
                "id": target_id,
                "user_id": USER_ID,
                "queue_id": queue_id,
                "target_identifier": payload["to"],
                "message": None,
                "status": "sent",
                "extra_data": {"buttons": None, "options": None, "selectedItemId": None},
                "created_at": stamp,
                "updated_at": stamp,
            }
        ],
    }


def stamp_of(time: datetime) -> str:
    """Return a time as the vendor writes it, without a zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S")


def without_processing(fault: Fault) -> SandboxResponse | None:
    """Return the answer of a fault that strikes before the message is processed, or None."""
    if fault.status is not None:
        headers = {} if fault.seconds is None else {"retry-after": f"{fault.seconds:.0f}"}
        return error_response(
            fault.status,
            "fault",
            f"The sandbox was asked to answer {fault.status}.",
            headers=headers,
        )
    match fault.kind:
        case kinds.TIMEOUT:
            return SandboxResponse(0, action=Action.NEVER)
        case kinds.DISCONNECT_BEFORE:
            return SandboxResponse(0, action=Action.DROP_BEFORE)
        case kinds.HTML:
            return SandboxResponse(200, {"content-type": "text/html; charset=utf-8"}, _HTML)
        case _:
            return None


def spoilt(answer: SandboxResponse, fault: Fault) -> SandboxResponse:
    """Return the answer as it leaves the server after a fault that lets the message through."""
    match fault.kind:
        case kinds.DISCONNECT_AFTER:
            return attrs.evolve(answer, action=Action.DROP_AFTER)
        case kinds.MALFORMED_JSON:
            return attrs.evolve(answer, body=answer.body[: len(answer.body) // 2])
        case _:  # slow_drip: the one kind that is left
            pause = kinds.DEFAULT_DRIP_SECONDS if fault.seconds is None else fault.seconds
            return attrs.evolve(answer, action=Action.DRIP, pause=pause)
