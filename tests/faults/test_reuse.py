"""What kept connections can do to the next message."""

import socket
from collections.abc import Callable

import anyio.to_thread
import pytest
from faults.answers import answer, head, record_text
from faults.cases import MESSAGE, PROBE, STRANGER, answers
from faults.certificates import TRUSTED, Certificates
from faults.conftest import OpenClient
from faults.plays import RECORD, TIMED_OUT, WHOLE
from faults.reuse_cases import STRAYS
from faults.server import Connection, RawServer
from faults.transports import OURS, Transport

from multiwhats_async import AsyncMultiWhats, Certainty, Outcome, RetryPolicy

pytestmark = pytest.mark.anyio


async def delivered(client: AsyncMultiWhats) -> Outcome:
    """Deliver a first message, which all goes well with."""
    outcome = await client.deliver(MESSAGE)
    assert outcome.certainty is Certainty.ACCEPTED
    return outcome


async def test_connections_are_kept(
    start_server: Callable[..., RawServer], open_client: OpenClient
) -> None:
    """One message after the other goes over one connection."""
    server = start_server()
    async with open_client(server) as client:
        for _ in range(5):
            await delivered(client)
    assert (server.connections, server.posts) == (1, 5)


async def test_408_while_idle(
    start_server: Callable[..., RawServer], open_client: OpenClient
) -> None:
    """A 408 that a server says to an idle connection is no answer to the next message."""

    def say_408(connection: Connection) -> None:
        connection.server.released.wait()
        connection.send(TIMED_OUT)
        connection.close()

    server = start_server(answers(WHOLE, then=say_408))
    async with open_client(server) as client:
        await delivered(client)
        server.mend()
        await anyio.to_thread.run_sync(server.wait_idle)
        outcome = await client.deliver(PROBE)
    assert outcome.certainty is Certainty.ACCEPTED
    assert (server.connections, server.posts) == (2, 2)


@pytest.mark.parametrize("stray", STRAYS)
async def test_stray_bytes_with_an_answer(
    stray: str,
    start_server: Callable[..., RawServer],
    open_client: OpenClient,
    transport: Transport,
) -> None:
    """Bytes that came behind one answer are never taken for the answer to the next message."""
    server = start_server(answers(WHOLE + STRAYS[stray]))
    # What lies unread in an injected client's pool cannot be seen: there it takes no keep-alive.
    options = {"keepalive": None} if transport.injected else {}
    async with open_client(server, **options) as client:
        await delivered(client)
        server.mend()
        outcome = await client.deliver(PROBE)
        probe = await client.deliver(PROBE)
    assert outcome.certainty in (Certainty.ACCEPTED, Certainty.UNKNOWN)
    assert outcome.certainty is Certainty.UNKNOWN or outcome.receipt == probe.receipt
    assert probe.certainty is Certainty.ACCEPTED
    assert server.posts == 3


@pytest.mark.skipif(not hasattr(socket, "TCP_CORK"), reason="this system sends each record")
async def test_a_stray_record_of_tls(
    start_server: Callable[..., RawServer],
    open_client: OpenClient,
    certificates: Certificates,
    transport: Transport,
) -> None:
    """A stray answer that came in the same packet, in a TLS record of its own, is noticed too."""

    def say_two(connection: Connection) -> None:
        connection.read_request()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        connection.send(WHOLE)
        connection.send(answer(200, record_text(PROBE.to, id=666)))
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)

    server = start_server(say_two, tls=certificates.servers[TRUSTED])
    options = {"keepalive": None} if transport.injected else {}
    async with open_client(server, **options) as client:
        await delivered(client)
        server.mend()
        outcome = await client.deliver(PROBE)
    assert outcome.certainty is Certainty.ACCEPTED
    assert outcome.receipt is not None
    assert outcome.receipt.id != 666
    assert (server.connections, server.posts) == (2, 2)


async def test_stray_429_doubles_nothing(
    start_server: Callable[..., RawServer], open_client: OpenClient, transport: Transport
) -> None:
    """A stray "later" behind an answer does not have the next message sent twice."""
    server = start_server(answers(WHOLE + STRAYS["429"]))
    options = {"keepalive": None} if transport.injected else {}
    retry = RetryPolicy(throttled_base=0.0)
    async with open_client(server, retry=retry, **options) as client:
        await delivered(client)
        server.mend()
        await client.deliver(PROBE)
    assert server.posts == 2


async def test_stray_answer_while_idle(
    start_server: Callable[..., RawServer], open_client: OpenClient
) -> None:
    """An answer that nobody asked for makes an idle connection useless: it is dropped."""

    def say_more(connection: Connection) -> None:
        connection.server.released.wait()
        connection.send(STRAYS["429"])
        connection.server.note(lambda: setattr(connection.server, "said", True))
        connection.linger()

    server = start_server(answers(WHOLE, then=say_more))
    async with open_client(server) as client:
        await delivered(client)
        server.mend()
        await anyio.to_thread.run_sync(server.wait_until, lambda: hasattr(server, "said"))
        outcome = await client.deliver(PROBE)
    assert outcome.certainty is Certainty.ACCEPTED
    assert (server.connections, server.posts) == (2, 2)


async def test_answer_for_another_recipient(
    start_server: Callable[..., RawServer], open_client: OpenClient
) -> None:
    """An answer that speaks of someone else leaves the message unknown, and ends its connection."""
    server = start_server(answers(answer(200, record_text(STRANGER))))
    async with open_client(server) as client:
        outcome = await client.deliver(MESSAGE)
        server.mend()
        probe = await client.deliver(PROBE)
    assert outcome.certainty is Certainty.UNKNOWN
    assert outcome.error is not None
    assert outcome.error.status_code == 200
    assert probe.certainty is Certainty.ACCEPTED
    assert server.connections == 2


async def test_answers_that_have_moved_on_by_one(
    start_server: Callable[..., RawServer], open_client: OpenClient
) -> None:
    """Behind a stray answer each comes one too late: none is taken for the next message's."""

    def answer_late(connection: Connection) -> None:
        for raw in (WHOLE, STRAYS["record"], STRAYS["429"]):
            connection.read_request()
            connection.send(raw)

    server = start_server(answer_late)
    async with open_client(server, retry=RetryPolicy(throttled_base=0.0)) as client:
        await delivered(client)
        outcome = await client.deliver(PROBE)
        server.mend()
        probe = await client.deliver(PROBE)
    assert outcome.certainty is Certainty.UNKNOWN
    assert probe.certainty is Certainty.ACCEPTED
    assert (server.connections, server.posts) == (2, 3)


@pytest.mark.parametrize("transport", OURS, indirect=True)
async def test_a_goodbye_ends_a_connection(
    start_server: Callable[..., RawServer], open_client: OpenClient, certificates: Certificates
) -> None:
    """An answer that TLS says is the last one ends its connection, though the socket stays open."""

    def say_goodbye(connection: Connection) -> None:
        connection.say_goodbye()
        connection.linger()

    tls = certificates.servers[TRUSTED]
    server = start_server(answers(head() + RECORD, then=say_goodbye), tls=tls)
    async with open_client(server) as client:
        await delivered(client)
        server.mend()
        outcome = await client.deliver(PROBE)
    assert outcome.certainty is Certainty.ACCEPTED
    assert (server.connections, server.posts) == (2, 2)
