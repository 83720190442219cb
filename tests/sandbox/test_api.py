"""The test API: what a test, a script and the page ask of the sandbox."""

import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx
import pytest
from sandbox.wire_examples import EXAMPLE_TIME, payload, post

from multiwhats_async import __version__
from multiwhats_async.sandbox import Emulator, FaultPlan, SandboxServer, create_app
from multiwhats_async.sandbox._api import MAX_FAULTS, openapi_document, routes_of

CUSTOMER, OTHER = "905374937766", "905300000001"
HOOK = "http://127.0.0.1:1/replies?token=s3cr3t"


@pytest.fixture
def emulator() -> Emulator:
    """Return an emulator whose time stands, with a webhook that nobody serves."""
    return Emulator(now=lambda: EXAMPLE_TIME, webhook=HOOK)


@pytest.fixture
async def api(emulator: Emulator) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the test API."""
    transport = httpx.ASGITransport(create_app(emulator))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://127.0.0.1:8787/sandbox/"
    ) as client:
        yield client


def code_of(response: httpx.Response) -> tuple[int, str]:
    """Return the status and the code of an error."""
    return response.status_code, response.json()["error"]["code"]


@pytest.mark.anyio
async def test_info(emulator: Emulator) -> None:
    """It names the address that was asked, and a key only where any will do."""
    for keys, key in ((None, "sandbox-key"), (["s3cr3t"], None)):
        transport = httpx.ASGITransport(create_app(Emulator(api_keys=keys)))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:9") as client:
            assert (await client.get("/sandbox/info")).json() == {
                "version": __version__,
                "base_url": "http://localhost:9/api/v1/",
                "api_key": key,
                "keep": 10_000,
            }


@pytest.mark.anyio
async def test_a_message_with_its_request_and_response(
    emulator: Emulator, api: httpx.AsyncClient
) -> None:
    """All of it, and where it passes WhatsApp's limits."""
    post(emulator, message="x" * 1_025, buttons=["a", "b" * 21, "a", "c"], apikey="KEY")
    message = (await api.get("messages/3664")).json()
    assert message["request"] == payload(
        message="x" * 1_025, buttons=["a", "b" * 21, "a", "c"], apikey="****"
    )
    assert message["response"]["id"] == message["id"] == 3664
    assert (message["target_id"], message["time"]) == (53687, "2023-04-26T11:11:58.000Z")
    assert (message["tap"], message["delivery_ids"], message["fault"]) == (None, [], None)
    assert message["advice"] == [
        "The text has 1,025 characters; WhatsApp takes 1,024.",
        "There are 4 buttons; WhatsApp shows 3.",
        "Button 2 has 21 characters; WhatsApp takes 20.",
        "Two buttons have the same text: which was tapped cannot be told.",
    ]
    post(emulator)
    assert (await api.get("messages/3665")).json()["advice"] == []


@pytest.mark.anyio
async def test_lists_are_read_page_by_page(emulator: Emulator, api: httpx.AsyncClient) -> None:
    """Newest first; ``next`` leads on, and is null at the end."""
    for number in range(5):
        post(emulator, to=OTHER if number % 2 else CUSTOMER, message=f"m{number}")
        post(emulator, buttons=[])
        emulator.tap(3664 + number, index=0)

    async def ids(path: str, **query: Any) -> list[int]:
        found: list[int] = []
        before: dict[str, int] = {}
        while True:
            page = (await api.get(path, params=query | before | {"limit": 2})).json()
            assert 1 <= len(page["items"]) <= 2
            found += [item.get("id") or item["last"]["id"] for item in page["items"]]
            if page["next"] is None:
                return found
            before = {"before": page["next"]}

    assert await ids("messages") == [3668, 3667, 3666, 3665, 3664]
    assert await ids("messages", to=CUSTOMER) == [3668, 3666, 3664]
    assert await ids("messages", after=3666) == [3668, 3667]
    assert await ids("messages", q="M3") == [3667]
    assert await ids("conversations") == [3668, 3667]
    assert await ids("conversations", q="m3") == [3667]
    assert await ids("refusals") == [5, 4, 3, 2, 1]
    assert await ids("deliveries") == [5, 4, 3, 2, 1]
    assert await ids("deliveries", message=3665) == [2]
    assert (await api.get("messages", params={"from": "1"})).json() == {"items": [], "next": None}
    refusal = (await api.get("refusals")).json()["items"][0]
    assert (refusal["to"], refusal["status"], refusal["fault"]) == (CUSTOMER, 422, None)


