"""Waking whoever waits in an event loop, from any thread."""

from collections.abc import Generator
from contextlib import contextmanager, suppress
from threading import Lock

import anyio

from multiwhats_async._soon import Soon, soon_here


class Listener:
    """One who waits for the bell, in one event loop."""

    def __init__(self, soon: Soon) -> None:
        self._soon = soon
        self._event = anyio.Event()
        self._rung = False

    def ring(self) -> None:
        """Wake the one who waits; from any thread. A second ring before it wakes costs nothing."""
        if self._rung:
            return
        self._rung = True
        with suppress(RuntimeError):  # its loop has ended: nobody waits any more
            self._soon(self._wake)

    async def wait(self) -> None:
        """Wait until the bell has rung since the last wait."""
        await self._event.wait()
        self._event = anyio.Event()
        self._rung = False  # before the caller looks: what changes after that rings again

    def _wake(self) -> None:
        self._event.set()


class Bell:
    """Rings for all who listen. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._listeners: set[Listener] = set()

    def ring(self) -> None:
        """Wake all."""
        with self._lock:
            listeners = [*self._listeners]
        for listener in listeners:
            listener.ring()

    @contextmanager
    def listener(self) -> Generator[Listener]:
        """Listen, in the event loop that runs here, for as long as the block lasts."""
        listener = Listener(soon_here())
        with self._lock:
            self._listeners.add(listener)
        try:
            yield listener
        finally:
            with self._lock:
                self._listeners.remove(listener)
