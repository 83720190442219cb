"""What lies below a connection of httpcore's: a stream that tells the attempt that it serves.

httpcore tells of its steps too, through ten coroutines a message. The stream that it writes to
sees the one step that counts, and sees it last: it has the whole request before any of it goes.
"""

import select
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any, Final

import anyio
import httpcore
import httpx
import sniffio

from ..options import Timeouts
from ._flight import InFlight
from ._port import holds_a_record

CLOSE_SECONDS: Final = 1.0
"""How long closing a connection may take; it is dropped either way."""

_AT_ONCE: Final = 4096
"""Bytes that any connection takes at once after it was answered: no timer is set for them."""

_TOO_EARLY: Final = 0.01
"""The share of a timeout by which it may end sooner: for less no timer is set anew."""

_BROKEN: Final = frozenset(("BrokenResourceError", "ClosedResourceError"))
"""What trio, and anyio too, calls a connection that is gone; neither knows the other's class."""


class Turn:
    """One attempt's turn on a connection: it is told of the writing, and says how long it may take.

    Args:
        flight: The attempt.
        scope: Ends it; its deadline is set here.
        timeouts: How long each of its parts may take.
        end: When all of it ends, in the seconds of the clock.
        clock: Tells the seconds of the event loop.
    """

    __slots__ = ("_clock", "_end", "_flight", "_head", "_scope", "_timeouts", "slow")

    def __init__(
        self,
        flight: InFlight,
        scope: anyio.CancelScope,
        *,
        timeouts: Timeouts,
        end: float,
        clock: Callable[[], float],
    ) -> None:
        self._flight = flight
        self._scope = scope
        self._timeouts = timeouts
        self._end = end
        self._clock = clock
        self._head: bytes | None = None
        self.slow: str | None = None
        # Of the first read, which mostly begins at once: a timer that is set anew is dear.
        self.begin_reading()

    def begin_connecting(self) -> None:
        """Note that there is a network below: what it is not told of has not happened."""
        self._flight.evidence.note_network()
        self.slow, self._scope.deadline = None, self._end  # httpcore keeps the time of this

    def hold(self, data: bytes) -> bytes | None:
        """Keep the head back; return what goes to the network now, or None.

        httpcore gives the head before the body. Held back it saves a packet, and a round of the
        event loop.
        """
        if self._head is None:
            self._head = data
            return None
        whole = self._head + data
        self._head = b""
        return whole

    async def begin_writing(self, size: int) -> None:
        """Note that from here on the request may have left, unless the attempt has been ended."""
        self._flight.evidence.note_network()
        if self._flight.abandoned:
            await anyio.sleep_forever()
        self._flight.evidence.begin_writing()
        if size > _AT_ONCE:
            self._limit(self._timeouts.write, "WriteTimeout")

    def begin_reading(self) -> None:
        """Give the server its time from now on."""
        self._limit(self._timeouts.read, "ReadTimeout")

    def _limit(self, seconds: float, cause: str) -> None:
        """End the attempt after so long, if it does not end before."""
        limit = self._clock() + seconds
        slow = cause if limit < self._end else None
        deadline = min(limit, self._end)
        if slow != self.slow or deadline - self._scope.deadline > seconds * _TOO_EARLY:
            self.slow, self._scope.deadline = slow, deadline


