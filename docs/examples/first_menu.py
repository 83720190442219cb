import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, HTTPException, Request, Response

from multiwhats_async import AsyncMultiWhats, InvalidMessageError
from multiwhats_async.menus import Menu, MenuEngine, SQLiteMenuStore
from multiwhats_async.replies import ReplyHandler

MENU = Menu.load(Path(__file__).with_name("first_menu.toml"))


def create_app(make_client: Callable[[], AsyncMultiWhats] = AsyncMultiWhats) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        store = SQLiteMenuStore(os.environ.get("MENU_SESSIONS", "first_menu.sessions"))
        async with make_client() as client, MenuEngine(client, MENU, store) as engine:
            app.state.engine = engine
            app.state.replies = ReplyHandler(
                engine.handle, token=os.environ["REPLY_TOKEN"], assumed_item_id="label"
            )
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/guests/{number}")
    async def welcome(number: str, name: str = "👤") -> dict[str, str]:
        try:
            outcome = await app.state.engine.start(number, data={"guest": name})
        except InvalidMessageError as error:
            raise HTTPException(422, str(error)) from None
        return {"certainty": outcome.certainty.value}

    @app.post("/replies")
    async def replies(request: Request, token: str = "") -> Response:
        status, body = await app.state.replies.handle_stream(request.stream(), token)
        return Response(body, status, media_type="application/json")

    return app
