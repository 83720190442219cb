"""The web frameworks in process: one client a life, injected, and an endpoint for replies."""

import importlib
import logging
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from aiohttp import web
from fastapi import FastAPI
from litestar import Litestar, post
from litestar.params import FromPath
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from multiwhats_async import AsyncMultiWhats, ButtonMessage, ConfigurationError
from multiwhats_async.integrations import aiohttp, fastapi, litestar, starlette
from multiwhats_async.replies import Reply
from multiwhats_async.testing import MultiWhatsKit

pytestmark = pytest.mark.anyio

GUEST = "905374937766"
DOOR: dict[str, Any] = {"token": "secret", "assumed_item_id": "label", "max_body": 2_000}
App = Any
MakeClient = Callable[[], AsyncMultiWhats]


@pytest.fixture(autouse=True)
def _same_logging() -> Iterator[None]:
    """Undo what Litestar does to the root logger as soon as an application is made."""
    root = logging.getLogger()
    level, handlers = root.level, [*root.handlers]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture
def kit(multiwhats: MultiWhatsKit) -> MultiWhatsKit:
    """Return the sandbox in memory."""
    return multiwhats


async def answer(reply: Reply, client: AsyncMultiWhats) -> None:
    """Answer a tap, with the client that the application has."""
    await client.send_button_message(reply.sender, f"You chose {reply.label}", ["OK"])


def greeting(number: str) -> ButtonMessage:
    """Return what is asked."""
    return ButtonMessage(number, "Hi", ["Yes", "No"])


def starlette_app(make_client: MakeClient) -> App:
    """Return a Starlette application with a lifespan of its own, and a sub-application."""

    async def ask(request: Request) -> Response:
        outcome = await starlette.client_of(request).deliver(greeting(request.path_params["to"]))
        return Response(f"{request.state.own} {outcome.certainty.value}")

    opened = starlette.lifespan(make_client)

    @asynccontextmanager
    async def own(app: Starlette) -> AsyncIterator[dict[str, Any]]:
        async with opened(app) as state:
            yield {**state, "own": "own"}

    below = Starlette(routes=[Route("/{to}", ask, methods=["POST"])])
    replies = starlette.reply_route("/replies", answer, **DOOR)
    return Starlette(lifespan=own, routes=[Mount("/ask", below), replies])


def fastapi_app(make_client: MakeClient) -> App:
    """Return a FastAPI application."""
    app = FastAPI(lifespan=fastapi.lifespan(make_client))
    app.include_router(fastapi.reply_router("/replies", answer, **DOOR))

    @app.post("/ask/{to}")
    async def ask(to: str, client: fastapi.Client) -> Response:
        return Response(f"own {(await client.deliver(greeting(to))).certainty.value}")

    return app


def litestar_app(make_client: MakeClient) -> App:
    """Return a Litestar application."""

    @post("/ask/{to:str}", status_code=200)
    async def ask(to: FromPath[str], multiwhats: litestar.Client) -> str:
        return f"own {(await multiwhats.deliver(greeting(to))).certainty.value}"

    replies = litestar.reply_route("/replies", answer, **DOOR)
    return Litestar([ask, replies], plugins=[litestar.MultiWhatsPlugin(make_client)])


APPS = [starlette_app, fastapi_app, litestar_app]


@pytest.mark.parametrize("make_app", APPS)
async def test_asks_takes_the_tap_and_answers(
    kit: MultiWhatsKit, make_app: Callable[[MakeClient], App]
) -> None:
    """From the request to the second message, with one client, which is closed at the end."""
    made: list[AsyncMultiWhats] = []

    def make_client() -> AsyncMultiWhats:
        made.append(kit.client())
        return made[-1]

    app = make_app(make_client)
    assert made == []
    async with kit.running(app) as web_client:
        assert (await web_client.post(f"/ask/{GUEST}")).text == "own accepted"
        kit.fail_next("webhook_duplicate")
        kit.tap(kit.last, "Yes")
        answers = await kit.deliver_to(app, "/replies?token=secret")
    kit.assert_sent(to=GUEST, text="You chose Yes", times=1)
    assert [one.json() for one in answers] == [{"status": "accepted"}, {"status": "duplicate"}]
    assert {one.headers["content-type"] for one in answers} == {"application/json"}
    (client,) = made
    assert "closed" in repr(client)


@pytest.mark.parametrize("make_app", APPS)
async def test_the_endpoint_refuses_as_the_handler_does(
    kit: MultiWhatsKit, make_app: Callable[[MakeClient], App]
) -> None:
    """A wrong token, a body that is none, one that is too long, another method."""
    app = make_app(kit.client)
    async with kit.running(app) as client:
        statuses = [
            (await client.post("/replies", content=b"{}")).status_code,
            (await client.post("/replies?token=wrong", content=b"{}")).status_code,
            (await client.post("/replies?token=secret", content=b"no JSON")).status_code,
            (await client.post("/replies?token=secret", content=b" " * 2_001)).status_code,
            (await client.get("/replies?token=secret")).status_code,
        ]
    assert statuses == [401, 401, 400, 413, 405]
    kit.assert_nothing_sent()


