"""Places for so many at once: first come, first served, while their number may change.

As anyio's ``CapacityLimiter``, but a place that is free is taken without a turn of the event loop,
which is what nearly every message finds.
"""

from collections import deque

import anyio
import anyio.lowlevel


class Places:
    """So many places, in the order in which they were asked for.

    Args:
        total: How many there are.
    """

    __slots__ = ("_total", "_waiting", "taken")

    def __init__(self, total: int) -> None:
        self._total = total
        self._waiting: deque[anyio.Event] = deque()
        self.taken: int = 0

    @property
    def total(self) -> int:
        """How many there are. Where it becomes less, those that are taken are still given back."""
        return self._total

    @total.setter
    def total(self, total: int) -> None:
        self._total = total
        self._hand_on()

    def try_take(self) -> bool:
        """Take a place if one is free and nobody waits for it; tell whether."""
        is_free = self.taken < self._total and not self._waiting
        self.taken += is_free
        return is_free

    async def take(self) -> None:
        """Take a place; wait for one where none is free. Give it back with :meth:`give_back`."""
        await anyio.lowlevel.checkpoint_if_cancelled()
        if self.try_take():
            return
        turn = anyio.Event()
        self._waiting.append(turn)
        try:
            await turn.wait()
        except BaseException:
            if turn.is_set():
                self.give_back()  # it was handed a place in this very moment
            else:
                self._waiting.remove(turn)
            raise

    def give_back(self) -> None:
        """Give a place back, to whoever waits longest."""
        self.taken -= 1
        self._hand_on()

    def _hand_on(self) -> None:
        while self._waiting and self.taken < self._total:
            self.taken += 1
            self._waiting.popleft().set()
