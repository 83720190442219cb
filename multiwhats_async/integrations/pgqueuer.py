"""Campaigns over many machines with PgQueuer: the queue stands in the database of the ledger.

The extra ``pgqueuer``. Runs on asyncio only, as PgQueuer does; on Windows on its selector event
loop, as psycopg does::

    queue = PgQueuerQueue()
    async with PostgresLedger(dsn) as ledger:
        await enqueue_campaign(ledger, "spring", messages, queue=queue, sender=sender)

and on every machine::

    async with PostgresLedger(dsn) as ledger, AsyncMultiWhats() as client:
        await run_worker(ledger, client, queue, dsn=dsn)

PgQueuer's tables are made where they are missing, and never altered: they may be older than this
campaign, and of others too. ``PGQUEUER_PREFIX`` and its other variables hold here as well.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final, Self

import anyio
import anyio.to_thread
import psycopg
import sniffio
from pgqueuer.adapters.drivers.psycopg import PsycopgDriver
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment
from pgqueuer.adapters.persistence.queries import Queries, SyncQueries
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Job
from pgqueuer.ports.driver import NotifyCallback
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from .._secret import Secret
from ..abc import SharedLedger
from ..campaigns import Chunk
from ..client import AsyncMultiWhats
from ..errors import ConfigurationError
from ..fleet import keep_reconciling
from . import _engine
from ._engine import Activity, Chunks

DEFAULT_ENTRYPOINT: Final = "multiwhats_chunk"
"""The name under which the chunks stand in PgQueuer's table and dashboard."""

POLL: Final = timedelta(seconds=2)
"""A worker hears of new jobs at once; this is for the jobs of a dead one, of which nobody tells."""


class PgQueuerQueue:
    """Puts chunks into PgQueuer, in the very transaction that puts their messages in the ledger.

    A chunk that waits or is being sent is not put in twice. One that has ended may come again.

    Args:
        entrypoint: The name of the jobs. Workers take the jobs of their own queue's name only.
        priority: Higher ones are taken first, among all jobs of the table.
    """

    def __init__(self, *, entrypoint: str = DEFAULT_ENTRYPOINT, priority: int = 0) -> None:
        self.entrypoint = entrypoint
        self.priority = priority

    def __repr__(self) -> str:
        return f"<PgQueuerQueue {self.entrypoint}>"

    def put_in(self, connection: psycopg.Connection[Any], chunks: Sequence[Chunk]) -> None:
        """Put chunks into the queue, as part of the transaction that is under way.

        Args:
            connection: The ledger's own. It blocks.
            chunks: The chunks.

        Raises:
            psycopg.Error: The database cannot be reached, or refuses.
        """
        if not chunks:
            return
        self.install(connection)
        count = len(chunks)
        SyncQueries(_InTransaction(connection)).enqueue(
            [self.entrypoint] * count,
            [chunk.to_json().encode() for chunk in chunks],
            [self.priority] * count,
            dedupe_key=[chunk.key for chunk in chunks],
            on_conflict="skip",
        )

    def install(self, connection: psycopg.Connection[Any]) -> None:
        """Make PgQueuer's tables where there are none. Any number of workers may do so at once.

        Args:
            connection: A connection to their database; in a transaction they are made with it.
        """
        built = QueryBuilderEnvironment()
        driver = _InTransaction(connection)
        if _is_there(driver, built):
            return
        name = built.settings.qualified.queue_table
        lock = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest()) >> 1
        with connection.transaction():
            driver.fetch("SELECT pg_advisory_xact_lock($1::bigint)", lock)
            if not _is_there(driver, built):
                connection.execute(built.build_install_query().encode())


def _is_there(driver: "_InTransaction", built: QueryBuilderEnvironment) -> bool:
    # By a query of the catalog: to_regclass() goes on saying no within a transaction.
    (row,) = driver.fetch(built.build_has_table_query(), built.settings.queue_table)
    return bool(row["exists"])


