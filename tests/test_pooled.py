"""The short way to the connections of our own pool, and what lies below them."""

import json
import select
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import anyio
import anyio.lowlevel
import httpcore
import httpx
import pytest
from faults.answers import head
from faults.cases import MESSAGE, ONCE, PATIENT, PROBE, RECIPIENT, answered, answers
from faults.plays import stall
from faults.server import Connection, RawServer
from test_transport import KEY, body_for, pool_of

from multiwhats_async import AsyncMultiWhats, Certainty, Timeouts
from multiwhats_async._secret import Secret
from multiwhats_async._transport import _pooled, _turn
from multiwhats_async._transport._flight import InFlight
from multiwhats_async._transport._pool import PooledTransport
from multiwhats_async._transport._pooled import KeyedRequests, PooledExchange
from multiwhats_async._transport._stream_on_asyncio import connect
from multiwhats_async._transport._turn import Stream, Turn

pytestmark = pytest.mark.anyio

OPTIONS: dict[str, Any] = {"sender": "908503080335", "retry": ONCE, "timeout": PATIENT}
HEADERS = {"Host": "example", "X-Mine": "1"}


@pytest.fixture
def server() -> Iterator[RawServer]:
    """Run a server that behaves."""
    server = RawServer().start()
    yield server
    server.stop()


def exchange_with(server: RawServer) -> PooledExchange:
    """Return a way to a server."""
    url = httpx.URL(server.url)
    pool = PooledTransport(url, ssl_context=None, keepalive=2.0)
    return PooledExchange(pool, url=url, key=Secret(KEY), place="query", headers=HEADERS)


