"""An answer as it comes in, bit by bit: what the two parsers have in common.

Either is strict: what is no HTTP/1 ends the attempt, and a connection is kept only after an answer
of which every byte is accounted for.
"""

from abc import ABC, abstractmethod
from typing import Final

import httpx

from .._wire import MAX_BODY

MAX_HEAD: Final = 100 * 1024
"""Bytes of a head that are read at the most, as httpcore does."""

MAX_ANSWER: Final = 8 * MAX_BODY
"""Bytes in all: a body within its cap, in chunks of one byte each, has 6 for each."""


class IncomingAnswer(ABC):
    """One answer, from its first byte to its last.

    Attributes:
        status: The status, once the head is there; never an interim one.
        headers: The headers as they came, in their order.
        complete: Whether all of it is there.
        keeps: Whether the connection may carry another request after it.
    """

    __slots__ = (
        "_body_size",
        "_by_name",
        "_fed",
        "_pieces",
        "complete",
        "headers",
        "keeps",
        "status",
    )

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        self.complete: bool = False
        self.keeps: bool = False
        self._pieces: list[bytes] = []
        self._body_size = 0
        self._by_name: dict[bytes, bytes] | None = None
        self._fed = 0

    @abstractmethod
    def feed(self, data: bytes) -> bool:
        """Take the next bytes; none at all is the end of the connection.

        Returns:
            Whether the answer is complete.

        Raises:
            httpx.RemoteProtocolError: It is no HTTP/1, or ended too early.
            ValueError: It is larger than the cap.
        """

    @property
    def body(self) -> bytes:
        """What has come of the body."""
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)

    def header(self, name: bytes) -> str | None:
        """Return the value of a header, given in lower case; those of one name are joined.

        Call it once the head is there.
        """
        if self._by_name is None:
            self._by_name = {}
            for found, value in self.headers:
                lower = found.lower()
                earlier = self._by_name.get(lower)
                self._by_name[lower] = value if earlier is None else earlier + b", " + value
        joined = self._by_name.get(name)
        return None if joined is None else joined.decode("latin-1")

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


def ended_early(answer: IncomingAnswer, fed: int) -> httpx.RemoteProtocolError:
    """Return the error for a connection that ended before its answer did."""
    if answer.status is not None:
        text = "the server closed the connection within the body of its answer"
    elif fed:
        text = "the server closed the connection within the head of its answer"
    else:
        text = "the server closed the connection without an answer"
    return httpx.RemoteProtocolError(text)