class _InTransaction:
    """A connection as PgQueuer's queries want it. Its own class refuses one in a transaction."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        with psycopg.RawCursor(self._connection, row_factory=dict_row) as cursor:
            cursor.execute(query.encode(), args or None)
            return cursor.fetchall()


class _Driver(PsycopgDriver):
    """PgQueuer's driver with a second connection that only listens.

    On a single one a query waits until the listener lets go of it, which is up to a second.
    """

    def __init__(
        self, connection: psycopg.AsyncConnection[Any], listening: psycopg.AsyncConnection[Any]
    ) -> None:
        super().__init__(connection)
        self._listening = PsycopgDriver(listening)
        self.on_lost: Callable[[], None] = lambda: None

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        try:
            return await super().fetch(query, *args)
        except psycopg.OperationalError:
            self.on_lost()
            raise

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        await self._listening.add_listener(channel, callback)

    async def __aenter__(self) -> Self:
        await self._listening.__aenter__()
        return await super().__aenter__()

    async def __aexit__(self, *exc: object) -> None:
        await super().__aexit__(*exc)
        await self._listening.__aexit__(*exc)


async def run_worker(  # noqa: PLR0913  # the public face: one argument an option
    ledger: SharedLedger,
    client: AsyncMultiWhats,
    queue: PgQueuerQueue,
    *,
    dsn: str,
    chunks_at_once: int = _engine.DEFAULT_CHUNKS_AT_ONCE,
    redeliver_after: float = _engine.DEFAULT_REDELIVER_AFTER,
    reconcile_every: float = _engine.DEFAULT_RECONCILE_EVERY,
    stopping: anyio.Event | None = None,
    activity: Activity | None = None,
) -> None:
    """Send chunks until told to stop, and reconcile beside it.

    Args:
        ledger: The ledger of the campaigns; open.
        client: Sends the messages; open.
        queue: Where the chunks come from.
        dsn: The database of the queue, which is the ledger's.
        chunks_at_once: How many chunks this worker sends at once.
        redeliver_after: Seconds without a sign of life after which others take its chunks.
        reconcile_every: Seconds between two passes of the reconciler.
        stopping: When set, no further message is begun, and the call returns once those under
            way have ended: after a POST's own deadline at most. The rest stays pending.
        activity: Is kept up to date.

    Raises:
        ConfigurationError: The address cannot be read, PgQueuer's tables are too old, or this is
            not asyncio.
    """
    if sniffio.current_async_library() != "asyncio":
        raise ConfigurationError("PgQueuer runs on asyncio only; streaQ runs on trio too")
    try:
        conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:  # its message may hold the password
        raise ConfigurationError("dsn is no address of a PostgreSQL database") from None
    stopping = anyio.Event() if stopping is None else stopping
    activity = Activity() if activity is None else activity
    chunks = Chunks(ledger, client, activity, anyio.CapacityLimiter(chunks_at_once))
    worker = _Worker(chunks, queue, dsn, chunks_at_once, timedelta(seconds=redeliver_after))
    await _engine.run_beside(
        partial(_engine.keep_serving, partial(worker.serve, stopping), stopping=stopping),
        partial(keep_reconciling, ledger, queue, every=reconcile_every, on_pass=activity.on_pass),
    )


class _Worker:
    """Runs PgQueuer for as long as its connections last."""

    def __init__(
        self, chunks: Chunks, queue: PgQueuerQueue, dsn: str, at_once: int, heartbeat: timedelta
    ) -> None:
        self._chunks = chunks
        self._queue = queue
        self._dsn = Secret(dsn)
        self._at_once = at_once
        self._heartbeat = heartbeat

    async def serve(self, stopping: anyio.Event) -> None:
        """Run until told to stop, or until a connection is lost."""
        await anyio.to_thread.run_sync(self._install)
        connect = partial(psycopg.AsyncConnection[Any].connect, self._dsn.reveal(), autocommit=True)
        async with await connect() as connection, await connect() as listening:
            driver = _Driver(connection, listening)
            manager = QueueManager(Queries(driver))
            # This stops PgQueuer, and every chunk under way: nobody hears of them any more.
            driver.on_lost = manager.shutdown.set
            manager.entrypoint(self._queue.entrypoint, on_failure="hold")(
                partial(self._take, manager)
            )

            async def stop() -> None:
                await stopping.wait()
                manager.shutdown.set()

            await _engine.run_beside(partial(self._run, manager), stop)

    async def _run(self, manager: QueueManager) -> None:
        try:
            await manager.verify_structure()
        except RuntimeError as error:
            raise ConfigurationError(f"PgQueuer cannot run on its tables: {error}") from None
        batch = max(1, self._at_once // 2)
        await manager.run(
            dequeue_timeout=min(POLL, self._heartbeat),
            batch_size=batch,
            max_concurrent_tasks=max(2 * batch, self._at_once),
            shutdown_on_listener_failure=True,
            heartbeat_timeout=self._heartbeat,
        )

    async def _take(self, manager: QueueManager, job: Job) -> None:
        delay = await self._chunks.take(
            job.payload or b"", failures=job.attempts, stopping=manager.shutdown
        )
        if delay is not None:
            raise RetryRequested(timedelta(seconds=delay), "the chunk could not be sent")

    def _install(self) -> None:
        with psycopg.connect(self._dsn.reveal()) as connection:
            self._queue.install(connection)
