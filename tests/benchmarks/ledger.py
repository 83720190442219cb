"""What a ledger costs a bulk run, and what group commit saves. Side by side: only ratios count.

    python tests/benchmarks/ledger.py

``bulk``: messages a second against a server that answers after 20 ms, without a ledger, with one
in memory, and with one in a file: of the sending alone, and of the whole run with opening, loading
and closing.

``commits``: transitions a second of a ledger in a file, an intent and an outcome for each message
of 100 workers, without a server: ``group`` as shipped; ``alone`` with a transaction for each,
those that wait one after the other in one visit to the thread; ``visits`` with a visit to the
thread for each, too, as a plain lock makes it. ``slower_ms`` is what each commit is made to take
longer, as on a disk with a slower fsync.

``loading``: messages a second of a block that is loaded into a file, where the event loop has
nothing else to do (``idle``), and where it never rests, as that of a web service at its limit
(``busy``): there Python's lock is what the ledger's thread waits for.

The files lie in a folder within the current one, so run it on the disk that is meant.
"""

import json
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final, get_args

import anyio
import anyio.lowlevel
from _server import RECORD, serving

from multiwhats_async import AsyncMultiWhats, ButtonMessage, Certainty
from multiwhats_async.ledger import MemoryLedger, SQLiteLedger
from multiwhats_async.ledger._commits import Commits, Joint, T, Ticket
from multiwhats_async.models import MessageReceipt
from multiwhats_async.options import TransportName
from multiwhats_async.outcomes import Outcome

SENDER: Final = "908503080335"
WORKERS: Final = 100
ROUNDS: Final = 5
BULK: Final = 2_000
COMMITS: Final = {0: 2_000, 1: 500, 5: 200}
"""How many messages go through, for each of the milliseconds that a commit takes longer."""
LOADED: Final = 10_000


def messages(count: int, start: int = 0) -> Iterator[ButtonMessage]:
    """Yield that many different messages."""
    for number in range(start, start + count):
        yield ButtonMessage(str(905_000_000_000 + number), "Merhaba 👤", ["👍 Evet", "⛔ Hayır"])


# --- a bulk run -------------------------------------------------------------------------------


async def bulk(
    client: AsyncMultiWhats, start: int, ledger: SQLiteLedger | None
) -> tuple[float, float]:
    """Send a block; return messages a second of the sending, and of the whole run."""
    options: dict[str, Any] = {} if ledger is None else {"ledger": ledger, "campaign": "bench"}
    began = time.perf_counter()
    async with client.bulk(messages(BULK, start), max_concurrency=WORKERS, **options) as run:
        loaded = time.perf_counter()
        async for _ in run:
            pass
        sent = time.perf_counter()
    ended = time.perf_counter()
    assert run.report.accepted == BULK, run.report
    return BULK / (sent - loaded), BULK / (ended - began)


async def measure_bulk(
    base_url: str, transport: TransportName, folder: Path
) -> list[dict[str, Any]]:
    """Interleave blocks without a ledger and with each kind; return medians and ratios."""
    makers: dict[str, Callable[[int], SQLiteLedger | None]] = {
        "none": lambda _: None,
        "memory": lambda _: MemoryLedger(),
        "file": lambda round_: SQLiteLedger(folder / f"bulk{round_}.db"),
    }
    paces: dict[str, list[tuple[float, float]]] = {name: [] for name in makers}
    async with AsyncMultiWhats(
        "KEY", sender=SENDER, base_url=base_url, transport=transport
    ) as client:
        await bulk(client, 0, None)  # to connect, and to warm up
        for round_ in range(ROUNDS):
            for name, make in makers.items():
                paces[name].append(await bulk(client, round_ * BULK, make(round_)))
    results = []
    for place, part in enumerate(("sending", "whole")):
        column = {name: [pace[place] for pace in found] for name, found in paces.items()}
        ratios = compared(column, ("memory", "none"), ("file", "none"))
        results.append({"what": f"bulk over {transport}, {part}", **ratios})
    return results


# --- commits ----------------------------------------------------------------------------------


class Visits(Commits):
    """Takes one piece of work after the other to the thread, under a plain lock."""

    _lock: anyio.Lock | None = None

    async def do_under_shield(self, work: Callable[[Any], T] | Joint) -> T:
        """Have work done in a transaction of its own."""
        self._lock = self._lock or anyio.Lock()
        async with self._lock:
            return await super().do_under_shield(work)


