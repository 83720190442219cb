"""A program that uses the library, and is ended in one of many ways.

    python life_program.py WAY BACKEND BASE_URL LEDGER

It prints what it does; each way is a function of the name.
"""

import asyncio
import gc
import sys
import threading
from pathlib import Path

import anyio

from multiwhats_async import AsyncMultiWhats, ButtonMessage, SQLiteLedger

COUNT = 60


def say(*words: object) -> None:
    """Print a line at once."""
    print(*words, flush=True)  # noqa: T201  # read by the test


def client_of(url: str) -> AsyncMultiWhats:
    """Return a client with few places."""
    return AsyncMultiWhats("KEY", sender="908503080335", base_url=url, max_concurrency=4)


def messages(count: int = COUNT) -> list[ButtonMessage]:
    """Return different messages."""
    return [ButtonMessage(str(905_300_000_000 + n), "Merhaba", ["👍"]) for n in range(count)]


async def campaign(url: str, ledger: Path) -> None:
    """Send a campaign that is on record, and tell of each outcome."""
    async with client_of(url) as client:
        run = client.bulk(messages(), ledger=SQLiteLedger(ledger), campaign="spring")
        try:
            async with run:
                say("begun")
                async for outcome in run:
                    say("outcome", outcome.message.to, outcome.certainty)
        finally:
            say("report", run.report.finished)


async def open_at_exit(url: str, ledger: Path) -> None:
    """Leave without closing the client, with a connection open."""
    client = await client_of(url).__aenter__()
    await client.send(messages(1)[0])
    say("left")


async def exit_in_mid_run(url: str, ledger: Path) -> None:
    """Call sys.exit() in the middle of a run."""
    async with client_of(url) as client, client.bulk(messages()) as run:
        async for _ in run:
            say("exiting")
            sys.exit(7)


async def abandoned(url: str, ledger: Path) -> None:
    """Leave an iteration and its run without closing either, and collect them."""
    async with client_of(url) as client:
        async with client.bulk(messages(), ledger=SQLiteLedger(ledger), campaign="spring") as run:
            async for _ in run:
                break
            del _
        gc.collect()
        say("report", run.report.finished)


def stopped_loop(url: str, ledger: Path) -> None:
    """Stop and close asyncio's loop in the middle of a send."""
    loop = asyncio.new_event_loop()

    async def main() -> None:
        client = await client_of(url).__aenter__()
        loop.call_later(0.2, loop.stop)
        await client.send(messages(1)[0])

    task = loop.create_task(main())
    loop.run_forever()
    say("stopped", task.done())
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()
    say("closed")


def daemon_thread(url: str, backend: str) -> None:
    """End the interpreter while a daemon thread sends."""
    sending = threading.Event()

    async def main() -> None:
        async with client_of(url) as client, client.bulk(messages()) as run:
            async for _ in run:
                sending.set()

    threading.Thread(target=lambda: anyio.run(main, backend=backend), daemon=True).start()
    sending.wait(10)
    say("left")


if __name__ == "__main__":
    way, backend, url, ledger = sys.argv[1:]
    if way == "stopped_loop":
        stopped_loop(url, Path(ledger))
    elif way == "daemon_thread":
        daemon_thread(url, backend)
    else:
        anyio.run(globals()[way], url, Path(ledger), backend=backend)
