"""The whole loop: send, see the message on the phone, tap, and the program answers."""

import sys
from pathlib import Path

import httpx
import pytest
from browser.stage import GUEST, OURS, Stage, button, expect, turn
from serving import serving

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def test_a_guest_walks_the_hotels_menu_by_taps_alone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each tap reaches the worked example through the webhook, and its next stage shows."""
    settings = {"MULTIWHATS_FROM": OURS, "REPLY_TOKEN": "secret"}
    settings["HOTEL_SESSIONS"] = str(tmp_path / "hotel.sessions")
    for name, value in (stage.server.env | settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.delitem(sys.modules, "hotel_menu", raising=False)
    import hotel_menu  # noqa: PLC0415  # an example, importable only now

    page = stage.open(f"?to={GUEST}")
    with serving(hotel_menu.app) as program:
        page.get_by_test_id("webhook-edit").click()
        page.locator("#hook-url").fill(f"{program}/replies?token=secret")
        page.keyboard.press("Enter")
        expect(page.get_by_test_id("webhook")).to_have_text(f"{program}/replies?token=****")

        started = httpx.post(f"{program}/guests/{GUEST}", params={"name": "Ayşe"})
        assert started.json() == {"certainty": "accepted"}
        walk = [
            ("Merhaba Ayşe 👋", 0, "🇹🇷 Türkçe"),
            ("izin verir misiniz?", 0, "👍 Evet"),
            ("Sizin için ne yapabiliriz? 🛎️", 1, "🚕 Taksi"),
            ("✅ Taksi isteğinizi aldık.", 0, "🙏 Teşekkürler"),
        ]
        first = stage.emulator.messages[0].id
        for message_id, (text, index, label) in enumerate(walk, start=first):
            message = turn(page, message_id)
            expect(message).to_contain_text(text)
            button(page, message_id, index).click()
            expect(message.get_by_test_id("reply").locator(".quote")).to_contain_text(text[:14])
            expect(message.get_by_test_id("reply").locator("> .text")).to_have_text(label)
            expect(button(page, message_id, index)).to_have_attribute("aria-pressed", "true")
            for one in message.get_by_test_id("button").all():
                expect(one).to_be_disabled()
            expect(message.get_by_test_id("push")).to_have_attribute("data-state", "delivered")

    assert [one.tap and one.tap.label for one in stage.emulator.messages] == [
        label for _, _, label in walk
    ]
    assert [(one.label, one.state) for one in reversed(stage.emulator.store.deliveries)] == [
        (label, "delivered") for _, _, label in walk
    ]
    expect(page.get_by_test_id("stats-twice")).to_have_text("0")
