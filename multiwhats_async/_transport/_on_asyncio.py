"""The direct transport on asyncio: a protocol that hands what comes in to the answer itself."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, cast

import httpx

from .._evidence import Evidence
from ..options import Timeouts
from ._answer import IncomingAnswer
from ._dialling import dial
from ._port import AbandonedError, OutOfTimeError, Request, readable


class AsyncioConnection(asyncio.Protocol):
    """One connection on asyncio.

    It has one timer for all its attempts: when that rings, it looks whether a deadline has passed,
    and is set anew where an attempt goes on. A message costs none.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport
        self._has_more: Callable[[], bool]
        self._answer: IncomingAnswer | None = None
        self._waiter: asyncio.Future[None]
        self._timeouts: Timeouts
        self._end = 0.0
        self._since = 0.0
        self._writing = False
        self._gone = False
        self._timer: asyncio.TimerHandle | None = None

    # --- what the loop calls ------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; it tells as soon as it cannot hand on all at once."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no instances of it
        self._has_more = readable(self._transport.get_extra_info("socket").fileno())
        self._transport.set_write_buffer_limits(high=1, low=0)

    def data_received(self, data: bytes) -> None:
        """Hand bytes to the answer; those that nobody asked for end the connection."""
        if self._answer is None:
            self.close()
        else:
            self._feed(self._answer, data)

    def eof_received(self) -> None:
        """Take the server's end, be it only of what it sends: nothing more can come."""
        self._gone = True
        if self._answer is not None:
            self._feed(self._answer, b"")

    def pause_writing(self) -> None:
        """Note that bytes wait to be written."""
        self._writing = True

    def resume_writing(self) -> None:
        """Note that all was written."""
        self._writing = False
        self._since = self._loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the end of the connection."""
        self._gone = True
        self._stop_timer()
        if self._answer is None:
            return
        if exc is None:
            self._feed(self._answer, b"")
        else:
            kind = httpx.WriteError if self._writing else httpx.ReadError
            self._finish(kind(str(exc) or type(exc).__name__))

    def _feed(self, answer: IncomingAnswer, data: bytes) -> None:
        try:
            if not answer.feed(data):
                self._since = self._loop.time()
                return
        except Exception as error:  # noqa: BLE001  # raised where the answer is waited for
            self._finish(error)
        else:
            self._finish(None)

    def _finish(self, error: Exception | None) -> None:
        """Wake who waits for the answer: from here on nothing more is asked for."""
        self._answer = None
        if self._waiter.done():  # it was given up in this very moment
            return
        if error is None:
            self._waiter.set_result(None)
        else:
            self._waiter.set_exception(error)

    # --- the port -----------------------------------------------------------------------------

    def is_usable(self) -> bool:
        """Tell whether it still stands, with nothing waiting on it that nobody asked for."""
        return not (self._gone or self._writing or self._transport.is_closing() or self._has_more())

    async def round_trip(
        self,
        request: Request,
        answer: IncomingAnswer,
        *,
        evidence: Evidence,
        timeouts: Timeouts,
        end: float,
    ) -> None:
        """Write a request and read its answer to the end."""
        if self._gone or self._transport.is_closing():
            raise httpx.WriteError("the connection ended before anything was written")
        self._answer = answer
        self._timeouts = timeouts
        self._end = end
        self._waiter = waiter = self._loop.create_future()
        evidence.begin_writing()
        self._transport.write(request.reveal())
        self._since = self._loop.time()
        self._set_timer()
        try:
            await waiter
        finally:
            self._answer = None

    def cancel(self) -> None:
        """End the attempt that it carries, if it carries one."""
        if self._answer is not None and not self._waiter.done():
            # What still comes before the attempt's task runs is read: it may hold the status.
            self._waiter.set_exception(AbandonedError())

    def close(self) -> None:
        """Drop it at once, without a word to the server."""
        self._gone = True
        self._stop_timer()
        self._transport.abort()

    def _set_timer(self) -> None:
        """Have the first of the deadlines looked at; a timer that rings before will do."""
        when = min(self._end, self._limit)
        if self._timer is None or self._timer.when() > when:
            self._stop_timer()
            self._timer = self._loop.call_at(when, self._look)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def _limit(self) -> float:
        """When the server will have been too slow."""
        timeouts = self._timeouts
        return self._since + (timeouts.write if self._writing else timeouts.read)

    def _look(self) -> None:
        """End the attempt if one of its deadlines has passed."""
        self._timer = None
        if self._answer is None:
            return
        now = self._loop.time()
        if now >= self._end:
            self._finish(OutOfTimeError())
        elif now < self._limit:
            self._set_timer()
        elif self._writing:
            self._finish(httpx.WriteTimeout("the server does not take the request"))
        else:
            self._finish(httpx.ReadTimeout("the server does not answer"))


class AsyncioNetwork:
    """Opens connections in the running asyncio loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.clock: Callable[[], float] = self._loop.time

    async def connect(
        self, host: str, port: int, *, ssl_context: ssl.SSLContext | None
    ) -> AsyncioConnection:
        """Open a connection, TLS included. Where it is cancelled it leaves nothing behind."""
        loop = self._loop
        sock = await dial(host, port, loop.sock_connect)
        options: dict[str, Any] = {}
        if ssl_context is not None:
            options = {"ssl": ssl_context, "server_hostname": host}
        try:
            _, connection = await loop.create_connection(
                lambda: AsyncioConnection(loop), sock=sock, **options
            )
        except OSError as error:
            raise httpx.ConnectError(str(error) or type(error).__name__) from error
        return connection
