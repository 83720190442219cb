"""Reading a request of the test API; what is wrong with it is said by name."""

import json
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ._reading import NUMBER, read_payload
from ._stream import body_of
from .exchange import SandboxRequest, SandboxResponse

MAX_LIMIT: Final = 200
DEFAULT_LIMIT: Final = 50
"""Items in one answer."""

MAX_WAIT_SECONDS: Final = 60.0
DEFAULT_WAIT_SECONDS: Final = 10.0

MAX_ID: Final = 2**53 - 1
"""The greatest whole number that JavaScript tells from its neighbours."""

MAX_SEARCH: Final = 200
"""Characters of a search. Ours."""


class ApiError(Exception):
    """What the test API answers instead."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.response = error(status, code, message)


def error(status: int, code: str, message: str) -> Response:
    """Return an error of the test API."""
    return JSONResponse({"error": {"code": code, "message": message}}, status)


class Query:
    """The query of a request, checked."""

    def __init__(self, request: Request) -> None:
        self._fields = request.query_params

    def number(self, name: str) -> str | None:
        """Return a phone number's digits."""
        text = self._fields.get(name)
        if text is not None and not NUMBER.fullmatch(text):
            raise bad(name, "write 1 to 15 digits")
        return text

    def text(self, name: str) -> str:
        """Return a short text, empty where it is not there."""
        text = self._fields.get(name, "")
        if len(text) > MAX_SEARCH:
            raise bad(name, f"write at most {MAX_SEARCH} characters")
        return text

    def whole(self, name: str, *, least: int, most: int = MAX_ID) -> int | None:
        """Return a whole number."""
        text = self._fields.get(name)
        return None if text is None else _whole(text, name, least=least, most=most)

    def limit(self) -> int:
        """Return how many items are wanted."""
        return self.whole("limit", least=1, most=MAX_LIMIT) or DEFAULT_LIMIT

    def seconds(self, name: str, *, default: float, most: float) -> float:
        """Return a time in seconds."""
        text = self._fields.get(name)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = -1
        if not 0 <= value <= most:
            raise bad(name, f"write seconds from 0 to {most:g}")
        return value


def filters_of(query: Query) -> dict[str, Any]:
    """Return which messages are wanted."""
    return {
        "to": query.number("to"),
        "sender": query.number("from"),
        "text": query.text("q"),
        "after": query.whole("after", least=0) or 0,
    }


def id_of(request: Request) -> int:
    """Return the id in a path."""
    return _whole(request.path_params["id"], "id", least=1, most=MAX_ID)


def _whole(text: str, name: str, *, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(MAX_ID)):
        raise bad(name, f"write a whole number from {least} to {most}")
    if not least <= int(text) <= most:
        raise bad(name, f"write a whole number from {least} to {most}")
    return int(text)


async def fields_of(request: Request, kinds: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a JSON object in the body, each of its kind, and no others."""
    body = await body_of(request.receive)
    headers = {name.lower(): value for name, value in request.headers.items()}
    payload = read_payload(
        SandboxRequest(request.method, request.url.path, b"", headers, body or b"")
    )
    if isinstance(payload, SandboxResponse):
        problem = json.loads(payload.body)["error"]
        raise ApiError(payload.status, problem["code"], problem["message"])
    fields = {name: _as_whole(value) for name, value in payload.items()}
    for name, value in fields.items():
        if name not in kinds:
            raise bad("body", f"it may hold {', '.join(kinds)}, nothing else")
        if not isinstance(value, kinds[name]) or isinstance(value, bool):
            raise bad(name, "it is of another type")
    return fields


def _as_whole(value: object) -> object:
    """Return 1.0 as 1: JSON knows one kind of number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def bad(name: str, way_out: str) -> ApiError:
    """Return the error of a value that cannot be used."""
    return ApiError(422, "invalid_value", f"{name}: {way_out}.")
