"""What may be told of an answer or an error: all of it but the key."""

import json
import re
import ssl
from typing import Final

import httpx

from .._evidence import Failure
from .._json import load_json
from .._secret import Secret

_BEFORE_WRITING: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
)
"""The errors that can only occur before anything is written, on any transport."""

_MAX_TEXT: Final = 200

_TELLING_LENGTH: Final = 8
"""A shorter key is a word: looked for in a record, it would spoil the message's own text."""

_ESCAPED_ASCII: Final = re.compile(rb"\\u00[2-7]")
"""JSON escapes of letters that need none; a key is ASCII."""


def masked(body: bytes, key: Secret, *, is_record: bool) -> bytes:
    """Return a body without the key: a server that echoes it would put it into receipts."""
    if is_record and len(key) < _TELLING_LENGTH:
        return body
    plain = key.redact_bytes(body)
    if plain is body and not _ESCAPED_ASCII.search(body):
        return body
    try:  # text by text: a number that looks like the key must stay a number
        return json.dumps(key.redact_within(load_json(body))).encode()
    except (ValueError, RecursionError):
        return plain


def described(error: Exception, key: Secret, host: str) -> Failure:
    """Turn an error into plain data, so that no frame or text of it can leak.

    Args:
        error: What a lower layer raised.
        key: What is masked in its text.
        host: Who was spoken to, named where there was no connection.
    """
    certificate = _certificate_error(error)
    told = certificate or error
    text = " ".join(key.redact(str(told)).split())
    if isinstance(error, _BEFORE_WRITING):
        text = f"{host}: {text}"
    return Failure(
        cause=type(told).__name__,
        text=text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…",
        before_writing=isinstance(error, _BEFORE_WRITING),
    )


def _certificate_error(error: BaseException) -> ssl.SSLCertVerificationError | None:
    """Return the refusal of a certificate that an error stems from, if it does."""
    cause: BaseException | None = error
    for _ in range(10):
        if cause is None or isinstance(cause, ssl.SSLCertVerificationError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None
