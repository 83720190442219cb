import os

from fastapi import FastAPI, Request, Response

from multiwhats_async.replies import Reply, ReplyHandler


async def on_reply(reply: Reply) -> None:
    print(f"…{reply.sender[-4:]} chose {reply.label!r} of message {reply.queue_id}")


handler = ReplyHandler(
    on_reply,
    token=os.environ["REPLY_TOKEN"],
    assumed_item_id="label",  # MultiWhats does not document it: check what your account pushes
)
app = FastAPI()


@app.post("/replies")
async def replies(request: Request, token: str = "") -> Response:
    status, body = await handler.handle_stream(request.stream(), token)
    return Response(body, status, media_type="application/json")
