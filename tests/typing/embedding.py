"""The types of the frameworks' modules, of telemetry and of the test kit."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import assert_type

import fastapi
import httpx
import litestar
import litestar.handlers
import prometheus_client
import starlette.applications
import starlette.requests
import starlette.routing
from aiohttp import web
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.trace import NoOpTracerProvider

from multiwhats_async import AsyncMultiWhats
from multiwhats_async.integrations import aiohttp as on_aiohttp
from multiwhats_async.integrations import fastapi as on_fastapi
from multiwhats_async.integrations import litestar as on_litestar
from multiwhats_async.integrations import starlette as on_starlette
from multiwhats_async.integrations.opentelemetry import TelemetryHooks
from multiwhats_async.integrations.prometheus import PrometheusHooks
from multiwhats_async.replies import Reply
from multiwhats_async.sandbox import Emulator, SandboxMessage, SandboxServer, mock_transport
from multiwhats_async.testing import TEST_SENDER, MultiWhatsKit, MultiWhatsServerKit

DOOR = "open sesame"


def make() -> AsyncMultiWhats:
    """Return an application's own client."""
    return AsyncMultiWhats("KEY")


async def on_reply(reply: Reply, client: AsyncMultiWhats) -> None:
    """Take a reply with the client."""
    assert_type(reply.label, str)
    await client.send_button_message(reply.sender, "Thanks", ["OK"])


def with_starlette(request: starlette.requests.Request) -> starlette.applications.Starlette:
    """A lifespan and a route."""
    route = on_starlette.reply_route("/replies", on_reply, token=DOOR, assumed_item_id="label")
    assert_type(route, starlette.routing.Route)
    assert_type(on_starlette.client_of(request), AsyncMultiWhats)
    return starlette.applications.Starlette(routes=[route], lifespan=on_starlette.lifespan(make))


def with_fastapi() -> fastapi.FastAPI:
    """A router, and the client as a parameter."""
    app = fastapi.FastAPI(lifespan=on_fastapi.lifespan())
    router = on_fastapi.reply_router("/replies", on_reply, token=None, assumed_item_id="label")
    assert_type(router, fastapi.APIRouter)
    app.include_router(router)

    @app.get("/")
    async def ask(client: on_fastapi.Client) -> str | None:
        assert_type(client, AsyncMultiWhats)
        return client.sender

    return app


def with_litestar() -> litestar.Litestar:
    """A plugin and a handler."""
    handler = on_litestar.reply_route("/replies", on_reply, token=DOOR, assumed_item_id="label")
    assert_type(handler, litestar.handlers.HTTPRouteHandler)
    return litestar.Litestar([handler], plugins=[on_litestar.MultiWhatsPlugin(make)])


def with_aiohttp(app: web.Application) -> None:
    """A context and a handler."""
    context = on_aiohttp.client_context(make)
    assert_type(context, Callable[[web.Application], AsyncIterator[None]])
    app.cleanup_ctx.append(context)
    handler = on_aiohttp.reply_handler(on_reply, token=DOOR, assumed_item_id="label")
    assert_type(handler, Callable[[web.Request], Awaitable[web.Response]])
    app.router.add_post("/replies", handler)
    assert_type(app[on_aiohttp.CLIENT], AsyncMultiWhats)


def with_telemetry() -> AsyncMultiWhats:
    """Hooks with providers of one's own, or the global ones."""
    hooks = TelemetryHooks(
        attempts=False, tracer_provider=NoOpTracerProvider(), meter_provider=NoOpMeterProvider()
    )
    counts = PrometheusHooks()
    prometheus_client.REGISTRY.register(counts)
    return AsyncMultiWhats("KEY", hooks=[hooks, counts, TelemetryHooks()])


async def in_a_test(multiwhats: MultiWhatsKit, multiwhats_server: MultiWhatsServerKit) -> None:
    """The fixtures."""
    async with multiwhats.client() as client:
        assert_type(client, AsyncMultiWhats)
    assert_type(multiwhats.last.text, str)
    assert_type(multiwhats.outbox, tuple[SandboxMessage, ...])
    assert_type(multiwhats.assert_sent(to="90", buttons=["Yes"]), SandboxMessage)
    assert_type(await multiwhats.wait_for(to="90", within=1), SandboxMessage)
    multiwhats.tap(multiwhats.last, "Yes")
    multiwhats.fail_next("429", times=2)
    app = with_fastapi()
    assert_type(await multiwhats.deliver_to(app, "/replies"), list[httpx.Response])
    async with multiwhats.running(app) as session:
        assert_type(session, httpx.AsyncClient)
    assert_type(multiwhats_server.env, dict[str, str])
    assert_type(multiwhats_server.emulator, Emulator)
    take_text(TEST_SENDER)


def take_text(_text: str) -> None:
    """Take what is a text, and more exactly one text."""


async def in_the_sandbox() -> None:
    """In memory, or on a socket."""
    emulator = Emulator()
    http = httpx.AsyncClient(transport=mock_transport(emulator))
    AsyncMultiWhats("KEY", http_client=http)
    with SandboxServer(emulator, port=0) as server:
        assert_type(server, SandboxServer)
        assert_type(server.env, dict[str, str])
