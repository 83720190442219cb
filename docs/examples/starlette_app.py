import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from multiwhats_async import AsyncMultiWhats, ButtonMessage, InvalidMessageError
from multiwhats_async.integrations.starlette import client_of, lifespan, reply_route
from multiwhats_async.replies import Reply


async def on_reply(reply: Reply, client: AsyncMultiWhats) -> None:
    if reply.label == "👍 Yes":
        await client.send_button_message(reply.sender, "See you at 10:00!", ["🙏 Thank you"])


async def ask(request: Request) -> Response:
    number = request.path_params["number"]
    try:
        message = ButtonMessage(number, "Is 10:00 all right?", ["👍 Yes", "⛔ No"])
    except InvalidMessageError as error:
        return JSONResponse({"error": str(error)}, 422)
    outcome = await client_of(request).deliver(message)
    return JSONResponse({"certainty": outcome.certainty.value})


token = os.environ["REPLY_TOKEN"]
app = Starlette(
    lifespan=lifespan(),
    routes=[
        Route("/ask/{number}", ask, methods=["POST"]),
        reply_route("/replies", on_reply, token=token, assumed_item_id="label"),
    ],
)
