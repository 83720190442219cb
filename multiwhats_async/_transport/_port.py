"""The port between the direct transport and the event loop: one connection, and how to get one."""

import select
import ssl
from collections.abc import Callable
from typing import Any, Protocol

from .._evidence import Evidence
from ..options import Timeouts
from ._answer import IncomingAnswer


class Request(Protocol):
    """A request that shows itself only where its bytes are handed to the network."""

    def reveal(self) -> bytes:
        """Return its bytes, the key among them."""
        ...

    def may_be_answered_by(self, answer: IncomingAnswer) -> bool:
        """Tell whether a complete answer gives no reason to doubt the connection it came on."""
        ...


class Connection(Protocol):
    """One connection. It carries one request at a time."""

    def is_usable(self) -> bool:
        """Tell whether it still stands, with nothing waiting on it that nobody asked for."""
        ...

    async def round_trip(
        self,
        request: Request,
        answer: IncomingAnswer,
        *,
        evidence: Evidence,
        timeouts: Timeouts,
        end: float,
    ) -> None:
        """Write a request and read its answer to the end.

        Args:
            request: What is written.
            answer: Takes what is read.
            evidence: Told at the moment from which bytes may have left.
            timeouts: How long writing, and waiting for the next bytes, may take.
            end: When the attempt ends, in the loop's seconds.

        Raises:
            httpx.TransportError: The connection failed, or the server was too slow.
            OutOfTimeError: The attempt's time was over.
            AbandonedError: It was cancelled.
            ValueError: The answer is larger than the cap.
        """
        ...

    def cancel(self) -> None:
        """End the attempt that it carries, if it carries one: it raises AbandonedError."""

    def close(self) -> None:
        """Drop it at once, without a word to the server."""


class Network(Protocol):
    """Opens connections in one kind of event loop."""

    clock: Callable[[], float]

    async def connect(
        self, host: str, port: int, *, ssl_context: ssl.SSLContext | None
    ) -> Connection:
        """Open a connection, TLS included. Where it is cancelled it leaves nothing behind.

        Raises:
            httpx.ConnectError: There is none to be had.
        """
        ...


class OutOfTimeError(Exception):
    """The time of the whole attempt is over."""


class AbandonedError(Exception):
    """The attempt was given up from our side."""


def holds_a_record(stream: Any, tls: ssl.SSLObject) -> bool:
    """Tell whether TLS holds bytes that came and were not read, decrypted or not.

    Of what is not decrypted only the stream's own buffer knows: trio's, or anyio's.

    Raises:
        AttributeError: The buffer is not where it was.
    """
    name = "_incoming" if hasattr(stream, "_incoming") else "_read_bio"
    return bool(tls.pending() or getattr(stream, name).pending)


def readable(fileno: int) -> Callable[[], bool]:
    """Return what tells whether a socket has something to read, be it its end."""
    if not hasattr(select, "poll"):
        return lambda: bool(select.select([fileno], [], [], 0)[0])
    poll = select.poll()
    poll.register(fileno, select.POLLIN)
    return lambda: bool(poll.poll(0))
