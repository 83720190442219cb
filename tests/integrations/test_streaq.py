"""Campaigns through streaQ, on both backends: nobody twice, nobody lost, nothing kept in Redis."""

import gc
import json
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from coredis.exceptions import UnknownCommandError
from services import Redis
from streaq import Worker
from worker_life import LEASE, born

from multiwhats_async import ConfigurationError, LedgerError, PostgresLedger
from multiwhats_async.campaigns import Chunk
from multiwhats_async.fleet import enqueue_campaign
from multiwhats_async.integrations import _engine
from multiwhats_async.integrations._engine import Activity
from multiwhats_async.integrations.streaq import TASK, StreaqQueue, run_worker

pytestmark = pytest.mark.anyio
SEVEN = [Chunk(number, "spring") for number in range(7)]


async def size(queue: StreaqQueue) -> int:
    """Return how many tasks are in the queue, under way and postponed ones included."""
    worker = queue.worker()
    async with worker:
        return await worker.queue_size()


async def kept(queue: StreaqQueue) -> set[str]:
    """Return what Redis keeps of single tasks, save that streaQ has refused one."""
    worker = queue.worker()
    async with worker:
        keys = await worker.redis.keys("*:task:*")
        return {str(key) for key in keys if ":results:" not in str(key)}


async def test_a_campaign_is_sent(dsn: str, redis_url: str, stage: Any) -> None:
    """300 messages in 6 chunks, each once, and nothing of them is kept in Redis."""
    queue, enough, activity = StreaqQueue(redis_url), stage.enough(300), Activity()
    async with PostgresLedger(dsn) as ledger, stage.client(enough) as client:
        told = await enqueue_campaign(
            ledger, "spring", stage.messages(300), queue=queue, chunk_size=50
        )
        assert (told.chunks, await size(queue)) == (6, 6)
        await run_worker(ledger, client, queue, stopping=enough.reached, activity=activity)
        summary = await ledger.summary("spring")
    assert (summary.accepted, summary.total) == (300, 300)
    assert (stage.emulator.stats().accepted, stage.emulator.stats().sent_twice) == (300, 0)
    assert (await size(queue), await kept(queue)) == (0, set())
    assert (activity.finished, activity.in_flight) == (6, 0)


async def test_put_twice_is_in_it_once(redis_url: str) -> None:
    """A chunk that waits keeps a second one out, and forgets it should Redis lose the first."""
    queue = StreaqQueue(redis_url)
    await queue.put(SEVEN)
    await queue.put([*SEVEN, Chunk(8, "spring"), Chunk(8, "spring")])
    await queue.put([])
    assert await size(queue) == 8
    worker = queue.worker()
    async with worker:
        info = await worker.info_by_id(SEVEN[3].key)
        left = await worker.redis.pttl(worker.task_key + SEVEN[3].key)
    assert info is not None
    assert Chunk.from_json(info.args[0]) == SEVEN[3]
    assert 0 < left <= 3_600_000


async def test_queues_of_two_names_know_nothing_of_each_other(redis_url: str) -> None:
    """Two ledgers have chunks of the same numbers."""
    one, other = StreaqQueue(redis_url), StreaqQueue(redis_url, name="other")
    await one.put(SEVEN)
    await other.put(SEVEN[:2])
    assert (await size(one), await size(other)) == (7, 2)
    assert repr(other) == "<StreaqQueue other>"


async def test_a_chunk_that_has_ended_may_come_again(dsn: str, redis_url: str, stage: Any) -> None:
    """StreaQ forgets its id at once."""
    queue, enough = StreaqQueue(redis_url), stage.enough(5)
    async with PostgresLedger(dsn) as ledger, stage.client(enough) as client:
        await enqueue_campaign(ledger, "spring", stage.messages(5), queue=queue)
        worker = queue.worker()
        async with worker:
            (key,) = await worker.redis.keys("*:task:data:*")
        await run_worker(ledger, client, queue, stopping=enough.reached)
    assert await size(queue) == 0
    chunk = Chunk(int(str(key).rpartition("-")[2]), "spring")
    await queue.put([chunk])
    assert await size(queue) == 1


