"""Takes the pictures of the documentation, from the running sandbox.

    python tests/browser/screenshots.py docs/images

A hotel's guests are played in Turkish and English, by the real client and the worked example.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "docs" / "examples")]

from browser.chromium import chromium  # noqa: E402  # the paths come first
from browser.stage import OURS, Page, Stage, expect, new_context, row, turn  # noqa: E402  # the path comes first
from serving import serving  # noqa: E402  # the path comes first

from multiwhats_async.sandbox import Emulator, FaultPlan, SandboxServer  # noqa: E402  # the path comes first

PHONE = {"width": 390, "height": 844}
PROGRAM_PORT = 8000
PROGRAM_FROM = 2
"""The guest whose answer comes before the program is up."""

HERO = "905374937766"
EARLIER = [
    (
        "905300000080",
        "Sayın Mehmet Yılmaz, odanız 14:00'te hazır olacak. 🏨\n\nErken giriş ister misiniz?",
        ["🕐 Erken giriş", "👌 14:00 uygun"],
        1,
    ),
    (
        "447700900142",
        "Dear Grace, your table by the sea is booked for 8 pm. 🌊\n\nDo you still come?",
        ["✅ We do", "📅 Another day", "❌ Cancel"],
        0,
    ),
    (
        "905300000034",
        "Zeynep Hanım, konaklamanız nasıl geçti? ⭐",
        ["😍 Çok güzel", "🙂 İyi", "😕 Eksikler vardı"],
        0,
    ),
    (
        "491713920042",
        "Dear Jonas, your taxi to the airport leaves at 6:30. 🚕",
        ["👍 Perfect", "🕕 Earlier, please"],
        None,
    ),
    (
        "905300000033",
        "Çağrı Bey, şiş kebap günümüz bugün. Akşam yemeği için yer ayıralım mı? 🍢",
        ["👍 Evet, iki kişi", "🙏 Bu akşam değil"],
        None,
    ),
    (
        "33639981278",
        "Dear Amélie, the spa has a free hour at five. 🧖‍♀️",
        ["💆 Book it", "⛔ No, thank you"],
        1,
    ),
    (
        "905300000043",
        "Ayşegül Hanım, bagajınız resepsiyonda. 🧳",
        ["🛎️ Odaya getirin", "🚶 Ben alırım"],
        None,
    ),
]


class Clock:
    """A clock that a play sets: some minutes lie between two messages."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 25, 9, 12, 7)  # noqa: DTZ001  # the wire's times have no zone

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=0.4)
        return self.now

    def pass_minutes(self, minutes: float) -> None:
        """Let some time go by."""
        self.now += timedelta(minutes=minutes)


def play_the_morning(stage: Stage, clock: Clock) -> Iterator[None]:
    """Have guests written to, and answer for most; yield while the program is still to come up."""
    emulator = stage.emulator
    for number, (to, text, buttons, choice) in enumerate(EARLIER):
        (message_id,) = stage.send((to, text, buttons))
        clock.pass_minutes(1.5)
        if number == PROGRAM_FROM:
            url = f"http://127.0.0.1:{PROGRAM_PORT}/replies?token=secret"
            httpx.put(f"{stage.server.url}sandbox/webhook", json={"url": url}).raise_for_status()
        if choice is not None:
            emulator.tap(message_id, index=choice)
        if number == PROGRAM_FROM:
            until(lambda: len(emulator.store.deliveries[0].attempts) == 1)
            yield
        if number >= PROGRAM_FROM:
            until(lambda: emulator.store.deliveries[0].state == "delivered")
        clock.pass_minutes(6)


def until(condition: Callable[[], bool]) -> None:
    """Wait for the sandbox."""
    while not condition():
        time.sleep(0.02)


def play_the_menu(stage: Stage, clock: Clock, program: str) -> None:
    """Welcome two guests, who tap their way: one to the end, one to the last choice."""
    for number, name, taps in (("441632960961", "Ada", [1, 0, 0]), (HERO, "Ayşe Yılmaz", [0, 0])):
        httpx.post(f"{program}/guests/{number}", params={"name": name}).raise_for_status()
        for index in taps:
            clock.pass_minutes(0.7)
            last = stage.emulator.messages[-1]
            assert last.recipient == number
            stage.emulator.tap(last.id, index=index)
            answered(stage, number, last.id)


