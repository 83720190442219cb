"""What several workers reach on one PostgreSQL, and what each step costs there.

    python tests/benchmarks/fleet.py [--messages 8000] [--processes 1 2]

``ledger``: claim, intent and outcome of every message, by 100 tasks a process, without a server:
what the database bears. ``sent``: the same campaign sent through the client, against a vendor in
the same process that answers after 20 ms. The database writes through to its disk, as in earnest.
All of it shares one machine: with more processes than cores, only the sum is of use.
"""

import argparse
import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parent.parent))

import anyio
import psycopg
from services import Postgres
from vendor import RESPONSE, SENDER, Vendor, messages

from multiwhats_async import (
    Certainty,
    MessageReceipt,
    Outcome,
    PostgresLedger,
    enqueue_campaign,
    make_converter,
    send_chunk,
)
from multiwhats_async.campaigns import Chunk
from multiwhats_async.ledger._statements import Session

TASKS: Final = 100
LATENCY: Final = 0.02
RECEIPT: Final[MessageReceipt] = make_converter().structure(RESPONSE, MessageReceipt)


class Tray:
    """Keeps the chunks."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []

    async def put(self, chunks: Any) -> None:
        self.chunks += chunks


async def work(dsn: str, kind: str, ids: list[int]) -> dict[str, Any]:
    """Take chunks to their end; return the seconds and what each statement took of them."""
    costs: defaultdict[str, float] = defaultdict(float)
    calls: Counter[str] = Counter()
    execute = Session.execute

    def timed(self: Session, name: str, told: Mapping[str, Any] | None = None) -> Any:
        began = time.perf_counter()
        try:
            return execute(self, name, told)
        finally:
            costs[name] += time.perf_counter() - began
            calls[name] += 1

    async with PostgresLedger(dsn) as ledger, Vendor(latency=LATENCY).client() as client:
        print("ready", flush=True)  # noqa: T201  # read by the one who waits
        sys.stdin.readline()
        Session.execute = timed  # type: ignore[method-assign]  # what is measured
        began = time.perf_counter()
        for number in ids:
            chunk = Chunk(number, "spring")
            if kind == "sent":
                await send_chunk(ledger, client, chunk)
            else:
                await _only_record(ledger, chunk)
        seconds = time.perf_counter() - began
    return {"seconds": seconds, "costs": costs, "calls": calls}


async def _only_record(ledger: PostgresLedger, chunk: Chunk) -> None:
    run = await ledger.begin_chunk(chunk)
    claims: list[Any] = []
    while block := await run.claim(TASKS):
        claims += block

    async def take() -> None:
        while claims:
            claim = claims.pop()
            await claim.intend()
            await claim.settle(
                Outcome(
                    message=claim.message,
                    key=claim.key,
                    certainty=Certainty.ACCEPTED,
                    receipt=RECEIPT,
                    attempts=1,
                )
            )

    async with anyio.create_task_group() as tasks:
        for _ in range(TASKS):
            tasks.start_soon(take)
    await run.aclose()


def measure(dsn: str, kind: str, processes: int, count: int) -> dict[str, Any]:
    """Send a campaign with so many processes; return messages a second, and the costs."""
    tray = Tray()

    async def enqueue() -> None:
        await enqueue_campaign(
            PostgresLedger(dsn), "spring", messages(count), queue=tray, sender=SENDER
        )

    anyio.run(enqueue)
    ids = [chunk.id for chunk in tray.chunks]
    workers = []
    for number in range(processes):
        command = [sys.executable, __file__, "--life", dsn, kind, *map(str, ids[number::processes])]
        worker = subprocess.Popen(  # noqa: S603  # our own
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        workers.append(worker)
    began = time.perf_counter()
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    told = [json.loads(worker.communicate()[0]) for worker in workers]
    seconds = time.perf_counter() - began
    costs: Counter[str] = Counter()
    for each in told:
        costs.update(each["costs"])
    return {
        "kind": kind,
        "processes": processes,
        "messages_per_second": round(count / seconds),
        "microseconds_a_message": {
            name: round(cost / count * 1e6, 1) for name, cost in costs.most_common(5)
        },
    }


def main() -> None:
    """Measure what is asked for, one line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=8_000)
    parser.add_argument("--processes", type=int, nargs="*", default=[1, 2])
    asked = parser.parse_args()
    with Postgres() as postgres:
        with psycopg.connect(postgres.dsn, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = on")
            connection.execute("SELECT pg_reload_conf()")
        for kind in ("ledger", "sent"):
            for processes in asked.processes:
                told = measure(postgres.database(), kind, processes, asked.messages)
                print(json.dumps(told))  # noqa: T201  # a script


if __name__ == "__main__":
    if sys.argv[1:2] == ["--life"]:
        print(json.dumps(anyio.run(work, *sys.argv[2:4], [*map(int, sys.argv[4:])])))  # noqa: T201  # likewise
    else:
        main()
