"""An answer as it comes in, bit by bit: what the two parsers have in common.

Either is strict: what is no HTTP/1 ends the attempt, and a connection is kept only after an answer
of which every byte is accounted for.
"""

from abc import ABC, abstractmethod
from typing import Final

import httpx

from .._wire import MAX_BODY

MAX_HEAD: Final = 100 * 1024
"""Bytes of a head that are read at the most, as httpcore does while a head is incomplete."""

END_OF_HEAD: Final = b"\r\n\r\n"

MOST_KNOWN: Final = 64
"""Heads that are remembered of a server."""

LONGEST_KNOWN: Final = 4_096
"""Bytes of a head that is remembered."""

MAX_ANSWER: Final = 8 * MAX_BODY
"""Bytes in all: a body within its cap, in chunks of one byte each, has 6 for each."""


class Head:
    """The head of an answer that was read in full and in order: what its bytes mean.

    A server says the same of one answer as of the next, but for a time or a length now and then.
    The same bytes mean the same, so they need no parser again.
    """

    __slots__ = ("by_name", "headers", "length", "status")

    def __init__(self, answer: "IncomingAnswer", length: int) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self.by_name = answer.by_name()
        self.length = length


KnownHeads = dict[bytes, Head]
"""Heads by their bytes, up to and with the empty line."""


class IncomingAnswer(ABC):
    """One answer, from its first byte to its last.

    Args:
        known: The heads that this server has sent, which it looks up and adds to; None is none.

    Attributes:
        status: The status, once the head is there; never an interim one.
        headers: The headers as they came, in their order.
        complete: Whether all of it is there.
        keeps: Whether the connection may carry another request after it.
    """

    # Of the class until they change: an answer whose head is known changes few of them.
    status: int | None = None
    complete: bool = False
    keeps: bool = False
    _body_size = 0
    _by_name: dict[bytes, str] | None = None
    _fed = 0

    def __init__(self, known: KnownHeads | None = None) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []
        self._known = known

    def feed(self, data: bytes) -> bool:
        """Take the next bytes; none at all is the end of the connection.

        Returns:
            Whether the answer is complete.

        Raises:
            httpx.RemoteProtocolError: It is no HTTP/1, or ended too early.
            ValueError: It is larger than the cap.
        """
        known = self._known
        end = -1 if known is None or self._fed else data.find(END_OF_HEAD)
        if known is None or end < 0:
            return self._read(data)
        begin = end + len(END_OF_HEAD)
        head = known.get(data[:begin])
        if head is None:
            return self._read(data) and self._remember(known, data, begin)
        if head.length != len(data) - begin:  # it is cut, or more has come
            return self._read(data)
        self.status = head.status
        self.headers = head.headers
        self._by_name = head.by_name
        self._pieces.append(data[begin:])
        self.complete = self.keeps = True
        return True

    def _remember(self, known: KnownHeads, data: bytes, begin: int) -> bool:
        """Note the head of an answer that has come whole, and told its length.

        Only of one after which its connection is kept: every byte of it is accounted for.
        """
        length = self.header(b"content-length")
        if self.keeps and begin <= LONGEST_KNOWN and length == str(len(data) - begin):
            if len(known) >= MOST_KNOWN:  # a server that says something new each time
                known.clear()
            known[data[:begin]] = Head(self, len(data) - begin)
        return True

    @abstractmethod
    def _read(self, data: bytes) -> bool:
        """Take the next bytes as :meth:`feed` does, with a parser."""

    @property
    def body(self) -> bytes:
        """What has come of the body."""
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)

    def header(self, name: bytes) -> str | None:
        """Return the value of a header, given in lower case; those of one name are joined.

        Call it once the head is there.
        """
        by_name = self._by_name
        return (self.by_name() if by_name is None else by_name).get(name)

    def by_name(self) -> dict[bytes, str]:
        """Return the headers by their names, in lower case."""
        if self._by_name is None:
            self._by_name = {}
            for name, value in self.headers:
                lower, text = name.lower(), value.decode("latin-1")
                earlier = self._by_name.get(lower)
                self._by_name[lower] = text if earlier is None else f"{earlier}, {text}"
        return self._by_name

    def _note_body(self, piece: bytes) -> None:
        """Keep a piece of the body, up to the cap."""
        self._body_size += len(piece)
        if self._body_size <= MAX_BODY:
            self._pieces.append(piece)

    def _check_size(self) -> None:
        """Refuse an answer beyond the cap.

        Raises:
            ValueError: It is larger.
        """
        if self._body_size > MAX_BODY or self._fed > MAX_ANSWER:
            raise ValueError(f"the answer is larger than {MAX_BODY} bytes")


def check_head(headers: list[tuple[bytes, bytes]]) -> None:
    """Refuse a head beyond the cap: h11 counts what is incomplete, and a head may come whole.

    Raises:
        httpx.RemoteProtocolError: It is longer.
    """
    if sum(len(name) + len(value) for name, value in headers) > MAX_HEAD:
        raise httpx.RemoteProtocolError("the head of the answer is too long")


def ended_early(answer: IncomingAnswer, fed: int) -> httpx.RemoteProtocolError:
    """Return the error for a connection that ended before its answer did."""
    if answer.status is not None:
        text = "the server closed the connection within the body of its answer"
    elif fed:
        text = "the server closed the connection within the head of its answer"
    else:
        text = "the server closed the connection without an answer"
    return httpx.RemoteProtocolError(text)
