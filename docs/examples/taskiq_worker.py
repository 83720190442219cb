"""A campaign on an engine of your own choice: here taskiq, with its broker in memory."""

import os
from collections.abc import Sequence

import anyio
from taskiq import InMemoryBroker

from multiwhats_async import AsyncMultiWhats, ButtonMessage, PostgresLedger
from multiwhats_async.campaigns import Chunk
from multiwhats_async.fleet import enqueue_campaign, keep_reconciling, send_chunk

broker = InMemoryBroker()  # yours: taskiq-redis, taskiq-aio-pika, taskiq-nats ...
ledger = PostgresLedger(os.environ["LEDGER_DSN"])
client = AsyncMultiWhats()


@broker.task
async def chunk_task(text: str) -> None:
    await send_chunk(ledger, client, Chunk.from_json(text))


class TaskiqQueue:
    async def put(self, chunks: Sequence[Chunk]) -> None:
        for chunk in chunks:
            await chunk_task.kicker().with_task_id(chunk.key).kiq(chunk.to_json())


async def main() -> None:
    messages = [ButtonMessage(f"90530000{n:04}", f"Merhaba {n}", ["👍 Evet"]) for n in range(50)]
    queue = TaskiqQueue()
    async with ledger, client, anyio.create_task_group() as tasks:
        tasks.start_soon(keep_reconciling, ledger, queue)  # on every worker, beside the engine
        print(await enqueue_campaign(ledger, "spring", messages, queue=queue, sender=client.sender))
        await broker.wait_all()
        print(await ledger.summary("spring"))
        tasks.cancel_scope.cancel()


anyio.run(main)
