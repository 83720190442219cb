"""A ledger in PostgreSQL, which many processes on many machines share."""

import os
import socket
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

from .._secret import shown
from .._settings import checked_name, checked_seconds, checked_text
from ..campaigns import CampaignState, CampaignStatus, Chunk, Enqueued
from ..errors import ConfigurationError, LedgerError
from . import _sharing
from ._base import DatabaseLedger
from ._campaign import Choice
from ._postgres import PATIENCE, Address, PostgresDatabase
from ._shared import ChunkCampaign, SharedCampaign

LEASE: Final = 60.0
"""Seconds: above what an attempt may take, so that nobody calls unknown what is under way."""

LEAST_LEASE: Final = 1.0

BEATS: Final = 4
"""How often a lease is renewed before it is over."""

LEAST_IDLE: Final = 1.0
"""Seconds for which a transaction may stand still, at the least: a busy machine does not hang."""


class PostgresLedger(DatabaseLedger):
    """The durable record of campaigns in a PostgreSQL database that any number of processes share.

    An async context manager, used as :class:`SQLiteLedger` is::

        ledger = PostgresLedger("postgresql://user@host/database")
        async with client.bulk(messages, ledger=ledger, campaign="spring") as run:
            ...

    Several processes may do so at once, with the same messages: each message is claimed by one of
    them, and skipped by the others. What a run has claimed is its own until its lease is over. If
    its process dies, what it had not begun is free again then, and what it was sending is
    ``unknown``, and is not sent again by itself. A process that was only thought dead loses what
    others have taken over, and its late outcomes still count.

    While the server restarts, or cannot be reached, everything waits: nothing is sent that is not
    on record. Times are the database's own; the clocks of the machines do not matter.

    Needs ``pip install "multiwhats-async[postgres]"``. Its tables are named ``multiwhats_…``, and
    are made when it is opened first.

    Args:
        dsn: The database's address, as libpq takes it. Its password is never shown.
        lease: Seconds after which others take over what a process holds that is not heard of. It
            should be longer than an attempt may take.
        patience: Seconds for which a server that cannot be reached is waited for, once the ledger
            is open.

    Raises:
        ConfigurationError: The address cannot be read, a number is none, or psycopg is missing.
    """

    def __init__(self, dsn: str, *, lease: float = LEASE, patience: float = PATIENCE) -> None:
        self._lease = _checked_lease(lease)
        address = Address(dsn)
        self._shared = PostgresDatabase(
            address,
            patience=checked_seconds("patience", patience) or 0.0,
            # So that whoever waits for it still renews its own leases in time.
            idle=max(LEAST_IDLE, self._lease / BEATS),
            on_open=_sharing.clean,
        )
        self._alive: set[int] = set()
        super().__init__(self._shared, where=str(address), clock=time.time)

    def _begin_use(self) -> None:
        self._heart = Heart(self._beat, every=self._lease / BEATS)

    def _end_use(self) -> None:
        self._heart.stop()

    def _beat(self) -> None:
        """Renew the leases of the runs of this process, from another thread."""
        worker = self._worker
        if worker is not None and self._alive:
            worker.also(self._renew)

    def _renew(self) -> None:
        told = {"runs": [*self._alive], "lease": self._lease}
        with suppress(LedgerError):  # whoever sends meets it too, and says so
            self._shared.do(lambda db: db.execute("renew", told), patience=0.0)

    # --- sending ------------------------------------------------------------------------------

    async def begin(
        self,
        campaign: str,
        *,
        sender: str | None = None,
        resend_unknown: bool = False,
        only_failed: bool = False,
    ) -> SharedCampaign:
        """Begin a run of a campaign, beside others that send it. The ledger must be open.

        Args:
            campaign: Its name; it is made where it is new.
            sender: The number that sends where a message names none.
            resend_unknown: Whether messages that may have gone out are sent again.
            only_failed: Whether only those are sent that were refused, or tried and not sent.

        Raises:
            ConfigurationError: The name is none.
            CampaignHeldError: The campaign is paused or cancelled.
            LedgerError: The ledger is not open, or cannot be reached.
        """
        checked_name("campaign", campaign)
        commits = self._open_commits()
        work = partial(_sharing.begin, campaign, _here(), self._lease)
        found, run = await commits.do(work)
        return SharedCampaign(
            commits,
            lease=self._lease,
            name=campaign,
            campaign=found,
            sender=sender,
            choice=Choice(resend_unknown=resend_unknown, only_failed=only_failed),
            **self._of_run(run),
        )

    async def begin_chunk(self, chunk: Chunk) -> ChunkCampaign:
        """Begin a run of one chunk of a campaign. The ledger must be open.

        Raises:
            CampaignHeldError: The campaign is paused or cancelled.
            LedgerError: There is no such chunk, or the ledger cannot be reached.
        """
        commits = self._open_commits()
        work = partial(_sharing.begin_chunk, chunk, _here(), self._lease)
        found, run, part = await commits.do(work)
        return ChunkCampaign(
            commits,
            lease=self._lease,
            name=chunk.campaign,
            campaign=found,
            part=part,
            **self._of_run(run),
        )

    def _of_run(self, run: int) -> dict[str, Any]:
        """Keep a run alive; return what a campaign needs to know of it."""
        self._alive.add(run)
        return {"run": run, "clock": self._clock, "on_close": lambda: self._alive.discard(run)}

    # --- workers ------------------------------------------------------------------------------

    async def hand_over(
        self, campaign: SharedCampaign, *, queue: object, chunk_size: int
    ) -> tuple[Enqueued, tuple[Chunk, ...]]:
        """Hand to the workers what a run has loaded, in one transaction.

        Args:
            campaign: The run's campaign.
            queue: A ``TransactionalQueue`` gets the chunks in the same transaction.
            chunk_size: Messages a chunk.
        """
        work = partial(_sharing.hand_over, campaign.id, campaign.run, chunk_size, queue)
        return await self._open_commits().do(work)

    async def due(self, *, queue: object) -> tuple[Chunk, ...]:
        """Take over what dead runs hold; return the chunks that are to be put into a queue again.

        Args:
            queue: A ``TransactionalQueue`` gets them in the same transaction.
        """
        async with self._opened() as commits:
            return await commits.do(partial(_sharing.due, queue))

    async def put_off(self, chunk: Chunk, seconds: float) -> None:
        """Hand out what is left of a chunk no earlier than in so many seconds."""
        async with self._opened() as commits:
            await commits.do(partial(_sharing.put_off, chunk, seconds))

    # --- the state of a campaign --------------------------------------------------------------

    async def pause(self, campaign: str, because: str | None = None) -> None:
        """Let no attempt of a campaign begin, on any machine, until it is resumed.

        It holds from the moment at which this returns. Attempts under way are taken to their end,
        and so is one whose intent was being written in that moment.

        Args:
            campaign: Its name.
            because: Why; shown to everybody who asks.

        Raises:
            LedgerError: There is no such campaign, or it was cancelled.
        """
        await self._set(campaign, CampaignState.PAUSED, because)

    async def resume(self, campaign: str) -> None:
        """Let a paused campaign go on. Workers go on by themselves; a bulk run is begun again.

        Raises:
            LedgerError: There is no such campaign, or it was cancelled.
        """
        await self._set(campaign, CampaignState.RUNNING, None)

    async def cancel(self, campaign: str, because: str | None = None) -> None:
        """Let nothing more of a campaign be sent, for good. What was not sent stays on record.

        Args:
            campaign: Its name.
            because: Why; shown to everybody who asks.

        Raises:
            LedgerError: There is no such campaign.
        """
        await self._set(campaign, CampaignState.CANCELLED, because)

    async def _set(self, campaign: str, state: CampaignState, because: str | None) -> None:
        if because is not None:
            checked_text("because", because)
        async with self._opened() as commits:
            await commits.do(partial(_sharing.set_state, campaign, state, because))

    async def status(self, campaign: str) -> CampaignStatus:
        """Return where a campaign stands, over all machines.

        Raises:
            LedgerError: There is no such campaign.
        """
        async with self._opened() as commits:
            return await commits.do(partial(_sharing.status, campaign, self._lease))


