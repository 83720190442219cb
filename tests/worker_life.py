"""A worker as a process of its own, to be stopped or killed.

    python worker_life.py ENGINE DSN URL BASE_URL BACKEND

Prints ``begun`` once it listens to signals.
"""

import os
import subprocess
import sys

import anyio

from multiwhats_async import AsyncMultiWhats, PostgresLedger
from multiwhats_async.integrations._process import run_worker

LEASE = 2.0
"""Seconds. Longer than an attempt at a sandbox that answers."""

WHOLE = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
"""Whoever is killed leaves half a file of coverage behind."""


def born(engine: str, dsn: str, url: str, base_url: str, backend: str) -> subprocess.Popen[bytes]:
    """Start a worker and return its process once it has begun."""
    command = [sys.executable, __file__, engine, dsn, url, base_url, backend]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=WHOLE)  # noqa: S603  # our own
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    return process


async def live(engine: str, dsn: str, url: str, base_url: str) -> None:
    """Work until told to stop."""
    ledger = PostgresLedger(dsn, lease=LEASE)
    client = AsyncMultiWhats(
        "KEY", sender="908503080335", base_url=base_url, max_concurrency=20, timeout=1.0
    )
    async with anyio.create_task_group() as tasks:

        async def work(*, task_status: anyio.abc.TaskStatus[None]) -> None:
            await run_worker(
                ledger=ledger,
                client=client,
                engine=engine,  # type: ignore[arg-type]  # a test's own word
                url=url,
                redeliver_after=1.0,
                task_status=task_status,
            )

        await tasks.start(work)
        print("begun", flush=True)  # noqa: T201  # read by the test


if __name__ == "__main__":
    *where, backend = sys.argv[1:]
    anyio.run(live, *where, backend=backend)
