import os

from litestar import Litestar, post
from litestar.exceptions import ClientException
from litestar.params import FromPath

from multiwhats_async import AsyncMultiWhats, ButtonMessage, InvalidMessageError
from multiwhats_async.integrations.litestar import Client, MultiWhatsPlugin, reply_route
from multiwhats_async.replies import Reply


async def on_reply(reply: Reply, client: AsyncMultiWhats) -> None:
    if reply.label == "👍 Yes":
        await client.send_button_message(reply.sender, "See you at 10:00!", ["🙏 Thank you"])


@post("/ask/{number:str}", status_code=200)
async def ask(number: FromPath[str], multiwhats: Client) -> dict[str, str]:
    try:
        message = ButtonMessage(number, "Is 10:00 all right?", ["👍 Yes", "⛔ No"])
    except InvalidMessageError as error:
        raise ClientException(str(error), status_code=422) from None
    return {"certainty": (await multiwhats.deliver(message)).certainty.value}


token = os.environ["REPLY_TOKEN"]
replies = reply_route("/replies", on_reply, token=token, assumed_item_id="label")
app = Litestar([ask, replies], plugins=[MultiWhatsPlugin()])
