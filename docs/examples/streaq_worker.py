"""The same with streaQ: the queue stands in Redis 7 or Valkey, and everything runs on trio."""

import os

import anyio

from multiwhats_async import (
    AsyncMultiWhats,
    ButtonMessage,
    PostgresLedger,
    RedisRate,
    enqueue_campaign,
)
from multiwhats_async.integrations.streaq import StreaqQueue, run_worker

redis = os.environ["MULTIWHATS_REDIS"]  # redis://host
queue = StreaqQueue(redis, name="hotel")  # each ledger that shares this Redis takes another name


async def main() -> None:
    messages = [ButtonMessage(f"90530000{n:04}", f"Merhaba {n}", ["👍 Evet"]) for n in range(300)]
    async with (
        RedisRate(redis, 500, name="hotel") as rate,
        PostgresLedger(os.environ["MULTIWHATS_LEDGER"]) as ledger,
        AsyncMultiWhats(sender="908503080335", rate=rate) as client,
        anyio.create_task_group() as tasks,
    ):
        await enqueue_campaign(ledger, "spring", messages, queue=queue, sender="908503080335")
        tasks.start_soon(run_worker, ledger, client, queue)
        while (await ledger.status("spring")).chunks:  # noqa: ASYNC110  # others send it too
            await anyio.sleep(0.5)
        print(await ledger.summary("spring"))
        tasks.cancel_scope.cancel()


anyio.run(main, backend="trio")
