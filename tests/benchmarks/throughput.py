"""Messages a second, and CPU a message, side by side in one run: only the ratios count.

    python tests/benchmarks/throughput.py [ROUNDS]

Both transports of the client, with everything on, against what a plain program does: httpx with
its default limits, and aiohttp, each with a worker pool. The server is a process of its own; the
blocks are interleaved, and medians are told.
"""

import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from statistics import median
from typing import Any

import aiohttp
import anyio
import httpx
from _server import serving

from multiwhats_async import AsyncMultiWhats, ButtonMessage
from multiwhats_async._wire import ENDPOINT

WORKERS = 100
BLOCK = 1_000
ROUNDS = 7
SENDER = "908503080335"

Block = Callable[[int], Awaitable[None]]


def messages(start: int) -> Iterator[ButtonMessage]:
    """Yield a block of different messages."""
    for number in range(start, start + BLOCK):
        yield ButtonMessage(str(905_000_000_000 + number), "Merhaba 👤", ["👍 Evet", "⛔ Hayır"])


def with_multiwhats(client: AsyncMultiWhats) -> Block:
    """Return what sends a block with everything on."""

    async def block(start: int) -> None:
        async with client.bulk(messages(start), max_concurrency=WORKERS) as run:
            async for _ in run:
                pass
        assert run.report.accepted == BLOCK

    return block


def with_workers(post: Callable[[dict[str, Any]], Awaitable[Any]]) -> Block:
    """Return what sends a block as a plain program does: a pool of workers, and nothing more."""

    async def block(start: int) -> None:
        source = messages(start)

        async def work() -> None:
            for message in source:
                record = await post(message.to_dict() | {"from": SENDER, "type": "button"})
                assert record["status"] == "done"

        async with anyio.create_task_group() as tasks:
            for _ in range(WORKERS):
                tasks.start_soon(work)

    return block


def with_httpx(client: httpx.AsyncClient, url: str) -> Block:
    """Return what sends a block with httpx."""

    async def post(body: dict[str, Any]) -> Any:
        return (await client.post(url, json=body)).json()

    return with_workers(post)


def with_aiohttp(session: aiohttp.ClientSession, url: str) -> Block:
    """Return what sends a block with aiohttp."""

    async def post(body: dict[str, Any]) -> Any:
        async with session.post(url, json=body) as response:
            return await response.json()

    return with_workers(post)


async def measure(base_url: str, backend: str, rounds: int) -> dict[str, Any]:
    """Interleave blocks of all; return messages a second, CPU a message, and ratios."""
    url = f"{base_url}{ENDPOINT}?apikey=KEY"
    async with AsyncExitStack() as stack:
        blocks: dict[str, Block] = {}
        for transport in ("direct", "httpcore"):
            client = AsyncMultiWhats("KEY", sender=SENDER, base_url=base_url, transport=transport)
            blocks[transport] = with_multiwhats(await stack.enter_async_context(client))
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=60))
        blocks["httpx"] = with_httpx(http, url)
        if backend == "asyncio":
            session = await stack.enter_async_context(aiohttp.ClientSession())
            blocks["aiohttp"] = with_aiohttp(session, url)
        seconds: dict[str, list[float]] = {name: [] for name in blocks}
        cpu: dict[str, list[float]] = {name: [] for name in blocks}
        for round_ in range(rounds + 1):
            for name, block in blocks.items():
                began, used = time.perf_counter(), time.process_time()
                await block(round_ * BLOCK)
                if round_:  # the first warms up
                    seconds[name].append(time.perf_counter() - began)
                    cpu[name].append(time.process_time() - used)
    rate = {name: BLOCK / median(times) for name, times in seconds.items()}
    each = {name: median(times) / BLOCK * 1e6 for name, times in cpu.items()}
    plain = [name for name in ("httpx", "aiohttp") if name in blocks]
    return {
        "messages_per_second": {name: round(value) for name, value in rate.items()},
        "cpu_microseconds": {name: round(value) for name, value in each.items()},
        "ratios": {
            f"{ours} / {theirs}": round(rate[ours] / rate[theirs], 2)
            for theirs in plain
            for ours in ("direct", "httpcore")
        },
        "cpu_ratios": {
            f"{theirs} / {ours}": round(each[theirs] / each[ours], 2)
            for theirs in plain
            for ours in ("direct", "httpcore")
        },
    }


if __name__ == "__main__":
    with serving() as server:
        for backend_ in ("asyncio", "trio"):
            asked = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
            result = anyio.run(measure, server, backend_, asked, backend=backend_)
            sys.stdout.write(json.dumps({"backend": backend_, **result}) + "\n")
            sys.stdout.flush()
