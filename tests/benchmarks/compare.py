"""The client beside other clients, side by side in one run: only the ratios count.

    python tests/benchmarks/compare.py                      the scenario of the table
    python tests/benchmarks/compare.py --all                every scenario, for the pictures
    python tests/benchmarks/compare.py --out figures.json   and keep the figures
    python tests/benchmarks/compare.py --at-once 10 --at-once 1000 --each 20
                                                            at other numbers, with longer blocks

The server is a process of its own, and so is each event loop; both stay on a core of their own
where there is one. Blocks of all clients are interleaved round by round, so that what else the
machine does meets all alike; the figures are medians over rounds with their quartiles.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack, ExitStack
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

import anyio
import attrs
from _competitors import COMPETITORS, OURS, Scenario
from _server import certified, pin, serving

TABLE: Final = Scenario()

SCENARIOS: Final = (
    TABLE,
    *(Scenario(concurrency=count) for count in (10, 1, 1_000)),
    Scenario(shape="nginx"),
    *(Scenario(concurrency=count, tls=True) for count in (10, 100)),
    *(Scenario(concurrency=count, latency=0.05) for count in (100, 10, 1_000)),
)

MOST: Final = {"httpx": 100}
"""Messages at once beyond which a client is left out: of a thousand most fail there."""

LOOPS: Final = ("asyncio", "uvloop", "trio")

BLOCK: Final = 1_000
SHORT_BLOCK: Final = 40
"""Messages of each worker where the server takes its time."""

WARM_UP: Final = 1
SLOW: Final = 3.0
"""Seconds: whoever takes longer for a block is measured in fewer rounds."""


def size_of(scenario: Scenario, each: int) -> int:
    """Return how many messages a block has, if not so many for each worker."""
    if each:
        return max(BLOCK, each * scenario.concurrency)
    if scenario.latency:
        return min(4 * BLOCK, SHORT_BLOCK * scenario.concurrency)
    # A worker that begins costs as much as a message or two: each has some.
    return BLOCK if scenario.concurrency < BLOCK else 4 * BLOCK


async def measure(
    scenario: Scenario, base_url: str, context: Any, names: Iterable[str], rounds: int, count: int
) -> dict[str, Any]:
    """Interleave blocks of so many messages of the clients; return what each took."""
    samples: dict[str, list[dict[str, float]]] = {}
    async with AsyncExitStack() as stack:
        blocks = {}
        for name in names:
            opened, _ = COMPETITORS[name]
            blocks[name] = await stack.enter_async_context(opened(scenario, base_url, context))
        for round_ in range(rounds + WARM_UP):
            for name, block in blocks.items():
                done = samples.setdefault(name, [])
                if len(done) >= WARM_UP + 1 and done[-1]["wall"] > SLOW:
                    continue
                # Whose connections have ended while the others had their turn connects anew now: in
                # a campaign nobody would have waited.
                await block(round_ * count, scenario.concurrency, [])
                took: list[float] = []
                cpu, began = time.process_time(), time.perf_counter()
                await block(round_ * count, count, took)
                wall = time.perf_counter() - began
                cpu = time.process_time() - cpu
                cuts = quantiles(took, n=100)
                done.append({"wall": wall, "cpu": cpu, "p50": cuts[49], "p99": cuts[98]})
    return {name: summed(done[WARM_UP:], count) for name, done in samples.items()}


def summed(samples: list[dict[str, float]], count: int) -> dict[str, float]:
    """Return the medians of a client's blocks, and how far its speed spreads."""
    rates = [count / sample["wall"] for sample in samples]
    low, _, high = quantiles(rates, n=4) if len(rates) > 1 else rates * 3
    return {
        "messages_per_second": round(median(rates)),
        "from": round(low),
        "to": round(high),
        "cpu_us": round(median(sample["cpu"] for sample in samples) / count * 1e6),
        "p50_ms": round(median(sample["p50"] for sample in samples) * 1e3, 2),
        "p99_ms": round(median(sample["p99"] for sample in samples) * 1e3, 2),
        "rounds": len(samples),
    }


def with_ratios(result: dict[str, Any]) -> dict[str, Any]:
    """Return the figures with what ours reach of the others' speed and CPU time."""
    others = [name for name in result if name not in OURS]
    ratios = {
        mine: {
            name: {
                "speed": round(
                    result[mine]["messages_per_second"] / result[name]["messages_per_second"], 2
                ),
                "cpu": round(result[mine]["cpu_us"] / max(1, result[name]["cpu_us"]), 2),
            }
            for name in others
        }
        for mine in OURS
        if mine in result
    }
    return {"clients": result, "ratios": ratios}


