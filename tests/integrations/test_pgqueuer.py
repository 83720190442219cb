"""Campaigns through PgQueuer: nobody twice, nobody lost, and the queue in the ledger's database."""

import signal
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import psycopg
import pytest
from services import Postgres
from worker_life import LEASE, born

from multiwhats_async import ConfigurationError, LedgerError, PostgresLedger
from multiwhats_async.campaigns import Chunk
from multiwhats_async.fleet import enqueue_campaign
from multiwhats_async.integrations import _engine
from multiwhats_async.integrations._engine import Activity
from multiwhats_async.integrations.pgqueuer import PgQueuerQueue, run_worker

pytestmark = pytest.mark.anyio
SEVEN = [Chunk(number, "spring") for number in range(7)]


@pytest.fixture
def anyio_backend() -> str:
    """PgQueuer runs on asyncio only."""
    return "asyncio"


def rows(dsn: str, what: str = "status") -> list[Any]:
    """Return a column of PgQueuer's table, in the order of its ids."""
    with psycopg.connect(dsn) as connection:
        query = "SELECT " + what + " FROM pgqueuer ORDER BY id"  # noqa: S608  # our own words
        return [row[0] for row in connection.execute(query.encode()).fetchall()]


def is_installed(dsn: str) -> bool:
    """Tell whether PgQueuer's table is there."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT to_regclass('pgqueuer')").fetchone()
        return row != (None,)


async def test_a_campaign_is_sent(dsn: str, stage: Any) -> None:
    """300 messages in 6 chunks, each once, and nothing is left in the queue."""
    queue, enough, activity = PgQueuerQueue(), stage.enough(300), Activity()
    async with PostgresLedger(dsn) as ledger, stage.client(enough) as client:
        told = await enqueue_campaign(
            ledger, "spring", stage.messages(300), queue=queue, chunk_size=50
        )
        assert (told.chunks, rows(dsn)) == (6, ["queued"] * 6)
        await run_worker(ledger, client, queue, dsn=dsn, stopping=enough.reached, activity=activity)
        summary = await ledger.summary("spring")
    assert (summary.accepted, summary.total) == (300, 300)
    assert (stage.emulator.stats().accepted, stage.emulator.stats().sent_twice) == (300, 0)
    assert (rows(dsn), activity.finished, activity.in_flight) == ([], 6, 0)
    assert activity.reconciled_ago is not None


def test_put_in_twice_is_in_it_once(dsn: str) -> None:
    """A chunk that waits keeps a second one out, also within one call."""
    queue = PgQueuerQueue(priority=3)
    with psycopg.connect(dsn) as connection:
        queue.put_in(connection, SEVEN)
        queue.put_in(connection, [*SEVEN, Chunk(8, "spring"), Chunk(8, "spring")])
        queue.put_in(connection, [])
    assert rows(dsn) == ["queued"] * 8
    assert rows(dsn, "priority") == [3] * 8
    assert [Chunk.from_json(text) for text in rows(dsn, "payload")][:7] == SEVEN
    assert repr(queue) == "<PgQueuerQueue multiwhats_chunk>"


def test_what_is_rolled_back_leaves_nothing(dsn: str) -> None:
    """Neither chunks nor tables, where the ledger's transaction comes to nothing."""
    queue = PgQueuerQueue()
    with psycopg.connect(dsn) as connection:
        with connection.transaction(force_rollback=True):
            queue.put_in(connection, SEVEN)
        assert not is_installed(dsn)
        queue.put_in(connection, SEVEN[:1])
        connection.commit()
        with connection.transaction(force_rollback=True):
            queue.put_in(connection, SEVEN)
    assert rows(dsn) == ["queued"]


def test_many_may_install_at_once(dsn: str) -> None:
    """Eight workers that start together find one set of tables."""

    def install(_: int) -> None:
        with psycopg.connect(dsn) as connection:
            PgQueuerQueue().install(connection)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(install, range(8)))
    assert rows(dsn) == []


async def test_a_chunk_that_has_ended_may_come_again(dsn: str, stage: Any) -> None:
    """Its key is free once its job is done."""
    queue, enough = PgQueuerQueue(), stage.enough(5)
    async with PostgresLedger(dsn) as ledger, stage.client(enough) as client:
        await enqueue_campaign(ledger, "spring", stage.messages(5), queue=queue)
        (chunk,) = [Chunk.from_json(text) for text in rows(dsn, "payload")]
        await run_worker(ledger, client, queue, dsn=dsn, stopping=enough.reached)
    assert rows(dsn) == []
    with psycopg.connect(dsn) as connection:
        queue.put_in(connection, [chunk])
    assert rows(dsn) == ["queued"]


