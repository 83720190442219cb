"""Messages a second against plain httpx, side by side in one run: only the ratio counts.

    python tests/benchmarks/throughput.py

The competitor is what most people write: httpx with its default limits and a worker pool.
"""

import json
import sys
import time
from collections.abc import Iterator
from statistics import median

import anyio
import httpx
from _server import serving

from multiwhats_async import AsyncMultiWhats, ButtonMessage
from multiwhats_async._wire import ENDPOINT

WORKERS = 100
BLOCK = 1_000
ROUNDS = 5


def messages(start: int) -> Iterator[ButtonMessage]:
    """Yield a block of different messages."""
    for number in range(start, start + BLOCK):
        yield ButtonMessage(str(905_000_000_000 + number), "Merhaba 👤", ["👍 Evet", "⛔ Hayır"])


async def with_multiwhats(client: AsyncMultiWhats, start: int) -> float:
    """Send a block with everything on; return messages a second."""
    began = time.perf_counter()
    async with client.bulk(messages(start), max_concurrency=WORKERS) as run:
        async for _ in run:
            pass
    assert run.report.accepted == BLOCK
    return BLOCK / (time.perf_counter() - began)


async def with_httpx(client: httpx.AsyncClient, url: str, start: int) -> float:
    """Send a block as a plain program does; return messages a second."""
    source = messages(start)

    async def work() -> None:
        for message in source:
            body = message.to_dict() | {"from": "908503080335", "type": "button"}
            response = await client.post(url, json=body)
            assert response.json()["status"] == "done"

    began = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for _ in range(WORKERS):
            tasks.start_soon(work)
    return BLOCK / (time.perf_counter() - began)


async def measure(base_url: str) -> dict[str, float]:
    """Interleave blocks of both; return the medians and their ratio."""
    ours: list[float] = []
    plain: list[float] = []
    url = f"{base_url}{ENDPOINT}?apikey=KEY"
    async with (
        AsyncMultiWhats("KEY", sender="908503080335", base_url=base_url) as client,
        httpx.AsyncClient(timeout=60) as http,
    ):
        for round_ in range(ROUNDS):
            ours.append(await with_multiwhats(client, round_ * BLOCK))
            plain.append(await with_httpx(http, url, round_ * BLOCK))
    return {
        "multiwhats_async": round(median(ours)),
        "httpx": round(median(plain)),
        "ratio": round(median(ours) / median(plain), 2),
    }


if __name__ == "__main__":
    with serving() as base_url:
        for backend in ("asyncio", "trio"):
            result = anyio.run(measure, base_url, backend=backend)
            sys.stdout.write(json.dumps({"backend": backend, **result}) + "\n")