@pytest.mark.anyio
async def test_a_tap_and_its_delivery(emulator: Emulator, api: httpx.AsyncClient) -> None:
    """The tapped message comes back with what is pushed; the address without its secret."""
    post(emulator)
    tapped = (await api.post("messages/3664/tap", json={"label": "⛔ No"})).json()
    assert tapped["message"]["tap"] == {
        "index": 1,
        "label": "⛔ No",
        "time": "2023-04-26T11:11:58.000Z",
    }
    (summary,) = tapped["deliveries"]
    assert summary == {
        "id": 1,
        "message_id": 3664,
        "from": "908503080335",
        "to": CUSTOMER,
        "label": "⛔ No",
        "time": "2023-04-26T11:11:58.000Z",
        "url": "http://127.0.0.1:1/replies?token=****",
        "state": "waiting",
        "fault": None,
        "replay_of": None,
        "attempts": [],
    }
    delivery = (await api.get("deliveries/1")).json()
    assert delivery.pop("body")["extra_data"]["selectedItemId"] == "⛔ No"
    assert delivery == summary
    again = (await api.post("deliveries/1/replay")).json()
    assert (again["id"], again["replay_of"], again["state"]) == (2, 1, "waiting")
    assert code_of(await api.post("messages/3664/tap", json={"index": 0})) == (
        409,
        "already_tapped",
    )


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "invalid_value"),
        ({"index": 0, "label": "👍 Yes"}, 422, "invalid_value"),
        ({"index": True}, 422, "invalid_value"),
        ({"index": "0"}, 422, "invalid_value"),
        ({"index": -1}, 422, "invalid_value"),
        ({"index": 1_001}, 422, "invalid_value"),
        ({"index": 2}, 422, "no_such_button"),
        ({"label": ""}, 422, "invalid_value"),
        ({"label": "yes"}, 422, "no_such_button"),
        ({"label": "\ud800"}, 422, "no_such_button"),
        ({"button": 1}, 422, "invalid_value"),
        ([], 400, "invalid_json"),
        (None, 400, "invalid_json"),
    ],
)
async def test_a_tap_that_cannot_be(
    body: Any, status: int, code: str, emulator: Emulator, api: httpx.AsyncClient
) -> None:
    """It is refused with one word and a sentence, and nothing is tapped."""
    post(emulator)
    content = json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    response = await api.post("messages/3664/tap", content=content, headers=headers)
    assert code_of(response) == (status, code)
    assert emulator.messages[0].tap is None


@pytest.mark.anyio
async def test_bodies_that_are_none(api: httpx.AsyncClient, emulator: Emulator) -> None:
    """Another type, no JSON."""
    post(emulator)
    headers = {"content-type": "application/json"}
    tap = "messages/3664/tap"
    assert (await api.post(tap, content=b"{}")).status_code == 415
    assert (await api.post(tap, content=b"{", headers=headers)).status_code == 400


@pytest.mark.anyio
async def test_a_body_that_is_too_large(emulator: Emulator) -> None:
    """It is not read to its end."""
    huge = b'"' + b"x" * 1_000_001 + b'"'
    headers = {"content-type": "application/json"}
    with SandboxServer(emulator, port=0) as server:
        async with httpx.AsyncClient(base_url=server.url, headers=headers) as client:
            response = await client.post("sandbox/messages/3664/tap", content=huge)
    assert code_of(response) == (413, "too_large")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("messages/0", 422),
        ("messages/x", 422),
        ("messages/٣", 422),
        ("messages/99999999999999999999", 422),
        ("messages/9007199254740992", 422),
        ("messages/9", 404),
        ("deliveries/9", 404),
        ("messages?limit=0", 422),
        ("messages?limit=201", 422),
        ("messages?limit=x", 422),
        ("messages?to=%2B90", 422),
        ("messages?to=" + "9" * 16, 422),
        ("messages?q=" + "x" * 201, 422),
        ("messages?before=0", 422),
        ("messages?after=-1", 422),
        ("messages/wait?timeout=x", 422),
        ("messages/wait?timeout=nan", 422),
        ("messages/wait?timeout=61", 422),
        ("nothing", 404),
        ("deliveries/1/replay", 405),
    ],
)
async def test_questions_that_have_no_answer(
    path: str, status: int, api: httpx.AsyncClient, emulator: Emulator
) -> None:
    """Each is an error in JSON; the sandbox's own counters do not count it."""
    response = await api.get(path)
    assert response.status_code == status
    assert response.json()["error"]["message"]
    assert emulator.stats().requests == 0


@pytest.mark.anyio
async def test_waiting_for_a_message(emulator: Emulator, api: httpx.AsyncClient) -> None:
    """The oldest that fits comes at once where it is there, else as soon as it is."""
    post(emulator, to=OTHER)
    post(emulator)
    post(emulator)
    assert (await api.get("messages/wait", params={"to": CUSTOMER})).json()["id"] == 3665
    answers: list[int] = []

    async def wait(**query: Any) -> None:
        answers.append((await api.get("messages/wait", params=query)).json()["id"])

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: wait(to=CUSTOMER, after=3666))
            tasks.start_soon(lambda: wait(q="İyi", timeout=60))
            await anyio.wait_all_tasks_blocked()
            post(emulator, to=OTHER)
            await anyio.wait_all_tasks_blocked()
            assert answers == []
            await anyio.to_thread.run_sync(lambda: post(emulator, message="iyi"))
    assert answers == [3668, 3668]


@pytest.mark.anyio
async def test_a_message_that_does_not_come(api: httpx.AsyncClient) -> None:
    """The wait has an end: 204."""
    response = await api.get("messages/wait", params={"timeout": 0})
    assert (response.status_code, response.content) == (204, b"")