async def test_a_graceful_end_leaves_the_rest(dsn: str, redis_url: str, stage: Any) -> None:
    """No message is broken off by it, and the next worker sends what is left."""
    queue, enough, more = StreaqQueue(redis_url), stage.enough(40), stage.enough(200)
    async with PostgresLedger(dsn) as ledger:
        await enqueue_campaign(ledger, "spring", stage.messages(300), queue=queue, chunk_size=300)
        async with stage.client(enough, more) as client:
            await run_worker(ledger, client, queue, stopping=enough.reached)
            summary = await ledger.summary("spring")
            assert (summary.unknown, summary.in_flight) == (0, 0)
            assert 40 <= summary.accepted < 150
            await run_worker(ledger, client, queue, reconcile_every=0.2, stopping=more.reached)
        assert (await ledger.summary("spring")).accepted >= 200
    assert stage.emulator.stats().sent_twice == 0


async def test_a_killed_workers_chunks_are_taken_over(
    dsn: str, redis_url: str, stage: Any, anyio_backend_name: str
) -> None:
    """StreaQ hands them out again by itself; at most what was under way is unknown."""
    queue, activity, stopping = StreaqQueue(redis_url), Activity(), anyio.Event()
    async with PostgresLedger(dsn, lease=LEASE) as ledger, stage.client() as client:
        await enqueue_campaign(ledger, "spring", stage.messages(400), queue=queue, chunk_size=100)
        process = await anyio.to_thread.run_sync(
            born, "streaq", dsn, redis_url, stage.server.base_url, anyio_backend_name
        )
        await stage.until(stage.has(60))
        process.send_signal(signal.SIGKILL)
        with process:
            assert process.wait() == -signal.SIGKILL
        assert await size(queue) > 0
        async with anyio.create_task_group() as tasks:

            async def work(reconcile_every: float) -> None:
                await run_worker(
                    ledger,
                    client,
                    queue,
                    redeliver_after=1.0,
                    reconcile_every=reconcile_every,
                    stopping=stopping,
                    activity=activity,
                )

            tasks.start_soon(work, 1000.0)
            await stage.until(is_empty(queue))  # by streaQ's own doing
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
    dsn: str, redis_url: str, stage: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not tried again, stops nobody else, and nothing of it is logged."""
    queue, enough, activity = StreaqQueue(redis_url), stage.enough(5), Activity()
    worker = queue.worker()
    async with worker:
        await worker.enqueue_many(
            [
                worker.registry[TASK].enqueue("905374937766"),
                worker.registry[TASK].enqueue(905374937766),
                worker.enqueue_unsafe("another", 1),
            ]
        )
        await worker.redis.set(worker.task_key + "pickled", b"\x80\x04.")
        await worker.redis.xadd(worker.stream_key + "normal", {"task_id": "pickled"})
    async with PostgresLedger(dsn) as ledger, stage.client(enough) as client:
        await enqueue_campaign(ledger, "spring", stage.messages(5), queue=queue)
        await run_worker(ledger, client, queue, stopping=enough.reached, activity=activity)
    assert (await size(queue), await kept(queue)) == (0, set())
    assert activity.refused == 2
    assert "A task holds no chunk of a campaign" in caplog.text
    assert "missing function" in caplog.text
    assert "pickled failed to deserialize" in caplog.text
    assert "905374937766" not in caplog.text


async def test_a_chunk_that_failed_waits_and_is_in_the_queue_once(
    dsn: str,
    redis_url: str,
    stage: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It comes again later, and the reconciler adds no second one."""
    queue, activity, stopping = StreaqQueue(redis_url), Activity(), anyio.Event()

    chunks: list[Chunk] = []

    async def fail(*given: Any, stopping: Any) -> None:
        chunks.append(given[2])
        raise LedgerError("the database is away")

    monkeypatch.setattr(_engine, "send_chunk", fail)
    async with PostgresLedger(dsn) as ledger, stage.client() as client:
        await enqueue_campaign(ledger, "spring", stage.messages(4), queue=queue, chunk_size=2)
        async with anyio.create_task_group() as tasks:

            async def work() -> None:
                await run_worker(ledger, client, queue, stopping=stopping, activity=activity)

            tasks.start_soon(work)
            await stage.until(failed(activity, 2))
            stopping.set()
    assert len(chunks) == 2
    await queue.put(chunks)
    assert (await size(queue), activity.failed, activity.finished) == (2, 2, 0)
    assert "LedgerError: the database is away" in caplog.text


@pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning")
async def test_a_worker_comes_back_when_redis_does(
    dsn: str,
    redis_server: Redis,
    redis_url: str,
    stage: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A crash of the server ends no worker, and nobody gets a message twice."""
    monkeypatch.setattr(_engine, "COME_BACK", 0.2)
    queue, stopping = StreaqQueue(redis_url), anyio.Event()
    async with PostgresLedger(dsn, lease=LEASE) as ledger, stage.client() as client:
        await enqueue_campaign(ledger, "spring", stage.messages(300), queue=queue, chunk_size=100)
        async with anyio.create_task_group() as tasks:

            async def work() -> None:
                await run_worker(
                    ledger,
                    client,
                    queue,
                    redeliver_after=1.0,
                    reconcile_every=0.2,
                    stopping=stopping,
                )

            tasks.start_soon(work)
            await stage.until(stage.has(60))
            await anyio.to_thread.run_sync(redis_server.crash)
            await anyio.to_thread.run_sync(redis_server.start)
            await stage.until(all_final(ledger, 300))
            stopping.set()
    assert stage.emulator.stats().sent_twice == 0
    gc.collect()  # coredis leaves the buffers of a lost connection open: here, not in another test


async def test_a_server_that_is_too_old_is_told(
    dsn: str, redis_url: str, stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis 6 does not know what streaQ says to it first; nobody tries that again and again."""

    @asynccontextmanager
    async def refused(_: Any) -> AsyncGenerator[Any]:
        async with anyio.create_task_group():
            raise UnknownCommandError("unknown command `FUNCTION`")
        yield

    monkeypatch.setattr(Worker, "__asynccontextmanager__", refused)
    async with PostgresLedger(dsn) as ledger, stage.client() as client:
        queue = StreaqQueue(redis_url)
        with pytest.raises(ConfigurationError, match="Redis 7"):
            await queue.put(SEVEN)
        with pytest.raises(ConfigurationError, match="Redis 7"):
            await run_worker(ledger, client, queue)


async def test_tasks_are_no_pickles(redis_url: str) -> None:
    """Who can write into Redis can run no code by that."""
    queue = StreaqQueue(redis_url)
    await queue.put(SEVEN[:1])
    worker = queue.worker()
    async with worker:
        text = await worker.redis.get(worker.task_key + SEVEN[0].key)
    assert json.loads(str(text))["a"] == [SEVEN[0].to_json()]


def test_an_address_that_is_none_shows_no_password() -> None:
    """Neither does one that can be read."""
    with pytest.raises(ConfigurationError, match="no address") as caught:
        StreaqQueue("secret://user:word@queue.example:x")
    assert "secret" not in str(caught.value)
    assert "word" not in repr(StreaqQueue("redis://user:word@queue.example"))


def is_empty(queue: StreaqQueue) -> Callable[[], Awaitable[bool]]:
    """Return a check that the queue is empty."""

    async def check() -> bool:
        return await size(queue) == 0

    return check


def failed(activity: Activity, count: int) -> Callable[[], Awaitable[bool]]:
    """Return a check that so many chunks have failed."""

    async def check() -> bool:
        return activity.failed == count

    return check


def all_final(ledger: PostgresLedger, count: int) -> Callable[[], Awaitable[bool]]:
    """Return a check that every message of the campaign has its outcome."""

    async def check() -> bool:
        return (await ledger.summary("spring")).final == count

    return check
