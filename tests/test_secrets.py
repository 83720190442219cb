"""The API key and whole phone numbers show up nowhere but on the wire."""

import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from urllib.parse import quote, quote_plus

import anyio
import anyio.to_thread
import httpx
import pytest
from faults.answers import answer, head, record_text
from faults.cases import MESSAGE, ONCE, PATIENT, PROBE, RECIPIENT, answers
from faults.server import Connection, Play, RawServer
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from multiwhats_async import AsyncMultiWhats, Outcome, SendError
from multiwhats_async._secret import Secret

pytestmark = pytest.mark.anyio

SENDER = "908503080335"
KEYS = {"plain": "Sk7plainKey42", "special": 'a+b/c=&d%"e\\f#g?h'}
NUMBERS = (RECIPIENT, PROBE.to, SENDER)

Opened = Callable[..., AbstractAsyncContextManager[AsyncMultiWhats]]


@pytest.fixture(params=list(KEYS))
def key(request: pytest.FixtureRequest) -> str:
    """Run a test with a plain key, and one of every sign that a URL or JSON writes otherwise."""
    return KEYS[request.param]


@pytest.fixture(params=["query", "json"])
def place(request: pytest.FixtureRequest) -> str:
    """Run a test with the key in either place."""
    which: str = request.param
    return which


@pytest.fixture
def server() -> Iterator[RawServer]:
    """Run a server that behaves."""
    server = RawServer().start()
    yield server
    server.stop()


@pytest.fixture(params=["own", "direct", "injected"])
def opened(request: pytest.FixtureRequest, key: str, place: Any, server: RawServer) -> Opened:
    """Open clients of the server, over both transports of ours and over a user's client."""

    @asynccontextmanager
    async def opened(**hooks: Any) -> Any:
        options: dict[str, Any] = {
            "base_url": server.url,
            "sender": SENDER,
            "api_key_in": place,
            "retry": ONCE,
            "timeout": PATIENT,
        }
        if request.param != "injected":
            options["transport"] = "direct" if request.param == "direct" else "httpcore"
            async with AsyncMultiWhats(key, **options) as client:
                yield client
            return
        async with (
            httpx.AsyncClient(trust_env=False, **hooks) as http_client,
            AsyncMultiWhats(key, http_client=http_client, **options) as client,
        ):
            yield client

    return opened


def forms(key: str) -> set[str]:
    """Return every way in which the key may be written."""
    escaped = json.dumps(key)[1:-1]
    return {
        key,
        quote(key, safe=""),
        quote(key),
        quote_plus(key),
        escaped,
        repr(key)[1:-1],
        escaped.replace("/", "\\/"),
    }


def assert_clean(text: str, key: str) -> None:
    """Assert that a text holds the key in no form, and no whole phone number."""
    for form in forms(key):
        assert form not in text
    assert_no_number(text)


def assert_no_number(text: str) -> None:
    """Assert that a text holds no whole phone number."""
    for number in NUMBERS:
        assert number not in text


def everything_about(error: BaseException) -> str:
    """Return all that can be shown of an error: texts, fields, chain, frames with locals."""
    seen: list[str] = []
    chain: list[BaseException] = [error]
    for each in chain:
        seen += [str(each), repr(each), repr(each.args), repr(vars(each))]
        told = traceback.TracebackException.from_exception(each, capture_locals=True)
        frames = [frame for frame in told.stack if frame.filename != __file__]  # ours hold the key
        seen += traceback.StackSummary.from_list(frames).format()
        chain += [more for more in (each.__cause__, each.__context__) if more is not None]
    return "\n".join(seen)


def echoing(key: str, status: int = 400) -> Play:
    """Return the play of a server that tells everybody the key, in every form."""
    told = " ".join(sorted(forms(key)))
    return answers(answer(status, json.dumps({"message": f"bad {told} {RECIPIENT}"}).encode()))


