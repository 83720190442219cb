"""What becomes of a message whose caller is cancelled, by every means there is."""

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import anyio.to_thread
import attrs
import pytest
import trio
from faults.cases import MESSAGE, PATIENT, PROBE, SHORT, short
from faults.certificates import TRUSTED, Certificates
from faults.conftest import OpenClient, over
from faults.plays import hang
from faults.scene import Outcomes
from faults.server import Connection, RawServer, behave
from faults.steps import told_of_steps
from faults.transports import OURS, TRACED

from multiwhats_async import ButtonMessage, Certainty

pytestmark = pytest.mark.anyio

Reached = Callable[[], bool]
Cancel = Callable[[Callable[[], Awaitable[Any]], Callable[[], Awaitable[None]]], Awaitable[None]]


async def by_scope(
    call: Callable[[], Awaitable[Any]], ready: Callable[[], Awaitable[None]]
) -> None:
    """Cancel with anyio's cancel scope."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        await ready()
        tasks.cancel_scope.cancel()


async def by_trio(call: Callable[[], Awaitable[Any]], ready: Callable[[], Awaitable[None]]) -> None:
    """Cancel with trio's own nursery."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(call)
        await ready()
        nursery.cancel_scope.cancel()


async def by_task(call: Callable[[], Awaitable[Any]], ready: Callable[[], Awaitable[None]]) -> None:
    """Cancel asyncio's own task, twice."""
    task = asyncio.ensure_future(call())
    await ready()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def by_wait_for(
    call: Callable[[], Awaitable[Any]], ready: Callable[[], Awaitable[None]]
) -> None:
    """Cancel with asyncio's wait_for, whose timeout passes once the server is where it must be."""
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(call(), SHORT)


WAYS = [
    pytest.param("asyncio", by_scope, id="asyncio-scope"),
    pytest.param("asyncio", by_task, id="asyncio-task"),
    pytest.param("asyncio", by_wait_for, id="asyncio-wait_for"),
    pytest.param("trio", by_scope, id="trio-scope"),
    pytest.param("trio", by_trio, id="trio-nursery"),
]
each_way = pytest.mark.parametrize(("anyio_backend", "cancel"), WAYS)


def once(server: RawServer, reached: Reached) -> Callable[[], Awaitable[None]]:
    """Return what waits until the server got somewhere."""

    async def ready() -> None:
        await anyio.to_thread.run_sync(server.wait_until, reached)

    return ready


@each_way
async def test_while_connecting(
    cancel: Cancel,
    start_server: Callable[..., RawServer],
    open_client: OpenClient,
    certificates: Certificates,
) -> None:
    """Cancelled in the TLS handshake: ended at once, proven not sent, and its hooks are told."""
    server = start_server(Connection.linger, tls=certificates.servers[TRUSTED], handshake=False)
    told = Outcomes()
    async with open_client(server, hooks=[told]) as client:
        began = anyio.current_time()
        await cancel(lambda: client.deliver(MESSAGE), once(server, lambda: server.connections == 1))
        took = anyio.current_time() - began
        server.mend()
        probe = await client.deliver(PROBE)
    assert [outcome.certainty for outcome in told] == [Certainty.NOT_SENT, Certainty.ACCEPTED]
    assert took < PATIENT.attempt / 4
    assert probe.certainty is Certainty.ACCEPTED
    assert server.posts == 1


@pytest.mark.parametrize(
    "transport", OURS, indirect=True
)  # in a user's own client it is httpcore's to close
async def test_no_socket_is_left_when_cancelled_while_connecting(
    start_server: Callable[..., RawServer],
    open_client: OpenClient,
    certificates: Certificates,
) -> None:
    """Cancelled in the TLS handshake, our own pool closes the socket at once."""
    server = start_server(Connection.linger, tls=certificates.servers[TRUSTED], handshake=False)
    gc.disable()
    try:
        async with open_client(server) as client:
            await by_scope(
                lambda: client.deliver(MESSAGE), once(server, lambda: server.connections == 1)
            )
            await anyio.to_thread.run_sync(server.wait_idle)
    finally:
        gc.enable()


@each_way
async def test_after_writing(
    cancel: Cancel, start_server: Callable[..., RawServer], open_client: OpenClient
) -> None:
    """Cancelled once the server has it: the answer is awaited, and its hooks are told of it."""
    mended = threading.Event()

    def answer_late(connection: Connection) -> None:
        request = connection.read_request()
        mended.wait()
        connection.server.play = behave
        connection.send(connection.server.answer_to(request))

    server = start_server(answer_late)
    told = Outcomes()

    async def ready() -> None:
        await once(server, lambda: server.posts == 1)()
        threading.Timer(SHORT, mended.set).start()

    if cancel is by_wait_for:
        threading.Timer(SHORT * 2, mended.set).start()
    async with open_client(server, hooks=[told]) as client:
        await cancel(lambda: client.deliver(MESSAGE), ready)
        probe = await client.deliver(PROBE)
    assert [outcome.certainty for outcome in told] == [Certainty.ACCEPTED] * 2
    assert told[0].message == MESSAGE
    assert probe.certainty is Certainty.ACCEPTED
    assert (server.posts, server.connections) == (2, 1)


