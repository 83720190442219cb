"""The ways to the server that every case is run over. A new one is a line in ``TRANSPORTS``."""

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs
import httpx

from multiwhats_async import AsyncMultiWhats


@attrs.frozen(kw_only=True)
class Transport:
    """One way to the server.

    Attributes:
        means: What it is, for the reader of a table.
        idle: Tells how many connections its ``httpx.AsyncClient`` counts as its own.
        options: What the client is told.
        injected: Whether a user brings the ``httpx.AsyncClient``: its pool is not ours to mend.
        traced: Whether httpcore tells of each step of an attempt.
    """

    means: str
    idle: Callable[[Any], int]
    options: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    injected: bool = False
    traced: bool = True

    @asynccontextmanager
    async def opened(
        self,
        key: str,
        *,
        ssl_context: ssl.SSLContext | None = None,
        http: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> AsyncIterator[AsyncMultiWhats]:
        """Open a client.

        Args:
            key: The API key.
            ssl_context: Verifies the server.
            http: Options of the client that a user brings.
            options: Those of ours.
        """
        told = {**self.options, **options}
        if not self.injected:
            async with AsyncMultiWhats(key, ssl_context=ssl_context, **told) as client:
                yield client
            return
        verify: Any = True if ssl_context is None else ssl_context
        async with (
            httpx.AsyncClient(trust_env=False, verify=verify, **(http or {})) as http_client,
            AsyncMultiWhats(key, http_client=http_client, **told) as client,
        ):
            yield client

    def counted(self, client: AsyncMultiWhats) -> int:
        """Return how many connections a client counts while nothing is under way."""
        return self.idle(client._lifetime._http)


TRANSPORTS: Final[Mapping[str, Transport]] = {
    "own": Transport(
        means="our own pool",
        idle=lambda http: len(http._transport._idle),
    ),
    "direct": Transport(
        means="our own connections, without httpcore",
        idle=lambda http: http._transport.idle,
        options={"transport": "direct"},
        traced=False,
    ),
    "injected": Transport(
        means="an `httpx.AsyncClient` of the user's",
        idle=lambda http: len(http._transport._pool.connections),
        injected=True,
    ),
}
OURS: Final = tuple(name for name, each in TRANSPORTS.items() if not each.injected)
"""Those whose connections are ours to close."""
TRACED: Final = tuple(name for name, each in TRANSPORTS.items() if each.traced)
"""Those whose steps are httpcore's."""
