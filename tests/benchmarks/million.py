"""Time, memory and disk of a campaign of a million in a ledger: loaded, resumed and reported.

    python tests/benchmarks/million.py [messages]

Each step in a process of its own, for 1,000 messages and for so many. Told are the figures of the
latter, and in brackets by how much the peak of its resident memory is above that of the former.

The files lie in a folder within the current one, so run it on the disk that is meant.
"""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import anyio
from _server import RECORD, serving

from multiwhats_async import AsyncMultiWhats, ButtonMessage, Certainty
from multiwhats_async.ledger import SQLiteLedger

SENDER: Final = "908503080335"
NAME: Final = "bench"
SMALL: Final = 1_000
STEPS: Final = (
    ("input", "building the messages alone"),
    ("load", "loading them into a new ledger, then kill -9"),
    ("resume", "loading the same after kill -9, up to the first outcome, then stop()"),
    ("resume", "the same after a close"),
    ("send", "(making all accepted, each with its receipt, by plain SQL)"),
    ("resume", "the same after all was sent"),
    ("report", "the summary, and all outcomes"),
)


def source(count: int) -> Iterator[ButtonMessage]:
    """Yield that many different messages."""
    for number in range(count):
        yield ButtonMessage(str(905_000_000_000 + number), "Merhaba 👤", ["👍 Evet", "⛔ Hayır"])


def peak() -> float:
    """Return the highest resident memory of this process so far, in megabytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024 / 1e6


def sizes(path: Path) -> dict[str, float]:
    """Return the size of the file and of its -wal, in megabytes."""
    wal = path.with_name(path.name + "-wal")
    return {
        "file": path.stat().st_size / 1e6 if path.exists() else 0.0,
        "wal": wal.stat().st_size / 1e6 if wal.exists() else 0.0,
    }


class Watch:
    """Tells the seconds of one part after the other."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}
        self._began = time.perf_counter()

    def lap(self, part: str) -> None:
        """Note the end of a part."""
        now = time.perf_counter()
        self.parts[part] = now - self._began
        self._began = now


async def load(watch: Watch, ledger: SQLiteLedger, base_url: str, count: int) -> None:
    """Load a new campaign, up to where its first message would be sent, and die there."""
    await ledger.open()
    watch.lap("open")
    async with (
        AsyncMultiWhats("KEY", sender=SENDER, base_url=base_url) as client,
        client.bulk(source(count), ledger=ledger, campaign=NAME),
    ):
        watch.lap("load")
        assert ledger.path is not None
        tell(watch, ledger.path)
        os.kill(os.getpid(), signal.SIGKILL)


async def resume(watch: Watch, ledger: SQLiteLedger, base_url: str, count: int) -> None:
    """Load the same campaign again, wait for its first outcome, and stop."""
    async with ledger:
        watch.lap("open")
        async with AsyncMultiWhats("KEY", sender=SENDER, base_url=base_url) as client:
            bulk = client.bulk(source(count), ledger=ledger, campaign=NAME, max_concurrency=1)
            async with bulk as run:
                watch.lap("load")
                async for outcome in run:
                    if outcome.certainty is not Certainty.SKIPPED or outcome.index == 100:
                        break
                watch.lap("first")
            watch.lap("stop")
    watch.lap("close")


async def report(watch: Watch, ledger: SQLiteLedger, _: str, count: int) -> None:
    """Read all of the campaign."""
    async with ledger:
        watch.lap("open")
        summary = await ledger.summary(NAME)
        watch.lap("summary")
        seen = 0
        async for outcome in ledger.outcomes(NAME):
            seen += outcome.credits == 1
        watch.lap("outcomes")
    assert seen == summary.accepted == count, summary


def send(path: Path) -> None:
    """Make all accepted, as a run that has sent them leaves them."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE message SET state = 'accepted', attempts = 1, credits = 1")
        db.execute(
            "INSERT INTO detail (message, receipt) SELECT id, ? FROM message WHERE true "
            "ON CONFLICT (message) DO UPDATE SET receipt = excluded.receipt",
            (json.dumps(RECORD),),
        )


def tell(watch: Watch, path: Path) -> None:
    """Print what a step took."""
    sys.stdout.write(json.dumps({"seconds": watch.parts, "peak": peak(), **sizes(path)}))
    sys.stdout.flush()


def measure(step: str, path: Path, base_url: str, count: int) -> None:
    """Do one step, and print what it took."""
    watch = Watch()
    if step == "input":
        for _ in source(count):
            pass
        watch.lap("input")
    elif step == "send":
        send(path)
        watch.lap("send")
    else:
        steps = {"load": load, "resume": resume, "report": report}
        anyio.run(steps[step], watch, SQLiteLedger(path), base_url, count)
    tell(watch, path)


def run(step: str, path: Path, base_url: str, count: int) -> dict[str, Any]:
    """Do one step in a process of its own; return what it took."""
    child = subprocess.run(  # noqa: S603  # this very file
        [sys.executable, __file__, step, str(path), base_url, str(count)],
        stdout=subprocess.PIPE,
        check=False,
    )
    assert child.returncode == (-signal.SIGKILL if step == "load" else 0), child
    found: dict[str, Any] = json.loads(child.stdout)
    return found


def main(count: int) -> None:
    """Do all steps for both counts, and print what they took."""
    with TemporaryDirectory(prefix=".ledger-", dir=".") as name, serving() as base_url:
        folder = Path(name)
        for step, what in STEPS:
            small = run(step, folder / "small.db", base_url, SMALL)
            found = run(step, folder / "large.db", base_url, count)
            parts = ", ".join(f"{part} {took:.2f}" for part, took in found["seconds"].items())
            print(  # noqa: T201  # a program that prints figures
                f"{what}:\n    {parts} s; "
                f"peak {found['peak']:.0f} MB ({found['peak'] - small['peak']:+.1f} MB); "
                f"file {found['file']:.0f} MB, -wal {found['wal']:.1f} MB",
                flush=True,
            )


if __name__ == "__main__":
    if len(sys.argv) == 5:  # step, file, URL and count: a child of this program
        measure(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