@each_way
async def test_after_writing_without_an_answer(
    cancel: Cancel, start_server: Callable[..., RawServer], open_client: OpenClient
) -> None:
    """Cancelled once the server has it, and no answer comes: its own deadline ends it, unknown."""
    server = start_server(hang)
    told = Outcomes()
    deadline = attrs.evolve(short("attempt"), attempt=SHORT * 2)
    async with open_client(server, hooks=[told], timeout=deadline) as client:
        began = anyio.current_time()
        await cancel(lambda: client.deliver(MESSAGE), once(server, lambda: server.posts == 1))
        took = anyio.current_time() - began
        server.mend()
        probe = await client.deliver(PROBE)
    assert [outcome.certainty for outcome in told] == [Certainty.UNKNOWN, Certainty.ACCEPTED]
    assert took < PATIENT.attempt / 2
    assert probe.certainty is Certainty.ACCEPTED
    assert server.posts == 2


@pytest.mark.parametrize("steps", range(0, 16, 3))
async def test_however_early(
    steps: int,
    start_server: Callable[..., RawServer],
    open_client: OpenClient,
    certificates: Certificates,
) -> None:
    """Cancelled before anything is known of the attempt, it still ends at once, as not sent."""
    server = start_server(Connection.linger, tls=certificates.servers[TRUSTED], handshake=False)
    told = Outcomes()

    async def ready() -> None:
        for _ in range(steps):
            await anyio.lowlevel.checkpoint()

    async with open_client(server, hooks=[told]) as client:
        began = anyio.current_time()
        await by_scope(lambda: client.deliver(MESSAGE), ready)
        took = anyio.current_time() - began
    assert [outcome.certainty for outcome in told] == [Certainty.NOT_SENT] * len(told)
    assert took < PATIENT.attempt / 4


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("kept", [False, True], ids=["fresh", "kept"])
async def test_in_every_step_of_the_loop(
    kept: bool, start_server: Callable[..., RawServer], open_client: OpenClient
) -> None:
    """Cancelled after any number of the loop's steps: not sent exactly where nothing was read."""
    told = Outcomes()
    server = start_server()
    async with open_client(server, hooks=[told]) as client:
        for steps in range(40):
            if kept:
                await client.deliver(PROBE)
            message = ButtonMessage(MESSAGE.to, f"step {steps}", ["Yes"])
            task = asyncio.ensure_future(client.deliver(message))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    await anyio.to_thread.run_sync(server.wait_idle)
    read = [text for text in server.texts() if text != PROBE.message]
    assert len(read) == len(set(read))
    for outcome in told:
        if outcome.message.message in read:
            assert outcome.certainty is Certainty.ACCEPTED
        elif outcome.message != PROBE:
            assert outcome.certainty is Certainty.NOT_SENT, outcome.error


@pytest.mark.parametrize("transport", over(TRACED), indirect=True)
@pytest.mark.parametrize("kept", [False, True], ids=["fresh", "kept"])
@pytest.mark.parametrize("tls", [None, TRUSTED], ids=["plain", "TLS"])
async def test_at_every_event(
    tls: str | None,
    kept: bool,
    start_server: Callable[..., RawServer],
    open_client: OpenClient,
    certificates: Certificates,
) -> None:
    """Cancelled within each step that httpcore tells of: the outcome is what the server saw."""
    events: list[str] = []
    at: list[Callable[[], None]] = []

    def told(event: str) -> None:
        events.append(event)
        if at and len(events) == step:
            at[0]()

    outcomes = Outcomes()
    server = start_server(tls=certificates.servers[tls] if tls else None)
    step, steps = 0, 1
    while step < steps:
        async with open_client(server, hooks=[outcomes]) as client:
            if kept:
                await client.deliver(PROBE)
            events.clear()
            with anyio.CancelScope() as scope, told_of_steps(told):
                at[:] = [scope.cancel] if step else []
                await client.deliver(ButtonMessage(MESSAGE.to, f"step {step}", ["Yes"]))
            at.clear()
            steps = steps if step else len(events)
            probe = await client.deliver(PROBE)
            assert probe.certainty is Certainty.ACCEPTED
        step += 1
    await anyio.to_thread.run_sync(server.wait_idle)
    read = [text for text in server.texts() if text.startswith("step")]
    by_text = {each.message.message: each.certainty for each in outcomes if each.message != PROBE}
    assert steps >= 10
    assert len(by_text) == steps
    assert len(read) == len(set(read))
    for text, certainty in by_text.items():
        assert certainty is (Certainty.ACCEPTED if text in read else Certainty.NOT_SENT), text
    assert kept or Certainty.NOT_SENT in by_text.values()