async def test_a_graceful_end_leaves_the_rest(dsn: str, stage: Any) -> None:
    """No message is broken off by it, and the next worker sends what is left."""
    queue, enough, more = PgQueuerQueue(), stage.enough(40), stage.enough(200)
    async with PostgresLedger(dsn) as ledger:
        await enqueue_campaign(ledger, "spring", stage.messages(300), queue=queue, chunk_size=300)
        async with stage.client(enough, more) as client:
            await run_worker(ledger, client, queue, dsn=dsn, stopping=enough.reached)
            summary = await ledger.summary("spring")
            assert (summary.unknown, summary.in_flight) == (0, 0)
            assert 40 <= summary.accepted < 150
            await run_worker(
                ledger, client, queue, dsn=dsn, reconcile_every=0.2, stopping=more.reached
            )
        assert (await ledger.summary("spring")).accepted >= 200
    assert stage.emulator.stats().sent_twice == 0


async def test_a_killed_workers_chunks_are_taken_over(dsn: str, stage: Any) -> None:
    """PgQueuer hands them out again by itself; at most what was under way is unknown."""
    queue, activity, stopping = PgQueuerQueue(), Activity(), anyio.Event()
    async with PostgresLedger(dsn, lease=LEASE) as ledger, stage.client() as client:
        await enqueue_campaign(ledger, "spring", stage.messages(400), queue=queue, chunk_size=100)
        process = await anyio.to_thread.run_sync(
            born, "pgqueuer", dsn, dsn, stage.server.base_url, "asyncio"
        )
        await stage.until(stage.has(60))
        process.send_signal(signal.SIGKILL)
        with process:
            assert process.wait() == -signal.SIGKILL
        assert "picked" in rows(dsn)
        async with anyio.create_task_group() as tasks:

            async def work(reconcile_every: float) -> None:
                await run_worker(
                    ledger,
                    client,
                    queue,
                    dsn=dsn,
                    redeliver_after=1.0,
                    reconcile_every=reconcile_every,
                    stopping=stopping,
                    activity=activity,
                )

            tasks.start_soon(work, 1000.0)
            await stage.until(queue_is_empty(dsn))  # by PgQueuer's own doing
            stopping.set()
        assert activity.finished >= 1
        stopping = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work, 0.2)
            await stage.until(all_final(ledger, 400))
            stopping.set()
        summary = await ledger.summary("spring")
    assert stage.emulator.stats().sent_twice == 0
    assert summary.unknown <= 20
    assert stage.emulator.stats().accepted >= summary.accepted