@pytest.mark.anyio
async def test_one_who_waits_and_leaves(emulator: Emulator) -> None:
    """Nobody listens for a client that has gone."""
    app = create_app(emulator)
    left = anyio.Event()
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    for path in ("/sandbox/messages/wait", "/sandbox/events"):
        left = anyio.Event()
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": b"",
            "headers": [(b"host", b"localhost")],
        }
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(app, scope, receive, send)
                await anyio.wait_all_tasks_blocked()
                assert len(emulator.store.bell._listeners) == 1
                left.set()
        assert emulator.store.bell._listeners == set()


@pytest.mark.anyio
async def test_the_webhook(emulator: Emulator, api: httpx.AsyncClient) -> None:
    """It is shown without its secrets, and keeps them where it is put back as it was shown."""
    shown = {
        "url": "http://127.0.0.1:1/replies?token=****",
        "item_id": "label",
        "template": False,
    }
    assert (await api.get("webhook")).json() == shown
    changed = await api.put("webhook", json={"url": shown["url"], "item_id": "index_from_1"})
    assert changed.json() == shown | {"item_id": "index_from_1"}
    assert emulator.store.webhook.url == HOOK
    assert (await api.put("webhook", json={"url": None})).json()["url"] is None
    post(emulator)
    assert (await api.post("messages/3664/tap", json={"index": 0})).json()["deliveries"][0][
        "state"
    ] == "unset"
    assert code_of(await api.post("deliveries/1/replay")) == (409, "no_webhook")
    new = await api.put("webhook", json={"url": "http://localhost:5/x"})
    assert new.json()["url"] == "http://localhost:5/x"
    for body, code in (
        ({"url": "http://example.com/"}, "invalid_webhook"),
        ({"url": "nonsense"}, "invalid_webhook"),
        ({"url": ""}, "invalid_value"),
        ({"url": 5}, "invalid_value"),
        ({"item_id": "label"}, "invalid_value"),
        ({"url": None, "item_id": "guess"}, "invalid_value"),
    ):
        assert code_of(await api.put("webhook", json=body)) == (422, code)
    assert emulator.store.webhook.url == "http://localhost:5/x"


@pytest.mark.anyio
async def test_faults(emulator: Emulator, api: httpx.AsyncClient) -> None:
    """They are added, counted and taken away; their text is that of the command line."""
    faults = (await api.get("faults")).json()
    assert (faults["items"], faults["seed"]) == ([], 0)
    assert faults["magic_numbers"]["0429"] == "429=1"
    assert "webhook_drop" in faults["kinds"]
    added = await api.post("faults", json={"fault": "503=2@to:905374937766,nth:1"})
    assert added.status_code == 201
    assert [post(emulator), post(emulator)] == [503, 200]
    assert (await api.get("faults")).json()["items"] == [
        {"kind": "503", "text": "503=2@to:905374937766,nth:1", "seen": 2, "struck": 1}
    ]
    for text in ("429@sometimes", "", "x" * 201):
        response = await api.post("faults", json={"fault": text})
        assert code_of(response) == (422, "invalid_value")
    assert code_of(await api.post("faults", json={})) == (422, "invalid_value")
    assert (await api.delete("faults")).status_code == 204
    assert emulator.faults.faults == ()
    for _ in range(MAX_FAULTS):
        emulator.faults.add("500@nth:9")
    assert code_of(await api.post("faults", json={"fault": "500"})) == (409, "too_many")


@pytest.mark.anyio
async def test_magic_numbers_can_be_off() -> None:
    """Then none are named."""
    transport = httpx.ASGITransport(create_app(Emulator(magic_numbers=False)))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        assert (await client.get("/sandbox/faults")).json()["magic_numbers"] == {}


@pytest.mark.anyio
async def test_reset(emulator: Emulator, api: httpx.AsyncClient) -> None:
    """Everything is forgotten."""
    post(emulator)
    assert (await api.post("reset")).status_code == 204
    assert (await api.get("messages")).json()["items"] == []
    assert (await api.get("stats")).json()["accepted"] == 0


def test_the_document_describes_every_route() -> None:
    """And no other, under the same names."""
    described = {
        (method.upper(), path, operation["operationId"])
        for path, operations in openapi_document()["paths"].items()
        for method, operation in operations.items()
    }
    served = {
        (method, f"/sandbox{route.path}", handler.__name__)
        for route in routes_of(Emulator())
        for method, handler in route.endpoint.args[0].items()
    }
    assert served - described == {("GET", "/sandbox/openapi.json", "openapi")}
    assert described <= served


def test_the_faults_of_the_document_are_those_of_the_plan() -> None:
    """The text form that is shown reads back as the same fault."""
    plan = FaultPlan(["429=1@every:50", "latency=0.25@p:0.1,times:3", "webhook_reorder"])
    assert [str(fault) for fault in plan.faults] == [
        "429=1@every:50",
        "latency=0.25@p:0.1,times:3",
        "webhook_reorder",
    ]
    assert FaultPlan(map(str, plan.faults)).faults == plan.faults
