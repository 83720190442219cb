"""Messages and outcomes as columns of a ledger, and back. Pure functions."""

import json
from collections.abc import Mapping
from typing import Any, Final, Protocol

from .. import errors
from .._certainty import Certainty
from .._converter import make_converter
from .._secret import mask_number
from ..errors import NOT_TRIED, NotSentError, OutcomeUnknownError, RejectedError, SendError
from ..models import ButtonMessage, MessageReceipt
from ..outcomes import Outcome


class Row(Protocol):
    """One row of a query."""

    def __getitem__(self, column: str, /) -> Any:
        """Return the value of a column, by its name."""


PENDING: Final = "pending"
SENDING: Final = "sending"

STATES: Final = {
    Certainty.ACCEPTED: "accepted",
    Certainty.REJECTED: "rejected",
    Certainty.NOT_SENT: PENDING,
    Certainty.UNKNOWN: "unknown",
}
"""The state in which a message rests, for what is known of it."""

CERTAINTIES: Final = {state: certainty for certainty, state in STATES.items()} | {
    SENDING: Certainty.UNKNOWN
}
"""What is known of a message, for each state."""

_FALLBACK: Final[Mapping[Certainty, type[SendError]]] = {
    Certainty.REJECTED: RejectedError,
    Certainty.NOT_SENT: NotSentError,
    Certainty.UNKNOWN: OutcomeUnknownError,
}
_converter: Final = make_converter()
_encode: Final = json.JSONEncoder(ensure_ascii=False).encode


# --- messages ---------------------------------------------------------------------------------


def message_columns(message: ButtonMessage, position: int, sender: str | None) -> dict[str, Any]:
    """Return the columns of a message.

    Args:
        message: The message.
        position: Its position in the input, counted from 0.
        sender: The number that sends it where it names none.
    """
    digest = message.digest(sender)
    return {
        "key": digest if message.key is None else message.key,
        "digest": None if message.key is None else bytes.fromhex(digest),
        "position": position,
        "sender": message.sender or sender or "",
        "has_own_sender": message.sender is not None,
        "recipient": message.to,
        "text": message.message,
        "buttons": _encode(message.buttons),
    }


def read_message(row: Row) -> ButtonMessage:
    """Return the message of a row, equal to the one that was loaded."""
    return ButtonMessage(
        row["recipient"],
        row["text"],
        json.loads(row["buttons"]),
        row["sender"] if row["has_own_sender"] else None,
        None if row["digest"] is None else row["key"],
        limits=None,  # they were checked when it was built first
    )


# --- outcomes ---------------------------------------------------------------------------------


def outcome_columns(outcome: Outcome) -> dict[str, Any]:
    """Return the columns of an outcome; an error to write none is raised here, not in a commit."""
    receipt = outcome.receipt
    return {
        "state": STATES[outcome.certainty],
        "made": outcome.attempts,
        "unknown_attempts": outcome.unknown_attempts,
        "credits": _real(outcome.credits),
        "elapsed": outcome.elapsed,
        # ASCII, because a server's text may hold what UTF-8 cannot: half an emoji.
        "receipt": None if receipt is None else json.dumps(receipt.raw or receipt.to_dict()),
        "error": error_text(outcome.error),
    }


def error_text(error: SendError | None) -> str | None:
    """Return an error as JSON."""
    return None if error is None else json.dumps(error.to_dict())


def read_outcome(row: Row) -> Outcome:
    """Return what a row says has become of its message."""
    certainty = CERTAINTIES[row["state"]]
    receipt = error = None
    if certainty is Certainty.ACCEPTED:
        if row["receipt"] is not None:
            receipt = _converter.structure(json.loads(row["receipt"]), MessageReceipt)
    else:
        error = read_error(row["error"], certainty) or _untold(row, certainty)
    return Outcome(
        message=read_message(row),
        key=row["key"],
        certainty=certainty,
        receipt=receipt,
        error=error,
        attempts=row["attempts"],
        unknown_attempts=row["unknown_attempts"],
        index=row["position"],
        elapsed=row["elapsed"],
        note=row["note"],
    )


def read_error(text: str | None, certainty: Certainty) -> SendError | None:
    """Return the error that stands in a ledger, or None where it speaks of another certainty."""
    if text is None:
        return None
    data = json.loads(text)
    kind = getattr(errors, data.pop("type"), None)
    if not (isinstance(kind, type) and issubclass(kind, SendError)):
        kind = _FALLBACK[certainty]  # of a newer version
    if data.pop("certainty") != certainty.value:
        return None  # the row has moved on since: it is under way, or about to be
    return kind(data.pop("message"), **data)


def read_doubt(row: Row) -> SendError | None:
    """Return why it is unknown whether a message has gone out, or None where it is not."""
    if CERTAINTIES[row["state"]] is not Certainty.UNKNOWN:
        return None
    return read_error(row["error"], Certainty.UNKNOWN) or _untold(row, Certainty.UNKNOWN)


def orphan_error(row: Row) -> SendError:
    """Return the error of a message whose run ended while it was being sent."""
    recipient = mask_number(row["recipient"])
    return OutcomeUnknownError(
        f"The run that was sending the message to {recipient} ended before its outcome was on "
        "record: it may have gone out",
        attempts=row["attempts"],
        recipient=recipient,
        cause="RunEnded",
    )


def resolved_error(certainty: Certainty, recipient: str, note: str | None) -> SendError | None:
    """Return the error of a message that a person has resolved, or None for an accepted one."""
    if certainty is Certainty.ACCEPTED:
        return None
    kind = _FALLBACK[certainty]
    said = f": {note}" if note else ""
    masked = mask_number(recipient)
    text = f"The message to {masked} was resolved by hand as {certainty}{said}"
    return kind(text, recipient=masked, detail=note, cause="Resolved")


def _untold(row: Row, certainty: Certainty) -> SendError:
    """Return the error of a message of which the ledger holds no more than its state."""
    recipient = mask_number(row["recipient"])
    if certainty is Certainty.NOT_SENT:
        tried = "sent yet" if row["attempts"] else "tried yet"
        text, cause = f"The message to {recipient} was not {tried}", NOT_TRIED
    else:
        text, cause = f"The message to {recipient} is being sent", "Sending"
    return _FALLBACK[certainty](text, attempts=row["attempts"], recipient=recipient, cause=cause)


def _real(value: float) -> float:
    """Return an amount as SQLite can hold it; a server may write any number."""
    try:
        return float(value)
    except OverflowError:
        return float("inf")
