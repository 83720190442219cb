"""Litestar: one client for the life of the application, injected, and an endpoint for replies.

The extra ``litestar``::

    @post("/ask/{number:str}")
    async def ask(number: FromPath[str], multiwhats: Client) -> dict[str, Any]:
        return (await multiwhats.deliver(ButtonMessage(number, "Hi", ["👍 Yes"]))).to_dict()


    replies = reply_route("/replies", on_reply, token=TOKEN, assumed_item_id="label")
    app = Litestar([ask, replies], plugins=[MultiWhatsPlugin()])
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Unpack

from ..client import AsyncMultiWhats
from ._web import JSON, STATE, MakeClient, OnReply, ReplyDoor, ReplyOptions, found, missing

try:
    from litestar import Litestar, Request, Response, post
    from litestar.config.app import AppConfig
    from litestar.datastructures import State
    from litestar.di import NamedDependency, Provide
    from litestar.handlers import HTTPRouteHandler
    from litestar.plugins import InitPlugin
except ModuleNotFoundError as _error:
    raise missing(_error, "litestar") from _error

__all__ = ["Client", "MultiWhatsPlugin", "client_of", "reply_route"]

Client = NamedDependency[AsyncMultiWhats]
"""The application's client, as the parameter ``multiwhats`` of a handler."""


class MultiWhatsPlugin(InitPlugin):
    """Opens a client when the application starts, closes it at its end, and injects it.

    A handler gets it as its parameter ``multiwhats: Client``.

    Args:
        make_client: Makes the client: :class:`AsyncMultiWhats` itself takes its settings from the
            environment. In tests it is ``multiwhats.client``.
    """

    def __init__(self, make_client: MakeClient = AsyncMultiWhats) -> None:
        self._make_client = make_client

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Add the lifespan and the dependency to an application."""
        app_config.lifespan.append(self._opened)
        app_config.dependencies[STATE] = Provide(client_of, sync_to_thread=False)
        return app_config

    @asynccontextmanager
    async def _opened(self, app: Litestar) -> AsyncGenerator[None, None]:
        async with self._make_client() as client:
            app.state[STATE] = client
            try:
                yield
            finally:
                del app.state[STATE]


def client_of(state: State) -> AsyncMultiWhats:
    """Return the application's client.

    Args:
        state: The application's state.

    Raises:
        ConfigurationError: :class:`MultiWhatsPlugin` has not opened it.
    """
    return found(state.get(STATE))


def reply_route(path: str, on_reply: OnReply, **options: Unpack[ReplyOptions]) -> HTTPRouteHandler:
    """Return the endpoint to which customers' choices are pushed: ``POST path?token=…``.

    It answers as :class:`~multiwhats_async.replies.ReplyHandler` says, and stands in no OpenAPI
    document: it is for MultiWhats, not for your own clients.

    Args:
        path: Its path.
        on_reply: Your code, sync or async: gets the :class:`~multiwhats_async.replies.Reply` and
            the application's client. Where it raises, the choice is taken again when it is pushed
            again, except for an ``OutcomeUnknownError``: that message may have gone out.
        options: ``token``, the secret in the address (None takes deliveries from anybody);
            ``assumed_item_id``, what ``selectedItemId`` holds, which the vendor does not document:
            ``"label"``, ``"index_from_0"`` or ``"index_from_1"``; ``adapt`` and ``max_body``: see
            :class:`~multiwhats_async.replies.ReplyHandler`.

    Raises:
        ConfigurationError: An argument cannot work.
    """
    door = ReplyDoor(on_reply, options)

    @post(path, include_in_schema=False)
    async def replies(request: Request[Any, Any, Any]) -> Response[bytes]:
        status, body = await door.take(
            client_of(request.app.state), request.stream(), request.query_params.get("token")
        )
        return Response(body, status_code=status, media_type=JSON)

    return replies
