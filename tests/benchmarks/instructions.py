"""How many instructions of Python a message takes: the same number on every machine.

    python tests/benchmarks/instructions.py            compare with the budget
    python tests/benchmarks/instructions.py --write    make what is measured the budget

Two runs of different lengths go to a server that is none, while every instruction of the
interpreter is counted. Their difference, by message, is what one more message costs. Time spent
within functions written in C is not seen: that is what the other benchmarks are for. The budget is
of one version of Python and of the libraries below; with others the figures are shown only.
"""

import argparse
import json
import platform
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any, Final

import anyio
from _null import NullClient

from multiwhats_async import ButtonMessage, MemoryLedger

BUDGET: Final = Path(__file__).with_name("instructions.json")
ROOM: Final = 1.03
"""What a change may add without anybody having to agree to it."""

FEW, MANY, WORKERS = 100, 300, 10


def messages(count: int) -> list[ButtonMessage]:
    """Return different messages."""
    return [
        ButtonMessage(str(905_000_000_000 + number), "Merhaba 👤", ["👍 Evet", "⛔ Hayır"])
        for number in range(count)
    ]


class Hook:
    """Is told of everything."""

    def on_attempt(self, attempt: object) -> None:
        """Take an attempt."""

    def on_outcome(self, outcome: object) -> None:
        """Take an outcome."""


async def one_by_one(batch: list[ButtonMessage]) -> None:
    """Send one message after the other."""
    async with NullClient() as client:
        for message in batch:
            await client.send(message)


async def in_bulk(batch: list[ButtonMessage], **options: Any) -> None:
    """Send all in a run."""
    hooks = options.pop("hooks", ())
    async with (
        NullClient(hooks=hooks, max_concurrency=WORKERS) as client,
        client.bulk(batch, **options) as run,
    ):
        async for _ in run:
            pass


async def with_hooks(batch: list[ButtonMessage]) -> None:
    """Send all in a run, and tell a hook."""
    await in_bulk(batch, hooks=[Hook()])


async def with_a_ledger(batch: list[ButtonMessage]) -> None:
    """Send all in a run that is on record in memory."""
    await in_bulk(batch, ledger=MemoryLedger(), campaign="spring")


async def from_an_iterator(batch: list[ButtonMessage]) -> None:
    """Send all of an async input."""

    async def source() -> AsyncIterator[ButtonMessage]:
        for message in batch:
            yield message

    await in_bulk(source())  # type: ignore[arg-type]  # it takes both


PATHS: Final[tuple[Callable[[list[ButtonMessage]], Awaitable[None]], ...]] = (
    one_by_one,
    in_bulk,
    with_hooks,
    with_a_ledger,
    from_an_iterator,
)


class Counter:
    """Counts the instructions that the interpreter carries out."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, frame: FrameType, event: str, argument: object) -> Any:
        """Take a call of a function, or an instruction."""
        if event == "call":
            frame.f_trace_opcodes = True
            frame.f_trace_lines = False
        elif event == "opcode":
            self.count += 1
        return self


def counted(path: Callable[[list[ButtonMessage]], Awaitable[None]], count: int) -> int:
    """Return how many instructions a run of so many messages takes."""
    batch = messages(count)
    counter = Counter()
    before = sys.gettrace()
    sys.settrace(counter)
    try:
        anyio.run(path, batch)
    finally:
        sys.settrace(before)
    return counter.count


def measured() -> dict[str, int]:
    """Return what one more message costs on each path."""
    costs: dict[str, int] = {}
    for path in PATHS:
        counted(path, FEW)  # what is built at its first use is built here
        costs[path.__name__] = round((counted(path, MANY) - counted(path, FEW)) / (MANY - FEW))
    return costs


def versions() -> dict[str, str]:
    """Return what the figures depend on."""
    python = ".".join(platform.python_version_tuple()[:2])
    return {"python": python} | {name: version(name) for name in ("anyio", "attrs", "cattrs")}


def main() -> int:
    """Compare with the budget, or write it; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    costs = measured()
    if parser.parse_args().write:
        BUDGET.write_text(json.dumps({"versions": versions(), "costs": costs}, indent=2) + "\n")
    budget = json.loads(BUDGET.read_text())
    holds = budget["versions"] == versions()
    over = [name for name, cost in costs.items() if cost > budget["costs"].get(name, 0) * ROOM]
    for name, cost in costs.items():
        allowed = budget["costs"].get(name)
        print(f"{name:20} {cost:6} instructions a message, {allowed} allowed")  # noqa: T201  # a script
    if over and holds:
        print(  # noqa: T201  # a script
            f"More than the budget: {', '.join(over)}. Make it leaner, or say why it costs more "
            "and run this with --write"
        )
    return int(bool(over) and holds)


if __name__ == "__main__":
    sys.exit(main())
