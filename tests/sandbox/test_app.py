"""The ASGI app: the emulator behind Starlette, on its own and under another server."""

import json
import subprocess
import sys
from functools import partial
from typing import Any

import anyio
import httpx
import pytest
from sandbox.wire_examples import PATH, payload, raw_request
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

import multiwhats_async.sandbox
from multiwhats_async.sandbox import ConnectionDroppedError, Emulator, FaultPlan, create_app

pytestmark = pytest.mark.anyio

LOCAL = "http://127.0.0.1:8787"
SEND = f"{PATH}?apikey=KEY"


def client_of(emulator: Emulator, *, base_url: str = LOCAL, **options: Any) -> httpx.AsyncClient:
    """Return a client of the app in memory."""
    transport = httpx.ASGITransport(create_app(emulator, **options))
    return httpx.AsyncClient(transport=transport, base_url=base_url)


class Exchange:
    """One ASGI request made by hand: says what is received, keeps what is sent."""

    def __init__(self, *events: dict[str, Any], state: dict[str, Any] | None = None) -> None:
        self.events = list(events)
        self.sent: list[dict[str, Any]] = []
        self.state = state

    async def receive(self) -> dict[str, Any]:
        if self.events:
            return self.events.pop(0)
        await anyio.sleep_forever()
        raise AssertionError

    async def send(self, message: Any) -> None:
        self.sent.append(dict(message))

    async def run(self, emulator: Emulator) -> None:
        scope: dict[str, Any] = {
            "type": "http",
            "method": "POST",
            "path": PATH,
            "query_string": b"apikey=KEY",
            "headers": [(b"host", b"localhost:1"), (b"content-type", b"application/json")],
        }
        if self.state is not None:
            scope["state"] = self.state
        await create_app(emulator)(scope, self.receive, self.send)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])


BODY = raw_request(payload()).partition(b"\r\n\r\n")[2]
WHOLE = {"type": "http.request", "body": BODY}
GONE = {"type": "http.disconnect"}


async def test_sends() -> None:
    """A message gets its record through the app."""
    emulator = Emulator()
    async with client_of(emulator) as client:
        response = await client.post(SEND, json=payload())
    assert response.json() == emulator.messages[0].response


async def test_key_in_the_body_and_errors() -> None:
    """The app hands everything that has no route to the emulator."""
    async with client_of(Emulator(api_keys=["KEY"])) as client:
        in_body = await client.post(PATH, json=payload(apikey="KEY"))
        assert in_body.status_code == 200
        for method, path, status in (
            ("POST", PATH, 401),
            ("GET", SEND, 405),
            ("POST", "/api/v1/other?apikey=KEY", 404),
            ("POST", "/%ff", 404),
        ):
            response = await client.request(method, path, json=payload())
            assert response.status_code == status
            assert "MultiWhats documents no error" in response.json()["assumed"]


async def test_home_says_how_to_use_it() -> None:
    """The first page names the two variables, for the host that was asked."""
    async with client_of(Emulator()) as client:
        response = await client.get("/")
    assert response.headers["content-type"].startswith("text/plain")
    assert response.text.splitlines()[1:] == [
        "export MULTIWHATS_BASE_URL=http://127.0.0.1:8787/api/v1/",
        "export MULTIWHATS_API_KEY=sandbox-key",
    ]
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_home_keeps_a_chosen_key() -> None:
    """A key that the sandbox was started with is not shown."""
    async with client_of(Emulator(api_keys=["s3cr3t"])) as client:
        assert "s3cr3t" not in (await client.get("/")).text


async def test_stats() -> None:
    """The counters come as JSON."""
    emulator = Emulator()
    async with client_of(emulator) as client:
        await client.post(SEND, json=payload())
        response = await client.get("/sandbox/stats")
    assert response.json() == {
        "requests": 1,
        "accepted": 1,
        "credits": 1,
        "by_status": {"200": 1},
        "dropped": {},
        "recipients": 1,
        "sent_twice": 0,
    }


async def test_further_routes() -> None:
    """Routes of another make go before the sandbox's own."""

    async def page(_request: Request) -> Response:
        return PlainTextResponse("mine")

    async with client_of(Emulator(), routes=[Route("/", page)]) as client:
        assert (await client.get("/")).text == "mine"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LocalHost:99", 200),
        ("127.0.0.1:8787", 200),
        ("127.9.9.9", 200),
        ("[::1]:8787", 200),
        ("[::1", 200),
        ("phone.test:8787", 200),
        ("PHONE.test", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example:8787", 421),
        ("[::2]", 421),
        ("192.168.1.1", 421),
        ("", 421),
    ],
)
async def test_host(host: str, status: int) -> None:
    """Only loopback names and allowed ones are answered, whatever the path."""
    async with client_of(Emulator(), allowed_hosts=["Phone.test"]) as client:
        for path in ("/", "/sandbox/stats"):
            response = await client.get(path, headers={"host": host})
            assert response.status_code == status
            assert "evil" not in response.text


async def test_any_host() -> None:
    """With None any host will do, but not none at all."""
    async with client_of(Emulator(), allowed_hosts=None) as client:
        assert (await client.get("/", headers={"host": "evil.example"})).status_code == 200
        assert (await client.get("/", headers={"host": ""})).status_code == 421


