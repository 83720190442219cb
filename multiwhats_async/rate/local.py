"""The rate of one process."""

from collections.abc import Callable

import anyio

from ..options import Rate


class LocalRate:
    """A rate for each sender, by reserving slots (GCRA), so that nobody polls.

    Args:
        rate: Messages a second, and the jitter between them.
        clock: Tells seconds; the event loop's by default.
        random: Gives numbers from 0 to 1.
    """

    def __init__(
        self,
        rate: Rate,
        *,
        random: Callable[[], float],
        clock: Callable[[], float] = anyio.current_time,
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._random = random
        self._next: dict[str, float] = {}
        self._held_until = float("-inf")

    async def reserve(self, sender: str) -> float:
        """Take a sender's next slot; return the seconds until it comes."""
        now = self._clock()
        slot = max(now, self._next.get(sender, now), self._held_until)
        self._next[sender] = slot + 1 / self._rate.per_second + self._rate.jitter * self._random()
        return slot - now

    async def postpone(self, sender: str, seconds: float) -> None:  # noqa: ARG002  # the port's
        """Let no slot of any sender come before so many seconds from now."""
        self._held_until = max(self._held_until, self._clock() + seconds)
