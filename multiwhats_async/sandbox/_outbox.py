"""When a choice is pushed to the webhook: in order, later, behind the next one, again.

A value machine: the clock is passed in. Not thread-safe: the emulator holds its lock.
"""

import heapq
from typing import Final

RETRY_SECONDS: Final = (1.0, 5.0, 25.0)
"""Pauses before a choice is pushed again. Assumed: whether the vendor does so is not documented;
these are long enough to restart a program in."""

HOLD_SECONDS: Final = 5.0
"""How long a choice waits for the next one, which is to overtake it."""


class Outbox:
    """The deliveries that are to be pushed, by when."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, int]] = []
        self._waiting: set[int] = set()
        self._held: list[int] = []
        self._count = 0

    def __contains__(self, delivery_id: int) -> bool:
        return delivery_id in self._waiting

    def put(self, delivery_id: int, *, due: float) -> None:
        """Push a delivery at a time, and those that were held for it right behind it."""
        self._push(delivery_id, due)
        held, self._held = self._held, []
        for other in held:
            if other in self._waiting:
                self._push(other, due)

    def hold(self, delivery_id: int, *, until: float) -> None:
        """Push a delivery behind the next one, or at a time."""
        self._push(delivery_id, until)
        self._held.append(delivery_id)

    def again(self, delivery_id: int, *, due: float) -> None:
        """Push a delivery once more at a time; nothing was held for it."""
        self._push(delivery_id, due)

    def take(self, now: float) -> int | None:
        """Return the next delivery that is due, or None."""
        while self._due and self._due[0][0] <= now:
            delivery_id = heapq.heappop(self._due)[2]
            if delivery_id in self._waiting:  # else it went out before its last moment came
                self._waiting.remove(delivery_id)
                return delivery_id
        return None

    def next_due(self) -> float | None:
        """Return when the next one may be due, or None where nothing waits."""
        return self._due[0][0] if self._due else None

    def _push(self, delivery_id: int, due: float) -> None:
        self._count += 1
        self._waiting.add(delivery_id)
        heapq.heappush(self._due, (due, self._count, delivery_id))
