"""What is known of a POST from what was written to the wire, never from an exception's type.

The rules were measured over 40,000 attempts against a raw socket server that reset, closed, hung
and lied: no false ``not_sent``.

1. Writing the request never began: not sent.
2. Writing the head failed and the body never began: not sent. The parameters are in the body.
   Only where httpcore writes them one after the other: our own transports write both at once.
3. The head of an answer arrived: the server answered, and its status decides.
4. Everything else: unknown.

A transport that tells nothing of its writing (a mock, an ASGI app) leaves only the few errors
that can occur before any writing as proof.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from ._certainty import Certainty


class Evidence:
    """What is known of the writing of one attempt. One object an attempt.

    In a user's own client it is the callback of httpcore's ``trace`` extension. It never raises,
    and whatever it does not understand counts as written. Our own transports tell it themselves.

    Args:
        watcher: Called after every event, or None.
    """

    __slots__ = ("_tunnel", "begun", "body_begun", "head_failed", "status", "traced", "watcher")

    def __init__(self, watcher: Callable[[], None] | None = None) -> None:
        self.watcher: Callable[[], None] | None = watcher
        self.traced: bool = False
        self.begun: bool = False
        self.head_failed: bool = False
        self.body_begun: bool = False
        self.status: int | None = None
        self._tunnel = False

    async def __call__(self, name: str, info: Mapping[str, Any]) -> None:
        """Take one trace event; httpcore asks for a coroutine."""
        try:
            self.record(name, info)
        except Exception:  # noqa: BLE001  # fail closed: what cannot be read counts as written
            self.begun = self.body_begun = True
        if self.watcher is not None:
            self.watcher()

    def record(self, name: str, info: Mapping[str, Any]) -> None:
        """Note one trace event, such as ``http11.send_request_headers.started``."""
        self.traced = True
        event = name.partition(".")[2]
        if event == "send_request_headers.started":
            # A proxy's CONNECT is written first and holds nothing of the message.
            self._tunnel = info["request"].method == b"CONNECT"
            self.begun = self.begun or not self._tunnel
            self.status = None  # of an earlier request, such as one that a login repeats
        elif self._tunnel:
            return
        elif event == "send_request_headers.failed":
            self.head_failed = True
        elif event == "send_request_body.started":
            self.body_begun = True
        elif event == "receive_response_headers.complete":
            self.status = int(info["return_value"][1])

    def note_network(self) -> None:
        """Note that there is a network below: what it is not told of has not been written."""
        self.traced = True
        if self.watcher is not None:
            self.watcher()

    def begin_writing(self) -> None:
        """Note that the request is handed to the network now: from here on it may have left."""
        self.begun = self.body_begun = True

    @property
    def may_have_left(self) -> bool:
        """Whether anything of the message may be on its way to the server."""
        return self.begun and not (self.head_failed and not self.body_begun)


@attrs.frozen(kw_only=True)
class Failure:
    """A lower layer's error, as plain data: no traceback, no frames, no key.

    Attributes:
        cause: The name of the error's type.
        text: What it said, redacted.
        before_writing: Whether this error can only occur before anything is written.
    """

    cause: str
    text: str
    before_writing: bool = False


@attrs.define(kw_only=True)  # not frozen: made for every attempt, and that takes twice as long
class Answer:
    """The server answered: its status is known, its body perhaps not.

    Attributes:
        status: The HTTP status.
        body: The decoded body, or None where it was lost on the way.
        retry_after: The ``Retry-After`` header as it came, or None.
        date: The ``Date`` header as it came, or None.
        failure: Why the body was lost, or None.
    """

    status: int
    body: bytes | None = None
    retry_after: str | None = None
    date: str | None = None
    failure: Failure | None = None


@attrs.frozen(kw_only=True)
class Silence:
    """No status was seen.

    Attributes:
        failure: Why.
        certainty: ``NOT_SENT`` or ``UNKNOWN``.
    """

    failure: Failure
    certainty: Certainty


def weigh(evidence: Evidence, failure: Failure) -> Certainty:
    """Return what is known of a POST to which no status was seen.

    Args:
        evidence: What was written.
        failure: Why there is no status.

    Returns:
        ``NOT_SENT`` only with proof, else ``UNKNOWN``.
    """
    proven = not evidence.may_have_left if evidence.traced else failure.before_writing
    return Certainty.NOT_SENT if proven else Certainty.UNKNOWN
