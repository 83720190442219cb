"""A server that takes only so much: what it admits, how it refuses, and what it has seen."""

from collections import Counter
from collections.abc import Sequence

import attrs

REFUSALS = {
    "429": (429, None),
    "429 for 1 s": (429, "1"),
    "503 for 1 s": (503, "1"),
    "503": (503, None),
}
"""Each way to refuse: the status, and the ``Retry-After`` or None."""


@attrs.frozen(kw_only=True)
class Wave:
    """Some seconds in which the server takes and refuses in one way.

    Attributes:
        seconds: How long it lasts.
        rate: Requests a second that are admitted.
        refusal: How the others are refused, a name of ``REFUSALS``.
    """

    seconds: float
    rate: float
    refusal: str


@attrs.define(kw_only=True)
class Admission:
    """Admits requests from a bucket of tokens, refuses the others, in waves that come round.

    The bucket is full at first and holds what comes in within ``hold`` seconds: whoever waits as
    long as the server asks loses nothing, whoever waits longer does.

    Attributes:
        waves: What happens, over and over.
        hold: Seconds of the rate that the bucket can hold.
        most: The most requests that are worked on at once, or None.
        answers: How many were admitted ("200"), and how many refused in each way.
        under_way: Requests that are worked on; whoever serves counts them.
    """

    waves: Sequence[Wave]
    hold: float = 1.0
    most: int | None = None
    answers: Counter[str] = attrs.field(factory=Counter)
    under_way: int = 0
    _tokens: float = 0.0
    _began: float | None = None
    _at: float = 0.0

    def admit(self, now: float) -> tuple[int, str | None] | None:
        """Take a request or refuse it: None, or the status and the ``Retry-After``."""
        if self._began is None:
            self._began = self._at = now
            self._tokens = self.hold * self.waves[0].rate
        wave = self._wave(now - self._began)
        came_in = self._came_in(now - self._began) - self._came_in(self._at - self._began)
        self._tokens = min(self.hold * wave.rate, self._tokens + came_in)
        self._at = now
        if self._tokens < 1 or (self.most is not None and self.under_way >= self.most):
            self.answers[wave.refusal] += 1
            return REFUSALS[wave.refusal]
        self._tokens -= 1
        self.answers["200"] += 1
        return None

    def capacity(self, seconds: float) -> float:
        """Return how many requests it would have admitted in its first so many seconds."""
        return self.hold * self.waves[0].rate + self._came_in(seconds)

    @property
    def refused(self) -> float:
        """The share of all requests that it refused."""
        return 1 - self.answers["200"] / self.answers.total()

    def _came_in(self, seconds: float) -> float:
        rounds, rest = divmod(seconds, sum(wave.seconds for wave in self.waves))
        tokens = rounds * sum(wave.seconds * wave.rate for wave in self.waves)
        for wave in self.waves:
            tokens += wave.rate * min(rest, wave.seconds)
            rest = max(0.0, rest - wave.seconds)
        return tokens

    def _wave(self, seconds: float) -> Wave:
        rest = seconds % sum(wave.seconds for wave in self.waves)
        for wave in self.waves:
            if rest < wave.seconds:
                return wave
            rest -= wave.seconds
        return self.waves[-1]


def in_waves(rate: float) -> list[Wave]:
    """Return every way to say "later", one after the other."""
    later = [refusal for refusal in REFUSALS if refusal != "503"]
    return [Wave(seconds=4.0, rate=rate, refusal=refusal) for refusal in later]
