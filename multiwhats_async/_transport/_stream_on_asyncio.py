"""A stream for httpcore on asyncio: what comes in is taken at once, and costs no round of the loop.

anyio's own stops and starts reading around every read, and lets others have a turn after every
write. Here who waits is woken, and nobody else.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import anyio
import anyio.lowlevel
import httpcore

from ._dialling import dial
from ._port import readable


class AsyncioStream(asyncio.Protocol):
    """A connection on asyncio."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport
        self._has_more: Callable[[], bool]
        self._came: deque[bytes] = deque()
        self._stopped = False
        self._full = False
        self._ended = False
        self._lost = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    # --- what the loop calls ------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; it tells as soon as it cannot hand on all at once."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no instances of it
        self._transport.set_write_buffer_limits(high=1, low=0)
        self._has_more = readable(self._transport.get_extra_info("socket").fileno())

    def data_received(self, data: bytes) -> None:
        """Keep bytes; where nobody waits for them, no more than these."""
        self._came.append(data)
        if self._waiter is None:
            self._stopped = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """Take the end of what the server sends; it may read on, but for TLS, which ends as one."""
        self._ended = True
        self._wake()
        return self._transport.get_extra_info("ssl_object") is None

    def pause_writing(self) -> None:
        """Note that bytes wait to be written."""
        self._full = True

    def resume_writing(self) -> None:
        """Note that all was written."""
        self._full = False
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the end of the connection."""
        self._ended = self._lost = True
        self._error = exc
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self) -> None:
        """Wait until something has happened."""
        self._waiter = waiter = self._loop.create_future()
        try:
            await waiter
        finally:
            self._waiter = None

    # --- what a stream asks for ---------------------------------------------------------------

    @property
    def has_ended(self) -> bool:
        """Whether nothing can leave any more."""
        return self._lost or self._transport.is_closing()

    @property
    def holds_more(self) -> bool:
        """Whether more has come than was asked for, be it the end."""
        return bool(self._came) or self._ended or self._transport.is_closing()

    @property
    def is_readable(self) -> bool:
        """Whether something is to be read, be it the end."""
        return self.holds_more or self._has_more()

    async def send(self, data: bytes) -> None:
        """Write bytes, all of them.

        Raises:
            httpcore.WriteError: The connection has ended.
        """
        self._transport.write(data)
        while self._full and not self._lost:
            await self._wait()
        if self._lost:
            raise httpcore.WriteError(_text(self._error)) from self._error

    async def receive(self, most: int) -> bytes:
        """Return what has come next, so many bytes at the most, or nothing at the end.

        The loop reads more at once than httpcore asks for, which limits a head between its reads.

        Raises:
            httpcore.ReadError: The connection broke.
        """
        while not self._came:
            if self._ended:
                if self._error is not None:
                    raise httpcore.ReadError(_text(self._error)) from self._error
                return b""
            if self._stopped:
                self._stopped = False
                self._transport.resume_reading()
            await self._wait()
        data = self._came.popleft()
        if len(data) > most:
            self._came.appendleft(data[most:])
            return data[:most]
        return data

    async def aclose(self) -> None:
        """Drop it at once; its socket is closed in the loop's next round."""
        self._ended = self._lost = True
        self._transport.abort()
        await anyio.lowlevel.cancel_shielded_checkpoint()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # as httpcore calls it
    ) -> "AsyncioStream":
        """Begin TLS.

        Raises:
            httpcore.ConnectError: There is none to be had.
            httpcore.ConnectTimeout: It took too long.
        """
        if self._came or self.has_ended:
            raise httpcore.ConnectError("the server did not wait for TLS to begin")
        try:
            with anyio.fail_after(timeout):
                transport = await self._loop.start_tls(
                    self._transport, self, ssl_context, server_hostname=server_hostname
                )
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"no TLS within {timeout:g} s") from error
        except OSError as error:
            raise httpcore.ConnectError(_text(error)) from error
        if transport is None:  # it was lost in this very moment
            raise httpcore.ConnectError("the connection ended as TLS began")
        self.connection_made(transport)
        return self

    def get_extra_info(self, info: str) -> Any:
        """Return what the transport knows."""
        return self._transport.get_extra_info(info)


async def connect(host: str, port: int, within: float | None) -> AsyncioStream:
    """Open a connection.

    Raises:
        httpx.ConnectError: There is none to be had.
        httpcore.ConnectTimeout: It took too long.
    """
    loop = asyncio.get_running_loop()
    with anyio.move_on_after(within):
        sock = await dial(host, port, loop.sock_connect)
        _, stream = await loop.create_connection(lambda: AsyncioStream(loop), sock=sock)
        return stream
    raise httpcore.ConnectTimeout(f"no connection within {within:g} s")


def _text(error: BaseException | None) -> str:
    """Return what an error says."""
    return "the connection was closed" if error is None else str(error) or type(error).__name__
