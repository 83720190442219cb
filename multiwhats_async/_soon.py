"""The way into a running event loop, from any thread, on asyncio and on trio."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import anyio
import anyio.lowlevel

Soon = Callable[[Callable[[], Any]], Any]
"""Has something called in an event loop, from any thread, without waiting for it."""


def soon_here() -> Soon:
    """Return the way into the event loop that runs now."""
    loop: Any = anyio.lowlevel.current_token().native_token
    found: Soon = getattr(loop, "call_soon_threadsafe", None) or loop.run_sync_soon  # trio's name
    return found


class Signal(Protocol):
    """What one task waits for, until another calls ``set``."""

    def set(self) -> None:
        """Let it go on."""

    def wait(self) -> Awaitable[Any]:
        """Wait for it."""
        ...


def signals_here() -> Callable[[], Signal]:
    """Return what makes signals in the event loop that runs now; each is for a single waiter.

    On asyncio that is a bare future: anyio's events are for any number of waiters, and take ten
    times as long.
    """
    loop: Any = anyio.lowlevel.current_token().native_token
    new_future = getattr(loop, "create_future", None)
    return anyio.Event if new_future is None else lambda: _FutureSignal(new_future())


class _FutureSignal:
    """A signal on asyncio."""

    __slots__ = ("_future",)

    def __init__(self, future: Any) -> None:
        self._future = future

    def set(self) -> None:
        if not self._future.done():  # else its waiter was cancelled
            self._future.set_result(None)

    def wait(self) -> Awaitable[Any]:
        waiting: Awaitable[Any] = self._future
        return waiting
