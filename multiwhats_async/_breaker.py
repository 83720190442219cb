"""Whether a server that has fallen silent is knocked at: pure state, with the time passed in."""

from collections import deque

from .options import Breaker


class BreakerState:
    """Whether a run may knock at the server now; see :class:`~multiwhats_async.Breaker`.

    Args:
        settings: When to open, and for how long.
    """

    def __init__(self, settings: Breaker) -> None:
        self._settings = settings
        self._in_a_row = 0
        self._seconds: deque[_Second] = deque()
        self._pause = settings.pause
        self._failed_probes = 0
        self._probe: object = None
        self.knows_the_server: bool = False
        self.open_until: float | None = None

    @property
    def exhausted(self) -> bool:
        """Whether so many probes failed that waiting on makes no sense."""
        return self._failed_probes >= self._settings.probes

    @property
    def is_probing(self) -> bool:
        """Whether a probe is under way."""
        return self._probe is not None

    def pending(self, now: float) -> float | None:
        """Return how long to wait before knocking.

        Returns:
            0 to go on, seconds to wait, or None to wait for the probe that is under way.
        """
        if self.open_until is None:
            return 0.0
        if now < self.open_until:
            return self.open_until - now
        return None if self.is_probing else 0.0

    def take(self, who: object, now: float) -> bool:
        """Tell whether an attempt may begin now; where the breaker is open, as its one probe."""
        if self.pending(now) != 0:
            return False
        if self.open_until is not None:
            self._probe = who
        return True

    def note(self, who: object, *, answered: bool, now: float) -> None:
        """Take the result of one attempt.

        Before the first answer nothing opens it: a server that never answered is more likely
        the wrong one, and holding the run would only hide that.

        Args:
            who: Whose attempt. While the breaker is open only the probe's failure counts: the
                others began before it opened.
            answered: Whether the server answered; an answer to anybody closes it.
            now: The time.
        """
        if answered:
            self.knows_the_server = True
            self._in_a_row = self._failed_probes = 0
            self._pause = self._settings.pause
            if self.open_until is not None:
                self.open_until = None
                self._seconds.clear()
            self._probe = None
            self._count(now, failed=False)
            return
        if not self.knows_the_server:
            return
        self._in_a_row += 1
        self._count(now, failed=True)
        if self.is_probing and who is self._probe:
            self._probe = None
            self._failed_probes += 1
            self._pause = min(self._pause * 2, self._settings.longest_pause)
            self.open_until = now + self._pause
        elif self.open_until is None and self._is_too_much(now):
            self.open_until = now + self._pause

    def release(self, who: object) -> None:
        """Where somebody's probe came to nothing, let another go."""
        if who is self._probe:
            self._probe = None

    def _count(self, now: float, *, failed: bool) -> None:
        number = int(now)
        second = self._seconds[-1] if self._seconds else None
        if second is None or second.number != number:
            self._forget(now)
            second = _Second(number)
            self._seconds.append(second)
        second.attempts += 1
        second.failures += failed

    def _forget(self, now: float) -> None:
        """Drop what has left the window."""
        while self._seconds and self._seconds[0].number < now - self._settings.window:
            self._seconds.popleft()

    def _is_too_much(self, now: float) -> bool:
        self._forget(now)
        attempts = sum(second.attempts for second in self._seconds)
        failures = sum(second.failures for second in self._seconds)
        return self._in_a_row >= self._settings.in_a_row or (
            attempts >= self._settings.least and failures >= self._settings.share * attempts
        )


class _Second:
    """What was counted in one second."""

    __slots__ = ("attempts", "failures", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.attempts = 0
        self.failures = 0
