"""One attempt under way: what it has written, the way to end it, and why it was ended."""

from typing import Protocol

from .._evidence import Answer, Evidence, Failure, Silence
from ..options import Timeouts


class Endable(Protocol):
    """What an attempt stands on: a scope, or a connection."""

    def cancel(self) -> None:
        """End the attempt."""


class InFlight:
    """One attempt under way: what it has written, and the way to end it.

    Args:
        traced: Whether its transport tells of its writing before anything can have left, and
            without being watched.
    """

    __slots__ = ("_ground", "_interrupted", "abandoned", "evidence", "result")

    def __init__(self, *, traced: bool = False) -> None:
        self.evidence = Evidence(None if traced else self._look_again)
        self.evidence.traced = traced
        self.result: Answer | Silence | None = None
        self._ground: Endable | None = None
        self._interrupted = False
        self.abandoned = False

    def begin(self, ground: Endable) -> None:
        """Note what the attempt stands on from here on."""
        self._ground = ground
        if self.abandoned:
            ground.cancel()

    def finish(self, result: Answer | Silence) -> Answer | Silence:
        """Keep what it came to, and nothing that leads back here: no cycle is to be collected."""
        self.result = result
        self._ground = self.evidence.watcher = None
        return result

    def interrupt(self) -> None:
        """End the attempt if it provably has not written anything; else let it finish."""
        self._interrupted = True
        if self._ground is None or (self.evidence.traced and not self.evidence.may_have_left):
            self.abandon()

    def _look_again(self) -> None:
        """Heed an interruption that came before anything was known."""
        if self._interrupted and not self.evidence.may_have_left:
            self.abandon()

    def abandon(self) -> None:
        """End the attempt now, whatever was written."""
        self.abandoned = True
        if self._ground is not None:
            self._ground.cancel()


def unbegun(flight: InFlight, *, closed: bool) -> Failure | None:
    """Say why an attempt is not begun at all, or None where it may be.

    Args:
        flight: The attempt.
        closed: Whether its client is closed.
    """
    if flight.abandoned:
        return Failure(cause="Cancelled", text="", before_writing=True)
    return Failure(cause="Closed", text="the client", before_writing=True) if closed else None


def ended(timeouts: Timeouts, *, by_deadline: bool) -> Failure:
    """Say why an attempt was ended from our side."""
    if by_deadline:
        text = f"no answer within the {timeouts.attempt:g} s of the attempt"
        return Failure(cause="Deadline", text=text)
    return Failure(cause="Cancelled", text="the attempt was ended before its answer came")
