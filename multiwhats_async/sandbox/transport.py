"""The sandbox as an httpx transport: no socket, no thread, on asyncio and on trio."""

from collections.abc import AsyncIterator
from typing import Final, NoReturn

import anyio
import httpx

from .emulator import Emulator
from .exchange import Action, SandboxRequest, SandboxResponse, split_target

_DROPS: Final = frozenset({Action.DROP_BEFORE, Action.DROP_AFTER})


def mock_transport(emulator: Emulator) -> httpx.MockTransport:
    """Return a transport for ``httpx.AsyncClient(transport=…)`` that ends in an emulator.

    Each request stands for a connection of its own. What a socket would do comes as httpx would
    raise it: ``refuse`` as ``ConnectError``, a dropped connection as ``ReadError``, no answer as
    ``ReadTimeout``. ``timeout`` raises at once instead of waiting the time out; latency and slow
    drips do take their time, up to the request's read timeout.

    Args:
        emulator: Where the requests go.

    Returns:
        The transport, for asynchronous clients.
    """

    async def handle(request: httpx.Request) -> httpx.Response:
        if emulator.accept() is Action.REFUSE:
            raise httpx.ConnectError("Connection refused by the sandbox", request=request)
        response = emulator.handle(_sandbox_request(request))
        await _wait(response.delay, request)
        if response.action is Action.NEVER:
            _time_out(request)
        if response.action in _DROPS:
            raise httpx.ReadError("Connection dropped by the sandbox", request=request)
        content = _drip(response, request) if response.action is Action.DRIP else response.body
        headers = {**response.headers, "content-length": str(len(response.body))}
        return httpx.Response(response.status, headers=headers, content=content)

    return httpx.MockTransport(handle)


def _sandbox_request(request: httpx.Request) -> SandboxRequest:
    # The key stands in the raw target only: in that of the URL, or in the one that replaces it.
    path, query = split_target(request.extensions.get("target", request.url.raw_path))
    return SandboxRequest(request.method, path, query, dict(request.headers), request.content)


async def _drip(response: SandboxResponse, request: httpx.Request) -> AsyncIterator[bytes]:
    for piece in response.pieces:
        await _wait(response.pause, request)
        yield piece


async def _wait(seconds: float, request: httpx.Request) -> None:
    """Let time pass, up to the request's read timeout."""
    limit = request.extensions.get("timeout", {}).get("read")
    if limit is not None and seconds > limit:
        await anyio.sleep(limit)
        _time_out(request)
    await anyio.sleep(seconds)


def _time_out(request: httpx.Request) -> NoReturn:
    raise httpx.ReadTimeout("The sandbox did not answer in time", request=request)
