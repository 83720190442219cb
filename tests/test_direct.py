"""The direct transport: its connections, its deadlines, and what it is refused with."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import anyio
import anyio.to_thread
import h11
import httpx
import pytest
from faults.answers import answer, record_text
from faults.cases import MESSAGE, ONCE, PATIENT, PROBE, RECIPIENT, answered, short
from faults.plays import hang
from faults.server import Connection, RawServer

from multiwhats_async import AsyncMultiWhats, ButtonMessage, Certainty, ConfigurationError
from multiwhats_async._transport import _direct, _on_trio
from multiwhats_async._transport._direct import Origin
from multiwhats_async._transport._direct_transport import DirectTransport
from multiwhats_async._transport._on_asyncio import AsyncioNetwork
from multiwhats_async._transport._on_trio import PlainStream
from multiwhats_async._transport._with_h11 import H11Answer

pytestmark = pytest.mark.anyio

KEY = "direct-key-9b1d"
OPTIONS: dict[str, Any] = {
    "sender": "908503080335",
    "retry": ONCE,
    "timeout": PATIENT,
    "transport": "direct",
}
BODY = b'{"to": "905374937766", "message": "Hi"}'


@pytest.fixture
def server() -> Iterator[RawServer]:
    """Run a server that behaves."""
    server = RawServer().start()
    yield server
    server.stop()


def origin_of(client: AsyncMultiWhats) -> Origin:
    """Return the connections of a client."""
    pool = client._lifetime._pool
    assert isinstance(pool, DirectTransport)
    return pool.origin


def transport_to(server: RawServer, **options: Any) -> DirectTransport:
    """Return a transport to a server."""
    options = {"ssl_context": None, "keepalive": 2.0, **options}
    return DirectTransport(Origin(httpx.URL(server.url), **options))


class TestSettings:
    @pytest.mark.parametrize("name", ["", "aiohttp", None, 1])
    def test_a_transport_that_there_is_not(self, name: Any) -> None:
        """The two names are told."""
        with pytest.raises(ConfigurationError, match='"httpcore" or "direct"'):
            AsyncMultiWhats(KEY, transport=name)

    async def test_with_a_client_of_the_users(self) -> None:
        """It opens connections of its own, so a user's client is not quietly passed by."""
        async with httpx.AsyncClient() as http_client:
            with pytest.raises(ConfigurationError, match="one of the two"):
                AsyncMultiWhats(KEY, transport="direct", http_client=http_client)
            AsyncMultiWhats(KEY, transport="httpcore", http_client=http_client)

    async def test_no_proxy_of_the_environment(
        self, server: RawServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """``HTTP_PROXY`` is left alone, as by the other transport."""
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
        async with AsyncMultiWhats(KEY, base_url=server.url, **OPTIONS) as client:
            outcome = await client.deliver(MESSAGE)
        assert outcome.certainty is Certainty.ACCEPTED


class TestConnections:
    @pytest.mark.parametrize("place", ["query", "json"])
    async def test_the_request(self, place: Any, server: RawServer) -> None:
        """What is sent is what is sent over httpcore, byte for byte but for the headers' order."""
        heads = []
        for transport in ("httpcore", "direct"):
            options = OPTIONS | {"transport": transport, "api_key_in": place}
            async with AsyncMultiWhats(KEY, base_url=server.url, **options) as client:
                await client.deliver(MESSAGE)
            line, *headers = server.requests[-1].head.split(b"\r\n")
            heads.append((line, sorted(headers), server.requests[-1].body))
        assert heads[0] == heads[1]

    async def test_two_keys_share_the_connections(self, server: RawServer) -> None:
        """A copy with another key sends that one, over the same connections."""
        async with AsyncMultiWhats(KEY, base_url=server.url, **OPTIONS) as client:
            copy = client.with_options(api_key="another-key-5c")
            for each in (client, copy, client):
                await each.deliver(MESSAGE)
        keys = [request.query["apikey"] for request in server.requests]
        assert keys == [[KEY], ["another-key-5c"], [KEY]]
        assert server.connections == 1

    async def test_no_keepalive(self, server: RawServer) -> None:
        """Without keep-alive each message has a connection of its own, and says so."""
        async with AsyncMultiWhats(KEY, base_url=server.url, keepalive=None, **OPTIONS) as client:
            for _ in range(3):
                outcome = await client.deliver(MESSAGE)
                assert outcome.certainty is Certainty.ACCEPTED
            assert not client._lifetime.idle
        assert server.connections == 3
        assert {request.header("Connection") for request in server.requests} == {"close"}

    async def test_idle_connections_expire(
        self, server: RawServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A connection is used up to its expiry, and closed after it."""
        async with AsyncMultiWhats(KEY, base_url=server.url, **OPTIONS) as client:
            origin, later = origin_of(client), [0.0]
            clock = origin.clock
            monkeypatch.setattr(origin, "clock", lambda: clock() + later[0])
            for time, opened in ((0.0, 1), (1.0, 1), (2.0, 1), (5.0, 2)):
                later[0] = time
                await client.deliver(MESSAGE)
                assert origin.opened == opened
            await anyio.to_thread.run_sync(server.wait_until, lambda: server.live == 1)

    async def test_connections_are_bounded_by_the_concurrency(self, server: RawServer) -> None:
        """500 messages open no more connections than are sent at once."""
        messages = [ButtonMessage(RECIPIENT, f"{number}", ["Yes"]) for number in range(500)]
        async with AsyncMultiWhats(
            KEY, base_url=server.url, max_concurrency=8, **OPTIONS
        ) as client:
            report = await client.send_many(messages)
            assert client._lifetime.idle <= 8
        assert report.accepted == server.posts == 500
        assert server.connections <= 9
        await anyio.to_thread.run_sync(server.wait_idle)

    async def test_closed_while_a_message_is_in_flight(self, server: RawServer) -> None:
        """A connection that comes back to a closed pool is closed too; its message is not lost."""

        def answer_late(connection: Connection) -> None:
            request = connection.read_request()
            connection.server.released.wait()
            connection.send(connection.server.answer_to(request))

        server.play = answer_late
        outcomes = []

        async def deliver() -> None:
            outcomes.append(await client.deliver(MESSAGE))

        async with anyio.create_task_group() as tasks:
            async with AsyncMultiWhats(KEY, base_url=server.url, **OPTIONS) as client:
                tasks.start_soon(deliver)
                await anyio.to_thread.run_sync(server.wait_until, lambda: server.posts == 1)
            server.mend()
        assert outcomes[0].certainty is Certainty.ACCEPTED
        await anyio.to_thread.run_sync(server.wait_idle)

    async def test_closed_before_the_attempt(self, server: RawServer) -> None:
        """An attempt that comes to a closed pool is not made."""
        async with AsyncMultiWhats(KEY, base_url=server.url, **OPTIONS) as client:
            exchange = client._exchange()
        result: Any = await exchange.post(BODY, timeouts=PATIENT, flight=exchange.flight())
        assert (result.failure.cause, result.certainty) == ("Closed", Certainty.NOT_SENT)
        assert server.connections == 0

    async def test_abandoned_before_the_attempt(self, server: RawServer) -> None:
        """An attempt that was given up before it began is not made."""
        async with AsyncMultiWhats(KEY, base_url=server.url, **OPTIONS) as client:
            exchange = client._exchange()
            flight: Any = exchange.flight()
            flight.interrupt()
            result: Any = await exchange.post(BODY, timeouts=PATIENT, flight=flight)
        assert (result.failure.cause, result.certainty) == ("Cancelled", Certainty.NOT_SENT)
        assert server.connections == 0

    async def test_abandoned_while_the_connection_came(
        self, server: RawServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where the connection stands just as the attempt is given up, nothing is written on it."""
        async with AsyncMultiWhats(KEY, base_url=server.url, **OPTIONS) as client:
            exchange, network = client._exchange(), origin_of(client)._network
            flight: Any = exchange.flight()
            connect = network.connect

            async def connect_and_give_up(*args: Any, **options: Any) -> Any:
                connection = await connect(*args, **options)
                flight.interrupt()
                return connection

            monkeypatch.setattr(network, "connect", connect_and_give_up)
            result: Any = await exchange.post(BODY, timeouts=PATIENT, flight=flight)
            await anyio.to_thread.run_sync(server.wait_idle)
        assert (result.failure.cause, result.certainty) == ("Cancelled", Certainty.NOT_SENT)
        assert server.posts == 0

    async def test_an_answer_before_the_request_is_read(self, server: RawServer) -> None:
        """A server that refuses a long request early, and is gone, is heard where it can be."""

        def refuse(connection: Connection) -> None:
            connection.read_head()
            connection.send(answer(413, b"{}", [("Connection", "close")]))
            connection.end_sending()
            with suppress(EOFError, OSError):
                connection.linger()

        server.play = refuse
        large = ButtonMessage(RECIPIENT, "x" * 3_000_000, ["Yes"], limits=None)
        async with AsyncMultiWhats(KEY, base_url=server.url, **OPTIONS) as client:
            outcome = await client.deliver(large)
            server.mend()
            probe = await client.deliver(PROBE)
        assert outcome.error is not None
        assert (outcome.certainty, outcome.error.status_code) == (Certainty.REJECTED, 413)
        assert probe.certainty is Certainty.ACCEPTED
        assert server.connections == 2

    async def test_with_h11(self, server: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where httptools is missing, h11 reads, and connections are kept as well."""
        monkeypatch.setattr(_direct, "_fastest_answer", lambda: H11Answer)
        async with AsyncMultiWhats(KEY, base_url=server.url, **OPTIONS) as client:
            for _ in range(3):
                outcome = await client.deliver(MESSAGE)
                assert outcome.certainty is Certainty.ACCEPTED
        assert server.connections == 1


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Keep the connections that are made on asyncio."""
    made: list[Any] = []
    connect = AsyncioNetwork.connect

    async def connect_and_keep(self: AsyncioNetwork, *args: Any, **options: Any) -> Any:
        made.append(await connect(self, *args, **options))
        return made[-1]

    monkeypatch.setattr(AsyncioNetwork, "connect", connect_and_keep)
    return made


class TestMoments:
    async def test_reset_in_the_middle_of_the_request(self, server: RawServer) -> None:
        """A server that is gone before it has read all of it leaves it unknown."""

        def reset(connection: Connection) -> None:
            connection.read_head()
            connection.reset()

        server.play = reset
        large = ButtonMessage(RECIPIENT, "x" * 12_000_000, ["Yes"], limits=None)
        async with AsyncMultiWhats(KEY, base_url=server.url, **OPTIONS) as client:
            outcome = await client.deliver(large)
        assert outcome.error is not None
        assert (outcome.certainty, outcome.error.cause) == (Certainty.UNKNOWN, "WriteError")

    def test_a_buffer_that_cannot_be_seen_counts_as_full(self) -> None:
        """Should trio change inside, connections over TLS are closed rather than trusted."""
        assert _on_trio._holds_more(object())

    def test_an_end_that_h11_takes_for_one(self) -> None:
        """Should h11 change inside, the end of a connection is no answer."""
        with pytest.raises(h11.RemoteProtocolError):
            H11Answer()._take(h11.ConnectionClosed())

    @pytest.mark.parametrize("anyio_backend", ["asyncio"])
    async def test_ended_before_anything_was_written(
        self, server: RawServer, made: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A connection that ends as it begins carries nothing: not sent."""
        async with AsyncMultiWhats(KEY, base_url=server.url, **OPTIONS) as client:
            network = origin_of(client)._network
            connect = network.connect

            async def connect_and_end(*args: Any, **options: Any) -> Any:
                connection: Any = await connect(*args, **options)
                connection.eof_received()
                return connection

            monkeypatch.setattr(network, "connect", connect_and_end)
            outcome = await client.deliver(MESSAGE)
        assert outcome.error is not None
        assert (outcome.certainty, outcome.error.cause) == (Certainty.NOT_SENT, "WriteError")
        assert server.posts == 0

    @pytest.mark.parametrize("anyio_backend", ["asyncio"])
    async def test_lost_without_an_error(self, server: RawServer, made: list[Any]) -> None:
        """A connection that is gone for no reason is one that ended."""

        def hold(connection: Connection) -> None:
            connection.read_request()
            connection.linger()

        server.play = hold
        outcomes = []
        async with AsyncMultiWhats(KEY, base_url=server.url, **OPTIONS) as client:

            async def deliver() -> None:
                outcomes.append(await client.deliver(MESSAGE))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(deliver)
                await anyio.to_thread.run_sync(server.wait_until, lambda: server.posts == 1)
                made[0].connection_lost(None)
        assert outcomes[0].certainty is Certainty.UNKNOWN
        assert outcomes[0].error.cause == "RemoteProtocolError"

    @pytest.mark.parametrize("anyio_backend", ["asyncio"])
    async def test_answered_as_it_was_given_up(self, server: RawServer, made: list[Any]) -> None:
        """An answer in the moment in which the attempt is given up tears nothing."""

        def hold(connection: Connection) -> None:
            connection.read_request()
            connection.linger()

        server.play = hold
        results: list[Any] = []
        async with AsyncMultiWhats(KEY, base_url=server.url, **OPTIONS) as client:
            exchange = client._exchange()
            flight: Any = exchange.flight()

            async def post() -> None:
                results.append(await exchange.post(BODY, timeouts=PATIENT, flight=flight))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(post)
                await anyio.to_thread.run_sync(server.wait_until, lambda: server.posts == 1)
                flight.abandon()
                made[0].data_received(answer(200, b"{}"))
        (result,) = results
        assert (result.status, result.body) == (200, None)
        assert result.failure.cause == "Cancelled"

    async def test_given_up_while_it_waits_for_the_answer(self, server: RawServer) -> None:
        """What was written may have gone out, and nobody waits any more to be told."""
        server.play = hang
        async with AsyncMultiWhats(KEY, base_url=server.url, **OPTIONS) as client:
            exchange = client._exchange()
            flight: Any = exchange.flight()

            async def give_up() -> None:
                await anyio.to_thread.run_sync(server.wait_until, lambda: server.posts == 1)
                flight.abandon()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(give_up)
                result: Any = await exchange.post(BODY, timeouts=PATIENT, flight=flight)
        assert (result.failure.cause, result.certainty) == ("Cancelled", Certainty.UNKNOWN)

    async def test_given_up_while_it_carries_nothing(self, server: RawServer) -> None:
        """A connection then has nothing to end, and carries the next message."""
        async with AsyncMultiWhats(KEY, base_url=server.url, **OPTIONS) as client:
            await client.deliver(MESSAGE)
            transport: Any = client._lifetime._pool
            ((connection, _),) = transport.origin._idle
            connection.cancel()
            outcome = await client.deliver(MESSAGE)
        assert outcome.certainty is Certainty.ACCEPTED
        assert (server.posts, server.connections) == (2, 1)

    @pytest.mark.parametrize("anyio_backend", ["trio"])
    async def test_trios_plain_socket_waits_for_room(self, anyio_backend: str) -> None:
        """What the socket does not take at once goes out when there is room, in order."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            theirs.setblocking(False)
            stream = PlainStream(ours)
            text = bytes(range(256)) * 40_000
            rest = stream.send_at_once(text)
            assert 0 < len(rest) < len(text)
            assert stream.send_at_once(rest) == rest  # it is full: nothing of it
            came = bytearray()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(stream.send_all, rest)
                while len(came) < len(text):
                    await anyio.wait_readable(theirs)
                    came += theirs.recv(100_000)
            assert bytes(came) == text


@pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": True})], ids=["uvloop"])
async def test_on_uvloop(server: RawServer) -> None:
    """The transports of uvloop do as well: for a run, a long text, a silent server."""
    pytest.importorskip("uvloop")
    messages = [ButtonMessage(RECIPIENT, f"{number}", ["Yes"]) for number in range(50)]
    large = ButtonMessage(RECIPIENT, "x" * 3_000_000, ["Yes"], limits=None)
    async with AsyncMultiWhats(KEY, base_url=server.url, max_concurrency=8, **OPTIONS) as client:
        report = await client.send_many([*messages, large])
        server.play = lambda connection: (connection.read_request(), connection.linger())
        silent = await client.deliver(PROBE, timeout=short("read"))
    assert report.accepted == 51
    assert silent.error is not None
    assert (silent.certainty, silent.error.cause) == (Certainty.UNKNOWN, "ReadTimeout")
    assert server.connections <= 9
    await anyio.to_thread.run_sync(server.wait_idle)


class TestDeadlines:
    @pytest.mark.parametrize(
        ("part", "cause"),
        [("read", "ReadTimeout"), ("attempt", "Deadline")],
    )
    async def test_no_answer(self, part: str, cause: str, server: RawServer) -> None:
        """Each deadline is told by its name, as on the other transport."""
        server.play = lambda connection: (connection.read_request(), connection.linger())
        async with AsyncMultiWhats(
            KEY, base_url=server.url, **OPTIONS | {"timeout": short(part)}
        ) as client:
            outcome = await client.deliver(MESSAGE)
        assert outcome.error is not None
        assert (outcome.certainty, outcome.error.cause) == (Certainty.UNKNOWN, cause)

    async def test_bytes_put_the_read_deadline_off(self, server: RawServer) -> None:
        """What comes in time puts off only the deadline for reading: a slow answer is an answer."""

        def drip(connection: Connection) -> None:
            connection.read_request()
            raw = answer(200, record_text(RECIPIENT))
            third = len(raw) // 3
            for piece in (raw[:third], raw[third : 2 * third], raw[2 * third :]):
                connection.server.released.wait(0.15)
                connection.send(piece)

        server.play = drip
        async with AsyncMultiWhats(
            KEY, base_url=server.url, **OPTIONS | {"timeout": short("read")}
        ) as client:
            outcome = await client.deliver(MESSAGE)
        assert outcome.certainty is Certainty.ACCEPTED
        assert outcome.elapsed > short("read").read


class TestTransport:
    async def test_whoever_reaches_for_the_pooled_client(self, server: RawServer) -> None:
        """The client's ``httpx.AsyncClient`` goes over the very same connections."""
        async with AsyncMultiWhats(KEY, base_url=server.url, **OPTIONS) as client:
            await client.deliver(MESSAGE)
            http_client = client._lifetime._http
            assert http_client is not None
            response = await http_client.post(server.url + "?a=1", content=BODY)
        assert (response.status_code, response.json()["status"]) == (200, "done")
        assert server.requests[1].query == {"a": ["1"]}
        assert server.connections == 1

    @pytest.mark.parametrize("place", ["query", "json"])
    async def test_a_key_is_added_last(self, place: Any, server: RawServer) -> None:
        """A request with the extension for the key gets it below everything that logs."""
        async with AsyncMultiWhats(KEY, base_url=server.url, **OPTIONS) as client:
            http_client = client._lifetime._http
            assert http_client is not None
            key = {"multiwhats.key": (client._settings.key, place)}
            response = await http_client.post(server.url, content=BODY, extensions=key)
        assert KEY not in str(response.request.url)
        sent = server.requests[0]
        assert KEY.encode() in (sent.body if place == "json" else sent.target.encode())

    async def test_another_origin_is_refused(self, server: RawServer) -> None:
        """The transport speaks to its own origin only."""
        async with httpx.AsyncClient(transport=transport_to(server)) as http_client:
            for url in ("http://127.0.0.1:1/", server.url.replace("http:", "https:")):
                with pytest.raises(httpx.UnsupportedProtocol):
                    await http_client.post(url, content=BODY)
        assert server.connections == 0

    async def test_headers_that_lead_astray_are_dropped(self, server: RawServer) -> None:
        """Of an answer's headers, those that httpx would act on or keep do not arrive."""
        led = [("Location", "http://evil.example/"), ("Set-Cookie", "a=b"), ("X-Kept", "yes")]
        server.play = answered(200, b"{}", led)
        async with httpx.AsyncClient(transport=transport_to(server)) as http_client:
            response = await http_client.post(server.url, content=BODY)
            assert not http_client.cookies
        assert response.headers["X-Kept"] == "yes"
        assert not {"location", "set-cookie"} & set(response.headers)

    async def test_httpx_timeouts_hold(self, server: RawServer) -> None:
        """The timeouts of httpx are those of the connection; a body beyond the cap is an error."""
        server.play = lambda connection: (connection.read_request(), connection.linger())
        async with httpx.AsyncClient(transport=transport_to(server), timeout=0.2) as http_client:
            with pytest.raises(httpx.ReadTimeout):
                await http_client.post(server.url, content=BODY)
            server.mend(answered(200, b" " * 1_100_000))
            with pytest.raises(httpx.RemoteProtocolError, match="larger than"):
                await http_client.post(server.url, content=BODY, timeout=None)


def test_alpn_offers_http_1_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is told that HTTP/1.1 is spoken, and nothing else."""
    offered: list[list[str]] = []
    context: Any = ssl.create_default_context()
    monkeypatch.setattr(
        type(context), "set_alpn_protocols", lambda self, names: offered.append(names)
    )
    network: Any = type("Network", (), {"clock": staticmethod(lambda: 0.0)})()
    for url in ("https://example.org/", "http://127.0.0.1/"):
        Origin(httpx.URL(url), ssl_context=context, keepalive=2.0, network=network)
    assert offered == [["http/1.1"]]
