"""When the pool may be used: after it was entered, before it is closed, in one loop and process."""

import os
import ssl
import warnings

import anyio.lowlevel
import httpx

from .._secret import Secret
from .._version import __version__
from .._wire import ENDPOINT
from ..errors import ConfigurationError
from ..options import KeyPlace
from ._exchange import HttpxExchange, open_http_client
from ._pool import PooledTransport


class Lifetime:
    """Opens and closes the ``httpx.AsyncClient``, and refuses to hand it out where it would break.

    Args:
        base_url: Where the API is.
        http_client: A user's client: used, and not closed; None opens our own.
        ssl_context: Verifies the server; None takes certifi's authorities.
        keepalive: Seconds for which an idle connection is kept; None keeps none.
    """

    def __init__(
        self,
        *,
        base_url: str,
        http_client: httpx.AsyncClient | None,
        ssl_context: ssl.SSLContext | None,
        keepalive: float | None,
    ) -> None:
        self.base_url = base_url
        self._injected = http_client
        self._ssl_context = ssl_context
        self._keepalive = keepalive
        self._http: httpx.AsyncClient | None = None
        self._loop: object = None
        self._process = 0
        self.state = "not entered"

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
        try:
            self._http = self._injected or open_http_client(
                self.base_url, ssl_context=self._ssl_context, keepalive=self._keepalive
            )
        except httpx.InvalidURL as error:
            raise ConfigurationError(f"base_url is no URL: {error}") from None
        self.state = "open"

    def exchange(self, key: Secret, place: KeyPlace) -> HttpxExchange:
        """Return the way to the server.

        Raises:
            ConfigurationError: The pool is not open, or belongs to another loop or process.
        """
        self.check()
        assert self._http is not None  # noqa: S101  # it is open
        return HttpxExchange(
            self._http,
            url=self.base_url + ENDPOINT,
            key=key,
            place=place,
            own=self._injected is None,
            user_agent=f"multiwhats-async/{__version__}",
            keep=self._keepalive is not None,
        )

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
        transport = self._http._transport  # noqa: SLF001  # the one that we gave it
        if self._process != os.getpid() and isinstance(transport, PooledTransport):
            transport.forget()
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
