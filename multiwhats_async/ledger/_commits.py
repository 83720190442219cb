"""Group commit: all that wait at one moment share one transaction, and its one fsync."""

import os
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

from ..errors import ConfigurationError, LedgerError

T = TypeVar("T")


class Ticket(Generic[T]):
    """One piece of work on its way into a transaction.

    Args:
        work: Takes the connection and returns what is to be known.
    """

    __slots__ = ("done", "error", "leads", "result", "work")

    def __init__(self, work: Callable[[Any], T]) -> None:
        self.work = work
        self.done = anyio.Event()
        self.leads: bool = False
        self.result: T | None = None
        self.error: Exception | None = None


class Commits:
    """Takes work to the one thread that may touch the database, and waits for its commit.

    Whoever finds no commit under way leads the next one, for all that have come by then. There
    is no task in the background: nothing to start, to stop, or to forget.

    Args:
        run: Does the work of several tickets in one transaction. It sets ``result`` or ``error``
            on each, and raises nothing.
        is_threaded: Whether it may wait for a disk, and so must not run in the event loop.
    """

    def __init__(self, run: Callable[[Sequence[Ticket[Any]]], None], *, is_threaded: bool) -> None:
        self._run = run
        self._limiter: Final = anyio.CapacityLimiter(1) if is_threaded else None
        self._waiting: list[Ticket[Any]] = []
        self._is_led = False
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
            if self._limiter is None:
                self._run([ticket])
                await anyio.lowlevel.checkpoint()
            else:
                await self._take_part(ticket, self._limiter)
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

    async def _take_part(self, ticket: Ticket[Any], limiter: anyio.CapacityLimiter) -> None:
        """Wait for a commit with this ticket in it, leading it where nobody else does."""
        self._waiting.append(ticket)
        if self._is_led:
            try:
                await ticket.done.wait()
            except BaseException:  # asyncio's own cancellation, which no shield holds off
                self._withdraw(ticket)
                raise
            if not ticket.leads:
                return
        self._is_led = True
        # In a task of its own: the same cancellation of a leader must not tear the commit, or
        # those who wait for it would wait for good.
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._lead, limiter)

    async def _lead(self, limiter: anyio.CapacityLimiter) -> None:
        """Do the work of all that wait, and hand on to the next who has come meanwhile."""
        with anyio.CancelScope(shield=True):
            await anyio.lowlevel.checkpoint()  # whoever is ready in this moment comes along
            tickets, self._waiting = self._waiting, []
            try:
                await anyio.to_thread.run_sync(self._run, tickets, limiter=limiter)
            except Exception as error:  # noqa: BLE001  # such as: no thread can be started
                for ticket in tickets:
                    ticket.error = LedgerError(f"The ledger's thread failed: {error}")
            for ticket in tickets:
                ticket.done.set()
            self._appoint()

    def _appoint(self) -> None:
        """Let the one who has waited longest lead the next commit."""
        self._is_led = bool(self._waiting)
        if self._waiting:
            heir = self._waiting[0]
            heir.leads = True
            heir.done.set()

    def _withdraw(self, ticket: Ticket[Any]) -> None:
        """Take back work whose caller is gone, unless its commit is under way."""
        if ticket in self._waiting:
            self._waiting.remove(ticket)
            if ticket.leads:
                self._appoint()