def play_a_bad_day(stage: Stage) -> None:
    """Add faults, and have them strike."""
    for fault in ("429=2@every:10", "disconnect_after@nth:7", "webhook_duplicate@p:0.2"):
        stage.emulator.faults.add(fault)
    body = {
        "from": OURS,
        "message": "Hoş geldiniz! 👋",
        "type": "button",
        "buttons": ["👍 Merhaba"],
    }
    url = f"{stage.server.base_url}basic/whatsapp/send-dynamic?apikey=KEY"
    for number in range(48):
        with suppress(httpx.TransportError):  # the fault that was asked for
            httpx.post(url, json=body | {"to": str(905_300_000_100 + number)})
    for message in stage.emulator.messages[-25:]:
        stage.emulator.tap(message.id, index=0)


def answered(stage: Stage, number: str, message_id: int) -> None:
    """Wait until the program has answered a tap by its next message."""
    url = f"{stage.server.url}sandbox/messages/wait"
    query: dict[str, str | int] = {"to": number, "after": message_id, "timeout": 20}
    assert httpx.get(url, params=query, timeout=30).status_code == 200


def settled(page: Page) -> None:
    """Wait until nothing moves any more."""
    page.evaluate("document.fonts.ready")
    page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished))")


def take(stage: Stage, folder: Path) -> None:
    """Take the pictures."""

    def picture(page: Page, name: str) -> None:
        settled(page)
        page.mouse.move(0, 0)
        page.screenshot(path=folder / f"sandbox-{name}.png")

    page = stage.open(f"?to={HERO}")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]  # one of its words
        expect(row(page, HERO)).to_have_attribute("aria-current", "true")
        expect(page.locator("#tab-panel")).to_contain_text("Sizin için ne yapabiliriz?")
        expect(turn(page, stage.emulator.messages[0].id + len(EARLIER) + 4)).to_be_visible()
        picture(page, scheme)

    phone = stage.open(f"?to={HERO}")
    phone.set_viewport_size(PHONE)  # type: ignore[arg-type]  # one of its words
    phone.emulate_media(color_scheme="dark", reduced_motion="reduce")
    expect(phone.get_by_test_id("message").last).to_be_visible()
    picture(phone, "phone")

    page.get_by_test_id("nav-deliveries").click()
    chosen = page.get_by_test_id("delivery").filter(has_text="😍 Çok güzel")
    chosen.locator(".main").click()
    page.get_by_text("What is pushed").click()
    expect(page.get_by_test_id("delivery-detail")).to_contain_text("selectedItemId")
    picture(page, "deliveries")

    play_a_bad_day(stage)
    page.get_by_test_id("nav-faults").click()
    page.get_by_test_id("fault-kind").select_option("503")
    page.get_by_label("When").select_option("every")
    expect(page.get_by_test_id("fault")).to_have_count(3)
    page.locator("h2:visible").first.click()
    expect(page.get_by_test_id("fault").last).not_to_contain_text("0 of 0")
    picture(page, "faults")


def main(folder: Path) -> None:
    """Play, and take the pictures."""
    clock = Clock()
    emulator = Emulator(now=clock, faults=FaultPlan(seed=7))
    with (
        chromium() as browser,
        SandboxServer(emulator) as server,
        tempfile.TemporaryDirectory() as sessions,
        new_context(browser) as context,
    ):
        settings = {"MULTIWHATS_FROM": OURS, "REPLY_TOKEN": "secret"}
        os.environ |= server.env | settings | {"HOTEL_SESSIONS": f"{sessions}/hotel.sessions"}
        import hotel_menu  # noqa: PLC0415  # the worked example, importable only now

        stage = Stage(server, context)
        morning = play_the_morning(stage, clock)
        next(morning)
        with serving(hotel_menu.app, PROGRAM_PORT) as program:
            next(morning, None)
            play_the_menu(stage, clock, program)
            clock.pass_minutes(1)
            context.clock.set_fixed_time(clock.now.replace(tzinfo=UTC))
            take(stage, folder)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    main(target)
    for path in sorted(target.glob("sandbox-*.png")):
        sys.stdout.write(f"{path.name}: {path.stat().st_size / 1000:.0f} kB\n")
