"""When the pool may be used: after it was entered, before it is closed, in one loop and process."""

import os
import ssl
import warnings
from collections.abc import Callable

import anyio.lowlevel
import httpx

from .._secret import Secret
from .._wire import ENDPOINT
from ..abc import Exchange
from ..errors import ConfigurationError
from ..options import KeyPlace, TransportName
from ._direct import DirectExchange, Origin, running_network
from ._direct_transport import DirectTransport
from ._exchange import HttpxExchange, standing_headers
from ._pool import PooledTransport
from ._pooled import PooledExchange


class Lifetime:
    """Opens and closes the ``httpx.AsyncClient``, and refuses to hand it out where it would break.

    Args:
        base_url: Where the API is.
        http_client: A user's client: used, and not closed; None opens our own.
        ssl_context: Verifies the server; None takes certifi's authorities.
        keepalive: Seconds for which an idle connection is kept; None keeps none.
        transport: What our own client stands on.
    """

    def __init__(
        self,
        *,
        base_url: str,
        http_client: httpx.AsyncClient | None,
        ssl_context: ssl.SSLContext | None,
        keepalive: float | None,
        transport: TransportName = "httpcore",
    ) -> None:
        self.base_url = base_url
        self._injected = http_client
        self._ssl_context = ssl_context
        self._keepalive = keepalive
        self._transport: TransportName = transport
        self._http: httpx.AsyncClient | None = None
        self._pool: PooledTransport | DirectTransport | None = None
        self._last: tuple[Secret, KeyPlace, Exchange] | None = None
        self._loop: object = None
        self._process = 0
        self.state = "not entered"
        self.clock: Callable[[], float] = anyio.current_time

    def open(self) -> None:
        """Open the pool in the running event loop.

        Raises:
            ConfigurationError: It was opened before.
        """
        if self.state != "not entered":
            raise ConfigurationError(
                f"This client was entered already and is {self.state}: make a new one"
            )
        self._loop = anyio.lowlevel.current_token()
        self._process = os.getpid()
        self.clock = running_network().clock
        try:
            self._http = self._injected or self._open_pool()
        except httpx.InvalidURL as error:
            raise ConfigurationError(f"base_url is no URL: {error}") from None
        self.state = "open"

    def _open_pool(self) -> httpx.AsyncClient:
        """Return our client: a transport of ours, no redirects, nothing from the environment."""
        url = httpx.URL(self.base_url)
        context = self._ssl_context
        if context is None and url.scheme == "https":
            context = httpx.create_ssl_context(trust_env=False)
        if self._transport == "direct":
            origin = Origin(url, ssl_context=context, keepalive=self._keepalive)
            self._pool = DirectTransport(origin)
        else:
            self._pool = PooledTransport(
                url, ssl_context=context, keepalive=self._keepalive, clock=self.clock
            )
        return httpx.AsyncClient(transport=self._pool, trust_env=False, follow_redirects=False)

    def exchange(self, key: Secret, place: KeyPlace) -> Exchange:
        """Return the way to the server.

        Raises:
            ConfigurationError: The pool is not open, or belongs to another loop or process.
        """
        self.check()
        if self._last is None or self._last[0] is not key or self._last[1] != place:
            self._last = (key, place, self._new_exchange(key, place))
        return self._last[2]

    def _new_exchange(self, key: Secret, place: KeyPlace) -> Exchange:
        """Return a way to the server, with the head of every request made once."""
        text = self.base_url + ENDPOINT
        url, headers = httpx.URL(text), standing_headers(text, keep=self._keepalive is not None)
        if isinstance(self._pool, DirectTransport):
            return DirectExchange(self._pool.origin, url=url, key=key, place=place, headers=headers)
        if self._pool is not None:
            return PooledExchange(self._pool, url=url, key=key, place=place, headers=headers)
        assert self._http is not None  # noqa: S101  # it is open
        return HttpxExchange(self._http, url=url, key=key, place=place, headers=headers)

    @property
    def idle(self) -> int:
        """How many connections of our own are kept, and carry nothing."""
        return 0 if self._pool is None else self._pool.idle

    def check(self) -> None:
        """Refuse use before it is open, after it is closed, and in another loop or process.

        Raises:
            ConfigurationError: Says which of them, and the way out.
        """
        if self.state == "not entered":
            raise ConfigurationError(
                "The client is not open: use it within  async with AsyncMultiWhats(...) as client"
            )
        if self.state == "closed" or (self._injected is not None and self._injected.is_closed):
            raise ConfigurationError("The client is closed: make a new one")
        if self._process != os.getpid():
            raise ConfigurationError(
                "The client was opened before a fork, and its connections belong to the parent: "
                "make one in each process"
            )
        if self._loop != _current_loop():
            raise ConfigurationError(
                "The client was opened in another event loop: make one in each loop"
            )

    async def aclose(self) -> None:
        """Close the pool; an injected client stays open."""
        if self.state != "open":
            return
        if self._process == os.getpid() and self._loop != _current_loop():
            raise ConfigurationError("Close the client in the event loop in which it was opened")
        self.state = "closed"
        if self._injected is not None or self._http is None:
            return
        if self._process != os.getpid() and self._pool is not None:
            self._pool.forget()
        with anyio.CancelScope(shield=True):
            await self._http.aclose()

    def __del__(self) -> None:
        if getattr(self, "state", None) == "open" and self._injected is None:
            warnings.warn(
                f"The AsyncMultiWhats for {self.base_url} was not closed: "
                "use it within  async with, or await aclose()",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )


def _current_loop() -> object:
    """Return what stands for the running event loop, or None where none runs."""
    try:
        return anyio.lowlevel.current_token()
    except RuntimeError:
        return None
