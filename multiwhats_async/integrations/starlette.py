"""Starlette: one client for the life of the application, and an endpoint for replies.

The extra ``starlette``. On asyncio and on trio, as the server is::

    async def ask(request: Request) -> Response:
        outcome = await client_of(request).deliver(message)
        ...


    app = Starlette(
        lifespan=lifespan(),
        routes=[
            Route("/ask/{number}", ask, methods=["POST"]),
            reply_route("/replies", on_reply, token=TOKEN, assumed_item_id="label"),
        ],
    )
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Unpack

from ..client import AsyncMultiWhats
from ._web import JSON, STATE, MakeClient, OnReply, ReplyDoor, ReplyOptions, found, missing

try:
    from starlette.requests import HTTPConnection, Request
    from starlette.responses import Response
    from starlette.routing import Route
except ModuleNotFoundError as _error:
    raise missing(_error, "starlette") from _error

__all__ = ["client_of", "lifespan", "reply_route"]

Lifespan = Callable[[Any], AbstractAsyncContextManager[dict[str, Any]]]


def lifespan(make_client: MakeClient = AsyncMultiWhats) -> Lifespan:
    """Return a lifespan that opens a client when the application starts, and closes it at its end.

    An application that has a lifespan of its own runs this one within it::

        @asynccontextmanager
        async def own(app: Starlette) -> AsyncIterator[dict[str, Any]]:
            async with opened(app) as state:  # opened = lifespan()
                yield {**state, "database": …}

    Args:
        make_client: Makes the client: :class:`AsyncMultiWhats` itself takes its settings from the
            environment. In tests it is ``multiwhats.client``.
    """

    @asynccontextmanager
    async def opened(_app: object) -> AsyncGenerator[dict[str, Any], None]:
        async with make_client() as client:
            yield {STATE: client}

    return opened


def client_of(connection: HTTPConnection) -> AsyncMultiWhats:
    """Return the application's client.

    Args:
        connection: The request, or the web socket.

    Raises:
        ConfigurationError: :func:`lifespan` has not opened it.
    """
    return found(getattr(connection.state, STATE, None))


def reply_route(path: str, on_reply: OnReply, **options: Unpack[ReplyOptions]) -> Route:
    """Return the endpoint to which customers' choices are pushed: ``POST path?token=…``.

    It answers as :class:`~multiwhats_async.replies.ReplyHandler` says.

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

    async def replies(request: Request) -> Response:
        status, body = await door.take(
            client_of(request), request.stream(), request.query_params.get("token")
        )
        return Response(body, status, media_type=JSON)

    return Route(path, replies, methods=["POST"], include_in_schema=False)
