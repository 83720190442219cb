"""Group commit: all that wait at one moment share one transaction, and its one fsync."""

import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final, Generic, TypeVar

import anyio
import anyio.lowlevel

from .._soon import Soon, soon_here
from ..errors import ConfigurationError, LedgerError

T = TypeVar("T")


class Worker:
    """The one thread that may touch a database.

    A thread of its own, because a pool's would be let go where asyncio's own cancellation, which
    no shield holds off, ends the task that waits for it; and with it whoever waits for the same.
    """

    def __init__(self) -> None:
        self._executor: Final = ThreadPoolExecutor(1, "multiwhats-ledger")

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


class Ticket(Generic[T]):
    """One piece of work on its way into a transaction.

    Args:
        work: Takes the connection and returns what is to be known.
    """

    __slots__ = ("done", "error", "result", "work")

    def __init__(self, work: Callable[[Any], T]) -> None:
        self.work = work
        self.done = anyio.Event()
        self.result: T | None = None
        self.error: Exception | None = None


class Commits:
    """Takes work to the database, and waits for its commit.

    What comes while a commit is under way shares the next one.

    Args:
        run: Does the work of several tickets in one transaction. It sets ``result`` or ``error``
            on each, and raises nothing.
        worker: Where to; None does it in the event loop, for what waits for no disk.
    """

    def __init__(self, run: Callable[[Sequence[Ticket[Any]]], None], worker: Worker | None) -> None:
        self._run = run
        self._worker = worker
        self._waiting: deque[Ticket[Any]] = deque()
        self._is_called = False
        self._soon = soon_here()
        self._loop = anyio.lowlevel.current_token()
        self._process = os.getpid()

    async def do(self, work: Callable[[Any], T]) -> T:
        """Have work done; return its result once it is committed.

        Shielded from cancellation: whoever asked must learn whether it was done.

        Raises:
            LedgerError: It was not done, or its commit failed.
            ConfigurationError: This is another event loop or process than the one that opened it.
        """
        self._check()
        ticket = Ticket(work)
        with anyio.CancelScope(shield=True):
            if self._worker is None:
                self._run([ticket])
                await anyio.lowlevel.checkpoint()
            else:
                self._call(ticket, self._worker)
                await ticket.done.wait()
        if ticket.error is not None:
            raise ticket.error
        return ticket.result  # type: ignore[return-value]  # set where there is no error

    def _check(self) -> None:
        """Refuse to be used where the answer would not arrive."""
        if os.getpid() != self._process:
            raise ConfigurationError(
                "This ledger was opened before a fork: let each process open its own"
            )
        if anyio.lowlevel.current_token() != self._loop:
            raise ConfigurationError(
                "This ledger was opened in another event loop: open one in each"
            )

    def _call(self, ticket: Ticket[Any], worker: Worker) -> None:
        """Put a ticket into the queue, and call the thread unless it was called already."""
        self._waiting.append(ticket)
        if self._is_called:
            return
        taken: list[Ticket[Any]] = []

        def work() -> None:
            self._is_called = False  # before the queue is looked at: who comes later calls again
            while self._waiting:
                taken.append(self._waiting.popleft())
            try:
                self._run(taken)
            except Exception as error:  # noqa: BLE001  # whatever happens, nobody waits for good
                for each in taken:
                    each.error = LedgerError(f"The ledger's thread failed: {error}")

        def tell() -> None:
            for each in taken:
                each.done.set()

        self._is_called = True
        try:
            worker.submit(work, tell, self._soon)
        except RuntimeError as error:
            self._is_called = False
            self._waiting.remove(ticket)
            raise LedgerError(
                f"The ledger is closed, or its thread cannot be started: {error}"
            ) from None
