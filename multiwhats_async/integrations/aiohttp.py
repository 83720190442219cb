"""aiohttp: one client for the life of the application, and an endpoint for replies.

The extra ``aiohttp``::

    async def ask(request: web.Request) -> web.Response:
        outcome = await request.app[CLIENT].deliver(message)
        ...


    app = web.Application()
    app.cleanup_ctx.append(client_context())
    app.router.add_post("/ask/{number}", ask)
    app.router.add_post(
        "/replies", reply_handler(on_reply, token=TOKEN, assumed_item_id="label")
    )
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from ..client import AsyncMultiWhats
from ..replies import MAX_REPLY_BYTES, AssumedItemId
from ._web import JSON, STATE, MakeClient, OnReply, ReplyDoor, found, missing

try:
    from aiohttp import web
except ModuleNotFoundError as _error:
    raise missing(_error, "aiohttp") from _error

__all__ = ["CLIENT", "client_context", "reply_handler"]

CLIENT: Final = web.AppKey(STATE, AsyncMultiWhats)
"""The key of the client: ``request.app[CLIENT]``, or ``request.config_dict[CLIENT]`` in a
sub-application."""


def client_context(
    make_client: MakeClient = AsyncMultiWhats,
) -> Callable[[web.Application], AsyncIterator[None]]:
    """Return what opens a client when the application starts, and closes it at its end.

    Args:
        make_client: Makes the client: :class:`AsyncMultiWhats` itself takes its settings from the
            environment. In tests it is ``multiwhats.client``.

    Returns:
        A function for ``app.cleanup_ctx``.
    """

    async def opened(app: web.Application) -> AsyncIterator[None]:
        async with make_client() as client:
            app[CLIENT] = client
            yield

    return opened


def reply_handler(
    on_reply: OnReply,
    *,
    token: str | None,
    assumed_item_id: AssumedItemId | str,
    adapt: Callable[[Any], Any] | None = None,
    max_body: int = MAX_REPLY_BYTES,
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return a handler for the path to which customers' choices are pushed: ``POST …?token=…``.

    It answers as :class:`~multiwhats_async.replies.ReplyHandler` says.

    Args:
        on_reply: Your code, sync or async: gets the :class:`~multiwhats_async.replies.Reply` and
            the application's client. Where it raises, the choice is taken again when it is pushed
            again; so raise for a message that is ``not_sent``, never for one that is ``unknown``.
        token: The secret in the address; None takes deliveries from anybody.
        assumed_item_id: What ``selectedItemId`` holds: ``"label"``, ``"index_from_0"`` or
            ``"index_from_1"``. The vendor does not document it.
        adapt: For a payload of another shape.
        max_body: Bytes that are read at the most.

    Raises:
        ConfigurationError: An argument cannot work.
    """
    door = ReplyDoor(
        on_reply, token=token, assumed_item_id=assumed_item_id, adapt=adapt, max_body=max_body
    )

    async def replies(request: web.Request) -> web.Response:
        client = request.config_dict.get(CLIENT)
        status, body = await door.take(
            found(client), request.content.iter_any(), request.query.get("token")
        )
        return web.Response(body=body, status=status, content_type=JSON)

    return replies
