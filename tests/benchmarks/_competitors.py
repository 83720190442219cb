"""The clients that are compared, each as a good engineer would write it for this one call.

Every one sends the same messages to the same server and reads the record of each answer. Ours does
more: evidence, retries, an adaptive concurrency, and a receipt with its types.
"""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import anyio
import attrs
import httpx

from multiwhats_async import AsyncMultiWhats, ButtonMessage
from multiwhats_async._wire import ENDPOINT

SENDER: Final = "908503080335"


@attrs.frozen(kw_only=True)
class Scenario:
    """What is measured.

    Attributes:
        concurrency: Messages at once.
        latency: Seconds that the server takes.
        tls: Whether it speaks TLS.
        shape: Of its answers.
    """

    concurrency: int = 100
    latency: float = 0.0
    tls: bool = False
    shape: str = "plain"

    def __str__(self) -> str:
        parts = [f"{self.concurrency} at once", f"{self.latency * 1e3:.0f} ms"]
        return ", ".join(parts + ["TLS"] * self.tls + [self.shape] * (self.shape != "plain"))


Block = Callable[[int, int, list[float]], Awaitable[None]]
"""Sends so many messages, beginning with a number; adds the seconds that each took."""

Opened = Callable[[Scenario, str, ssl.SSLContext | None], AbstractAsyncContextManager[Block]]


def messages(start: int, count: int) -> Iterator[ButtonMessage]:
    """Yield different messages."""
    for number in range(start, start + count):
        yield ButtonMessage(str(905_000_000_000 + number), "Merhaba 👤", ["👍 Evet", "⛔ Hayır"])


def bodies(start: int, count: int) -> Iterator[dict[str, Any]]:
    """Yield the same messages as the vendor takes them."""
    for number in range(start, start + count):
        yield {
            "from": SENDER,
            "to": str(905_000_000_000 + number),
            "message": "Merhaba 👤",
            "type": "button",
            "buttons": ["👍 Evet", "⛔ Hayır"],
        }


def with_workers(concurrency: int, post: Callable[[dict[str, Any]], Awaitable[Any]]) -> Block:
    """Return what a plain program does: so many workers, that take one message after the other."""

    async def block(start: int, count: int, took: list[float]) -> None:
        source = bodies(start, count)

        async def work() -> None:
            for body in source:
                began = time.perf_counter()
                record = await post(body)
                assert record["status"] == "done"
                took.append(time.perf_counter() - began)

        async with anyio.create_task_group() as tasks:
            for _ in range(min(concurrency, count)):
                tasks.start_soon(work)

    return block


def url_of(base_url: str) -> str:
    """Return the URL of the call, with the key where the vendor's example has it."""
    return f"{base_url}{ENDPOINT}?apikey=KEY"


# --- ours -------------------------------------------------------------------------------------


@asynccontextmanager
async def ours(
    scenario: Scenario, base_url: str, context: ssl.SSLContext | None, *, transport: str
) -> AsyncIterator[Block]:
    """Send in bulk with everything on."""
    client = AsyncMultiWhats(
        "KEY",
        sender=SENDER,
        base_url=base_url,
        max_concurrency=scenario.concurrency,
        ssl_context=context,
        transport=transport,  # type: ignore[arg-type]  # one of the two
    )

    async def block(start: int, count: int, took: list[float]) -> None:
        async with client.bulk(messages(start, count)) as run:
            async for outcome in run:
                took.append(outcome.elapsed)  # noqa: PERF401  # a comprehension hides the await
        assert run.report.accepted == count

    async with client:
        yield block


# --- the others -------------------------------------------------------------------------------


@asynccontextmanager
async def plain_httpx(
    scenario: Scenario, base_url: str, context: ssl.SSLContext | None
) -> AsyncIterator[Block]:
    """Use httpx as most people write it: its default limits."""
    async with httpx.AsyncClient(verify=context or True, timeout=60) as client:
        url = url_of(base_url)

        async def post(body: dict[str, Any]) -> Any:
            return (await client.post(url, json=body)).json()

        yield with_workers(scenario.concurrency, post)


@asynccontextmanager
async def plain_httpx2(
    scenario: Scenario, base_url: str, context: ssl.SSLContext | None
) -> AsyncIterator[Block]:
    """Use httpx's maintained fork, with a pool as wide as the workers are many."""
    import httpx2  # noqa: PLC0415  # not needed by the others

    wide = httpx2.Limits(
        max_connections=scenario.concurrency, max_keepalive_connections=scenario.concurrency
    )
    async with httpx2.AsyncClient(verify=context or True, timeout=60, limits=wide) as client:
        url = url_of(base_url)

        async def post(body: dict[str, Any]) -> Any:
            return (await client.post(url, json=body)).json()

        yield with_workers(scenario.concurrency, post)