class TestLogs:
    @pytest.mark.parametrize("what", ["record", "refusal", "reset", "redirect"])
    async def test_every_record_of_every_logger(
        self,
        what: str,
        opened: Opened,
        key: str,
        server: RawServer,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """At DEBUG no logger of any layer tells the key or a whole number, in text or in fields."""
        caplog.set_level(logging.DEBUG)
        for name in ("httpx", "httpcore", "multiwhats_async", "asyncio"):
            caplog.set_level(logging.DEBUG, logger=name)
        server.play = {
            "record": server.play,
            "refusal": echoing(key),
            "reset": Connection.reset,
            "redirect": answers(head(302, [("Location", "/elsewhere"), ("Content-Length", "0")])),
        }[what]
        async with opened() as client:
            await client.deliver(MESSAGE)
            with anyio.CancelScope() as scope:
                scope.cancel()
                await client.deliver(PROBE)
        shown = "\n".join(f"{entry.getMessage()} {entry.__dict__!r}" for entry in caplog.records)
        assert {entry.name for entry in caplog.records} >= {"multiwhats_async"}
        assert_clean(shown, key)


class TestRequests:
    async def test_what_event_hooks_see(self, opened: Opened, key: str, server: RawServer) -> None:
        """Neither the request's URL nor the response's shows the key to a hook of httpx."""
        shown: list[str] = []

        async def on_request(request: httpx.Request) -> None:
            shown.extend((str(request.url), repr(request.url), repr(request)))
            shown.extend((repr(request.headers), str(request.url.params), repr(request.extensions)))
            shown.append(repr(pickle.dumps(request.url)))
            shown.append(str(copy.deepcopy(request.url)))

        async def on_response(response: httpx.Response) -> None:
            shown.extend((str(response.url), str(response.request.url), repr(response)))
            with pytest.raises(httpx.HTTPStatusError) as caught:
                response.raise_for_status()
            shown.append(str(caught.value))

        server.play = answers(answer(400, b"{}"))
        async with opened(
            event_hooks={"request": [on_request], "response": [on_response]}
        ) as client:
            await client.deliver(MESSAGE)
            if client._lifetime._injected is not None:
                assert shown
        assert_clean("\n".join(shown), key)
        request = server.requests[0]
        sent = [*request.query.get("apikey", []), json.loads(request.body).get("apikey")]
        assert key in sent


class TestErrors:
    @pytest.mark.parametrize(
        "play",
        [Connection.reset, Connection.close, answers(b"nonsense\r\n\r\n"), "echo"],
        ids=["reset", "close", "garbage", "echo"],
    )
    async def test_a_raised_error(
        self, play: Play | str, opened: Opened, key: str, server: RawServer
    ) -> None:
        """Nothing that can be shown of an error holds the key, its frames' locals included."""
        server.play = echoing(key) if isinstance(play, str) else play
        async with opened() as client:
            with pytest.raises(SendError) as caught:
                await client.send_button_message(RECIPIENT, "Hi", ["Yes"])
        error = caught.value
        own = "\n".join((str(error), repr(error), repr(error.args), json.dumps(error.to_dict())))
        assert_clean(own, key)
        shown = everything_about(error)
        for form in forms(key):
            assert form not in shown
            assert form.encode() not in pickle.dumps(error)
        again = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes
        assert again.to_dict() == error.to_dict()

    async def test_a_lower_layers_text(self, key: str) -> None:
        """A text of a lower layer that names the key or a number is masked."""

        def fail(request: httpx.Request) -> httpx.Response:
            raise httpx.ReadError(f"no answer to {request.content!r} at {request.url.query!r}")

        async with (
            httpx.AsyncClient(transport=httpx.MockTransport(fail)) as http_client,
            AsyncMultiWhats(
                key, sender=SENDER, http_client=http_client, api_key_in="json", retry=ONCE
            ) as client,
        ):
            outcome = await client.deliver(MESSAGE)
        assert outcome.error is not None
        assert_clean(f"{outcome.error} {outcome.error.to_dict()}", key)

    async def test_a_cancelled_call(self, opened: Opened, key: str, server: RawServer) -> None:
        """The traceback of a cancelled call, with every local of its frames, holds no key."""

        def hold(connection: Connection) -> None:
            connection.read_request()
            connection.server.released.wait()
            connection.close()

        server.play = hold
        caught: list[BaseException] = []

        async with opened() as client, anyio.create_task_group() as tasks:

            async def call() -> None:
                try:
                    await client.deliver(MESSAGE)
                except BaseException as error:
                    caught.append(error)
                    raise

            tasks.start_soon(call)
            await anyio.to_thread.run_sync(server.wait_until, lambda: server.posts == 1)
            tasks.cancel_scope.cancel()
            server.mend()
        shown = everything_about(caught[0])
        assert "deliver" in shown
        for form in forms(key):
            assert form not in shown


class TestEchoes:
    @pytest.mark.parametrize("status", [200, 400])
    async def test_a_server_that_echoes_the_key(
        self, status: int, opened: Opened, key: str, server: RawServer
    ) -> None:
        """Where the server writes the key into its answer, no outcome holds it in any form."""
        told = " ".join(sorted(forms(key)))
        body = record_text(RECIPIENT, message=told, surprise={"url": told, told: 1})
        server.play = answers(answer(status, body))
        async with opened() as client:
            outcome = await client.deliver(MESSAGE)
        assert_without_key(outcome, key)

    @pytest.mark.parametrize("status", [200, 400])
    async def test_in_an_answer_that_is_no_json(
        self, status: int, opened: Opened, key: str, server: RawServer
    ) -> None:
        """An error page that repeats the whole request line."""
        server.play = answers(answer(status, f"<h1>/send?apikey={key}</h1>".encode()))
        async with opened() as client:
            outcome = await client.deliver(MESSAGE)
        assert_without_key(outcome, key)
        assert "****" in str(outcome.error)

    async def test_escaped_as_php_does(self, opened: Opened, key: str, server: RawServer) -> None:
        """JSON that writes a slash, or any sign, with an escape hides the key from no mask."""
        coded = "".join(f"\\u{ord(sign):04x}" for sign in key)
        slashes = json.dumps(key)[1:-1].replace("/", "\\/")
        body = record_text(RECIPIENT, message="M", note="N").replace(b"M", coded.encode(), 1)
        body = body.replace(b'"N"', f'"{slashes}"'.encode())
        server.play = answers(answer(200, body))
        async with opened() as client:
            outcome = await client.deliver(MESSAGE)
        assert_without_key(outcome, key)


def assert_without_key(outcome: Outcome, key: str) -> None:
    """Assert that nothing in an outcome is or holds the key."""
    plain: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for name, item in value.items():
                walk(name)
                walk(item)
        elif isinstance(value, list | tuple):
            for item in value:
                walk(item)
        else:
            plain.append(str(value))

    walk(outcome.to_dict())
    walk(outcome.receipt.raw if outcome.receipt else {})
    walk(repr(outcome))
    walk(str(outcome.error))
    for form in forms(key):
        assert not [text for text in plain if form in text]


class TestClient:
    async def test_nothing_of_a_client_shows_it(self, opened: Opened, key: str) -> None:
        """Neither the repr nor the insides of a client show the key, and it refuses to pickle."""
        async with opened() as client:
            shown = [repr(client), str(client), repr(vars(client)), repr(vars(client._lifetime))]
            with pytest.raises(TypeError):
                pickle.dumps(client)
            with pytest.raises(TypeError):
                pickle.dumps(client._settings)
            shown.append(repr(client._settings))
            shown.append(repr(vars(client.with_options(timeout=3))))
        assert_clean("\n".join(shown), key)

    def test_a_secret(self, key: str) -> None:
        """A secret shows its mask, copies as itself, and neither pickles nor serialises."""
        secret = Secret(key)
        assert_clean(f"{secret} {secret!r} {secret:>20} {[secret]}", key)
        assert copy.copy(secret) is copy.deepcopy(secret) is secret
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(TypeError, match="cannot be pickled"):
                pickle.dumps(secret, protocol)
        with pytest.raises(TypeError):
            json.dumps({"key": secret})
        with pytest.raises(TypeError):
            "Bearer " + secret  # type: ignore[operator]  # that it fails is the point
        assert secret.reveal() == key


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """Instrument all of httpx, and keep the spans."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = HTTPXClientInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    yield exporter
    instrumentor.uninstrument()


class TestSpans:
    async def test_the_global_instrumentation(
        self, spans: InMemorySpanExporter, opened: Opened, key: str, server: RawServer
    ) -> None:
        """OpenTelemetry's global instrumentation of httpx never gets to see the key."""
        async with opened() as client:
            outcome = await client.deliver(MESSAGE)
            server.play = Connection.reset
            await client.deliver(PROBE)
            if client._lifetime._injected is not None:
                assert spans.get_finished_spans()
        assert outcome.receipt is not None
        assert_clean("\n".join(span.to_json() for span in spans.get_finished_spans()), key)