class Varied(SQLiteLedger):
    """A ledger that commits in another way, or on a slower disk."""

    def __init__(self, path: Path, way: str, slower: float) -> None:
        super().__init__(path)
        self._way = way
        self._slower = slower

    async def open(self) -> None:
        """Open it, and commit in the way that is measured."""
        await super().open()
        if self._users > 1:
            return
        kind = Visits if self._way == "visits" else Commits
        self._commits = kind(self._transact, self._worker)

    def _transact(self, tickets: Sequence[Ticket[Any]]) -> None:
        groups = [tickets] if self._way == "group" else [[ticket] for ticket in tickets]
        for group in groups:
            if self._slower:
                time.sleep(self._slower)  # in the thread, as an fsync waits: without the GIL
            self._database.run(group)


async def transitions(ledger: SQLiteLedger, count: int) -> float:
    """Take messages from their intents to their outcomes; return transitions a second."""
    (message,) = messages(1)
    outcome = Outcome(
        message=message,
        key=message.identity(SENDER),
        certainty=Certainty.ACCEPTED,
        receipt=MessageReceipt(total_credit=1, raw=RECORD),
        attempts=1,
    )
    async with ledger:
        campaign = await ledger.begin("bench", sender=SENDER)
        await campaign.load(0, [*messages(count)])
        claims = iter(await campaign.claim(count))

        async def work() -> None:
            for claim in claims:
                await claim.intend()
                await claim.settle(outcome)

        began = time.perf_counter()
        async with anyio.create_task_group() as tasks:
            for _ in range(WORKERS):
                tasks.start_soon(work)
        took = time.perf_counter() - began
        await campaign.aclose()
        summary = await ledger.summary("bench")
    assert summary.accepted == count, summary
    return 2 * count / took


async def measure_commits(folder: Path, slower: int, count: int) -> dict[str, Any]:
    """Interleave the ways to commit; return medians and ratios."""
    paces: dict[str, list[float]] = {"group": [], "alone": [], "visits": []}
    for round_ in range(ROUNDS):
        for way, found in paces.items():
            ledger = Varied(folder / f"{way}{slower}-{round_}.db", way, slower / 1_000)
            found.append(await transitions(ledger, count))
    ratios = compared(paces, ("group", "alone"), ("group", "visits"))
    return {"what": "commits", "slower_ms": slower, **ratios}


# --- loading ----------------------------------------------------------------------------------


async def keep_busy() -> None:
    """Work without a rest, as a web service does: Python, a socket, and others' turn."""
    near, far = socket.socketpair()
    with near, far:
        while True:
            sum(range(3_000))
            near.send(b"x")
            far.recv(1)
            await anyio.lowlevel.checkpoint()


async def load(path: Path, batch: list[ButtonMessage], *, is_busy: bool) -> float:
    """Load a block into a new file; return messages a second."""
    async with SQLiteLedger(path) as ledger, anyio.create_task_group() as tasks:
        if is_busy:
            tasks.start_soon(keep_busy)
        campaign = await ledger.begin("bench", sender=SENDER)
        began = time.perf_counter()
        await campaign.load(0, batch)
        took = time.perf_counter() - began
        await campaign.aclose()
        tasks.cancel_scope.cancel()
    return len(batch) / took


async def measure_loading(folder: Path) -> dict[str, Any]:
    """Interleave an idle loop and a busy one; return medians and their ratio."""
    batch = [*messages(LOADED)]
    paces: dict[str, list[float]] = {"idle": [], "busy": []}
    for round_ in range(ROUNDS):
        for way, found in paces.items():
            path = folder / f"{way}{round_}.db"
            found.append(await load(path, batch, is_busy=way == "busy"))
    return {"what": "loading", **compared(paces, ("busy", "idle"))}


# --- the program ------------------------------------------------------------------------------


def compared(paces: dict[str, list[float]], *pairs: tuple[str, str]) -> dict[str, float]:
    """Return the medians, and the ratios of some of them."""
    medians = {name: median(found) for name, found in paces.items()}
    return {name: round(pace) for name, pace in medians.items()} | {
        f"{one}/{other}": round(medians[one] / medians[other], 2) for one, other in pairs
    }


def on_a_disk(measure: Callable[[Path], Awaitable[Any]], backend: str) -> Any:
    """Measure with a folder of its own, and clean up."""
    with TemporaryDirectory(prefix=".ledger-", dir=".") as folder:
        return anyio.run(measure, Path(folder), backend=backend)


def tell(backend: str, result: dict[str, Any]) -> None:
    """Print one result."""
    sys.stdout.write(json.dumps({"backend": backend, **result}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    for backend in ("asyncio", "trio"):
        for transport in get_args(TransportName):
            with serving(latency=0.02) as base_url:
                for result in on_a_disk(partial(measure_bulk, base_url, transport), backend):
                    tell(backend, result)
        for slower, count in COMMITS.items():
            measure = partial(measure_commits, slower=slower, count=count)
            tell(backend, on_a_disk(measure, backend))
        tell(backend, on_a_disk(measure_loading, backend))