class Stream(httpcore.AsyncNetworkStream):
    """A connection as httpcore sees it.

    Args:
        stream: What it stands on: one of ours, or of httpcore's.
        turn: The attempt that it serves; None is someone else's request.
    """

    def __init__(self, stream: Any, turn: Turn | None) -> None:
        self.turn = turn
        self._fresh = True
        self._socket: Any = stream.get_extra_info("socket")
        self._stand_on(stream)

    def _stand_on(self, stream: Any) -> None:
        """Write to and read from a stream, below the timeouts that httpcore puts around each."""
        self._stream = stream
        self._tls: Any = stream.get_extra_info("ssl_object")
        self._below: Any = getattr(stream, "_stream", stream)
        send, receive = ("send", "send_all"), ("receive", "receive_some")
        self._send: Callable[[bytes], Awaitable[None]] = _first(self._below, send) or stream.write
        self._receive: Callable[[int], Awaitable[bytes]] = (
            _first(self._below, receive) or stream.read
        )

    async def write(
        self,
        buffer: bytes,
        timeout: float | None = None,  # noqa: ASYNC109  # as httpcore calls it
    ) -> None:
        turn = self.turn
        if turn is None:
            with _within(timeout, httpcore.WriteTimeout):
                await self._send_all(buffer)
            return
        data = turn.hold(buffer)
        if not data:
            return
        if self._has_ended():
            # No error of httpcore's: after its WriteError it would wait for an answer.
            raise httpx.WriteError("the connection ended before anything was written")
        await turn.begin_writing(len(data))
        await self._send_all(data)

    async def _send_all(self, data: bytes) -> None:
        try:
            await self._send(data)
        except Exception as error:
            if type(error).__name__ in _BROKEN:
                raise httpcore.WriteError(_text(error)) from error
            raise

    async def read(
        self,
        max_bytes: int,
        timeout: float | None = None,  # noqa: ASYNC109  # likewise
    ) -> bytes:
        if self.turn is None:
            with _within(timeout, httpcore.ReadTimeout):
                return await self._read(max_bytes)
        self.turn.begin_reading()
        return await self._read(max_bytes)

    async def _read(self, max_bytes: int) -> bytes:
        try:
            return await self._receive(max_bytes)
        except Exception as error:
            if type(error).__name__ in _BROKEN:
                raise httpcore.ReadError(_text(error)) from error
            raise

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(self, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        """Begin TLS; where that is cancelled, close the connection.

        httpcore closes it on an ``Exception`` only, which a cancellation is not.
        """
        try:
            self._stand_on(await self._stream.start_tls(*args, **options))
        except BaseException:
            with anyio.move_on_after(CLOSE_SECONDS, shield=True), suppress(Exception):
                await self._stream.aclose()
            raise
        return self

    def _has_ended(self) -> bool:
        """Tell whether nothing can leave any more, before anything has."""
        fresh, self._fresh = self._fresh, False
        # One that was kept was looked at as it was taken.
        return bool(
            getattr(self._below, "has_ended", False) or (fresh and _is_reset(self._socket.fileno()))
        )

    def holds_more(self) -> bool:
        """Tell whether more has come than was read.

        Raises:
            AttributeError: It cannot be seen.
        """
        if hasattr(self._below, "holds_more"):
            return bool(self._below.holds_more)
        return self._tls is not None and holds_a_record(self._below, self._tls)

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object":
            return self._tls
        if info == "is_readable" and hasattr(self._below, "is_readable"):
            return self._below.is_readable
        return self._stream.get_extra_info(info)


class Line(httpcore.AsyncNetworkBackend):
    """Opens the one stream of a connection, and knows whose turn it is."""

    def __init__(self) -> None:
        self.stream: Stream | None = None
        self._turn: Turn | None = None

    def serve(self, turn: Turn | None) -> None:
        """Tell an attempt of what happens from now on; None is someone else's request."""
        self._turn = turn
        if self.stream is not None:
            self.stream.turn = turn

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # as httpcore calls it
        local_address: str | None = None,  # noqa: ARG002  # likewise
        socket_options: Any = None,  # noqa: ARG002  # likewise
    ) -> httpcore.AsyncNetworkStream:
        if self._turn is not None:
            self._turn.begin_connecting()
        stream: Any
        if sniffio.current_async_library() == "trio":
            backend: Any = httpcore.TrioBackend()  # a class without methods where trio is not
            stream = await backend.connect_tcp(host, port, timeout)
        else:
            from ._stream_on_asyncio import connect  # noqa: PLC0415  # not needed on trio

            stream = await connect(host, port, timeout)
        self.stream = Stream(stream, self._turn)
        return self.stream


@contextmanager
def _within(seconds: float | None, slow: type[httpcore.TimeoutException]) -> Generator[None]:
    """Bound a step, as httpcore does.

    Raises:
        httpcore.TimeoutException: It took too long.
    """
    try:
        with anyio.fail_after(seconds):
            yield
    except TimeoutError as error:
        raise slow(f"not within {seconds:g} s") from error


def _first(owner: Any, names: tuple[str, ...]) -> Any:
    """Return the first method that there is of some names."""
    return next((getattr(owner, name) for name in names if hasattr(owner, name)), None)


def _is_reset(fileno: int) -> bool:
    """Tell whether a connection was reset: nothing more can leave on it."""
    if not hasattr(select, "poll"):
        return False
    poll = select.poll()
    poll.register(fileno, 0)  # what has gone wrong is told unasked
    return bool(poll.poll(0))


def _text(error: BaseException) -> str:
    """Return what an error says, or what it stems from where it says nothing."""
    told = error.__cause__ or error
    return str(told) or type(told).__name__
