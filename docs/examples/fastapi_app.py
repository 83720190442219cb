from typing import Any

from fastapi import FastAPI, HTTPException

from multiwhats_async import ButtonMessage, InvalidMessageError
from multiwhats_async.integrations.fastapi import Client, lifespan

app = FastAPI(lifespan=lifespan())


@app.post("/ask/{number}")
async def ask(number: str, client: Client) -> dict[str, Any]:
    try:
        message = ButtonMessage(number, "Is 10:00 all right?", ["👍 Yes", "⛔ No"])
    except InvalidMessageError as error:
        raise HTTPException(422, str(error)) from None
    return (await client.deliver(message)).to_dict()
