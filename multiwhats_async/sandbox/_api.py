"""The test API: what a test, a script and the page ask of the sandbox. See ``openapi.json``."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

import anyio
import attrs
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from multiwhats_async._version import __version__
from multiwhats_async.replies import AssumedItemId

from . import _views as views
from ._query import (
    DEFAULT_WAIT_SECONDS,
    MAX_WAIT_SECONDS,
    ApiError,
    Query,
    bad,
    error,
    fields_of,
    filters_of,
    id_of,
)
from ._reading import BASE_PATH
from ._stream import EventStream, gone
from .emulator import Emulator
from .messages import SandboxError
from .pushes import shown_url

MAX_BUTTON: Final = 1_000
MAX_LABEL: Final = 10_000
MAX_FAULT: Final = 200
"""Characters of a fault's text form. Ours."""

MAX_FAULTS: Final = 100
"""Faults in a plan that is added to over the API: each costs every request a little."""

_STATUS_OF: Final = {
    "not_found": 404,
    "already_tapped": 409,
    "no_webhook": 409,
    "no_such_button": 422,
    "invalid_webhook": 422,
}

Item = TypeVar("Item")
Handler = Callable[[Request], Awaitable[Response]]


async def http_error(_request: Request, exception: Exception) -> Response:
    """Answer what Starlette itself refuses: a path or a method that is not there."""
    assert isinstance(exception, HTTPException)  # noqa: S101 - registered for it alone
    words = {404: "not_found", 405: "method_not_allowed"}
    answer = error(
        exception.status_code,
        words.get(exception.status_code, "refused"),
        f"{exception.detail}. See /sandbox/openapi.json.",
    )
    answer.headers.update(exception.headers or {})
    return answer


