"""The vendor's wire: from a message to the bytes of a request, from an answer to a verdict.

Pure functions of bytes, status and headers. The request, and the record that answers it, are
documented by the vendor. What its errors look like is not: that part is assumed, and marked.
"""

import re
import zlib
from http import HTTPStatus
from json.encoder import encode_basestring
from typing import Any, Final

import attrs

from ._certainty import Certainty
from ._converter import receipt_reader
from ._evidence import Answer, Silence
from ._json import load_json
from ._secret import mask_number
from .errors import (
    AuthenticationError,
    InsufficientCreditError,
    InvalidRequestError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    RejectedError,
    SendError,
)
from .models import ButtonMessage, MessageReceipt
from .retry import parse_retry_after

ENDPOINT: Final = "basic/whatsapp/send-dynamic"
"""Documented: appended to the base URL, asked with POST."""

MAX_BODY: Final = 1_000_000
"""Bytes of an answer that are read at the most; the documented one has 879."""

MAX_DETAIL: Final = 300
"""Characters of an error's body that are shown."""

_read_receipt: Final = receipt_reader()
_RECIPIENT: Final = re.compile(rb'"to":"(\d+)"')
_quote: Final = encode_basestring
"""Writes a text as JSON, as the standard library's encoder does with ``ensure_ascii=False``."""


# --- requests ---------------------------------------------------------------------------------


def encode_request(message: ButtonMessage, sender: str) -> bytes:
    """Return the body of the request for a message, without the key.

    Args:
        message: The message.
        sender: The number that sends it where the message names none.
    """
    labels = ",".join(map(_quote, message.buttons))
    return (
        f'{{"from":{_quote(message.sender or sender)},"to":{_quote(message.to)},'
        f'"message":{_quote(message.message)},"type":"button","buttons":[{labels}]}}'
    ).encode()


def add_key(body: bytes, key: str) -> bytes:
    """Return a request's body with the API key among its data, as the vendor allows."""
    return body[:-1] + b',"apikey":' + _quote(key).encode() + b"}"


# --- answers ----------------------------------------------------------------------------------


@attrs.define(kw_only=True)  # not frozen: made for every attempt, and that takes twice as long
class Verdict:
    """What one attempt came to: a receipt or an error, and so a certainty."""

    receipt: MessageReceipt | None = None
    error: SendError | None = None
    mismatch: bool = False

    @property
    def certainty(self) -> Certainty:
        """What is known of the message after this attempt."""
        return Certainty.ACCEPTED if self.error is None else self.error.certainty


def read_result(result: Answer | Silence, message: ButtonMessage) -> Verdict:
    """Return what an attempt came to. Never raises.

    Args:
        result: What the exchange of bytes came to.
        message: The message that was sent; the answer must speak of its recipient.
    """
    if isinstance(result, Silence):
        return Verdict(error=_silence_error(result, message))
    if 200 <= result.status < 300:  # noqa: PLR2004  # the statuses of success
        return _read_success(result, message)
    return Verdict(error=_status_error(result, message))


def _silence_error(silence: Silence, message: ButtonMessage) -> SendError:
    """Build the error for an attempt to which no status was seen."""
    failure = silence.failure
    detail = _clean(failure.text) or None
    what = f"{failure.cause}: {detail}" if detail else failure.cause
    if silence.certainty is Certainty.NOT_SENT:
        kind: type[SendError] = NotSentError
        text = f"The message to {mask_number(message.to)} did not reach the server ({what})"
    else:
        kind = OutcomeUnknownError
        text = (
            f"No answer for the message to {mask_number(message.to)} ({what}): it may have gone out"
        )
    return kind(text, recipient=mask_number(message.to), cause=failure.cause, detail=detail)


def _status_error(answer: Answer, message: ButtonMessage) -> SendError:
    """Build the error for a status that is no success. What each means is assumed."""
    status = answer.status
    later = parse_retry_after(answer.retry_after, answer.date)
    kind: type[SendError]
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        kind = AuthenticationError
    elif status == HTTPStatus.PAYMENT_REQUIRED:
        kind = InsufficientCreditError
    elif status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.TOO_EARLY) or (
        status == HTTPStatus.SERVICE_UNAVAILABLE and later is not None
    ):
        kind = RateLimitedError
    elif status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT):
        kind = OutcomeUnknownError
    elif 400 <= status < 500:  # noqa: PLR2004  # the other client errors
        kind = InvalidRequestError
    else:
        kind = OutcomeUnknownError  # 1xx, 3xx, 5xx: it may have been processed before that
    return _answer_error(kind, answer, message, _detail(answer.body), retry_after=later)


