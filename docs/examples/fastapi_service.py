import os
from collections.abc import Callable

from fastapi import FastAPI, HTTPException

from multiwhats_async import AsyncMultiWhats, ButtonMessage, InvalidMessageError
from multiwhats_async.integrations.fastapi import Client, lifespan, reply_router
from multiwhats_async.replies import Reply

ANSWERS = {"👍 Yes": "See you at 10:00!", "⛔ No": "Another time, then."}


async def on_reply(reply: Reply, client: AsyncMultiWhats) -> None:
    if reply.label in ANSWERS:  # else it is the thanks for an answer: the conversation ends here
        await client.send_button_message(
            reply.sender, ANSWERS[reply.label], ["🙏 Thank you"], sender=reply.recipient
        )


def create_app(make_client: Callable[[], AsyncMultiWhats] = AsyncMultiWhats) -> FastAPI:
    app = FastAPI(lifespan=lifespan(make_client))
    token = os.environ["REPLY_TOKEN"]
    app.include_router(reply_router("/replies", on_reply, token=token, assumed_item_id="label"))

    @app.post("/ask/{number}")
    async def ask(number: str, client: Client) -> dict[str, str]:
        try:
            message = ButtonMessage(number, "Is 10:00 all right?", [*ANSWERS])
        except InvalidMessageError as error:
            raise HTTPException(422, str(error)) from None
        return {"certainty": (await client.deliver(message)).certainty.value}

    return app