class Api:
    """The handlers. One a path and method, named as in ``openapi.json``."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._store = emulator.store

    # --- the sandbox itself -------------------------------------------------------------------

    async def info(self, request: Request) -> Response:
        emulator = self._emulator
        return JSONResponse(
            {
                "version": __version__,
                "base_url": f"{request.url.scheme}://{request.headers['host']}{BASE_PATH}",
                "api_key": emulator.api_key if emulator.any_key else None,
                "keep": self._store.keep,
            }
        )

    async def stats(self, _request: Request) -> Response:
        return JSONResponse(self._stats())

    async def reset(self, _request: Request) -> Response:
        self._emulator.reset()
        return Response(status_code=204)

    async def events(self, _request: Request) -> Response:
        return EventStream(self._store, self._stats)

    async def openapi(self, _request: Request) -> Response:
        return JSONResponse(openapi_document())

    # --- messages -----------------------------------------------------------------------------

    async def list_messages(self, request: Request) -> Response:
        query = Query(request)
        found = self._store.find_messages(
            **filters_of(query), before=query.whole("before", least=1)
        )
        return _page(found, views.message_summary, query.limit(), _id)

    async def wait_for_message(self, request: Request) -> Response:
        query = Query(request)
        filters = filters_of(query)
        timeout = query.seconds("timeout", default=DEFAULT_WAIT_SECONDS, most=MAX_WAIT_SECONDS)
        answer = Response(status_code=204)

        async def search(scope: anyio.CancelScope) -> None:
            nonlocal answer
            with self._store.bell.listener() as listener:
                while True:
                    newest = self._store.last_id
                    fitting = [*self._store.find_messages(**filters)]
                    if fitting:
                        answer = JSONResponse(views.message_view(fitting[-1]))
                        break
                    filters["after"] = max(filters["after"], newest)
                    await listener.wait()
            scope.cancel()

        with anyio.move_on_after(timeout):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(search, tasks.cancel_scope)
                await gone(request.receive)
                tasks.cancel_scope.cancel()
        return answer

    async def get_message(self, request: Request) -> Response:
        return JSONResponse(views.message_view(self._store.message(id_of(request))))

    async def tap(self, request: Request) -> Response:
        number = id_of(request)
        fields = await fields_of(request, {"index": int, "label": str})
        if len(fields) != 1:
            raise bad("body", 'write {"index": 0} or {"label": "…"}')
        if not 0 <= fields.get("index", 0) <= MAX_BUTTON:
            raise bad("index", f"count from 0 to {MAX_BUTTON}")
        if not 1 <= len(fields.get("label", "-")) <= MAX_LABEL:
            raise bad("label", f"write 1 to {MAX_LABEL} characters")
        message, deliveries = self._store.tap(number, **fields)
        return JSONResponse(
            {
                "message": views.message_view(message),
                "deliveries": [views.delivery_summary(delivery) for delivery in deliveries],
            }
        )

    async def list_conversations(self, request: Request) -> Response:
        query = Query(request)
        before, limit, text = query.whole("before", least=1), query.limit(), query.text("q")
        found = self._store.conversations(text=text, before=before)
        return _page(found, views.conversation_view, limit, lambda one: one.last.id)

    async def list_refusals(self, request: Request) -> Response:
        return self._before(request, self._store.refusals, views.refusal_view)

    # --- the webhook --------------------------------------------------------------------------

    async def list_deliveries(self, request: Request) -> Response:
        message = Query(request).whole("message", least=1)
        found = [
            one for one in self._store.deliveries if message is None or one.message_id == message
        ]
        return self._before(request, found, views.delivery_summary)

    async def get_delivery(self, request: Request) -> Response:
        return JSONResponse(views.delivery_view(self._store.delivery(id_of(request))))

    async def replay(self, request: Request) -> Response:
        return JSONResponse(views.delivery_view(self._store.replay(id_of(request))))

    async def get_webhook(self, _request: Request) -> Response:
        return JSONResponse(views.webhook_view(self._store.webhook))

    async def set_webhook(self, request: Request) -> Response:
        fields = await fields_of(request, {"url": (str, type(None)), "item_id": str})
        if "url" not in fields:
            raise bad("url", "write an address, or null")
        webhook, url = self._store.webhook, fields["url"]
        if url is not None and webhook.url is not None and url == shown_url(webhook.url):
            url = webhook.url  # as it was shown: its secrets stay as they are
        if url == "":
            raise bad("url", "write an address, or null")
        try:
            item_id = AssumedItemId(fields.get("item_id", webhook.item_id))
        except ValueError:
            raise bad("item_id", f"write one of {', '.join(AssumedItemId)}") from None
        self._store.set_webhook(attrs.evolve(webhook, url=url, item_id=item_id))
        return await self.get_webhook(request)

    # --- faults -------------------------------------------------------------------------------

    async def list_faults(self, _request: Request) -> Response:
        return JSONResponse(self._faults())

    async def add_fault(self, request: Request) -> Response:
        fields = await fields_of(request, {"fault": str})
        text = fields.get("fault", "")
        if not 1 <= len(text) <= MAX_FAULT:
            raise bad("fault", f"write 1 to {MAX_FAULT} characters, such as 429=1@every:50")
        if len(self._emulator.faults.faults) >= MAX_FAULTS:
            raise ApiError(409, "too_many", f"There are {MAX_FAULTS} faults already: clear them.")
        try:
            self._emulator.faults.add(text)
        except ValueError as problem:
            raise bad("fault", str(problem)) from None
        self._store.settings_changed()
        return JSONResponse(self._faults(), 201)

    async def clear_faults(self, _request: Request) -> Response:
        self._emulator.faults.clear()
        self._store.settings_changed()
        return Response(status_code=204)

    # ------------------------------------------------------------------------------------------

    def _stats(self) -> views.Json:
        stats = attrs.asdict(self._emulator.stats())
        return {
            **stats,
            "by_status": {str(one): count for one, count in stats["by_status"].items()},
        }

    def _faults(self) -> views.Json:
        magic = {ending: str(fault) for ending, fault in self._emulator.magic_numbers.items()}
        return views.faults_view(self._emulator.faults, magic_numbers=magic)

    def _before(
        self, request: Request, found: Iterable[Any], view: Callable[[Any], views.Json]
    ) -> Response:
        """Return a page of things with ids, those before one."""
        query = Query(request)
        before = query.whole("before", least=1)
        rest = (one for one in found if before is None or one.id < before)
        return _page(rest, view, query.limit(), _id)


def routes_of(emulator: Emulator) -> list[BaseRoute]:
    """Return the routes of the test API, without the ``/sandbox`` before them."""
    api = Api(emulator)
    table: dict[str, dict[str, Handler]] = {
        "/info": {"GET": api.info},
        "/stats": {"GET": api.stats},
        "/reset": {"POST": api.reset},
        "/events": {"GET": api.events},
        "/openapi.json": {"GET": api.openapi},
        "/messages": {"GET": api.list_messages},
        "/messages/wait": {"GET": api.wait_for_message},
        "/messages/{id}": {"GET": api.get_message},
        "/messages/{id}/tap": {"POST": api.tap},
        "/conversations": {"GET": api.list_conversations},
        "/refusals": {"GET": api.list_refusals},
        "/deliveries": {"GET": api.list_deliveries},
        "/deliveries/{id}": {"GET": api.get_delivery},
        "/deliveries/{id}/replay": {"POST": api.replay},
        "/webhook": {"GET": api.get_webhook, "PUT": api.set_webhook},
        "/faults": {
            "GET": api.list_faults,
            "POST": api.add_fault,
            "DELETE": api.clear_faults,
        },
    }
    return [
        Route(path, partial(_answer, handlers), methods=[*handlers])
        for path, handlers in table.items()
    ]


def openapi_document() -> dict[str, Any]:
    """Return the document that describes the test API."""
    text = Path(__file__).with_name("openapi.json").read_text("utf-8")
    document: dict[str, Any] = json.loads(text)
    document["info"]["version"] = __version__
    return document


async def _answer(handlers: Mapping[str, Handler], request: Request) -> Response:
    """Return a handler's answer, or the error that it raises as one."""
    try:
        return await handlers["GET" if request.method == "HEAD" else request.method](request)
    except ApiError as problem:
        return problem.response
    except SandboxError as problem:
        return error(_STATUS_OF[problem.code], problem.code, str(problem))


def _id(item: Any) -> int:
    return int(item.id)


def _page(
    found: Iterable[Item],
    view: Callable[[Item], views.Json],
    limit: int,
    number: Callable[[Item], int],
) -> Response:
    """Return the first items, and where the next page begins."""
    items = [*islice(found, limit + 1)]
    more = len(items) > limit
    items = items[:limit]
    return JSONResponse(
        {"items": [view(item) for item in items], "next": number(items[-1]) if more else None}
    )