class TestAttempts:
    async def test_one_packet_a_message(
        self, server: RawServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Head and body go to the network together, and nothing goes after them."""
        written: list[bytes] = []
        send_all = Stream._send_all

        async def watched(stream: Stream, data: bytes) -> None:
            written.append(data)
            await send_all(stream, data)

        monkeypatch.setattr(Stream, "_send_all", watched)
        async with AsyncMultiWhats(KEY, base_url=server.url, **OPTIONS) as client:
            for message in (MESSAGE, PROBE):
                await client.deliver(message)
        assert len(written) == 2
        assert all(data.startswith(b"POST ") and data.endswith(b"}") for data in written)

    async def test_abandoned_before_it_began(self, server: RawServer) -> None:
        """An attempt that was given up before its turn writes nothing, and says so."""
        exchange = exchange_with(server)
        flight = exchange.flight()
        flight.abandon()
        result = await exchange.post(body_for(RECIPIENT), timeouts=PATIENT, flight=flight)
        assert result.certainty is Certainty.NOT_SENT  # type: ignore[union-attr]  # a Silence
        assert server.connections == 0

    async def test_after_the_pool_was_closed(self, server: RawServer) -> None:
        """An attempt that comes too late writes nothing, and says so."""
        exchange = exchange_with(server)
        await exchange._pool.aclose()
        result = await exchange.post(
            body_for(RECIPIENT), timeouts=PATIENT, flight=exchange.flight()
        )
        assert result.certainty is Certainty.NOT_SENT  # type: ignore[union-attr]  # a Silence
        assert server.connections == 0

    async def test_reset_before_anything_was_written(
        self, server: RawServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A new connection that is reset before the request is written: proven not sent."""
        monkeypatch.setattr(_turn, "_is_reset", lambda fileno: fileno > 0)
        async with AsyncMultiWhats(KEY, base_url=server.url, **OPTIONS) as client:
            outcome = await client.deliver(MESSAGE)
        assert outcome.certainty is Certainty.NOT_SENT
        assert "before anything was written" in str(outcome.error)
        assert server.posts == 0

    async def test_abandoned_while_the_connection_came(
        self, server: RawServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where the connection stands just as the attempt is given up, nothing is written on it."""
        exchange = exchange_with(server)
        flight = exchange.flight()
        has_ended = Stream._has_ended

        def given_up(stream: Stream) -> bool:
            flight.interrupt()
            return has_ended(stream)

        monkeypatch.setattr(Stream, "_has_ended", given_up)
        result: Any = await exchange.post(body_for(RECIPIENT), timeouts=PATIENT, flight=flight)
        assert (result.failure.cause, result.certainty) == ("Cancelled", Certainty.NOT_SENT)
        assert server.posts == 0

    async def test_a_head_beyond_the_cap(self, server: RawServer) -> None:
        """It is refused, also where none of it was missing between two reads, on either way."""
        server.play = answered(200, None, [("X", "x" * 110_000)])
        exchange = exchange_with(server)
        result: Any = await exchange.post(
            body_for(RECIPIENT), timeouts=PATIENT, flight=exchange.flight()
        )
        assert (result.failure.cause, result.certainty) == (
            "RemoteProtocolError",
            Certainty.UNKNOWN,
        )
        assert exchange._pool.idle == 0
        async with httpx.AsyncClient(transport=exchange._pool) as through_httpx:
            with pytest.raises(httpx.RemoteProtocolError, match="too long"):
                await through_httpx.post(server.url)
        assert server.posts == 2

    async def test_the_key_in_the_body(self, server: RawServer) -> None:
        """It is in what is sent, and in its length."""
        async with AsyncMultiWhats(
            KEY, base_url=server.url, api_key_in="json", **OPTIONS
        ) as client:
            outcome = await client.deliver(MESSAGE)
        assert outcome.certainty is Certainty.ACCEPTED
        assert json.loads(server.requests[0].body)["apikey"] == KEY
        assert not server.requests[0].query

    async def test_a_record_is_kept_though_its_connection_fails(
        self, server: RawServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Given up while the connection is seen to, with the record read: it is accepted."""
        async with AsyncMultiWhats(KEY, base_url=server.url, **OPTIONS) as client:
            aclose = httpcore.Response.aclose

            async def abandoned(response: httpcore.Response) -> None:
                run.abort()
                await anyio.lowlevel.checkpoint()
                await aclose(response)

            monkeypatch.setattr(httpcore.Response, "aclose", abandoned)
            async with client.bulk([MESSAGE]) as run:
                outcomes = [outcome async for outcome in run]
            monkeypatch.undo()
            assert [outcome.certainty for outcome in outcomes] == [Certainty.ACCEPTED]
            assert not pool_of(client)._idle


class TestRequests:
    def test_few_lengths_are_remembered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The headers of a body's length are made once, and do not pile up."""
        monkeypatch.setattr(_pooled, "_MAX_LENGTHS", 2)
        requests = KeyedRequests(httpx.URL("http://example/"), HEADERS, Secret(KEY), "query")
        for size in (1, 2, 1, 3, 2):
            request = requests.reveal(b"x" * size, Timeouts())
            assert (b"content-length", b"%d" % size) in [*request.headers]
            assert len(requests._by_length) <= 2
        assert KEY not in repr(requests)

    async def test_headers_of_one_name_are_joined(self, server: RawServer) -> None:
        """A server that says twice when to come back is not understood, and not misunderstood."""
        headers = [("Retry-After", "7"), ("retry-after", "8"), ("Date", "today")]
        server.play = answered(429, b"{}", headers)
        exchange = exchange_with(server)
        result: Any = await exchange.post(
            body_for(RECIPIENT), timeouts=PATIENT, flight=exchange.flight()
        )
        assert (result.status, result.retry_after, result.date) == (429, "7, 8", "today")
        await exchange._pool.aclose()


class TestStreams:
    def test_a_reset_is_seen_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A reset is told from a connection that stands, and from one that is half closed."""
        with closing(socket.create_server(("127.0.0.1", 0))) as listener:
            for reset in (False, True):
                near = socket.create_connection(listener.getsockname())
                far, _ = listener.accept()
                assert not _turn._is_reset(near.fileno())
                far.shutdown(socket.SHUT_WR)
                near.settimeout(5)
                assert near.recv(1) == b""
                assert not _turn._is_reset(near.fileno())
                if reset:
                    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    far.close()
                    assert _turn._is_reset(near.fileno())
                    monkeypatch.delattr(select, "poll")
                    assert not _turn._is_reset(near.fileno())
                far.close()
                near.close()

    async def test_a_stream_of_another_make(self) -> None:
        """What httpcore's streams stand on is private: without it they are used as they are."""
        stream = Stream(httpcore.AsyncMockStream([b"one", b"two"]), None)
        await stream.write(b"nothing")
        assert await stream.read(9, timeout=1) == b"one"
        assert await stream.read(9) == b"two"
        with pytest.raises(AttributeError):  # so that its connection is not kept
            stream.holds_more()

    @pytest.mark.parametrize(
        ("raised", "told"),
        [
            (anyio.BrokenResourceError(), "WriteError ReadError"),
            (ValueError("no"), "ValueError ValueError"),
        ],
        ids=["broken", "another"],
    )
    async def test_errors_below(self, raised: Exception, told: str) -> None:
        """A connection that is gone becomes httpcore's error, anything else stays what it is."""

        class Gone(httpcore.AsyncMockStream):
            async def write(self, *_: object) -> None:
                raise raised

            async def read(self, *_: object) -> bytes:
                raise raised

        stream = Stream(Gone([]), None)
        found: list[str] = []
        for step in (lambda: stream.write(b"x"), lambda: stream.read(1)):
            try:
                await step()
            except Exception as error:  # noqa: BLE001  # it is looked at
                found.append(type(error).__name__)
        assert " ".join(found) == told

    async def test_timeouts_of_others(self, server: RawServer) -> None:
        """Whoever brings a request of httpx's has the timeouts of httpx."""
        server.play = stall
        transport = PooledTransport(httpx.URL(server.url), ssl_context=None, keepalive=2.0)
        async with httpx.AsyncClient(transport=transport, timeout=0.1) as http_client:
            with pytest.raises(httpx.ReadTimeout):
                await http_client.post(server.url, content=b"{}")
            with pytest.raises(httpx.WriteTimeout):
                await http_client.post(server.url, content=b" " * 50_000_000)
        server.mend()

    async def test_half_an_answer_for_others(self, server: RawServer) -> None:
        """An answer that breaks off is an error of httpx's, too."""
        half = head(200, [("Content-Length", "9")]) + b"half"
        server.play = answers(half, then=Connection.close)
        transport = PooledTransport(httpx.URL(server.url), ssl_context=None, keepalive=2.0)
        async with httpx.AsyncClient(transport=transport) as http_client:
            with pytest.raises(httpx.RemoteProtocolError):
                await http_client.post(server.url, content=body_for(RECIPIENT))
        assert not transport._idle

    @pytest.mark.parametrize("place", ["query", "json"])
    async def test_a_key_is_added_last(self, place: Any, server: RawServer) -> None:
        """A request with the extension for the key gets it below everything that logs."""
        async with AsyncMultiWhats(KEY, base_url=server.url, **OPTIONS) as client:
            http_client = client._lifetime._http
            assert http_client is not None
            key = {"multiwhats.key": (client._settings.key, place)}
            body = body_for(RECIPIENT)
            response = await http_client.post(server.url, content=body, extensions=key)
        assert KEY not in str(response.request.url)
        sent = server.requests[0]
        assert KEY.encode() in (sent.body if place == "json" else sent.target.encode())


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
class TestOnAsyncio:
    async def test_bytes_that_nobody_waits_for(self, server: RawServer) -> None:
        """They are kept, no more of them is taken, and the connection counts as holding more."""
        asked = threading.Event()

        def send_late(connection: Connection) -> None:
            asked.wait()
            connection.send(b"two")
            connection.linger()

        server.play = send_late
        stream = await connect("127.0.0.1", server.port, 5)
        assert not stream.holds_more
        stream.data_received(b"one")
        assert stream.holds_more
        assert not stream._transport.is_reading()
        assert await stream.receive(2) == b"on"
        assert stream.holds_more
        assert await stream.receive(9) == b"e"
        asked.set()
        assert await stream.receive(9) == b"two"
        await stream.aclose()

    async def test_a_server_that_speaks_before_tls(self, server: RawServer) -> None:
        """TLS does not begin on a connection on which something came before it."""
        stream = await connect("127.0.0.1", server.port, 5)
        stream.data_received(b"220 welcome")
        with pytest.raises(httpcore.ConnectError, match="did not wait"):
            await stream.start_tls(ssl.create_default_context(), "example")
        await stream.aclose()

    async def test_lost_as_tls_began(self, server: RawServer) -> None:
        """Where asyncio has no transport any more to return, there is no connection."""

        async def start_tls(*_: object, **__: object) -> None:
            """Return what asyncio does."""

        stream = await connect("127.0.0.1", server.port, 5)
        stream._loop = SimpleNamespace(start_tls=start_tls)  # type: ignore[assignment]  # enough
        with pytest.raises(httpcore.ConnectError, match="as TLS began"):
            await stream.start_tls(ssl.create_default_context(), "example")
        await stream.aclose()

    async def test_a_large_request_is_written_to_its_end(self, server: RawServer) -> None:
        """What the system cannot take at once is waited for."""
        go_on, taken = threading.Event(), threading.Event()

        def take(connection: Connection) -> None:
            go_on.wait(60)
            connection.read_some(50_000_000)
            taken.set()

        server.play = take
        stream = await connect("127.0.0.1", server.port, 5)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stream.send, b" " * 50_000_000)
            await anyio.wait_all_tasks_blocked()
            assert stream._full
            go_on.set()
        await stream.aclose()
        assert await anyio.to_thread.run_sync(taken.wait, 60)

    async def test_lost_while_it_could_take_no_more(self, server: RawServer) -> None:
        """A connection that is closed under a request that waits to be written: an error."""
        server.play = stall
        stream = await connect("127.0.0.1", server.port, 5)
        async with anyio.create_task_group() as tasks:

            async def close() -> None:
                stream._transport.abort()

            tasks.start_soon(close)
            with pytest.raises(httpcore.WriteError, match="was closed"):
                await stream.send(b" " * 50_000_000)
        await stream.aclose()
        server.mend()


def test_a_turn_holds_the_head() -> None:
    """The head waits for the body; what comes after them goes at once."""
    scope: Any = SimpleNamespace(deadline=0.0)
    turn = Turn(InFlight(), scope, timeouts=PATIENT, end=0.0, clock=lambda: 0.0)
    assert turn.hold(b"head") is None
    assert turn.hold(b"body") == b"headbody"
    assert turn.hold(b"") == b""
    assert turn.hold(b"more") == b"more"


@pytest.mark.parametrize(
    ("end", "later", "deadline", "slow"),
    [
        (100.0, 0.05, 8.0, "ReadTimeout"),  # at once, as mostly: the first timer will do
        (100.0, 1.0, 9.0, "ReadTimeout"),
        (8.5, 0.05, 8.0, "ReadTimeout"),
        (8.5, 1.0, 8.5, None),  # the attempt ends before the server is too slow
        (5.0, 1.0, 5.0, None),
    ],
)
def test_how_long_a_server_has(end: float, later: float, deadline: float, slow: str | None) -> None:
    """Its timeout counts from the reading, but for a hundredth; never past the attempt's end."""
    now = 0.0
    scope: Any = SimpleNamespace(deadline=end)
    turn = Turn(InFlight(), scope, timeouts=PATIENT, end=end, clock=lambda: now)
    now = later
    turn.begin_reading()
    assert (scope.deadline, turn.slow) == (deadline, slow)
    turn.begin_connecting()
    assert (scope.deadline, turn.slow) == (end, None)