@pytest.mark.parametrize("make_app", APPS)
async def test_an_answer_that_fails_is_taken_again(
    kit: MultiWhatsKit, make_app: Callable[[MakeClient], App]
) -> None:
    """500 while nothing can be sent, and the same tap once more."""
    app = make_app(kit.client)
    async with kit.running(app) as client:
        await client.post(f"/ask/{GUEST}")
        kit.tap(kit.last, "No")
        kit.fail_next("refuse", times=4)
        (failed,) = await kit.deliver_to(app, "/replies?token=secret")
        (taken,) = await kit.deliver_to(app, "/replies?token=secret")
    assert (failed.status_code, taken.status_code) == (500, 200)
    kit.assert_sent(text="You chose No", times=1)


@pytest.mark.parametrize("make_app", APPS)
async def test_an_answer_that_may_have_gone_out_is_not_sent_again(
    kit: MultiWhatsKit, make_app: Callable[[MakeClient], App]
) -> None:
    """The endpoint lets the error through, the tap is pushed again: the guest gets one answer."""
    app = make_app(kit.client)
    async with kit.running(app) as client:
        await client.post(f"/ask/{GUEST}")
        kit.fail_next("disconnect_after")
        kit.fail_next("webhook_duplicate")
        kit.tap(kit.last, "Yes")
        answers = await kit.deliver_to(app, "/replies?token=secret")
    assert [one.json()["status"] for one in answers] == ["unknown", "duplicate"]
    kit.assert_sent(text="You chose Yes", times=1)


@pytest.mark.parametrize("make_app", APPS[:2])
async def test_an_application_that_was_not_started(
    kit: MultiWhatsKit, make_app: Callable[[MakeClient], App]
) -> None:
    """The error says what is missing, and how a test has it."""
    transport = httpx.ASGITransport(make_app(kit.client))
    async with httpx.AsyncClient(transport=transport, base_url="http://web") as client:
        with pytest.raises(ConfigurationError, match=r"lifespan has not opened the client"):
            await client.post(f"/ask/{GUEST}")


async def test_no_framework_shows_the_endpoint_to_clients() -> None:
    """It is for MultiWhats: no OpenAPI document names it."""
    app = fastapi_app(AsyncMultiWhats)
    assert [*app.openapi()["paths"]] == ["/ask/{to}"]
    star = litestar_app(AsyncMultiWhats)
    assert [*star.openapi_schema.to_schema()["paths"]] == ["/ask/{to}"]


async def asked_and_pushed(kit: MultiWhatsKit, url: str) -> list[tuple[int, Any]]:
    """Ask a guest, tap, and push that in several ways; return what each was answered."""
    async with httpx.AsyncClient(base_url=url) as client:
        assert (await client.post("/below/ask")).text == "accepted"
        kit.tap(kit.last, "Yes")
        (tap,) = kit.take_replies()
        answers = [
            await client.post("/replies", json=tap),
            await client.post("/replies?token=secret", json=tap),
            await client.post("/replies?token=secret", json=tap),
            await client.post("/replies?token=secret", content=b" " * 2_001),
        ]
    return [(one.status_code, one.json()) for one in answers]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_aiohttp_asks_takes_the_tap_and_answers(kit: MultiWhatsKit) -> None:
    """On its own server, with the endpoint in the application and the client asked for below it."""

    async def ask(request: web.Request) -> web.Response:
        client = request.config_dict[aiohttp.CLIENT]
        return web.Response(text=(await client.deliver(greeting(GUEST))).certainty.value)

    made: list[AsyncMultiWhats] = []

    def make_client() -> AsyncMultiWhats:
        made.append(kit.client())
        return made[-1]

    below = web.Application()
    below.router.add_post("/ask", ask)
    app = web.Application()
    app.cleanup_ctx.append(aiohttp.client_context(make_client))
    app.add_subapp("/below", below)
    app.router.add_post("/replies", aiohttp.reply_handler(answer, **DOOR))
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        said = await asked_and_pushed(kit, f"http://127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()
    assert said == [
        (401, {"error": {"code": "unauthorized"}}),
        (200, {"status": "accepted"}),
        (200, {"status": "duplicate"}),
        (413, {"error": {"code": "too_large"}}),
    ]
    kit.assert_sent(text="You chose Yes", times=1)
    assert "closed" in repr(made[0])


@pytest.mark.parametrize("name", ["aiohttp", "fastapi", "litestar", "starlette"])
def test_a_missing_framework_is_named_with_its_extra(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is the advice."""
    module = f"multiwhats_async.integrations.{name}"
    monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)
    for loaded in [one for one in sys.modules if one.startswith(f"{name}.")]:
        monkeypatch.setitem(sys.modules, loaded, None)
    with pytest.raises(
        ImportError, match=rf"needs {name}: pip install 'multiwhats-async\[{name}\]"
    ):
        importlib.import_module(module)


def test_another_missing_module_is_no_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A framework that lacks a part of its own says so itself."""
    monkeypatch.delitem(sys.modules, "multiwhats_async.integrations.fastapi")
    monkeypatch.delitem(sys.modules, "fastapi")
    for loaded in [one for one in sys.modules if one.startswith("fastapi.")]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, "pydantic", None)
    with pytest.raises(ModuleNotFoundError, match="pydantic") as caught:
        importlib.import_module("multiwhats_async.integrations.fastapi")
    assert "extra" not in str(caught.value)
