"""Group commit: all that wait at one moment share one transaction, and its one fsync."""

import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import anyio
import anyio.lowlevel

from .._soon import Signal, signals_here, soon_here
from .._worker import Worker
from ..errors import ConfigurationError, LedgerError, MultiWhatsError

T = TypeVar("T")


class Joint(ABC):
    """Work that a database may do for many tickets in one statement.

    Attributes:
        kind: Works of one kind are done together.
    """

    kind: str

    @abstractmethod
    def do_all(self, db: Any, works: Sequence[Any]) -> Sequence[Exception | None]:
        """Do the work of all; return an error of its own for each that changed nothing.

        Args:
            db: The transaction.
            works: This one and others of its kind.
        """


class Ticket(Generic[T]):
    """One piece of work on its way into a transaction.

    Args:
        work: Takes the connection and returns what is to be known; or work for many tickets.
        done: Set in the event loop once the result or the error is there.
    """

    __slots__ = ("done", "error", "result", "work")

    def __init__(self, work: Callable[[Any], T] | Joint, done: Signal) -> None:
        self.work: Any = work
        self.done = done
        self.result: T | None = None
        self.error: Exception | None = None

    def answer(self) -> T:
        """Return the result, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[return-value]  # set where there is no error


def do_tickets(tickets: Sequence[Ticket[Any]], db: Any) -> None:
    """Do the work of several tickets in a transaction: one by one, then what is done together.

    Work that raises an error of ours has written nothing, and concerns nobody else.
    """
    joint: dict[str, list[Ticket[Any]]] = {}
    for ticket in tickets:
        if isinstance(ticket.work, Joint):
            joint.setdefault(ticket.work.kind, []).append(ticket)
            continue
        ticket.error = None  # of the transaction before, where that is done once more
        try:
            ticket.result = ticket.work(db)
        except MultiWhatsError as error:
            ticket.error = error
    for together in joint.values():
        works: list[Any] = [ticket.work for ticket in together]
        for ticket, refusal in zip(together, works[0].do_all(db, works), strict=True):
            ticket.error = refusal


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
        self._new_signal = signals_here()
        self._loop = anyio.lowlevel.current_token()
        self._process = os.getpid()

    async def do(self, work: Callable[[Any], T] | Joint) -> T:
        """Have work done; return its result once it is committed.

        Shielded from cancellation: whoever asked must learn whether it was done.

        Raises:
            LedgerError: It was not done, or its commit failed.
            ConfigurationError: This is another event loop or process than the one that opened it.
        """
        self._check()
        ticket = Ticket(work, self._new_signal())
        with anyio.CancelScope(shield=True):
            await self._wait_for(ticket)
        return ticket.answer()

    async def do_under_shield(self, work: Callable[[Any], T] | Joint) -> T:
        """As :meth:`do`, for a run's workers: they stand under a shield, and asked here before."""
        ticket = Ticket(work, self._new_signal())
        await self._wait_for(ticket)
        return ticket.answer()

    async def _wait_for(self, ticket: "Ticket[Any]") -> None:
        """Have the work of a ticket done."""
        if self._worker is None:
            self._run([ticket])
            await anyio.lowlevel.checkpoint()
        else:
            self._call(ticket, self._worker)
            await ticket.done.wait()

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
