"""A campaign over many machines: ``enqueue`` once, ``work`` on as many machines as you like."""

import os
import signal
import sys

import anyio

from multiwhats_async import AsyncMultiWhats, ButtonMessage, PostgresLedger, enqueue_campaign
from multiwhats_async.integrations.pgqueuer import PgQueuerQueue, run_worker

dsn = os.environ["MULTIWHATS_LEDGER"]  # postgresql://user@host/database
queue = PgQueuerQueue()


async def enqueue() -> None:
    messages = (
        ButtonMessage(
            f"90530000{n:04}", f"Merhaba {n} 👋", ["👍 Evet", "⛔ Hayır"], key=f"guest-{n}"
        )
        for n in range(500)
    )
    ledger = PostgresLedger(dsn)
    print(await enqueue_campaign(ledger, "spring", messages, queue=queue, sender="908503080335"))


async def work() -> None:
    stopping = anyio.Event()

    async def listen() -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for _ in signals:
                stopping.set()  # what is under way ends; the rest is for the others

    async with (
        PostgresLedger(dsn) as ledger,
        AsyncMultiWhats() as client,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listen)
        await run_worker(ledger, client, queue, dsn=dsn, stopping=stopping)
        tasks.cancel_scope.cancel()


if __name__ == "__main__":
    anyio.run({"enqueue": enqueue, "work": work}[sys.argv[1]])
