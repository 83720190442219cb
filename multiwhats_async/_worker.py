"""A thread of one's own, for a database that blocks."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

import anyio

from ._soon import Soon, soon_here


class Worker:
    """The one thread that may touch a database.

    A thread of its own, because a pool's would be let go where asyncio's own cancellation, which
    no shield holds off, ends the task that waits for it; and with it whoever waits for the same.

    Args:
        name: What the thread is for.
    """

    def __init__(self, name: str = "ledger") -> None:
        self._executor: Final = ThreadPoolExecutor(1, f"multiwhats-{name}")

    def submit(self, work: Callable[[], None], then: Callable[[], None], soon: Soon) -> None:
        """Do work in the thread, then something in an event loop.

        Args:
            work: Raises nothing.
            then: Called in the event loop.
            soon: The way there.

        Raises:
            RuntimeError: No thread can be started.
        """

        def job() -> None:
            work()
            with suppress(RuntimeError):  # the loop has ended: nobody waits any more
                soon(then)

        self._executor.submit(job)

    def also(self, work: Callable[[], None]) -> None:
        """Do work in the thread that nobody waits for. A thread that has ended does nothing."""
        with suppress(RuntimeError):
            self._executor.submit(work)

    async def run(self, work: Callable[[], None]) -> None:
        """Do work in the thread and wait for its end, whatever is cancelled meanwhile.

        Raises:
            Exception: What the work raised; or the cancellation, once the work is done.
        """
        done = anyio.Event()
        errors: list[BaseException] = []

        def guarded() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001  # raised again, where it is waited for
                errors.append(error)

        self.submit(guarded, done.set, soon_here())
        cancelled: BaseException | None = None
        with anyio.CancelScope(shield=True):
            while not done.is_set():
                try:
                    await done.wait()
                except BaseException as error:  # noqa: BLE001  # raised again, below
                    cancelled = error
        if cancelled is not None:
            raise cancelled
        if errors:
            raise errors[0]

    def end(self) -> None:
        """Let the thread end."""
        self._executor.shutdown(wait=False)
