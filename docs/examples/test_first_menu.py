from pathlib import Path

import pytest
from first_menu import create_app

from multiwhats_async.testing import MultiWhatsKit

GUEST = "905374937766"
REPLIES = "/replies?token=secret"


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REPLY_TOKEN", "secret")
    monkeypatch.setenv("MENU_SESSIONS", str(tmp_path / "first_menu.sessions"))


@pytest.mark.anyio
async def test_a_guest_orders_a_taxi(multiwhats: MultiWhatsKit) -> None:
    app = create_app(multiwhats.client)
    async with multiwhats.running(app) as web:
        await web.post(f"/guests/{GUEST}?name=Ayşe")
        for label in ("👍 Evet / Yes", "🚕 Taksi / Taxi"):
            multiwhats.tap(multiwhats.last, label)
            await multiwhats.deliver_to(app, REPLIES)
    multiwhats.assert_sent(to=GUEST, text="✅ 🚕 Taksi / Taxi", times=1)


@pytest.mark.anyio
async def test_a_tap_that_comes_twice_is_answered_once(multiwhats: MultiWhatsKit) -> None:
    app = create_app(multiwhats.client)
    async with multiwhats.running(app) as web:
        await web.post(f"/guests/{GUEST}")
        multiwhats.fail_next("webhook_duplicate")
        multiwhats.tap(multiwhats.last, "👍 Evet / Yes")
        answers = await multiwhats.deliver_to(app, REPLIES)
    assert [answer.json()["status"] for answer in answers] == ["accepted", "duplicate"]
    multiwhats.assert_sent(containing="🛎️", times=1)
