"""The pool, other people's transports, and when a client may be used."""

import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import anyio.to_thread
import httpcore
import httpx
import pytest
import respx
from faults.answers import answer, record, record_text
from faults.cases import MESSAGE, ONCE, PATIENT, PROBE, RECIPIENT, answered
from faults.server import Connection, RawServer

from multiwhats_async import AsyncMultiWhats, ButtonMessage, Certainty, ConfigurationError
from multiwhats_async._transport import _pool
from multiwhats_async._transport._pool import PooledTransport

pytestmark = pytest.mark.anyio

KEY = "transport-key-51c2"
OPTIONS: dict[str, Any] = {"sender": "908503080335", "retry": ONCE, "timeout": PATIENT}
URL = "https://api.multiwhats.app/api/v1/basic/whatsapp/send-dynamic"


@pytest.fixture
def server() -> Iterator[RawServer]:
    """Run a server that behaves."""
    server = RawServer().start()
    yield server
    server.stop()


def body_for(to: str) -> bytes:
    """Return as much of a request's body as the server looks at."""
    return json.dumps({"to": to, "message": "Hi"}).encode()


def pool_of(client: AsyncMultiWhats) -> PooledTransport:
    """Return the transport of a client's own pool."""
    http_client = client._lifetime._http
    assert http_client is not None
    assert isinstance(http_client._transport, PooledTransport)
    return http_client._transport


