"""Outcomes on their way from the workers to the reader: bounded, and none lost by a cancellation.

anyio's own stream gives an item to a waiting reader before that reader runs. Where asyncio cancels
the reader in that very moment, as ``wait_for`` may, the item is gone. Here an item stays where it
is until the reader takes it, and whoever takes it does not wait any more.
"""

from collections import deque
from typing import Generic, TypeVar

import anyio

T = TypeVar("T")


class Handover(Generic[T]):
    """A queue of a bounded length between tasks of one event loop.

    Args:
        size: How many items wait for the reader; whoever puts one more waits too.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._items: deque[T] = deque()
        self._waiting: deque[anyio.Event] = deque()
        self._news = anyio.Event()
        self._is_ended = False
        self._is_left = False

    def put_at_once(self, item: T) -> bool:
        """Hand over an item where there is room; tell whether it was."""
        if self._is_left or len(self._items) >= self._size:
            return False
        self._items.append(item)
        self._news.set()
        return True

    async def put(self, item: T) -> None:
        """Hand over an item; wait while the reader is slow. Where nobody reads, it is dropped."""
        while not self.put_at_once(item) and not self._is_left:
            room = anyio.Event()
            self._waiting.append(room)
            try:
                await room.wait()
            except BaseException:
                if room.is_set():
                    self._let_one_in()  # the room is another's now
                else:
                    self._waiting.remove(room)
                raise

    async def take(self) -> T:
        """Return the next item; where there is one, without waiting or giving others their turn.

        So a reader that is cancelled still has what is there, and ends where it would wait.

        Raises:
            EndOfStream: There is none any more.
        """
        while not self._items:
            if self._is_ended or self._is_left:
                raise anyio.EndOfStream
            if self._news.is_set():
                self._news = anyio.Event()
            await self._news.wait()
        item = self._items.popleft()
        self._let_one_in()
        return item

    def end(self) -> None:
        """Put nothing more. What was put is still there to be taken."""
        self._is_ended = True
        self._news.set()

    def leave(self) -> None:
        """Take nothing more: nobody who puts something waits."""
        self._is_left = True
        self._items.clear()
        self._news.set()
        while self._waiting:
            self._waiting.popleft().set()

    def _let_one_in(self) -> None:
        if self._waiting:
            self._waiting.popleft().set()
