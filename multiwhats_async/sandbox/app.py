"""The sandbox as a Starlette app. Needs the extra ``sandbox``.

Routes that are not its own end in the emulator, so a path that the vendor does not document is
answered as the API would answer it.
"""

from collections.abc import Collection, Sequence
from ipaddress import ip_address
from typing import Final

import anyio
import attrs
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ._reading import BASE_PATH, MAX_BODY_BYTES, error_response
from .emulator import Emulator
from .exchange import Action, SandboxRequest, SandboxResponse

DROP_HOOK: Final = "multiwhats_sandbox_drop"
"""Where in ``scope["state"]`` a server puts what resets the request's connection."""

_DROPS: Final = frozenset({Action.DROP_BEFORE, Action.DROP_AFTER})
_SAFE_HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'",
    "x-content-type-options": "nosniff",
}


class ConnectionDroppedError(ConnectionError):
    """A fault wants the connection dropped, and the server has no hook for it."""


def create_app(
    emulator: Emulator,
    *,
    allowed_hosts: Collection[str] | None = (),
    routes: Sequence[BaseRoute] = (),
) -> Starlette:
    """Return the sandbox as an ASGI app.

    ``GET /`` says what this is and how to use it, ``GET /sandbox/stats`` gives the counters as
    JSON; everything else goes to the emulator.

    Under :class:`~multiwhats_async.sandbox.SandboxServer` a fault that drops the connection does
    so. Under any other server, and under ``httpx.ASGITransport``, the app cannot reach the
    connection: it raises :class:`ConnectionDroppedError`, and each request stands for a
    connection of its own. ``timeout`` then waits until the client goes away; under
    ``httpx.ASGITransport``, which knows no timeout, until it is cancelled.

    Args:
        emulator: Where the requests go.
        allowed_hosts: Names that the Host header may have beside the loopback names, without a
            port; None allows any. Another name is answered 421: it would be a web page that had
            its own name resolve to this machine.
        routes: Further routes, before the sandbox's own.

    Returns:
        The app.
    """

    async def home(request: Request) -> Response:
        return PlainTextResponse(
            _introduction(request.headers["host"], emulator), headers=_SAFE_HEADERS
        )

    async def stats(_request: Request) -> Response:
        return JSONResponse(attrs.asdict(emulator.stats()), headers=_SAFE_HEADERS)

    app = Starlette(
        routes=[*routes, Route("/", home), Route("/sandbox/stats", stats)],
        middleware=[Middleware(_HostGuard, allowed_hosts=allowed_hosts)],
    )
    app.router.default = _Door(emulator)
    return app


def is_loopback(host: str) -> bool:
    """Return whether a host name means this machine and nothing else, by its text alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _HostGuard:
    """Lets requests through whose Host header names this machine."""

    def __init__(self, app: ASGIApp, allowed_hosts: Collection[str] | None) -> None:
        self._app = app
        self._allowed = None if allowed_hosts is None else {name.lower() for name in allowed_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._allows(_headers(scope).get("host", "")):
            await self._app(scope, receive, send)
            return
        refusal = error_response(
            421, "misdirected_request", "The sandbox answers to loopback names and allowed hosts."
        )
        await _send(refusal, receive, send)

    def _allows(self, host: str) -> bool:
        if self._allowed is None:
            return bool(host)
        name = _host_name(host)
        return is_loopback(name) or name in self._allowed


class _Door:
    """Takes everything without a route of its own to the emulator, and does what it says."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        drop = scope.get("state", {}).get(DROP_HOOK)
        if drop is None and self._emulator.accept() is Action.REFUSE:
            raise ConnectionDroppedError("A fault refuses this connection.")
        body = await _body(receive)
        if body is None:  # the client left in the middle of its request
            return
        response = self._emulator.handle(
            SandboxRequest(
                scope["method"], scope["path"], scope["query_string"], _headers(scope), body
            )
        )
        if response.delay and await _gone(receive, within=response.delay):
            return
        if response.action in _DROPS:
            if drop is None:
                raise ConnectionDroppedError("A fault drops this connection.")
            drop()
        if response.action in _DROPS or response.action is Action.NEVER:
            await _gone(receive)
            return
        await _send(response, receive, send)


async def _send(response: SandboxResponse, receive: Receive, send: Send) -> None:
    headers = {**response.headers, "content-length": str(len(response.body))}
    await send(
        {
            "type": "http.response.start",
            "status": response.status,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
    )
    if response.action is not Action.DRIP:
        await send({"type": "http.response.body", "body": response.body})
        return
    for piece in response.pieces:
        if await _gone(receive, within=response.pause):
            return
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body"})


async def _body(receive: Receive) -> bytes | None:
    """Return the body, cut off once it is over the cap, or None where the client left."""
    body = bytearray()
    more = True
    while more and len(body) <= MAX_BODY_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


async def _gone(receive: Receive, *, within: float | None = None) -> bool:
    """Wait for the client to go away; return whether it did within so many seconds."""
    with anyio.move_on_after(within):
        while (await receive())["type"] != "http.disconnect":
            pass  # what is left of a body that was over the cap
        return True
    return False


def _headers(scope: Scope) -> dict[str, str]:
    raw: list[tuple[bytes, bytes]] = scope["headers"]
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}


def _host_name(host: str) -> str:
    """Return the name in a Host header, without the port and an IPv6 address's brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def _introduction(host: str, emulator: Emulator) -> str:
    key = emulator.api_key if emulator.any_key else "<a key that the sandbox was started with>"
    return (
        "The multiwhats-async sandbox: the MultiWhats API on your own machine. Nothing is sent.\n"
        f"export MULTIWHATS_BASE_URL=http://{host}{BASE_PATH}\n"
        f"export MULTIWHATS_API_KEY={key}\n"
    )
