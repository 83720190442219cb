import os

from aiohttp import web

from multiwhats_async import AsyncMultiWhats, ButtonMessage, InvalidMessageError
from multiwhats_async.integrations.aiohttp import CLIENT, client_context, reply_handler
from multiwhats_async.replies import Reply


async def on_reply(reply: Reply, client: AsyncMultiWhats) -> None:
    if reply.label == "👍 Yes":
        await client.send_button_message(reply.sender, "See you at 10:00!", ["🙏 Thank you"])


async def ask(request: web.Request) -> web.Response:
    number = request.match_info["number"]
    try:
        message = ButtonMessage(number, "Is 10:00 all right?", ["👍 Yes", "⛔ No"])
    except InvalidMessageError as error:
        return web.json_response({"error": str(error)}, status=422)
    outcome = await request.app[CLIENT].deliver(message)
    return web.json_response({"certainty": outcome.certainty.value})


def create_app() -> web.Application:
    app = web.Application()
    app.cleanup_ctx.append(client_context())
    app.router.add_post("/ask/{number}", ask)
    token = os.environ["REPLY_TOKEN"]
    app.router.add_post("/replies", reply_handler(on_reply, token=token, assumed_item_id="label"))
    return app


if __name__ == "__main__":
    web.run_app(create_app(), host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
