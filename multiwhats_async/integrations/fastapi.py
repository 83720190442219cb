"""FastAPI: one client for the life of the application, as a dependency, and a door for replies.

The extra ``fastapi``::

    app = FastAPI(lifespan=lifespan())
    app.include_router(reply_router("/replies", on_reply, token=TOKEN, assumed_item_id="label"))


    @app.post("/ask/{number}")
    async def ask(number: str, client: Client) -> dict[str, Any]:
        return (await client.deliver(ButtonMessage(number, "Hi", ["👍 Yes"]))).to_dict()
"""

from collections.abc import Callable
from typing import Annotated, Any

from ..client import AsyncMultiWhats
from ..replies import MAX_REPLY_BYTES, AssumedItemId
from ._web import OnReply, missing

try:
    from fastapi import APIRouter, Depends
except ModuleNotFoundError as _error:
    raise missing(_error, "fastapi") from _error

from .starlette import client_of, lifespan, reply_route

__all__ = ["Client", "client_of", "lifespan", "reply_router"]

Client = Annotated[AsyncMultiWhats, Depends(client_of)]
"""The application's client, as a parameter of an endpoint."""


def reply_router(
    path: str,
    on_reply: OnReply,
    *,
    token: str | None,
    assumed_item_id: AssumedItemId | str,
    adapt: Callable[[Any], Any] | None = None,
    max_body: int = MAX_REPLY_BYTES,
) -> APIRouter:
    """Return a router with the endpoint to which customers' choices are pushed.

    It stands in no OpenAPI document: it is for MultiWhats, not for your own clients.

    Args:
        path: Its path; see :func:`multiwhats_async.integrations.starlette.reply_route` for this
            and the others.
        on_reply: Your code: gets the reply and the client.
        token: The secret in the address.
        assumed_item_id: What ``selectedItemId`` holds.
        adapt: For a payload of another shape.
        max_body: Bytes that are read at the most.

    Raises:
        ConfigurationError: An argument cannot work.
    """
    route = reply_route(
        path,
        on_reply,
        token=token,
        assumed_item_id=assumed_item_id,
        adapt=adapt,
        max_body=max_body,
    )
    return APIRouter(routes=[route])
