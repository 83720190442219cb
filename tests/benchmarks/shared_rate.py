"""Whether a shared rate is kept by two processes, and how many trips to its server that takes.

    python tests/benchmarks/shared_rate.py

Two processes send for two senders, each sender in both, at 80 and at 1,000 messages a second for
each sender, on asyncio and on trio, through PostgreSQL and through Redis. Nothing is posted: what
is measured is when each message may begin, by a ``Pace`` as in a client. Both servers are real,
and are started here.

``reached`` is what the two senders got on average, ``share`` that as a part of the target,
``most`` the most messages of one sender in any second (a window that slides), ``allowed`` what
that may be (5 % above the target, and one message at least), ``trips`` how many trips to the
server one process makes in a second for one sender.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import Any, Final

import anyio

from multiwhats_async._pacing import Concurrency, Pace, Pause, RateGate
from multiwhats_async.rate import PostgresRate, RedisRate

PROCESSES: Final = 2
SENDERS: Final = ("905000000001", "905000000002")
TARGETS: Final = (80, 1000)
SECONDS: Final = 10.0
WARM_UP: Final = 1.0
"""Seconds that are not counted, until all processes are there."""

WORKERS: Final = 4
"""Tasks for each sender, as a run has many workers."""

KINDS: Final = {"postgres": PostgresRate, "redis": RedisRate}


async def take(store: str, address: str, target: int, begin: float) -> dict[str, Any]:
    """Take slots from a moment on; return when each came (seconds since 1970), and the trips."""
    times: dict[str, list[float]] = {sender: [] for sender in SENDERS}
    trips = 0
    async with KINDS[store](address, target) as rate:
        advance = rate._advance

        async def counted(sender: str, seconds: float) -> float:
            nonlocal trips
            trips += 1
            return await advance(sender, seconds)

        rate._advance = counted  # type: ignore[method-assign]  # counted, not changed
        pace = Pace(concurrency=Concurrency(100), pause=Pause(), rate=RateGate(rate))
        end = begin + SECONDS

        async def work(sender: str) -> None:
            while time.time() < end:
                place = object()
                await pace.acquire(place, sender)
                times[sender].append(time.time())
                pace.release(place)
                pace.concurrency.grow()

        await anyio.sleep(begin - time.time())
        async with anyio.create_task_group() as tasks:
            for sender in SENDERS * WORKERS:
                tasks.start_soon(work, sender)
    return {"times": times, "trips": trips}


def most_in_a_second(times: list[float]) -> int:
    """Return the most that lie in any window of a second."""
    most = first = 0
    for last, moment in enumerate(times):
        while times[first] <= moment - 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def measure(backend: str, store: str, address: str, target: int) -> dict[str, Any]:
    """Let processes take slots side by side; return what they got."""
    begin = time.time() + 2
    command = [sys.executable, __file__, backend, store, address, str(target), str(begin)]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603  # this file
        for _ in range(PROCESSES)
    ]
    found = [json.loads(process.communicate()[0]) for process in running]
    pace, most = [], 0
    for sender in SENDERS:
        counted = [moment for each in found for moment in each["times"][sender]]
        counted = sorted(m for m in counted if begin + WARM_UP <= m < begin + SECONDS)
        pace.append(len(counted) / (SECONDS - WARM_UP))
        most = max(most, most_in_a_second(counted))
    reached = sum(pace) / len(pace)
    trips = sum(each["trips"] for each in found) / PROCESSES / len(SENDERS) / SECONDS
    return {
        "backend": backend,
        "store": store,
        "target": target,
        "reached": round(reached, 1),
        "share": round(reached / target, 4),
        "most": most,
        "allowed": max(target + 1, ceil(target * 1.05)),
        "trips": round(trips, 1),
    }


@contextmanager
def servers() -> Iterator[dict[str, Any]]:
    """Run both servers; give their addresses, of a fresh database each time it is asked for."""
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from services import Postgres, Redis  # noqa: PLC0415  # of the tests, beside this folder

    with Postgres() as postgres, Redis() as redis:

        def empty() -> str:
            redis.flush()
            return redis.url

        yield {"postgres": postgres.database, "redis": empty}


def main() -> None:
    """Measure all, and print a table."""
    with servers() as addresses:
        for number, (backend, store, target) in enumerate(
            (backend, store, target)
            for backend in ("asyncio", "trio")
            for store in KINDS
            for target in TARGETS
        ):
            row = measure(backend, store, addresses[store](), target)
            if number == 0:
                sys.stdout.write("".join(f"{name:>10}" for name in row) + "\n")
            sys.stdout.write("".join(f"{value:>10}" for value in row.values()) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        backend, store, address, target, begin = sys.argv[1:]
        got = anyio.run(take, store, address, int(target), float(begin), backend=backend)
        sys.stdout.write(json.dumps(got))
