"""One attempt under way: what it has written, the way to end it, and why it was ended."""

import anyio

from .._evidence import Answer, Evidence, Failure, Silence
from ..options import Timeouts


class InFlight:
    """One attempt under way: what it has written, and the way to end it."""

    __slots__ = ("_interrupted", "_scope", "abandoned", "evidence", "result")

    def __init__(self) -> None:
        self.evidence = Evidence(self._look_again)
        self.result: Answer | Silence | None = None
        self._scope: anyio.CancelScope | None = None
        self._interrupted = False
        self.abandoned = False

    def begin(self, scope: anyio.CancelScope) -> None:
        """Note the scope in which the attempt runs."""
        self._scope = scope
        if self.abandoned:
            scope.cancel()

    def finish(self, result: Answer | Silence) -> Answer | Silence:
        """Keep what it came to, and nothing that leads back here: no cycle is to be collected."""
        self.result = result
        self._scope = self.evidence.watcher = None
        return result

    def interrupt(self) -> None:
        """End the attempt if it provably has not written anything; else let it finish."""
        self._interrupted = True
        if self._scope is None or (self.evidence.traced and not self.evidence.may_have_left):
            self.abandon()

    def _look_again(self) -> None:
        """Heed an interruption that came before anything was known."""
        if self._interrupted and not self.evidence.may_have_left:
            self.abandon()

    def abandon(self) -> None:
        """End the attempt now, whatever was written."""
        self.abandoned = True
        if self._scope is not None:
            self._scope.cancel()


def ended(timeouts: Timeouts, *, by_deadline: bool) -> Failure:
    """Say why an attempt was ended from our side."""
    if by_deadline:
        text = f"no answer within the {timeouts.attempt:g} s of the attempt"
        return Failure(cause="Deadline", text=text)
    return Failure(cause="Cancelled", text="the attempt was ended before its answer came")
