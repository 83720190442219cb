"""A hotel's guest menu in Turkish and English: ask consent, choose a service, confirm.

Three terminals, no account:

    multiwhats sandbox --webhook "http://127.0.0.1:8000/replies?token=secret" --open

    export MULTIWHATS_BASE_URL=… MULTIWHATS_API_KEY=…    # the two lines that the sandbox printed
    export MULTIWHATS_FROM=908503080335 REPLY_TOKEN=secret
    uvicorn hotel_menu:app --app-dir docs/examples

    curl -X POST "http://127.0.0.1:8000/guests/905374937766?name=Ada"

Then tap on the phone in the sandbox's page.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from multiwhats_async import AsyncMultiWhats, InvalidMessageError
from multiwhats_async.menus import ActionContext, Menu, MenuEngine, SQLiteMenuStore
from multiwhats_async.replies import ReplyHandler

MENU = Menu.from_toml(r"""
name = "hotel"
start = "language"
variables = ["guest", "reference"]  # the program gives these: at the start, and from book()

[stages.language]
text = "Merhaba {guest} 👋 Hangi dilde yazalım?\n\nWelcome! Which language do you prefer?"
options = [
  { label = "🇹🇷 Türkçe", to = "izin" },
  { label = "🇬🇧 English", to = "consent" },
]

[stages.izin]
text = "Konaklamanız boyunca size buradan yazmamıza izin verir misiniz? 📨"
options = [
  { label = "👍 Evet", to = "hizmet" },
  { label = "⛔ Hayır" },  # no stage follows: the guest is not written to again
]

[stages.hizmet]
text = "Sizin için ne yapabiliriz? 🛎️"
options = [
  { label = "🍳 Odaya kahvaltı", action = "book", to = "onay", value = "Odaya kahvaltı" },
  { label = "🚕 Taksi", action = "book", to = "onay", value = "Taksi" },
  { label = "🕐 Geç çıkış", action = "book", to = "onay", value = "Geç çıkış" },
]

[stages.onay]
text = "✅ {hizmet} isteğinizi aldık.\nReferans: {reference}"
options = [{ label = "🙏 Teşekkürler" }]

[stages.consent]
text = "May we write to you here during your stay? 📨"
options = [{ label = "👍 Yes", to = "service" }, { label = "⛔ No" }]

[stages.service]
text = "What may we do for you? 🛎️"
options = [
  { label = "🍳 Breakfast in room", action = "book", to = "confirmed", value = "breakfast" },
  { label = "🚕 Taxi", action = "book", to = "confirmed", value = "a taxi" },
  { label = "🕐 Late check-out", action = "book", to = "confirmed", value = "a late check-out" },
]

[stages.confirmed]
text = "✅ We have noted {service} for you.\nReference: {reference}"
options = [{ label = "🙏 Thank you" }]
""")


async def book(context: ActionContext) -> dict[str, str]:
    """Book what was tapped. After a crash this may run again, so the reference is the tap's own."""
    return {"reference": context.reply.key[:6]}


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    store = SQLiteMenuStore(os.environ.get("HOTEL_SESSIONS", "hotel.sessions"))
    async with (
        AsyncMultiWhats() as client,
        MenuEngine(client, MENU, store, actions={"book": book}) as engine,
    ):
        app.state.engine = engine
        app.state.replies = ReplyHandler(
            engine.handle, token=os.environ["REPLY_TOKEN"], assumed_item_id="label"
        )
        yield


async def welcome(request: Request) -> Response:
    name = request.query_params.get("name", "👤")
    try:
        outcome = await request.app.state.engine.start(
            request.path_params["number"], data={"guest": name}
        )
    except InvalidMessageError as error:
        return JSONResponse({"error": str(error)}, 422)
    return JSONResponse({"certainty": outcome.certainty.value})


async def replies(request: Request) -> Response:
    token = request.query_params.get("token")
    status, body = await request.app.state.replies.handle_stream(request.stream(), token)
    return Response(body, status, media_type="application/json")


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/guests/{number}", welcome, methods=["POST"]),
        Route("/replies", replies, methods=["POST"]),
    ],
)