async def test_body_in_pieces() -> None:
    """A body that comes in pieces is put together."""
    emulator = Emulator()
    exchange = Exchange(
        {"type": "http.request", "body": BODY[:7], "more_body": True},
        {"type": "http.request", "body": BODY[7:]},
    )
    await exchange.run(emulator)
    assert json.loads(exchange.body) == emulator.messages[0].response


async def test_endless_body_is_cut_off() -> None:
    """A body over 1 MB is answered 413 without being read to its end."""
    piece = {"type": "http.request", "body": b" " * 400_000, "more_body": True}
    exchange = Exchange(*[piece] * 10)
    await exchange.run(Emulator())
    assert exchange.status == 413
    assert len(exchange.events) == 7


async def test_client_leaves_within_its_request() -> None:
    """A request that never came whole is not handled."""
    emulator = Emulator()
    exchange = Exchange({"type": "http.request", "body": BODY[:7], "more_body": True}, GONE)
    await exchange.run(emulator)
    assert exchange.sent == []
    assert emulator.stats().requests == 0


async def test_latency() -> None:
    """Latency comes before the answer, and ends when the client leaves."""
    waited = Exchange(WHOLE)
    await waited.run(Emulator(faults=FaultPlan(["latency=1e-9"])))
    assert waited.status == 200
    left = Exchange(WHOLE, {"type": "http.request", "body": b"more"}, GONE)
    await left.run(Emulator(faults=FaultPlan(["latency=3600"])))
    assert left.sent == []


async def test_slow_drip() -> None:
    """The answer is sent in pieces, and the rest is kept when the client leaves."""
    emulator = Emulator(faults=FaultPlan(["slow_drip=0"]))
    whole = Exchange(WHOLE)
    await whole.run(emulator)
    assert [len(message.get("body", b"")) for message in whole.sent[1:-2]] == [32] * 27
    assert dict(whole.sent[0]["headers"])[b"content-length"] == str(len(whole.body)).encode()
    left = Exchange(WHOLE, GONE)
    await left.run(Emulator(faults=FaultPlan(["slow_drip=3600"])))
    assert [message["type"] for message in left.sent] == ["http.response.start"]


async def test_timeout_lasts_until_the_client_leaves() -> None:
    """A request that is never answered ends with its client, or when it is cancelled."""
    left = Exchange(WHOLE, GONE)
    await left.run(Emulator(faults=FaultPlan(["timeout"])))
    assert left.sent == []
    with anyio.move_on_after(0) as scope:
        await Exchange(WHOLE).run(Emulator(faults=FaultPlan(["timeout"])))
    assert scope.cancelled_caught


@pytest.mark.parametrize(
    ("fault", "requests", "accepted"),
    [("refuse", 0, 0), ("disconnect_before", 1, 0), ("disconnect_after", 1, 1)],
)
async def test_drops_without_a_hook(fault: str, requests: int, accepted: int) -> None:
    """Where the app cannot reach the connection, it raises."""
    emulator = Emulator(faults=FaultPlan([fault]))
    async with client_of(emulator) as client:
        with pytest.raises(ConnectionDroppedError):
            await client.post(SEND, json=payload())
    assert (emulator.stats().requests, emulator.stats().accepted) == (requests, accepted)


async def test_drops_with_a_hook() -> None:
    """Where a server has put a hook, the app calls it and sends nothing."""
    dropped: list[str] = []
    hook = partial(dropped.append, "dropped")
    exchange = Exchange(WHOLE, GONE, state={"multiwhats_sandbox_drop": hook})
    await exchange.run(Emulator(faults=FaultPlan(["disconnect_after", "refuse"])))
    assert dropped == ["dropped"]
    assert exchange.sent == []


async def test_other_protocols_are_not_ours() -> None:
    """A lifespan is Starlette's business."""
    started = Exchange({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    await create_app(Emulator())({"type": "lifespan", "state": {}}, started.receive, started.send)
    assert [message["type"] for message in started.sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


def test_public_names() -> None:
    """Every public name is there, and no other."""
    for name in multiwhats_async.sandbox.__all__:
        assert getattr(multiwhats_async.sandbox, name)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        multiwhats_async.sandbox.nothing  # noqa: B018 - the access is what is tested


def test_import_needs_no_extra() -> None:
    """The package and its transport come without Starlette and uvicorn."""
    code = (
        "import sys; import multiwhats_async.sandbox as s; s.mock_transport(s.Emulator()); "
        "assert not {'starlette', 'uvicorn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own line


@pytest.mark.parametrize(
    ("missing", "error", "words"),
    [
        ("starlette", ImportError, "create_app needs starlette: pip install 'multiwhats-async"),
        ("anyio", ModuleNotFoundError, "import of anyio halted"),
    ],
)
def test_missing_extra(
    monkeypatch: pytest.MonkeyPatch, missing: str, error: type[ImportError], words: str
) -> None:
    """Without the extra the error says what to install; any other missing module is not hidden."""
    monkeypatch.delitem(sys.modules, "multiwhats_async.sandbox.app")
    for name in [*sys.modules]:
        if name.partition(".")[0] == missing:
            monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(error, match=words) as caught:
        multiwhats_async.sandbox.create_app  # noqa: B018 - the access is what is tested
    assert caught.type is error
