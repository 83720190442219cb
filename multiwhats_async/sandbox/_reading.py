"""Reading a request as the vendor's page documents it; everything else is an error of ours.

MultiWhats documents no error at all: each status and body below is assumed.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from multiwhats_async._numbers import MAX_DIGITS, NumberError, normalise_number
from multiwhats_async._strict import decode_json

from .exchange import SandboxRequest, SandboxResponse

BASE_PATH: Final = "/api/v1/"
"""Documented: the path of the base URL that all endpoints use."""

SEND_PATH: Final = BASE_PATH + "basic/whatsapp/send-dynamic"
"""Documented: the one endpoint."""

MAX_BODY_BYTES: Final = 1_000_000
"""Assumed: the vendor states no limit. Bytes."""

MAX_QUERY_FIELDS: Final = 100
"""Assumed, and only a guard: the documented query has one field."""

BUTTON_TYPE: Final = "button"
"""Documented: the only ``type``."""

ASSUMED: Final = "MultiWhats documents no error: this status and body are the sandbox's own."

NUMBER: Final = re.compile(rf"[0-9]{{1,{MAX_DIGITS}}}")
"""What can be a number at all; whether it is one, :func:`problems_of` says."""

_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def encode_json(value: object) -> bytes:
    """Return compact JSON in UTF-8, the form in which the documented answer has 879 bytes."""
    return _encode(value).encode()


def error_response(
    status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None
) -> SandboxResponse:
    """Return an error, in a body that says of itself that it is assumed.

    Args:
        status: The HTTP status.
        code: One word for programs.
        message: One sentence for people. It must hold no value of the request: the key is one.
        headers: Further headers.
    """
    body = {"error": {"code": code, "message": message}, "assumed": ASSUMED}
    return SandboxResponse(
        status, {"content-type": "application/json", **(headers or {})}, encode_json(body)
    )


def route_error(request: SandboxRequest) -> SandboxResponse | None:
    """Return the error of a request that is not for the one endpoint, or None."""
    if request.path != SEND_PATH:
        return error_response(404, "not_found", f"The one documented endpoint is POST {SEND_PATH}.")
    if request.method != "POST":
        return error_response(
            405, "method_not_allowed", "Send messages with POST.", headers={"allow": "POST"}
        )
    return None


def read_payload(request: SandboxRequest) -> dict[str, Any] | SandboxResponse:
    """Return the JSON object in a request's body, or the error to answer.

    Strict where the JSON documents leave it open: UTF-8 without a byte order mark, no name
    twice, no ``NaN`` or ``Infinity``.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        return error_response(
            415, "unsupported_media_type", "Add the header Content-Type: application/json."
        )
    if len(request.body) > MAX_BODY_BYTES:
        return error_response(
            413, "too_large", f"The body is over the sandbox's limit of {MAX_BODY_BYTES:,} bytes."
        )
    try:
        payload = decode_json(request.body)
    except RecursionError:
        return error_response(400, "invalid_json", "The JSON is nested too deep.")
    except ValueError:  # bad UTF-8, bad JSON, a name twice, NaN, a number of thousands of digits
        return error_response(
            400, "invalid_json", "The body is no strict JSON in UTF-8 without a byte order mark."
        )
    if not isinstance(payload, dict):
        return error_response(400, "invalid_json", "The JSON is no object: write { … }.")
    return payload


def keys_of(request: SandboxRequest, payload: Mapping[str, Any]) -> list[object]:
    """Return every API key in a request: documented in the query string or the JSON data."""
    try:
        fields = parse_qsl(
            request.query.decode("latin-1"),
            keep_blank_values=True,
            max_num_fields=MAX_QUERY_FIELDS,
        )
    except ValueError:  # more fields than the guard lets through: none of them is read
        fields = []
    keys: list[object] = [value for name, value in fields if name == "apikey"]
    if "apikey" in payload:
        keys.append(payload["apikey"])
    return keys


def problems_of(payload: Mapping[str, Any]) -> list[str]:
    """Return everything that is wrong with the message in a payload, without its values."""
    problems = [
        *(f"{name}: {_number_problem(payload.get(name))}" for name in ("from", "to")),
        f"message: {_text_problem(payload.get('message'))}",
        f"buttons: {_buttons_problem(payload.get('buttons'))}",
        f"type: {'' if payload.get('type') == BUTTON_TYPE else 'must be button'}",
    ]
    return [problem for problem in problems if not problem.endswith(": ")]


def _number_problem(value: object) -> str:
    if not isinstance(value, str):
        return "must be a text of digits"
    if len(value) > MAX_DIGITS or not (value.isascii() and value.isdigit()):
        return f"must be 8 to {MAX_DIGITS} digits with the country code, and nothing else"
    try:
        normalised = normalise_number(value)
    except NumberError as error:
        return str(error)
    return "" if normalised == value else "must begin with the country code, without 00"


def _text_problem(value: object) -> str:
    if not isinstance(value, str):
        return "must be a text"
    if not value.strip():
        return "must not be empty"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "holds half of a surrogate pair, which is no character"
    return ""


def _buttons_problem(value: object) -> str:
    if not isinstance(value, list) or not value:
        return "must be a list of at least one text"
    return next(filter(None, map(_text_problem, value)), "")
