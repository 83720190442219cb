"""What hundreds and thousands of cancelled calls leave behind: true outcomes, and nothing else."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

import anyio.to_thread
import attrs
import httpx
import pytest
from faults.cases import MESSAGE, PATIENT, PROBE, SHORT
from faults.certificates import TRUSTED, Certificates
from faults.conftest import OpenClient
from faults.scene import Outcomes
from faults.server import Connection, RawServer
from faults.transports import Transport

from multiwhats_async import AsyncMultiWhats, ButtonMessage, Certainty

pytestmark = pytest.mark.anyio

One = Callable[[AsyncMultiWhats, ButtonMessage], Awaitable[None]]

STORM = 240
CHURN = 5_000
PROBES = 10


async def storm(client: AsyncMultiWhats, one: One, count: int) -> None:
    """Send messages, eight at a time, each with a cancellation of its own."""

    async def work(first: int) -> None:
        for number in range(first, count, 8):
            await one(client, ButtonMessage(MESSAGE.to, f"message {number}", ["Yes"]))

    async with anyio.create_task_group() as tasks:
        for first in range(8):
            tasks.start_soon(work, first)


def moment() -> float:
    """Return when to cancel, in seconds: mostly within what a message takes."""
    return random.random() ** 2 * 0.01


async def cut_by_scope(client: AsyncMultiWhats, message: ButtonMessage) -> None:
    """Send a message, and cancel it at some moment."""
    with anyio.move_on_after(moment()):
        await client.deliver(message)


async def cut_by_task(client: AsyncMultiWhats, message: ButtonMessage) -> None:
    """Send a message, and cancel its task at some moment, perhaps twice."""
    task = asyncio.ensure_future(client.deliver(message))
    await asyncio.wait([task], timeout=moment())
    task.cancel()
    if random.random() < 0.3:
        await asyncio.sleep(0)
        task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def cut_by_wait_for(client: AsyncMultiWhats, message: ButtonMessage) -> None:
    """Send a message within a moment."""
    with suppress(TimeoutError):
        await asyncio.wait_for(client.deliver(message), moment())


def dawdle(connection: Connection) -> None:
    """Take a moment to answer, and sometimes close instead, so that connecting goes on."""
    request = connection.read_request()
    connection.server.released.wait(random.random() * 0.004)
    if random.random() < 0.1:
        connection.close()
    else:
        connection.send(connection.server.answer_to(request))


async def weathered(
    server: RawServer, opened: OpenClient, transport: Transport, one: One, count: int
) -> None:
    """Send through a storm, and assert that every outcome is true and nothing is lost."""
    told = Outcomes()
    async with opened(server, hooks=[told]) as client:
        await storm(client, one, count)
        server.mend()
        cancelled = list(told)
        probes = [await client.deliver(PROBE) for _ in range(PROBES)]
        if not transport.injected:
            idle = transport.counted(client)
            await anyio.to_thread.run_sync(server.wait_until, lambda: server.live == idle)
    if not transport.injected:
        await anyio.to_thread.run_sync(server.wait_idle)
    read = [text for text in server.texts() if text.startswith("message")]
    by_text = {outcome.message.message: outcome.certainty for outcome in cancelled}
    assert {probe.certainty for probe in probes} == {Certainty.ACCEPTED}
    assert len(cancelled) == len(by_text) == count
    assert len(read) == len(set(read))
    assert not [text for text in read if by_text[text] is Certainty.NOT_SENT]
    assert {text for text, what in by_text.items() if what is Certainty.ACCEPTED} <= set(read)
    assert Certainty.NOT_SENT in by_text.values()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize(
    ("anyio_backend", "one"),
    [
        pytest.param("asyncio", cut_by_scope, id="asyncio-scope"),
        pytest.param("asyncio", cut_by_task, id="asyncio-task"),
        pytest.param("asyncio", cut_by_wait_for, id="asyncio-wait_for"),
        pytest.param("trio", cut_by_scope, id="trio-scope"),
    ],
)
async def test_storm(
    one: One,
    tls: bool,
    start_server: Callable[..., RawServer],
    open_client: OpenClient,
    certificates: Certificates,
    transport: Transport,
) -> None:
    """After hundreds of cancellations every outcome is true, and the pool has lost nothing."""
    server = start_server(dawdle, tls=certificates.servers[TRUSTED] if tls else None)
    await weathered(server, open_client, transport, one, STORM)


@pytest.mark.parametrize(
    ("anyio_backend", "one"),
    [
        pytest.param("asyncio", cut_by_wait_for, id="asyncio-wait_for"),
        pytest.param("trio", cut_by_scope, id="trio-scope"),
    ],
)
async def test_churn(
    one: One,
    start_server: Callable[..., RawServer],
    open_client: OpenClient,
    transport: Transport,
) -> None:
    """After five thousand calls that were given up, ten probes pass, and nothing is lost."""
    server = start_server(dawdle)
    await weathered(server, open_client, transport, one, CHURN)


async def test_pool_timeouts(
    start_server: Callable[..., RawServer], open_client: OpenClient, transport: Transport
) -> None:
    """Many that wait for a connection in vain were not sent, and lose nothing; ours never wait."""
    narrow = {"http": {"limits": httpx.Limits(max_connections=2)}} if transport.injected else {}
    impatient = attrs.evolve(PATIENT, connect=SHORT / 5)
    told = Outcomes()

    def hesitate(connection: Connection) -> None:
        request = connection.read_request()
        connection.server.released.wait(random.choice([0.0, SHORT / 2]))
        connection.send(connection.server.answer_to(request))

    async def one(client: AsyncMultiWhats, message: ButtonMessage) -> None:
        await client.deliver(message)

    server = start_server(hesitate)
    async with open_client(server, timeout=impatient, hooks=[told], **narrow) as client:
        await storm(client, one, 80)
        server.mend()
        stormy = list(told)
        probes = [await client.deliver(PROBE) for _ in range(PROBES)]
        counted = transport.counted(client)
        await anyio.to_thread.run_sync(server.wait_until, lambda: server.live == counted)
    waited = {each.message.message for each in stormy if each.error is not None}
    read = [text for text in server.texts() if text.startswith("message")]
    causes = {each.error.cause for each in stormy if each.error is not None}
    assert causes == ({"PoolTimeout"} if transport.injected else set())
    assert {each.certainty for each in stormy if each.error} <= {Certainty.NOT_SENT}
    assert sorted(read) == sorted({f"message {number}" for number in range(80)} - waited)
    assert {probe.certainty for probe in probes} == {Certainty.ACCEPTED}
