"""What the ledgers have in common: one worker thread, commits in groups, one SQL each."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, Protocol

import anyio
import anyio.lowlevel

from .._certainty import Certainty
from .._entered import Entered
from .._secret import shown
from .._settings import checked_name, checked_text
from .._worker import Worker
from ..errors import ConfigurationError, LedgerError
from ..outcomes import Outcome, Summary
from . import _queries
from ._campaign import Choice, StoredCampaign
from ._columns import CERTAINTIES, SENDING, STATES, read_outcome
from ._commits import Commits, Ticket

PAGE: Final = 500
"""Outcomes that are read at once: about 1 MB with their receipts."""

RESOLUTIONS: Final = (Certainty.ACCEPTED, Certainty.REJECTED, Certainty.NOT_SENT)
"""What a person can find an unknown message to be."""


class Database(Protocol):
    """The database behind a ledger. All of it blocks, and is called from one thread at a time."""

    def open(self) -> None:
        """Open it.

        Raises:
            LedgerError: It cannot be trusted, had, or written; says why, and the way out.
        """

    def close(self) -> None:
        """Close it."""

    def run(self, tickets: Sequence[Ticket[Any]]) -> None:
        """Do the work of several tickets in one transaction. Raises nothing.

        Work that raises a LedgerError of its own has written nothing, and concerns nobody else.
        Anything else fails all of them: none may go on as if it were on disk.
        """


class DatabaseLedger(Entered):
    """The durable record of campaigns in a database. It is a ``Ledger``.

    Args:
        database: The database; each work on it is a transaction.
        where: What it is called in an error.
        clock: Tells seconds since 1970.
    """

    def __init__(self, database: Database, *, where: str, clock: Callable[[], float]) -> None:
        self._database = database
        self._where = where
        self._clock = clock
        self._commits: Commits | None = None
        self._worker: Worker | None = None
        self._loop: object = None
        self._opening: anyio.Lock | None = None
        self._users = 0
        self._runs = 0
        self._sending: set[str] = set()

    def __repr__(self) -> str:
        state = "open" if self.is_open else "closed"
        return f"<{type(self).__name__} {self._where} ({state})>"

    # --- lifetime -----------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether it is open; a file is locked then."""
        return self._commits is not None

    async def open(self) -> None:
        """Open the database, or count one more user of it.

        What a process that died had under way becomes ``unknown``.

        Raises:
            LedgerError: It cannot be reached, trusted or written. A file may be in use, damaged,
                another program's, of a newer version, or on a network file system.
        """
        async with self._turn():
            if self._commits is None:
                worker = self._new_worker()
                try:
                    await self._run_blocking(worker, self._database.open)
                except BaseException:
                    # A cancellation may have come while it was being opened.
                    await self._run_blocking(worker, self._database.close)
                    if worker is not None:
                        worker.end()
                    raise
                self._worker = worker
                self._commits = Commits(self._database.run, worker)
                self._begin_use()
            self._users += 1

    async def aclose(self) -> None:
        """Close the database once nobody uses it any more. More calls than opens do nothing."""
        with anyio.CancelScope(shield=True):
            async with self._turn():
                self._users = max(0, self._users - 1)
                if self._users or self._commits is None:
                    return
                self._end_use()
                worker, self._commits, self._worker = self._worker, None, None
                try:
                    await self._run_blocking(worker, self._database.close)
                finally:
                    if worker is not None:
                        worker.end()

    def _turn(self) -> anyio.Lock:
        """Return the lock under which it is opened and closed, which belongs to one event loop."""
        loop = anyio.lowlevel.current_token()
        if self._opening is None or loop != self._loop:
            self._loop, self._opening = loop, anyio.Lock()
        return self._opening

    def _begin_use(self) -> None:
        """Do what is done while it is open, once it is."""

    def _end_use(self) -> None:
        """End what is done while it is open."""

    def _new_worker(self) -> Worker | None:
        return Worker()

    @staticmethod
    async def _run_blocking(worker: Worker | None, work: Callable[[], None]) -> None:
        if worker is None:
            work()
        else:
            await worker.run(work)

    def _open_commits(self) -> Commits:
        if self._commits is None:
            raise LedgerError(f"The ledger {self._where} is not open")
        return self._commits

    @asynccontextmanager
    async def _opened(self) -> AsyncGenerator[Commits]:
        await self.open()
        try:
            assert self._commits is not None  # noqa: S101  # it was opened
            yield self._commits
        finally:
            await self.aclose()

    # --- sending ------------------------------------------------------------------------------

    async def begin(
        self,
        campaign: str,
        *,
        sender: str | None = None,
        resend_unknown: bool = False,
        only_failed: bool = False,
    ) -> StoredCampaign:
        """Begin a run of a campaign, which is made where it is new. The ledger must be open.

        Args:
            campaign: Its name.
            sender: The number that sends where a message names none.
            resend_unknown: Whether messages that may have gone out are sent again.
            only_failed: Whether only those are sent that were refused, or tried and not sent.

        Raises:
            ConfigurationError: The name is none.
            LedgerError: Another run of this process is sending it, or the ledger is not open.
        """
        checked_name("campaign", campaign)
        commits = self._open_commits()
        if campaign in self._sending:
            raise LedgerError(
                f"The campaign {shown(campaign)} is being sent by another run of this process: "
                "wait until that has ended"
            )
        self._runs += 1
        self._sending.add(campaign)
        try:
            campaign_id, last = await commits.do(partial(_queries.begin, campaign, self._clock()))
        except BaseException:
            self._sending.discard(campaign)
            raise
        return StoredCampaign(
            commits,
            name=campaign,
            campaign=campaign_id,
            run=self._runs,
            last=last,
            sender=sender,
            choice=Choice(resend_unknown=resend_unknown, only_failed=only_failed),
            clock=self._clock,
            on_close=lambda: self._sending.discard(campaign),
        )

    # --- reading ------------------------------------------------------------------------------

    async def campaigns(self) -> tuple[str, ...]:
        """Return the names of all campaigns, the oldest first."""
        async with self._opened() as commits:
            return await commits.do(_queries.names)

    async def summary(self, campaign: str) -> Summary:
        """Return how many messages of a campaign are in which state, and what they cost.

        Raises:
            LedgerError: There is no such campaign.
            ConfigurationError: What can be no campaign's name.
        """
        name = checked_name("campaign", campaign)
        async with self._opened() as commits:
            return await commits.do(partial(_queries.summary, name))

    async def outcomes(
        self, campaign: str, certainty: Certainty | None = None
    ) -> AsyncGenerator[Outcome, None]:
        """Yield what became of each message of a campaign, in the order in which they came in.

        Read page by page, so that a million takes no more memory than a thousand. A message that
        was not tried yet is ``not_sent``; one that is being sent in this moment is ``unknown``.
        An iteration that may be left early belongs into ``contextlib.aclosing``.

        Args:
            campaign: Its name.
            certainty: Only messages of which this is known; None is all.

        Raises:
            LedgerError: There is no such campaign.
            ConfigurationError: What can be no campaign's name, or a certainty that is none.
        """
        name = checked_name("campaign", campaign)
        states = _states_of(certainty)
        async with self._opened() as commits:
            told = {"campaign": await commits.do(partial(_queries.find, name)), "count": PAGE}
            after = 0
            while True:
                asked = {**told, **states, "after": after}
                page = await commits.do(partial(_queries.page, asked))
                for row in page:
                    yield read_outcome(row)
                if len(page) < PAGE:
                    return
                after = page[-1]["id"]

    # --- resolving ----------------------------------------------------------------------------

    async def resolve(
        self,
        key: str,
        certainty: Certainty,
        *,
        note: str | None = None,
        campaign: str | None = None,
    ) -> None:
        """Record what an unknown message has turned out to be. Nothing is sent by this.

        For a person who has looked into the account, or for a late proof, such as a reply of that
        recipient. What is resolved as ``not_sent`` is pending again: the next run sends it.
        Resolving a message once more as what it is does nothing.

        Args:
            key: The message's key, as in its outcome.
            certainty: ``ACCEPTED``, ``REJECTED`` or ``NOT_SENT``.
            note: What is to be remembered of it: who looked, and where.
            campaign: Its campaign; None where only one has the key.

        Raises:
            ConfigurationError: Another certainty, or what is no text.
            LedgerError: No message has the key, several campaigns have it, or the message is not
                unknown.
        """
        checked_text("key", key)
        if campaign is not None:
            checked_name("campaign", campaign)
        if not isinstance(certainty, Certainty) or certainty not in RESOLUTIONS:  # type: ignore[redundant-expr]  # a user's
            allowed = ", ".join(f"Certainty.{each.name}" for each in RESOLUTIONS)
            raise ConfigurationError(f"certainty must be one of {allowed}, not {shown(certainty)}")
        if note is not None:
            checked_text("note", note)
        work = partial(_queries.resolve, key, certainty, note, campaign, self._clock())
        async with self._opened() as commits:
            await commits.do(work)


def _states_of(certainty: Certainty | None) -> dict[str, str | None]:
    """Return the parameters that pick the messages of a certainty."""
    if certainty is None:
        return {"state": None, "or_state": None}
    if not isinstance(certainty, Certainty) or certainty not in STATES:  # type: ignore[redundant-expr]  # a user's
        raise ConfigurationError(
            f"certainty must be one of {', '.join(map(str, STATES))}; None is all"
        )
    under_way = SENDING if CERTAINTIES[SENDING] is certainty else None
    return {"state": STATES[certainty], "or_state": under_way}
