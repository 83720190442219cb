"""Resident memory of a bulk run over 1,000 and over 100,000 messages from a generator.

python tests/benchmarks/memory.py [messages]

Over the transport for many messages, ``direct``.
"""

import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
from _server import serving

from multiwhats_async import AsyncMultiWhats, ButtonMessage

SMALL = 1_000


def source(count: int) -> Iterator[ButtonMessage]:
    """Yield that many different messages."""
    for number in range(count):
        yield ButtonMessage(str(905_000_000_000 + number), "Merhaba 👤", ["👍 Evet", "⛔ Hayır"])


def resident() -> float:
    """Return the resident memory of this process now, in megabytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


async def measure(base_url: str, count: int) -> None:
    """Send twice, and print what the second run added to the first."""
    options = {"sender": "908503080335", "base_url": base_url, "transport": "direct"}
    async with AsyncMultiWhats("KEY", **options) as client:  # type: ignore[arg-type]  # all texts
        peaks = []
        for messages in (SMALL, count):
            peak = 0.0
            async with client.bulk(source(messages)) as run:
                async for outcome in run:
                    if outcome.index % 100 == 0:
                        peak = max(peak, resident())
            assert run.report.accepted == messages, run.report
            peaks.append(max(peak, resident()))
    pace = run.report.messages_per_second
    print(  # noqa: T201  # a program that prints figures
        f"{peaks[0]:6.1f} MB at {SMALL:,} messages, {peaks[1]:6.1f} MB at {count:,}: "
        f"+{peaks[1] - peaks[0]:.1f} MB  ({pace:,.0f} messages/s)"
    )


def main() -> None:
    """Measure each backend in a process of its own."""
    if len(sys.argv) == 4:  # backend, URL and count: a child of this program
        anyio.run(measure, sys.argv[2], int(sys.argv[3]), backend=sys.argv[1])
        return
    count = sys.argv[1] if len(sys.argv) > 1 else "100000"
    with serving() as base_url:
        for backend in ("asyncio", "trio"):
            print(f"{backend:8}", end="", flush=True)  # noqa: T201  # likewise
            subprocess.run(  # noqa: S603  # this very file
                [sys.executable, __file__, backend, base_url, count], check=True
            )


if __name__ == "__main__":
    main()
