"""FastAPI: one client for the life of the application, as a dependency, and a door for replies.

The extra ``fastapi``::

    app = FastAPI(lifespan=lifespan())
    app.include_router(reply_router("/replies", on_reply, token=TOKEN, assumed_item_id="label"))


    @app.post("/ask/{number}")
    async def ask(number: str, client: Client) -> dict[str, Any]:
        return (await client.deliver(ButtonMessage(number, "Hi", ["👍 Yes"]))).to_dict()
"""

from typing import Annotated, Unpack

from ..client import AsyncMultiWhats
from ._web import OnReply, ReplyOptions, missing

try:
    from fastapi import APIRouter, Depends
except ModuleNotFoundError as _error:
    raise missing(_error, "fastapi") from _error

from .starlette import client_of, lifespan, reply_route

__all__ = ["Client", "client_of", "lifespan", "reply_router"]

Client = Annotated[AsyncMultiWhats, Depends(client_of)]
"""The application's client, as a parameter of an endpoint."""


def reply_router(path: str, on_reply: OnReply, **options: Unpack[ReplyOptions]) -> APIRouter:
    """Return a router with the endpoint to which customers' choices are pushed.

    It stands in no OpenAPI document: it is for MultiWhats, not for your own clients.

    Args:
        path: Its path.
        on_reply: Your code; see :func:`multiwhats_async.integrations.starlette.reply_route` for
            it and for the options.
        options: ``token``, ``assumed_item_id``, ``adapt``, ``max_body``.

    Raises:
        ConfigurationError: An argument cannot work.
    """
    return APIRouter(routes=[reply_route(path, on_reply, **options)])
