"""What becomes of a message whose caller is cancelled, by every means there is."""

import asyncio
import gc
import random
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import anyio.to_thread
import attrs
import pytest
import trio
from faults.cases import MESSAGE, PATIENT, PROBE, SHORT, short
from faults.conftest import Certificates, OpenClient
from faults.network_cases import hang, hang_before_tls
from faults.server import Connection, RawServer, behave

from multiwhats_async import AsyncMultiWhats, ButtonMessage, Certainty, Outcome

pytestmark = pytest.mark.anyio

Reached = Callable[[], bool]
Cancel = Callable[[Callable[[], Awaitable[Any]], Callable[[], Awaitable[None]]], Awaitable[None]]


class Outcomes(list[Outcome]):
    """A hook that keeps every outcome, however its call ended."""

    def on_outcome(self, outcome: Outcome) -> None:
        self.append(outcome)


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
    server = start_server(hang_before_tls, tls=certificates.server, handshake=False)
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
    "transport", ["own", "direct"]
)  # in a user's own client it is httpcore's to close
async def test_no_socket_is_left_when_cancelled_while_connecting(
    start_server: Callable[..., RawServer],
    open_client: OpenClient,
    certificates: Certificates,
    transport: str,
) -> None:
    """Cancelled in the TLS handshake, our own pool closes the socket at once."""
    server = start_server(hang_before_tls, tls=certificates.server, handshake=False)
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
    server = start_server(hang_before_tls, tls=certificates.server, handshake=False)
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


STORM = 240
PROBES = 10


async def storm(
    client: AsyncMultiWhats, one: Callable[[AsyncMultiWhats, ButtonMessage], Awaitable[None]]
) -> None:
    """Send messages, eight at a time, each with a cancellation of its own."""

    async def work(first: int) -> None:
        for number in range(first, STORM, 8):
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
    one: Callable[[AsyncMultiWhats, ButtonMessage], Awaitable[None]],
    tls: bool,
    start_server: Callable[..., RawServer],
    open_client: OpenClient,
    certificates: Certificates,
    transport: str,
) -> None:
    """After hundreds of cancellations every outcome is true, and the pool has lost nothing."""

    def dawdle(connection: Connection) -> None:
        request = connection.read_request()
        connection.server.released.wait(random.random() * 0.004)
        if random.random() < 0.1:
            connection.close()  # so that connecting goes on
        else:
            connection.send(connection.server.answer_to(request))

    server = start_server(dawdle, tls=certificates.server if tls else None)
    told = Outcomes()
    async with open_client(server, hooks=[told]) as client:
        await storm(client, one)
        server.mend()
        cancelled = list(told)
        probes = [await client.deliver(PROBE) for _ in range(PROBES)]
        if transport != "injected":
            idle = client._lifetime.idle
            await anyio.to_thread.run_sync(server.wait_until, lambda: server.live == idle)
    if transport != "injected":
        await anyio.to_thread.run_sync(server.wait_idle)
    read = [text for text in server.texts() if text.startswith("message")]
    by_text = {outcome.message.message: outcome.certainty for outcome in cancelled}
    assert {probe.certainty for probe in probes} == {Certainty.ACCEPTED}
    assert len(cancelled) == len(by_text) == STORM
    assert len(read) == len(set(read))
    assert not [text for text in read if by_text[text] is Certainty.NOT_SENT]
    assert {text for text, what in by_text.items() if what is Certainty.ACCEPTED} <= set(read)
    assert Certainty.NOT_SENT in by_text.values()
