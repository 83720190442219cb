"""Several processes that share one campaign and one rate, without any engine: run it twice."""

import os

import anyio

from multiwhats_async import AsyncMultiWhats, ButtonMessage, PostgresLedger, PostgresRate, Rate

dsn = os.environ["MULTIWHATS_LEDGER"]  # postgresql://user@host/database
messages = [
    ButtonMessage(f"90530000{n:04}", f"Merhaba {n} 👋", ["👍 Evet", "⛔ Hayır"], key=f"guest-{n}")
    for n in range(200)
]


async def main() -> None:
    async with (
        PostgresRate(dsn, Rate(100, jitter=0.005)) as rate,  # of all processes together
        AsyncMultiWhats(sender="908503080335", rate=rate) as client,
        client.bulk(messages, ledger=PostgresLedger(dsn), campaign="spring") as run,
    ):
        async for outcome in run:
            if outcome.error is not None:
                print(outcome.key, outcome.error)
    print(run.report)


anyio.run(main)
