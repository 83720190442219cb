"""The sandbox as a Starlette app. Needs the extra ``sandbox``.

Routes that are not its own end in the emulator, so a path that the vendor does not document is
answered as the API would answer it.
"""

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Final

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from ._api import http_error, routes_of
from ._courier import Courier
from ._guards import Guards, headers_of, send_plain, start_of
from ._page import page_file, page_routes
from ._reading import BASE_PATH
from ._stream import body_of, gone
from .emulator import Emulator
from .exchange import Action, SandboxRequest, SandboxResponse

DROP_HOOK: Final = "multiwhats_sandbox_drop"
"""Where in ``scope["state"]`` a server puts what resets the request's connection."""

_DROPS: Final = frozenset({Action.DROP_BEFORE, Action.DROP_AFTER})


class ConnectionDroppedError(ConnectionError):
    """A fault wants the connection dropped, and the server has no hook for it."""


def create_app(
    emulator: Emulator,
    *,
    allowed_hosts: Collection[str] | None = (),
    routes: Sequence[BaseRoute] = (),
    page: bool = True,
) -> Starlette:
    """Return the sandbox as an ASGI app.

    ``GET /`` is the page for browsers, and for everyone else a text that says how to use the
    sandbox; ``/sandbox/…`` is the test API, described by ``GET /sandbox/openapi.json``;
    everything else goes to the emulator.

    Customers' choices are pushed to the webhook by a task of the app's lifespan: a server runs
    it, ``httpx.ASGITransport`` and an app that this one is mounted in do not.

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
        page: Whether there is a page to look at; otherwise only the APIs.

    Returns:
        The app.
    """

    async def home(request: Request) -> Response:
        if page and "text/html" in request.headers.get("accept", ""):
            return page_file("index.html")
        return PlainTextResponse(_introduction(request.headers["host"], emulator))

    async def icon(_request: Request) -> Response:
        # Browsers ask for it unasked: that is no request to the vendor's API.
        return page_file("icon.svg") if page else Response(status_code=204)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Courier(emulator.store, emulator.now).run)
            yield
            tasks.cancel_scope.cancel()

    app = Starlette(
        routes=[
            *routes,
            Route("/", home),
            Route("/favicon.ico", icon),
            Mount("/sandbox", routes=[*(page_routes() if page else ()), *routes_of(emulator)]),
        ],
        middleware=[Middleware(Guards, allowed_hosts=allowed_hosts)],
        exception_handlers={HTTPException: http_error},
        lifespan=lifespan,
    )
    app.router.default = _Door(emulator)
    return app


class _Door:
    """Takes everything without a route of its own to the emulator, and does what it says."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        drop = scope.get("state", {}).get(DROP_HOOK)
        if drop is None and self._emulator.accept() is Action.REFUSE:
            raise ConnectionDroppedError("A fault refuses this connection.")
        body = await body_of(receive)
        if body is None:  # the client left in the middle of its request
            return
        response = self._emulator.handle(
            SandboxRequest(
                scope["method"], scope["path"], scope["query_string"], headers_of(scope), body
            )
        )
        if response.delay and await gone(receive, within=response.delay):
            return
        if response.action in _DROPS:
            if drop is None:
                raise ConnectionDroppedError("A fault drops this connection.")
            drop()
        if response.action in _DROPS or response.action is Action.NEVER:
            await gone(receive)
            return
        await _send(response, receive, send)


async def _send(response: SandboxResponse, receive: Receive, send: Send) -> None:
    if response.action is not Action.DRIP:
        await send_plain(response, send)
        return
    await send(start_of(response))
    for piece in response.pieces:
        if await gone(receive, within=response.pause):
            return
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body"})


def _introduction(host: str, emulator: Emulator) -> str:
    key = emulator.api_key if emulator.any_key else "<a key that the sandbox was started with>"
    return (
        "The multiwhats-async sandbox: the MultiWhats API on your own machine. Nothing is sent.\n"
        f"export MULTIWHATS_BASE_URL=http://{host}{BASE_PATH}\n"
        f"export MULTIWHATS_API_KEY={key}\n"
    )