def _read_success(answer: Answer, message: ButtonMessage) -> Verdict:
    """Read an answer whose status is a success."""
    if answer.body is None:
        # A success whose record was lost could have been an error in its body: not accepted.
        lost = _clean(answer.failure.text) if answer.failure else ""
        return Verdict(
            error=_answer_error(
                OutcomeUnknownError, answer, message, f"the record was lost: {lost}"
            )
        )
    try:
        record = load_json(answer.body)
    except ValueError:
        detail = f"the answer is no JSON: {_excerpt(answer.body)}"
        return Verdict(error=_answer_error(OutcomeUnknownError, answer, message, detail))
    if not is_record(record):
        kind = RejectedError if is_error(record) else OutcomeUnknownError
        return Verdict(error=_answer_error(kind, answer, message, _detail(answer.body)))
    receipt = _read_receipt(record)
    if not _speaks_of(receipt, message):
        detail = "the answer speaks of another recipient: it belongs to another request"
        error = _answer_error(OutcomeUnknownError, answer, message, detail)
        return Verdict(error=error, mismatch=True)
    return Verdict(receipt=receipt)


def _answer_error(
    kind: type[SendError],
    answer: Answer,
    message: ButtonMessage,
    detail: str | None,
    *,
    retry_after: float | None = None,
) -> SendError:
    """Build an error that speaks of an answer."""
    recipient = mask_number(message.to)
    said = f": {detail}" if detail else ""
    unknown = " (it may have gone out)" if kind is OutcomeUnknownError else ""
    return kind(
        f"The server answered {answer.status} for the message to {recipient}{unknown}{said}",
        status_code=answer.status,
        recipient=recipient,
        detail=detail,
        cause=answer.failure.cause if answer.failure else None,
        retry_after=retry_after,
    )


_RECORD_MARKS: Final = frozenset(
    (
        "total_credit",
        "queue_type",
        "message_type",
        "from_identifier",
        "target_count",
        "social_media_account_id",
    )
)


def is_record(value: object) -> bool:
    """Tell whether JSON is the vendor's record of a message, even with fields missing."""
    if not isinstance(value, dict) or _says_error(value):
        return False
    return "targets" in value or ("id" in value and not _RECORD_MARKS.isdisjoint(value))


def is_error(value: object) -> bool:
    """Tell whether JSON that came with a success is plainly an error (assumed)."""
    return isinstance(value, dict) and _says_error(value)


def _says_error(value: dict[str, Any]) -> bool:
    if "id" in value and value.get("targets"):
        return False  # a record, whatever else it says
    return bool(
        value.get("error")
        or value.get("errors")
        or value.get("success") is False
        or value.get("status") in (False, "error", "fail", "failed")
    )


def _speaks_of(receipt: MessageReceipt, message: ButtonMessage) -> bool:
    """Tell whether a record can be the answer for a message: it names its recipient, or none."""
    for target in receipt.targets:
        if target.target_identifier == message.to:
            return True
    named = {target.target_identifier for target in receipt.targets} - {None}
    digits = {re.sub(r"\D", "", str(number)).removeprefix("00") for number in named}
    return not named or message.to in digits


def may_belong(status: int, body: bytes, request: bytes) -> bool:
    """Tell whether an answer gives no reason to doubt the connection that it came on.

    A refusal names nobody. Whatever else does not name the recipient may be another's answer.

    Args:
        status: Its status.
        body: Its body as it came.
        request: The body of the request, as :func:`encode_request` makes it.
    """
    if 400 <= status < 500:  # noqa: PLR2004  # the refusals
        return True
    recipient = _RECIPIENT.search(request)
    is_success = 200 <= status < 300  # noqa: PLR2004  # the statuses of success
    return is_success and recipient is not None and recipient[1] in body


def _detail(body: bytes | None) -> str | None:
    """Return what an error's body says, for a person."""
    if not body:
        return None
    try:
        value = load_json(body)
    except ValueError:
        return _excerpt(body)
    for name in ("message", "error", "detail", "errors"):
        said = value.get(name) if isinstance(value, dict) else None
        if isinstance(said, dict):
            said = said.get("message")
        if isinstance(said, str) and said:
            return _clean(said)
    return _excerpt(body)


def _excerpt(body: bytes) -> str:
    return _clean(body[: MAX_DETAIL * 4].decode("utf-8", "replace")) or "(empty)"


def _clean(text: str) -> str:
    """Cut a server's text to one printable line without whole phone numbers."""
    text = "".join(char if char.isprintable() else " " for char in text)
    text = re.sub(r"\d{7,}", lambda match: mask_number(match[0]), " ".join(text.split()))
    return text if len(text) <= MAX_DETAIL else text[: MAX_DETAIL - 1] + "…"


def decode_body(body: bytes, encoding: str | None) -> bytes:
    """Undo a content encoding that was not asked for, without letting it grow past the cap.

    Args:
        body: The bytes as they came.
        encoding: The ``Content-Encoding`` header, or None.

    Raises:
        ValueError: The bytes are not what the header says, are cut, or grow beyond the cap.
    """
    name = (encoding or "identity").strip().lower()
    if name == "identity":
        return body
    if name not in ("gzip", "x-gzip", "deflate"):
        raise ValueError(f"unknown content encoding {name[:20]!r}")
    inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # 32: gzip or zlib, by its header
    try:
        plain = inflate.decompress(body, MAX_BODY + 1)
    except zlib.error:
        raise ValueError(f"broken {name}") from None
    if len(plain) > MAX_BODY or not inflate.eof:
        raise ValueError(f"the {name} answer is cut, or more than {MAX_BODY} bytes")
    return plain
