"""A campaign on Temporal. Not run: its imports were checked, and the tests compile it."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from multiwhats_async import AsyncMultiWhats, PostgresLedger
    from multiwhats_async.campaigns import Chunk
    from multiwhats_async.fleet import keep_reconciling, send_chunk


class ShuttingDown:
    async def wait(self) -> None:
        await activity.wait_for_worker_shutdown()


class Activities:
    def __init__(self, ledger: PostgresLedger, client: AsyncMultiWhats) -> None:
        self._ledger = ledger
        self._client = client

    @activity.defn
    async def send(self, text: str) -> None:
        chunk = Chunk.from_json(text)
        beating = asyncio.create_task(_beat())
        try:
            await send_chunk(self._ledger, self._client, chunk, stopping=ShuttingDown())
        finally:
            beating.cancel()


async def _beat() -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(3)


@workflow.defn
class SendChunk:
    @workflow.run
    async def run(self, text: str) -> None:
        await workflow.execute_activity_method(
            Activities.send,
            text,
            start_to_close_timeout=timedelta(hours=1),
            heartbeat_timeout=timedelta(seconds=15),
            retry_policy=RetryPolicy(maximum_interval=timedelta(minutes=5)),
        )


class TemporalQueue:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def put(self, chunks: Sequence[Chunk]) -> None:
        for chunk in chunks:
            with suppress(WorkflowAlreadyStartedError):  # it waits there, or is being sent
                await self._client.start_workflow(
                    SendChunk.run, chunk.to_json(), id=chunk.key, task_queue="multiwhats"
                )


async def work(temporal: Client, dsn: str) -> None:
    async with PostgresLedger(dsn) as ledger, AsyncMultiWhats() as client:
        worker = Worker(
            temporal,
            task_queue="multiwhats",
            workflows=[SendChunk],
            activities=[Activities(ledger, client).send],
            graceful_shutdown_timeout=timedelta(seconds=120),
        )
        async with worker:
            await keep_reconciling(ledger, TemporalQueue(temporal))
