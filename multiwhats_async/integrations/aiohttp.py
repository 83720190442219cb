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
from typing import Final, Unpack

from ..client import AsyncMultiWhats
from ._web import JSON, STATE, MakeClient, OnReply, ReplyDoor, ReplyOptions, found, missing

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
    on_reply: OnReply, **options: Unpack[ReplyOptions]
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return a handler for the path to which customers' choices are pushed: ``POST …?token=…``.

    It answers as :class:`~multiwhats_async.replies.ReplyHandler` says.

    Args:
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

    async def replies(request: web.Request) -> web.Response:
        client = request.config_dict.get(CLIENT)
        status, body = await door.take(
            found(client), request.content.iter_any(), request.query.get("token")
        )
        return web.Response(body=body, status=status, content_type=JSON)

    return replies
