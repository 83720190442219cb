"""The worked example: a hotel's guest menu, as a web service beside the sandbox."""

import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from menus.guests import GUEST, OURS

from multiwhats_async.sandbox import Emulator, SandboxServer

EXAMPLES = Path(__file__).parent.parent.parent / "docs" / "examples"
TOKEN = "secret"  # noqa: S105 - the example's

TURKISH = [
    "Merhaba Çağrı 👋 Hangi dilde yazalım?\n\nWelcome! Which language do you prefer?",
    "Konaklamanız boyunca size buradan yazmamıza izin verir misiniz? 📨",
    "Sizin için ne yapabiliriz? 🛎️",
    "✅ Odaya kahvaltı isteğinizi aldık.\nReferans: ",
]
ENGLISH = [
    TURKISH[0],
    "May we write to you here during your stay? 📨",
    "What may we do for you? 🛎️",
    "✅ We have noted a taxi for you.\nReference: ",
]


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SandboxServer]:
    """Run a sandbox, and point the example's environment at it."""
    emulator = Emulator(webhook=f"http://127.0.0.1:1/replies?token={TOKEN}")
    with SandboxServer(emulator, port=0) as server:
        settings = {
            "MULTIWHATS_FROM": OURS,
            "REPLY_TOKEN": TOKEN,
            "HOTEL_SESSIONS": str(tmp_path / "hotel.sessions"),
        }
        for name, value in (server.env | settings).items():
            monkeypatch.setenv(name, value)
        monkeypatch.syspath_prepend(str(EXAMPLES))
        yield server


@asynccontextmanager
async def hotel() -> AsyncGenerator[httpx.AsyncClient, None]:
    """Start the example's service; return a client of it."""
    import hotel_menu  # noqa: PLC0415  # an example, importable only now

    app = hotel_menu.app
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hotel") as web,
    ):
        yield web


async def push(web: httpx.AsyncClient, emulator: Emulator, label: str) -> httpx.Response:
    """Tap a button of the newest message, and push the choice as the sandbox does."""
    message = emulator.messages[-1]
    if message.tap is None:
        emulator.tap(message.id, label=label)
    body = json.dumps(emulator.store.deliveries[0].body).encode()
    return await web.post("/replies", params={"token": TOKEN}, content=body)


def texts(emulator: Emulator) -> list[str]:
    """Return the texts of all messages, without what is another one each time."""
    return [message.text.partition("\nRef")[0] for message in emulator.messages]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["🇹🇷 Türkçe", "👍 Evet", "🍳 Odaya kahvaltı", "🙏 Teşekkürler"], TURKISH),
        (["🇬🇧 English", "👍 Yes", "🚕 Taxi", "🙏 Thank you"], ENGLISH),
        (["🇹🇷 Türkçe", "⛔ Hayır"], TURKISH[:2]),
        (["🇬🇧 English", "⛔ No"], ENGLISH[:2]),
    ],
)
async def test_a_guest_taps_through_the_menu(
    labels: list[str], expected: list[str], anyio_backend: str, sandbox: SandboxServer
) -> None:
    """In both languages; after a no nothing more is sent; no tap counts twice."""
    emulator = sandbox.emulator
    async with hotel() as web:
        welcomed = await web.post(f"/guests/+{GUEST}", params={"name": "Çağrı"})
        assert welcomed.json() == {"certainty": "accepted"}
        for label in labels:
            assert (await push(web, emulator, label)).json() == {"status": "accepted"}
            body = json.dumps(emulator.store.deliveries[0].body).encode()
            again = await web.post("/replies", params={"token": TOKEN}, content=body)
            assert again.json() == {"status": "duplicate"}
    assert texts(emulator) == [text.partition("\nRef")[0] for text in expected]


@pytest.mark.anyio
async def test_it_goes_on_after_a_restart(anyio_backend: str, sandbox: SandboxServer) -> None:
    """The session is in its file; a tap that is pushed again sends nothing twice."""
    emulator = sandbox.emulator
    async with hotel() as web:
        await web.post(f"/guests/{GUEST}", params={"name": "Çağrı"})
        await push(web, emulator, "🇬🇧 English")
    body = json.dumps(emulator.store.deliveries[0].body).encode()
    async with hotel() as web:
        again = await web.post("/replies", params={"token": TOKEN}, content=body)
        assert again.json() == {"status": "accepted"}
        assert len(emulator.messages) == 2
        await push(web, emulator, "👍 Yes")
    assert texts(emulator) == ENGLISH[:3]


@pytest.mark.anyio
async def test_what_it_refuses(anyio_backend: str, sandbox: SandboxServer) -> None:
    """Another token, a number that is none."""
    async with hotel() as web:
        assert (await web.post("/replies", content=b"{}")).status_code == 401
        answer = await web.post("/guests/0537")
    assert (answer.status_code, "begins with 0" in answer.json()["error"]) == (422, True)
    assert sandbox.emulator.messages == ()