def run_here(
    loop: str, scenario: Scenario, names: list[str], rounds: int, count: int
) -> dict[str, Any]:
    """Measure a scenario in this process."""
    with ExitStack() as stack:
        path, context = stack.enter_context(certified()) if scenario.tls else (None, None)
        base_url = stack.enter_context(
            serving(latency=scenario.latency, shape=scenario.shape, certificate=path)
        )
        pin(0)
        options = {"use_uvloop": True} if loop == "uvloop" else {}
        return anyio.run(
            measure,
            scenario,
            base_url,
            context,
            names,
            rounds,
            count,
            backend="trio" if loop == "trio" else "asyncio",
            backend_options=options,
        )


def peak(name: str, loop: str, scenario: Scenario) -> int:
    """Return the most memory that a process with one client took, in KiB."""
    asked = json.dumps([loop, attrs.asdict(scenario), [name], 3, BLOCK, "memory"])
    return int(run_apart(asked)["peak_kib"])


def run_apart(asked: str) -> dict[str, Any]:
    """Run a part of the work in a process of its own."""
    command = [sys.executable, __file__, "--part", asked]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)  # noqa: S603  # this very file
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def do_part(asked: str) -> None:
    """Do what another process of this program has asked for, and print the figures."""
    loop, fields, names, rounds, count, what = json.loads(asked)
    result = run_here(loop, Scenario(**fields), names, rounds, count)
    if what == "memory":
        result = {"peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}
    sys.stdout.write(json.dumps(result))


def machine() -> dict[str, Any]:
    """Return what the figures were taken with."""
    names = ("httpx", "httpcore", "httpx2", "aiohttp", "niquests", "pyreqwest", "httptools")
    versions = {name: version(name) for name in (*names, "anyio", "trio", "uvloop")}
    return {"python": platform.python_version(), "system": platform.system(), "versions": versions}


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--at-once", type=int, action="append", metavar="N", help="messages")
    parser.add_argument("--each", type=int, default=0, metavar="N", help="messages of a worker")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--loop", choices=LOOPS, action="append")
    parser.add_argument("--client", choices=[*COMPETITORS], action="append")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--part", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.part:
        do_part(asked.part)
        return
    figures: list[dict[str, Any]] = []
    at_once = [Scenario(concurrency=count) for count in asked.at_once or ()]
    for scenario in SCENARIOS if asked.all else at_once or [TABLE]:
        for loop in asked.loop or LOOPS:
            names = [
                name
                for name, (_, loops) in COMPETITORS.items()
                if loop in loops
                and name in (asked.client or COMPETITORS)
                and scenario.concurrency <= MOST.get(name, scenario.concurrency)
            ]
            fields, count = attrs.asdict(scenario), size_of(scenario, asked.each)
            part = json.dumps([loop, fields, names, asked.rounds, count, "speed"])
            result = with_ratios(run_apart(part))
            if scenario == TABLE:
                for name in names:
                    result["clients"][name]["peak_kib"] = peak(name, loop, scenario)
            figures.append({"scenario": fields, "loop": loop, **result})
            show(scenario, loop, result)
            if asked.out is not None:  # what was measured so far is kept, whatever comes
                told = {"machine": machine(), "figures": figures}
                asked.out.write_text(json.dumps(told, indent=1) + "\n", "utf-8")


def show(scenario: Scenario, loop: str, result: dict[str, Any]) -> None:
    """Print the figures of a scenario, the fastest first."""
    lines = [f"{scenario} on {loop}"]
    clients = result["clients"]
    for name in sorted(clients, key=lambda name: -clients[name]["messages_per_second"]):
        row = clients[name]
        ratios = ", ".join(
            f"{mine} {result['ratios'][mine][name]['speed']:.2f}"
            for mine in OURS
            if name in result["ratios"].get(mine, {})
        )
        lines.append(
            f"  {name:10} {row['messages_per_second']:6} messages/s "
            f"({row['from']} to {row['to']}), {row['cpu_us']:5} us of CPU, "
            f"p50 {row['p50_ms']:.1f} ms, p99 {row['p99_ms']:.1f} ms"
            + (f"; of its speed: {ratios}" if ratios else "")
        )
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
