"""The direct transport on trio: a stream that is read until the answer is complete."""

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import httpx
import trio

from .._evidence import Evidence
from ..options import Timeouts
from ._answer import IncomingAnswer
from ._dialling import dial
from ._port import AbandonedError, OutOfTimeError, Request, holds_a_record, readable

READ_SIZE: Final = 64 * 1024
"""Bytes that are read at once; the documented answer has 879 and its head."""

_ERRORS = (trio.BrokenResourceError, trio.ClosedResourceError, OSError)


class PlainStream:
    """A socket, written and read without what trio's own stream does a message beside that.

    Only one task ever uses it at a time, and nobody waits for it when it is closed.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def send_at_once(self, data: bytes) -> bytes:
        """Write what the socket takes without waiting; return the rest.

        An error is left to be met again by who writes the rest.
        """
        with suppress(OSError):
            return data[self._sock.send(data) :]
        return data

    async def send_all(self, data: bytes) -> None:
        """Write all, waiting for room first."""
        while data:
            await trio.lowlevel.wait_writable(self._sock)
            with suppress(BlockingIOError):  # there only seemed to be
                data = data[self._sock.send(data) :]

    async def receive_some(self) -> bytes:
        """Wait for the next bytes, which are never there yet; none at all is the end."""
        while True:
            await trio.lowlevel.wait_readable(self._sock)
            with suppress(BlockingIOError):  # they only seemed to be
                return self._sock.recv(READ_SIZE)


class TrioConnection:
    """One connection on trio.

    Args:
        sock: Its socket.
        stream: What is written to and read from: a PlainStream, or an SSLStream.
    """

    def __init__(self, sock: socket.socket, stream: Any) -> None:
        self._sock = sock
        self._stream = stream
        self._has_more = readable(sock.fileno())
        self._scope = trio.CancelScope()  # of what it carries now, or carried last
        self._is_given_up = False

    def is_usable(self) -> bool:
        """Tell whether it still stands, with nothing waiting on it that nobody asked for."""
        return not (_holds_more(self._stream) or self._has_more())

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
        slow: httpx.TimeoutException = httpx.ReadTimeout("the server does not answer")
        refused: Exception | None = None
        evidence.begin_writing()
        rest = request.reveal()
        if isinstance(self._stream, PlainStream):
            rest = self._stream.send_at_once(rest)
        limit = trio.current_time() + (timeouts.write if rest else timeouts.read)
        # Each change of its deadline costs as much as a layer: mostly it has one for all.
        with trio.CancelScope(deadline=min(end, limit)) as scope:
            self._scope, self._is_given_up = scope, False
            if rest:
                slow = httpx.WriteTimeout("the server does not take the request")
                try:
                    await self._stream.send_all(rest)
                except _ERRORS as error:  # a server that has answered early may be gone already
                    refused = httpx.WriteError(_text(error))
                slow = httpx.ReadTimeout("the server does not answer")
                limit = trio.current_time() + timeouts.read
                scope.deadline = min(end, limit)
            while True:
                try:
                    data = await self._stream.receive_some()
                except _ERRORS as error:
                    raise refused or httpx.ReadError(_text(error)) from error
                if refused is not None and not data and answer.status is None:
                    raise refused
                if answer.feed(data):
                    return
                limit = trio.current_time() + timeouts.read
                scope.deadline = min(end, limit)
        if self._is_given_up:
            raise AbandonedError
        raise OutOfTimeError if end <= limit else slow

    def cancel(self) -> None:
        """End the attempt that it carries, if it carries one."""
        self._is_given_up = True
        self._scope.cancel()

    def close(self) -> None:
        """Drop it at once, without a word to the server."""
        self._sock.close()


class TrioNetwork:
    """Opens connections in the running trio loop."""

    def __init__(self) -> None:
        # The clock itself: trio.current_time() looks for it anew each time.
        self.clock: Callable[[], float] = trio.lowlevel.current_clock().current_time

    async def connect(
        self, host: str, port: int, *, ssl_context: ssl.SSLContext | None
    ) -> TrioConnection:
        """Open a connection, TLS included. Where it is cancelled it leaves nothing behind."""
        sock = await dial(host, port, _connect)
        if ssl_context is None:
            return TrioConnection(sock, PlainStream(sock))
        plain = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
        stream = trio.SSLStream(plain, ssl_context, server_hostname=host, https_compatible=True)
        connection = TrioConnection(sock, stream)
        try:
            await stream.do_handshake()
        except _ERRORS as error:
            connection.close()
            raise httpx.ConnectError(_text(error)) from error
        except BaseException:
            connection.close()
            raise
        return connection


async def _connect(sock: socket.socket, address: Any) -> None:
    """Connect a socket, which stays the caller's to close."""
    await trio.socket.from_stdlib_socket(sock).connect(address)


def _text(error: BaseException) -> str:
    """Return what an error says, or what it stems from where it says nothing."""
    told = error.__cause__ or error
    return str(told) or type(told).__name__


def _holds_more(stream: Any) -> bool:
    """Tell whether TLS holds bytes that nobody asked for.

    They would be taken for the answer to the next request. Where its buffer cannot be looked
    into, the connection counts as holding some.
    """
    if isinstance(stream, PlainStream):
        return False
    try:
        return holds_a_record(stream, stream)
    except AttributeError:
        return True