class TestPool:
    def test_a_buffer_that_cannot_be_seen_counts_as_full(self) -> None:
        """Should httpcore change inside, connections are closed rather than trusted."""
        connection = httpcore.AsyncHTTPConnection(httpcore.Origin(b"http", b"x", 80))
        assert _pool._holds_more(connection)

    async def test_the_freshest_connection_first(self, server: RawServer) -> None:
        """Of two idle connections the one used last is used next, so that the other may expire."""
        transport = PooledTransport(httpx.URL(server.url), ssl_context=None, keepalive=2.0)
        async with httpx.AsyncClient(transport=transport, trust_env=False) as http_client:

            async def post() -> None:
                response = await http_client.post(server.url, content=body_for(RECIPIENT))
                assert response.status_code == 200

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(post)
                tasks.start_soon(post)
            first, second = (connection for connection, _ in transport._idle)
            await post()
            assert [connection for connection, _ in transport._idle] == [first, second]
        assert transport.opened == server.connections == 2
        assert not transport._idle

    async def test_idle_connections_expire(self, server: RawServer) -> None:
        """A connection is used up to its expiry, and closed after it."""
        now = [100.0]
        transport = PooledTransport(
            httpx.URL(server.url), ssl_context=None, keepalive=2.0, clock=lambda: now[0]
        )
        async with httpx.AsyncClient(transport=transport, trust_env=False) as http_client:
            for time, opened in ((100.0, 1), (101.9, 1), (103.8, 1), (105.8, 2)):
                now[0] = time
                await http_client.post(server.url, content=body_for(RECIPIENT))
                assert transport.opened == opened
            await anyio.to_thread.run_sync(server.wait_until, lambda: server.live == 1)

    async def test_no_keepalive(self, server: RawServer) -> None:
        """Without keep-alive each message has a connection of its own, and says so."""
        async with AsyncMultiWhats(KEY, base_url=server.url, keepalive=None, **OPTIONS) as client:
            for _ in range(3):
                outcome = await client.deliver(MESSAGE)
                assert outcome.certainty is Certainty.ACCEPTED
            assert not pool_of(client)._idle
        assert server.connections == 3
        assert {request.header("Connection") for request in server.requests} == {"close"}

    async def test_connections_are_bounded_by_the_concurrency(self, server: RawServer) -> None:
        """500 messages open no more connections than are sent at once."""
        messages = [ButtonMessage(RECIPIENT, f"{number}", ["Yes"]) for number in range(500)]
        async with AsyncMultiWhats(
            KEY, base_url=server.url, max_concurrency=8, **OPTIONS
        ) as client:
            report = await client.send_many(messages)
            assert len(pool_of(client)._idle) <= 8
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

    async def test_a_request_without_a_key(self, server: RawServer) -> None:
        """The transport carries a request of somebody else as it is."""
        transport = PooledTransport(httpx.URL(server.url), ssl_context=None, keepalive=2.0)
        async with httpx.AsyncClient(transport=transport, trust_env=False) as http_client:
            await http_client.post(server.url + "?a=1", content=body_for(RECIPIENT))
        assert server.requests[0].query == {"a": ["1"]}

    async def test_another_origin_is_refused(self, server: RawServer) -> None:
        """The transport speaks to its own origin only."""
        transport = PooledTransport(httpx.URL(server.url), ssl_context=None, keepalive=2.0)
        async with httpx.AsyncClient(transport=transport, trust_env=False) as http_client:
            with pytest.raises(RuntimeError):
                await http_client.post("http://127.0.0.1:1/", content=b"{}")
        assert server.connections == 0

    async def test_headers_that_lead_astray_are_dropped(self, server: RawServer) -> None:
        """Of an answer's headers, those that httpx would act on or keep do not arrive."""
        led = [("Location", "http://evil.example/"), ("Set-Cookie", "a=b"), ("X-Kept", "yes")]
        server.play = answered(200, b"{}", led)
        transport = PooledTransport(httpx.URL(server.url), ssl_context=None, keepalive=2.0)
        async with httpx.AsyncClient(transport=transport, trust_env=False) as http_client:
            response = await http_client.post(server.url, content=body_for(RECIPIENT))
            assert not http_client.cookies
        assert response.headers["X-Kept"] == "yes"
        assert not {"location", "set-cookie"} & set(response.headers)

    async def test_an_idle_connection_that_cannot_be_closed(
        self, server: RawServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A connection that fails to close is dropped all the same."""
        async with AsyncMultiWhats(KEY, base_url=server.url, **OPTIONS) as client:
            await client.deliver(MESSAGE)
            connection = pool_of(client)._idle[0][0]
            close = connection.aclose

            async def fail() -> None:
                await close()
                raise OSError("no")

            monkeypatch.setattr(connection, "aclose", fail)
            await pool_of(client).close_idle()
            assert not pool_of(client)._idle
            outcome = await client.deliver(PROBE)
        assert outcome.certainty is Certainty.ACCEPTED

    @pytest.mark.parametrize("kind", _pool.httpcore_errors)
    def test_every_error_of_httpcore_has_its_httpx_twin(self, kind: type[Exception]) -> None:
        """Each error of the lower layer, and each of its kinds, becomes httpx's namesake."""
        for each in (kind, *kind.__subclasses__()):
            error = _pool.as_httpx_error(each("why"))
            assert type(error).__name__ == each.__name__
            assert isinstance(error, httpx.TransportError)

    def test_httpcore_still_shows_what_lies_unread(self) -> None:
        """The one private corner of httpcore that stray bytes are found in is where it was."""
        connection = httpcore.AsyncHTTPConnection(httpcore.Origin(b"http", b"127.0.0.1", 1))
        assert hasattr(connection, "_connection")


def echo(request: httpx.Request) -> httpx.Response:
    """Answer as the vendor does, if the key is where it belongs."""
    assert request.url.query.endswith(b"apikey=" + KEY.encode())
    return httpx.Response(200, json=record(json.loads(request.content)["to"]))


class TestTheUsersTransport:
    async def test_mock_transport(self) -> None:
        """A mock gets the key, and its record is taken."""
        async with (
            httpx.AsyncClient(transport=httpx.MockTransport(echo)) as http_client,
            AsyncMultiWhats(KEY, http_client=http_client, **OPTIONS) as client,
        ):
            outcome = await client.deliver(MESSAGE)
        assert outcome.certainty is Certainty.ACCEPTED

    @pytest.mark.parametrize(
        ("error", "certainty"),
        [
            (httpx.ConnectError("no"), Certainty.NOT_SENT),
            (httpx.ConnectTimeout("no"), Certainty.NOT_SENT),
            (httpx.PoolTimeout("no"), Certainty.NOT_SENT),
            (httpx.UnsupportedProtocol("no"), Certainty.NOT_SENT),
            (httpx.ReadTimeout("no"), Certainty.UNKNOWN),
            (httpx.WriteError("no"), Certainty.UNKNOWN),
            (httpx.RemoteProtocolError("no"), Certainty.UNKNOWN),
            (httpx.InvalidURL("no"), Certainty.UNKNOWN),
            (RuntimeError("no " * 200), Certainty.UNKNOWN),
        ],
        ids=lambda value: type(value).__name__,
    )
    @pytest.mark.parametrize("how", ["mock", "respx"])
    async def test_errors(self, how: str, error: Exception, certainty: Certainty) -> None:
        """Where nothing tells of the writing, only errors from before it prove anything."""

        def fail(request: httpx.Request) -> httpx.Response:
            raise error

        if how == "mock":
            async with (
                httpx.AsyncClient(transport=httpx.MockTransport(fail)) as http_client,
                AsyncMultiWhats(KEY, http_client=http_client, **OPTIONS) as client,
            ):
                outcome = await client.deliver(MESSAGE)
        else:
            with respx.mock:
                respx.post(URL).mock(side_effect=error)
                async with AsyncMultiWhats(KEY, **OPTIONS) as client:
                    outcome = await client.deliver(MESSAGE)
        assert outcome.certainty is certainty
        assert outcome.error is not None
        assert outcome.error.cause == type(error).__name__

    async def test_respx(self) -> None:
        """Respx with its defaults mocks the client as it is."""
        with respx.mock:
            route = respx.post(URL, params={"apikey": KEY}).respond(json=record(RECIPIENT))
            async with AsyncMultiWhats(KEY, **OPTIONS) as client:
                outcomes = [await client.deliver(MESSAGE) for _ in range(3)]
        assert {outcome.certainty for outcome in outcomes} == {Certainty.ACCEPTED}
        assert route.call_count == 3

    @pytest.mark.parametrize("place", ["query", "json"])
    async def test_asgi(self, place: Any) -> None:
        """An ASGI app gets the key in either place."""
        keys: list[str] = []

        async def app(
            scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[Any], Any]
        ) -> None:
            body = json.loads((await receive())["body"])
            keys.append(body["apikey"] if place == "json" else scope["query_string"].decode())
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": record_text(body["to"])})

        async with (
            httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as http_client,
            AsyncMultiWhats(KEY, http_client=http_client, api_key_in=place, **OPTIONS) as client,
        ):
            outcome = await client.deliver(MESSAGE)
        assert outcome.certainty is Certainty.ACCEPTED
        assert keys == [KEY if place == "json" else f"apikey={KEY}"]

    async def test_cancelled_in_an_app(self) -> None:
        """A message that an app has is awaited to its end, though its caller is cancelled."""
        told = []
        inside = anyio.Event()

        class Told:
            def on_outcome(self, outcome: Any) -> None:
                told.append(outcome.certainty)

        async def app(
            scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[Any], Any]
        ) -> None:
            body = json.loads((await receive())["body"])
            inside.set()
            for _ in range(20):
                await anyio.lowlevel.checkpoint()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": record_text(body["to"])})

        async with (
            httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as http_client,
            AsyncMultiWhats(KEY, http_client=http_client, hooks=[Told()], **OPTIONS) as client,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(client.deliver, MESSAGE)
            await inside.wait()
            tasks.cancel_scope.cancel()
        assert told == [Certainty.ACCEPTED]

    @pytest.mark.parametrize(
        ("response", "certainty"),
        [
            (
                httpx.Response(
                    200,
                    content=gzip.compress(record_text(RECIPIENT)),
                    headers={"Content-Encoding": "gzip"},
                ),
                Certainty.ACCEPTED,
            ),
            (httpx.Response(200, content=b" " * 1_000_001), Certainty.UNKNOWN),
            (httpx.Response(422, json={"message": "no"}), Certainty.REJECTED),
        ],
        ids=["gzip", "large", "422"],
    )
    async def test_answers_of_a_mock(self, response: httpx.Response, certainty: Certainty) -> None:
        """What a mock has decoded already is not decoded again, and is capped too."""
        transport = httpx.MockTransport(lambda request: response)
        async with (
            httpx.AsyncClient(transport=transport) as http_client,
            AsyncMultiWhats(KEY, http_client=http_client, **OPTIONS) as client,
        ):
            outcome = await client.deliver(MESSAGE)
        assert outcome.certainty is certainty

    async def test_an_injected_client_keeps_its_ways(self, server: RawServer) -> None:
        """Its headers, parameters, cookies and login are sent, its base URL and redirects not."""
        server.play = answered(200)
        async with (
            httpx.AsyncClient(
                base_url="http://127.0.0.1:1/elsewhere/",
                headers={"X-Mine": "1", "Content-Type": "text/plain"},
                params={"mine": "2"},
                cookies={"c": "3"},
                auth=("user", "pass"),
                follow_redirects=True,
                trust_env=False,
            ) as http_client,
            AsyncMultiWhats(KEY, base_url=server.url, http_client=http_client, **OPTIONS) as client,
        ):
            outcome = await client.deliver(MESSAGE)
            server.play = answered(307, b"", [("Location", "/api/v1/")])
            moved = await client.deliver(PROBE)
            assert not http_client.is_closed
        assert outcome.certainty is Certainty.ACCEPTED
        assert moved.certainty is Certainty.UNKNOWN
        assert server.posts == 2
        request = server.requests[0]
        assert request.query == {"mine": ["2"], "apikey": [KEY]}
        assert request.header("X-Mine") == "1"
        assert request.header("Content-Type") == "application/json"
        assert request.header("Cookie") == "c=3"
        assert (request.header("Authorization") or "").startswith("Basic ")

    async def test_a_login_that_takes_two_requests(self, server: RawServer) -> None:
        """The refusal that a login begins with is not taken for the answer to its repetition."""
        challenge = [("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth"')]

        def challenge_then_close(connection: Connection) -> None:
            connection.read_request()
            connection.send(answer(401, b"{}", challenge))
            connection.read_request()
            connection.close()

        server.play = challenge_then_close
        async with (
            httpx.AsyncClient(auth=httpx.DigestAuth("u", "p"), trust_env=False) as http_client,
            AsyncMultiWhats(KEY, base_url=server.url, http_client=http_client, **OPTIONS) as client,
        ):
            outcome = await client.deliver(MESSAGE)
        assert server.posts == 2
        assert outcome.certainty is Certainty.UNKNOWN


async def test_an_error_with_a_long_history() -> None:
    """An error that stems from an error, and so on without an end, is told all the same."""
    first = last = httpx.ReadError("the last of many")
    for number in range(20):
        last.__cause__ = httpx.ReadError(str(number))
        last = last.__cause__

    def fail(request: httpx.Request) -> httpx.Response:
        raise first

    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(fail)) as http_client,
        AsyncMultiWhats(KEY, http_client=http_client, **OPTIONS) as client,
    ):
        outcome = await client.deliver(MESSAGE)
    assert outcome.certainty is Certainty.UNKNOWN
    assert "the last of many" in str(outcome.error)


async def test_a_base_url_that_httpx_refuses() -> None:
    """A base URL that httpx cannot read is a setting that cannot work, not an error of httpx."""
    with pytest.raises(ConfigurationError):
        await AsyncMultiWhats(KEY, base_url="https://-\u2603-.example/", **OPTIONS).__aenter__()