class Heart:
    """Beats in a thread of its own: a program whose event loop is busy is not dead.

    Args:
        beat: Called in the thread; it must not block. It is held weakly: a ledger that nobody has
            any more does not go on renewing its leases.
        every: Seconds between two beats.
    """

    def __init__(self, beat: Callable[[], None], *, every: float) -> None:
        self._stopped = threading.Event()
        arguments = (weakref.WeakMethod(beat), self._stopped, every)
        threading.Thread(
            target=self._run, args=arguments, name="multiwhats-lease", daemon=True
        ).start()

    @staticmethod
    def _run(beat: "weakref.WeakMethod[Any]", stopped: threading.Event, every: float) -> None:
        while not stopped.wait(every):
            call = beat()
            if call is None:
                return
            call()
            del call

    def stop(self) -> None:
        """Beat no more."""
        self._stopped.set()


def _here() -> str:
    """Return what this process is called where others look for it."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _checked_lease(lease: object) -> float:
    checked = checked_seconds("lease", lease)  # type: ignore[arg-type]  # it is checked there
    if checked is None or checked < LEAST_LEASE:
        raise ConfigurationError(
            f"lease must be at least {LEAST_LEASE:g} s, and longer than an attempt may take, "
            f"not {shown(lease)}"
        )
    return checked