async def test_what_is_no_chunk_is_refused(
    dsn: str, stage: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It is held where a person can look at it, is not tried again, and stops nobody else."""
    queue, enough, activity = PgQueuerQueue(), stage.enough(5), Activity()
    with psycopg.connect(dsn) as connection:
        queue.install(connection)
        connection.execute(
            "INSERT INTO pgqueuer (priority, status, entrypoint, payload) VALUES"
            " (9, 'queued', 'multiwhats_chunk', '905374937766'),"
            " (9, 'queued', 'multiwhats_chunk', NULL)"
        )
    async with PostgresLedger(dsn) as ledger, stage.client(enough) as client:
        await enqueue_campaign(ledger, "spring", stage.messages(5), queue=queue)
        await run_worker(ledger, client, queue, dsn=dsn, stopping=enough.reached, activity=activity)
    assert (rows(dsn), rows(dsn, "attempts")) == (["failed"] * 2, [0, 0])
    assert activity.refused == 2
    assert "A task holds no chunk of a campaign" in caplog.text
    assert "905374937766" not in caplog.text


async def test_a_chunk_that_failed_waits_and_is_in_the_queue_once(
    dsn: str, stage: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It comes again later, the reconciler adds no second one, and no secret is logged."""
    queue, activity, stopping = PgQueuerQueue(), Activity(), anyio.Event()
    errors: list[Exception] = [
        LedgerError("the database is away"),
        ValueError("postgres://u:pass@"),
    ]

    async def fail(*_: Any, stopping: Any) -> None:
        raise errors.pop()

    monkeypatch.setattr(_engine, "send_chunk", fail)
    async with PostgresLedger(dsn) as ledger, stage.client() as client:
        await enqueue_campaign(ledger, "spring", stage.messages(4), queue=queue, chunk_size=2)
        async with anyio.create_task_group() as tasks:

            async def work() -> None:
                await run_worker(
                    ledger, client, queue, dsn=dsn, stopping=stopping, activity=activity
                )

            tasks.start_soon(work)
            await stage.until(all_attempted(dsn))
            with psycopg.connect(dsn) as connection:
                queue.put_in(connection, [Chunk.from_json(text) for text in rows(dsn, "payload")])
            stopping.set()
    assert (rows(dsn), rows(dsn, "attempts")) == (["queued"] * 2, [1, 1])
    assert rows(dsn, "execute_after > now() + interval '3 s'") == [True, True]
    assert activity.failed == 2
    assert "LedgerError: the database is away" in caplog.text
    assert "ValueError in fail, line" in caplog.text
    assert "pass" not in caplog.text


async def test_a_worker_comes_back_when_the_database_does(
    postgres: Postgres, dsn: str, stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash of the server ends no worker, and nobody gets a message twice."""
    monkeypatch.setattr(_engine, "COME_BACK", 0.2)
    queue, stopping = PgQueuerQueue(), anyio.Event()
    async with PostgresLedger(dsn, lease=LEASE) as ledger, stage.client() as client:
        await enqueue_campaign(ledger, "spring", stage.messages(300), queue=queue, chunk_size=100)
        async with anyio.create_task_group() as tasks:

            async def work() -> None:
                await run_worker(
                    ledger,
                    client,
                    queue,
                    dsn=dsn,
                    redeliver_after=1.0,
                    reconcile_every=0.2,
                    stopping=stopping,
                )

            tasks.start_soon(work)
            await stage.until(stage.has(60))
            await anyio.to_thread.run_sync(postgres.crash)
            await anyio.to_thread.run_sync(postgres.start)
            await stage.until(all_final(ledger, 300))
            stopping.set()
    assert stage.emulator.stats().sent_twice == 0


async def test_tables_that_are_too_old_are_told(dsn: str, stage: Any) -> None:
    """They may be of others: nobody alters them, and the error says what to do."""
    with psycopg.connect(dsn) as connection:
        PgQueuerQueue().install(connection)
        connection.execute("ALTER TABLE pgqueuer DROP COLUMN slot")
    async with PostgresLedger(dsn) as ledger, stage.client() as client:
        with pytest.raises(ConfigurationError, match="pgq upgrade"):
            await run_worker(ledger, client, PgQueuerQueue(), dsn=dsn)


def test_it_runs_on_asyncio_only(dsn: str, stage: Any) -> None:
    """On trio it says so, instead of failing again and again."""

    async def try_it() -> None:
        async with PostgresLedger(dsn) as ledger, stage.client() as client:
            with pytest.raises(ConfigurationError, match="asyncio only"):
                await run_worker(ledger, client, PgQueuerQueue(), dsn=dsn)

    anyio.run(try_it, backend="trio")


async def test_an_address_that_is_none_shows_no_password(dsn: str, stage: Any) -> None:
    """The database's own message would show a piece of it."""
    async with PostgresLedger(dsn) as ledger, stage.client() as client:
        with pytest.raises(ConfigurationError, match="no address") as caught:
            await run_worker(ledger, client, PgQueuerQueue(), dsn="secret word")
    assert "secret" not in str(caught.value)


def queue_is_empty(dsn: str) -> Callable[[], Awaitable[bool]]:
    """Return a check that PgQueuer's table is empty."""

    async def check() -> bool:
        return not rows(dsn)

    return check


def all_attempted(dsn: str) -> Callable[[], Awaitable[bool]]:
    """Return a check that every job has been tried and is in the queue again."""

    async def check() -> bool:
        return set(rows(dsn, "attempts")) == {1}

    return check


def all_final(ledger: PostgresLedger, count: int) -> Callable[[], Awaitable[bool]]:
    """Return a check that every message of the campaign has its outcome."""

    async def check() -> bool:
        try:
            return (await ledger.summary("spring")).final == count
        except LedgerError:  # the database is away
            return False

    return check
