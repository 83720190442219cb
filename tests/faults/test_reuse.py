"""What kept connections can do to the next message."""

import socket
from collections.abc import Callable

import anyio.to_thread
import pytest
from faults.answers import answer, record_text
from faults.cases import MESSAGE, PROBE, RECIPIENT, STRANGER, answers
from faults.conftest import Certificates, OpenClient
from faults.server import Connection, Play, RawServer

from multiwhats_async import AsyncMultiWhats, Certainty, Outcome, RetryPolicy

pytestmark = pytest.mark.anyio

RECORD = answer(200, record_text(RECIPIENT))
TIMED_OUT = answer(408, b"", [("Connection", "close")])


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


@pytest.mark.parametrize("end", [Connection.close, Connection.reset], ids=["FIN", "RST"])
async def test_ended_while_idle(
    end: Play, start_server: Callable[..., RawServer], open_client: OpenClient
) -> None:
    """A kept connection that the server has ended is noticed: a fresh one is used, no error."""
    server = start_server(answers(RECORD, then=end))
    async with open_client(server) as client:
        await delivered(client)
        await anyio.to_thread.run_sync(server.wait_idle)
        server.mend()
        outcome = await client.deliver(PROBE)
    assert outcome.certainty is Certainty.ACCEPTED
    assert outcome.attempts == 1
    assert (server.connections, server.posts) == (2, 2)


@pytest.mark.parametrize("end", [Connection.close, Connection.reset], ids=["FIN", "RST"])
async def test_close_races_the_post(
    end: Play, start_server: Callable[..., RawServer], open_client: OpenClient
) -> None:
    """A kept connection that ends under a POST leaves it unknown; nothing is sent again."""
    server = start_server()
    async with open_client(server) as client:
        await delivered(client)
        server.mend(end)
        outcome = await client.deliver(PROBE)
        server.mend()
        probe = await client.deliver(PROBE)
    assert outcome.certainty is Certainty.UNKNOWN
    assert probe.certainty is Certainty.ACCEPTED
    assert (server.connections, server.posts) == (2, 2)


async def test_408_while_idle(
    start_server: Callable[..., RawServer], open_client: OpenClient
) -> None:
    """A 408 that a server says to an idle connection is no answer to the next message."""

    def say_408(connection: Connection) -> None:
        connection.server.released.wait()
        connection.send(TIMED_OUT)
        connection.close()

    server = start_server(answers(RECORD, then=say_408))
    async with open_client(server) as client:
        await delivered(client)
        server.mend()
        await anyio.to_thread.run_sync(server.wait_idle)
        outcome = await client.deliver(PROBE)
    assert outcome.certainty is Certainty.ACCEPTED
    assert (server.connections, server.posts) == (2, 2)


async def test_408_races_the_post(
    start_server: Callable[..., RawServer], open_client: OpenClient
) -> None:
    """A 408 that crosses a POST leaves it unknown."""

    def say_408(connection: Connection) -> None:
        connection.send(TIMED_OUT)
        connection.linger()

    server = start_server()
    async with open_client(server) as client:
        await delivered(client)
        server.mend(say_408)
        outcome = await client.deliver(PROBE)
        server.mend()
        probe = await client.deliver(PROBE)
    assert outcome.certainty is Certainty.UNKNOWN
    assert outcome.error is not None
    assert outcome.error.status_code == 408
    assert probe.certainty is Certainty.ACCEPTED


STRAYS = {
    "record": answer(200, record_text(STRANGER)),
    "record of the same recipient": answer(200, record_text(PROBE.to)),
    "record without targets": answer(200, record_text(STRANGER, targets=[])),
    "400": answer(400, b"{}"),
    "429": answer(429, b"{}"),
    "503": answer(503, b"{}", [("Retry-After", "0")]),
    "garbage": b"garbage",
}


@pytest.mark.parametrize("stray", STRAYS)
async def test_stray_bytes_with_an_answer(
    stray: str, start_server: Callable[..., RawServer], open_client: OpenClient, transport: str
) -> None:
    """Bytes that came behind one answer are never taken for the answer to the next message."""
    server = start_server(answers(RECORD + STRAYS[stray]))
    # What lies unread in an injected client's pool cannot be seen: there it takes no keep-alive.
    options = {} if transport != "injected" else {"keepalive": None}
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
    transport: str,
) -> None:
    """A stray answer that came in the same packet, in a TLS record of its own, is noticed too."""

    def say_two(connection: Connection) -> None:
        connection.read_request()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        connection.send(RECORD)
        connection.send(answer(200, record_text(PROBE.to, id=666)))
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)

    server = start_server(say_two, tls=certificates.server)
    options = {} if transport != "injected" else {"keepalive": None}
    async with open_client(server, **options) as client:
        await delivered(client)
        server.mend()
        outcome = await client.deliver(PROBE)
    assert outcome.certainty is Certainty.ACCEPTED
    assert outcome.receipt is not None
    assert outcome.receipt.id != 666
    assert (server.connections, server.posts) == (2, 2)


async def test_stray_429_doubles_nothing(
    start_server: Callable[..., RawServer], open_client: OpenClient, transport: str
) -> None:
    """A stray "later" behind an answer does not have the next message sent twice."""
    server = start_server(answers(RECORD + STRAYS["429"]))
    options = {} if transport != "injected" else {"keepalive": None}
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

    server = start_server(answers(RECORD, then=say_more))
    async with open_client(server) as client:
        await delivered(client)
        server.mend()
        await anyio.to_thread.run_sync(server.wait_until, lambda: hasattr(server, "said"))
        outcome = await client.deliver(PROBE)
    assert outcome.certainty is Certainty.ACCEPTED
    assert (server.connections, server.posts) == (2, 2)


async def test_answer_for_another_recipient(
    start_server: Callable[..., RawServer], open_client: OpenClient, transport: str
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
    # The pool of an injected client is not ours to close connections of.
    assert server.connections == (1 if transport == "injected" else 2)
