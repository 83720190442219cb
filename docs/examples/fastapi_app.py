from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, HTTPException

from multiwhats_async import AsyncMultiWhats, ButtonMessage, InvalidMessageError


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncMultiWhats() as app.state.whatsapp:
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/ask/{number}")
async def ask(number: str) -> dict[str, Any]:
    try:
        message = ButtonMessage(number, "Is 10:00 all right?", ["👍 Yes", "⛔ No"])
    except InvalidMessageError as error:
        raise HTTPException(422, str(error)) from None
    return (await app.state.whatsapp.deliver(message)).to_dict()