@asynccontextmanager
async def plain_aiohttp(
    scenario: Scenario, base_url: str, context: ssl.SSLContext | None
) -> AsyncIterator[Block]:
    """Use aiohttp, with a connector as wide as the workers are many."""
    import aiohttp  # noqa: PLC0415  # likewise

    connector = aiohttp.TCPConnector(limit=scenario.concurrency, ssl=context or True)
    async with aiohttp.ClientSession(connector=connector) as session:
        url = url_of(base_url)

        async def post(body: dict[str, Any]) -> Any:
            async with session.post(url, json=body) as response:
                return await response.json()

        yield with_workers(scenario.concurrency, post)


@asynccontextmanager
async def plain_niquests(
    scenario: Scenario, base_url: str, context: ssl.SSLContext | None
) -> AsyncIterator[Block]:
    """Use niquests, with a pool as wide as the workers are many."""
    import niquests  # noqa: PLC0415  # likewise

    session = niquests.AsyncSession(
        pool_connections=1, pool_maxsize=scenario.concurrency, timeout=60
    )
    async with session:
        url = url_of(base_url)

        async def post(body: dict[str, Any]) -> Any:
            # Said each time: a bundle that the environment names would count before the session's.
            return (await session.post(url, json=body, verify=context is None)).json()

        yield with_workers(scenario.concurrency, post)


@asynccontextmanager
async def plain_pyreqwest(
    scenario: Scenario, base_url: str, context: ssl.SSLContext | None
) -> AsyncIterator[Block]:
    """Use pyreqwest, whose core is written in Rust."""
    from pyreqwest.client import ClientBuilder  # noqa: PLC0415  # likewise

    builder = ClientBuilder().pool_max_idle_per_host(scenario.concurrency).http1_only()
    if context is not None:
        builder = builder.danger_accept_invalid_certs(True)  # its own face
    async with builder.build() as client:
        url = url_of(base_url)

        async def post(body: dict[str, Any]) -> Any:
            response = await client.post(url).body_json(body).build().send()
            return await response.json()

        yield with_workers(scenario.concurrency, post)


class _Floor(asyncio.Protocol):
    """One connection with the parser of Node.js and nothing else: what asyncio can do at best."""

    def __init__(self) -> None:
        import httptools  # noqa: PLC0415  # likewise

        self._new_parser = partial(httptools.HttpResponseParser, self)
        self._body = b""
        self._answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport  # uvloop's is no asyncio.Transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        assert self._answer is not None
        self._answer.set_result(self._body)

    def post(self, request: bytes) -> "asyncio.Future[bytes]":
        self._parser = self._new_parser()
        self._body = b""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def close(self) -> None:
        self._transport.close()


@asynccontextmanager
async def floor(
    scenario: Scenario, base_url: str, context: ssl.SSLContext | None
) -> AsyncIterator[Block]:
    """Write by hand what this one server needs, with no safety at all."""
    target = urlsplit(url_of(base_url))
    loop = asyncio.get_running_loop()
    idle: list[_Floor] = []
    head = (
        f"POST {target.path}?{target.query} HTTP/1.1\r\nHost: {target.netloc}\r\n"
        "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    ).encode()

    async def post(body: dict[str, Any]) -> Any:
        if idle:
            connection = idle.pop()
        else:
            _, connection = await loop.create_connection(
                _Floor, target.hostname, target.port, ssl=context
            )
        content = json.dumps(body).encode()
        answer = await connection.post(head % len(content) + content)
        idle.append(connection)
        return json.loads(answer)

    try:
        yield with_workers(scenario.concurrency, post)
    finally:
        for connection in idle:
            connection.close()


EVERYWHERE: Final = ("asyncio", "uvloop", "trio")
OURS: Final = ("direct", "httpcore")

COMPETITORS: Final[dict[str, tuple[Opened, tuple[str, ...]]]] = {
    "direct": (partial(ours, transport="direct"), EVERYWHERE),
    "httpcore": (partial(ours, transport="httpcore"), EVERYWHERE),
    "httpx": (plain_httpx, EVERYWHERE),
    "httpx2": (plain_httpx2, EVERYWHERE),
    "aiohttp": (plain_aiohttp, ("asyncio", "uvloop")),
    "niquests": (plain_niquests, ("asyncio", "uvloop")),
    "pyreqwest": (plain_pyreqwest, ("asyncio", "uvloop")),
    "floor": (floor, ("asyncio", "uvloop")),
}
"""Each by its name, with the event loops on which it runs."""
