"""What the tests of bulk runs share: inputs of each kind, and ways to read a run."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx

from multiwhats_async import BulkRun, Certainty, Outcome

REFUSED = httpx.ConnectError("refused")
LOST = httpx.ReadError("reset")
A, R, N, U, S = (
    Certainty.ACCEPTED,
    Certainty.REJECTED,
    Certainty.NOT_SENT,
    Certainty.UNKNOWN,
    Certainty.SKIPPED,
)


async def asynchronous(items: list[Any]) -> AsyncIterator[Any]:
    """Yield items, each after a moment."""
    for item in items:
        await anyio.sleep(0.001)
        yield item


def inputs(kind: str, items: list[Any]) -> Any:
    """Return items as each kind of input that a run takes."""
    return {"list": items, "generator": iter(items), "async": asynchronous(items)}[kind]


async def run_all(run: BulkRun) -> list[Outcome]:
    """Return the outcomes of a run."""
    async with run:
        return [outcome async for outcome in run]


@asynccontextmanager
async def reading(run: BulkRun) -> AsyncIterator[None]:
    """Read a run's outcomes to the end, beside the block."""

    async def read() -> None:
        async for _ in run:
            pass

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        yield


def counted(outcomes: list[Outcome]) -> Counter[Certainty]:
    """Return how many ended in each certainty."""
    return Counter(outcome.certainty for outcome in outcomes)
