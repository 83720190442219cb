"""The types of ledgers, campaigns, fleets and rates."""

import random
from pathlib import Path
from typing import assert_type

from multiwhats_async import (
    AsyncMultiWhats,
    ButtonMessage,
    CampaignState,
    CampaignStatus,
    Certainty,
    Chunk,
    Enqueued,
    MemoryLedger,
    Outcome,
    PostgresLedger,
    PostgresRate,
    Rate,
    RedisRate,
    Report,
    RunStatus,
    SQLiteLedger,
    Summary,
    enqueue_campaign,
    keep_reconciling,
    reconcile,
    send_chunk,
)
from multiwhats_async.abc import ChunkQueue, Ledger, RateLimiter, Sender, SharedLedger
from multiwhats_async.integrations.pgqueuer import PgQueuerQueue
from multiwhats_async.integrations.streaq import StreaqQueue
from multiwhats_async.rate import LocalRate


def ports() -> tuple[list[Ledger], SharedLedger, list[RateLimiter]]:
    """What is given stands for the port that is asked for."""
    dsn = "postgresql://"
    ledgers: list[Ledger] = [MemoryLedger(), SQLiteLedger(Path("a")), PostgresLedger(dsn)]
    rates: list[RateLimiter] = [
        LocalRate(Rate(5), random=random.random),
        PostgresRate(dsn, rate=5),
        RedisRate("redis://", rate=5),
    ]
    return ledgers, PostgresLedger(dsn), rates


async def a_ledger(client: AsyncMultiWhats, messages: list[ButtonMessage]) -> None:
    """Opened, asked, and handed to a run."""
    async with SQLiteLedger("spring.db") as ledger:
        assert_type(ledger, SQLiteLedger)
        assert_type(await ledger.summary("spring"), Summary)
        assert_type(await ledger.campaigns(), tuple[str, ...])
        async for outcome in ledger.outcomes("spring", Certainty.UNKNOWN):
            assert_type(outcome, Outcome)
        await ledger.resolve("17", Certainty.ACCEPTED, note="x", campaign="spring")
        client.bulk(messages, ledger=ledger, campaign="spring", resend_unknown=True)


async def a_fleet(client: AsyncMultiWhats, messages: list[ButtonMessage]) -> None:
    """Handed over, sent and looked at."""
    queue = StreaqQueue("redis://")
    waiting: ChunkQueue = queue
    async with PostgresLedger("postgresql://") as ledger:
        assert_type(ledger, PostgresLedger)
        added = await enqueue_campaign(ledger, "spring", messages, queue=PgQueuerQueue())
        assert_type(added, Enqueued)
        assert_type(await send_chunk(ledger, client, Chunk(id=1, campaign="spring")), Report)
        assert_type(await reconcile(ledger, waiting), int)
        await keep_reconciling(ledger, queue, every=5)
        status = await ledger.status("spring")
        assert_type(status, CampaignStatus)
        assert_type(status.state, CampaignState)
        assert_type(status.runs, tuple[RunStatus, ...])
    assert_type(Chunk.from_json(b"{}"), Chunk)


async def a_rate(client: AsyncMultiWhats) -> None:
    """Opened, and given to a client."""
    async with RedisRate("redis://", rate=5) as rate:
        assert_type(rate, RedisRate)
        assert_type(await rate.reserve("908503080335"), float)
        client.with_options(rate=rate)


def a_sender(sender: Sender) -> Sender:
    """The port of a bulk run."""
    return sender
