"""A ledger in one SQLite file, or in memory: one owner, one worker thread, commits in groups."""

import os
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import anyio.lowlevel

from .._certainty import Certainty
from .._entered import Entered
from .._settings import checked_name, checked_text
from .._worker import Worker
from ..errors import ConfigurationError, LedgerError
from ..outcomes import Outcome, Summary
from . import _queries
from ._campaign import Choice, SQLiteCampaign
from ._columns import CERTAINTIES, SENDING, STATES, read_outcome
from ._commits import Commits
from ._database import Database

PAGE: Final = 500
"""Outcomes that are read at once: about 1 MB with their receipts."""

RESOLUTIONS: Final = (Certainty.ACCEPTED, Certainty.REJECTED, Certainty.NOT_SENT)
"""What a person can find an unknown message to be."""


class SQLiteLedger(Entered):
    """The durable record of campaigns in one file, for one process at a time.

    An async context manager. A run opens and closes one that is not open, and so do the methods
    below::

        ledger = SQLiteLedger("spring.db")
        async with client.bulk(messages, ledger=ledger, campaign="spring") as run:
            ...

    Every message is on disk before it is sent, that it is about to be sent is on disk before its
    request is written, and its outcome is on disk before you are told. After a crash the same call
    goes on with what is pending; what was under way is ``unknown``, and is not sent again by
    itself.

    The file must lie on a disk of this machine: network file systems are refused where they are
    recognised (on Linux). While it is open there is a file of the same name with ``-wal`` at its
    end, which belongs to it; after a crash it must be kept.

    Args:
        path: The file; it is made where it is missing, readable by its owner only, because whole
            numbers and texts stand in it.
        clock: Tells seconds since 1970.

    Raises:
        ConfigurationError: The path is none.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, clock: Callable[[], float] = time.time
    ) -> None:
        self.path: Path | None = _checked_path(path)
        self._set_up(Database(self.path), clock)

    def _set_up(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._commits: Commits | None = None
        self._worker: Worker | None = None
        self._loop: object = None
        self._opening: anyio.Lock | None = None
        self._users = 0
        self._runs = 0
        self._sending: set[str] = set()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path} ({'open' if self.is_open else 'closed'})>"

    # --- lifetime -----------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether it is open: then its file is locked."""
        return self._commits is not None

    async def open(self) -> None:
        """Open the file and lock it, or count one more user of it.

        What a process that died had under way becomes ``unknown``.

        Raises:
            LedgerError: The file is in use, damaged, another program's, of a newer version, on a
                network file system, or cannot be written.
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
            self._users += 1

    async def aclose(self) -> None:
        """Close the file once nobody uses it any more. More calls than opens do nothing."""
        with anyio.CancelScope(shield=True):
            async with self._turn():
                self._users = max(0, self._users - 1)
                if self._users or self._commits is None:
                    return
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

    def _new_worker(self) -> Worker | None:
        return Worker()

    @staticmethod
    async def _run_blocking(worker: Worker | None, work: Callable[[], None]) -> None:
        if worker is None:
            work()
        else:
            await worker.run(work)

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
    ) -> SQLiteCampaign:
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
        if self._commits is None:
            raise LedgerError(f"The ledger {self.path or 'in memory'} is not open")
        if campaign in self._sending:
            raise LedgerError(
                f"The campaign {campaign!r} is being sent by another run of this process: "
                "wait until that has ended"
            )
        self._runs += 1
        self._sending.add(campaign)
        try:
            campaign_id, last = await self._commits.do(
                partial(_queries.begin, campaign, self._clock())
            )
        except BaseException:
            self._sending.discard(campaign)
            raise
        return SQLiteCampaign(
            self._commits,
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
        """
        async with self._opened() as commits:
            return await commits.do(partial(_queries.summary, campaign))

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
        """
        states = _states_of(certainty)
        async with self._opened() as commits:
            told = {"campaign": await commits.do(partial(_queries.find, campaign)), "count": PAGE}
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
            ConfigurationError: Another certainty, or a note that is no text.
            LedgerError: No message has the key, several campaigns have it, or the message is not
                unknown.
        """
        if certainty not in RESOLUTIONS:
            allowed = ", ".join(f"Certainty.{each.name}" for each in RESOLUTIONS)
            raise ConfigurationError(f"certainty must be one of {allowed}, not {certainty!r}")
        if note is not None:
            checked_text("note", note)
        work = partial(_queries.resolve, key, certainty, note, campaign, self._clock())
        async with self._opened() as commits:
            await commits.do(work)


def _checked_path(path: object) -> Path:
    """Return the path of a file, or refuse what can be none."""
    name = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(name, str) or not name or "\0" in name or name == ":memory:":
        raise ConfigurationError(
            f"A ledger needs the name of a file, not {path!r}; MemoryLedger() keeps one in memory"
        )
    return Path(name)


def _states_of(certainty: Certainty | None) -> dict[str, str | None]:
    """Return the parameters that pick the messages of a certainty."""
    if certainty is None:
        return {"state": None, "or_state": None}
    if certainty not in STATES:
        raise ConfigurationError(
            f"certainty must be one of {', '.join(map(str, STATES))}; None is all"
        )
    under_way = SENDING if CERTAINTIES[SENDING] is certainty else None
    return {"state": STATES[certainty], "or_state": under_way}
