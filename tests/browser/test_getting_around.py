"""Keyboard, links, search, themes and narrow windows."""

import re
from collections.abc import Iterator

import pytest
from browser.stage import GUEST, OTHER, YES_NO, Browser, Page, Stage, button, expect, row, turn

THIRD = "905300000002"
NARROW = {"width": 360, "height": 740}


@pytest.fixture
def ids(stage: Stage) -> list[int]:
    """Send one message to each of three customers; the last is the first in the list."""
    return stage.send(
        (GUEST, "Kahvaltı İSTER misiniz? 🍳", YES_NO),
        (OTHER, "Taxi at seven?", ["🚕 Taxi", "Hayır"]),
        (THIRD, "Checkout " * 200 + "a" * 900, [f"{one} " + "w" * 60 for one in range(12)]),
    )


def current(page: Page, to: str) -> None:
    """Wait until a customer's conversation is the open one."""
    expect(row(page, to)).to_have_attribute("aria-current", "true")


def test_everything_goes_by_the_keyboard(stage: Stage, ids: list[int]) -> None:
    """Up, down, tap, search, help and out of all of it again."""
    page = stage.open()
    current(page, THIRD)
    page.keyboard.press("j")
    current(page, OTHER)
    expect(turn(page, ids[1])).to_be_visible()  # read what has come before going on, as one does
    page.keyboard.press("ArrowDown")
    current(page, GUEST)
    expect(turn(page, ids[0])).to_be_visible()
    page.keyboard.press("k")
    current(page, OTHER)
    expect(turn(page, ids[1])).to_be_visible()
    page.keyboard.press("2")
    expect(turn(page, ids[1]).get_by_test_id("reply")).to_contain_text("Hayır")
    page.keyboard.press("1")
    expect(page.get_by_test_id("toast")).to_contain_text("no message to answer")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("j")  # nothing happens behind a dialog
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    current(page, OTHER)
    page.keyboard.press("/")
    search = page.get_by_test_id("search")
    expect(search).to_be_focused()
    page.keyboard.type("j1?/")  # what one types is no command
    expect(search).to_have_value("j1?/")
    page.keyboard.press("Escape")
    expect(search).to_have_value("")
    page.keyboard.press("Escape")
    expect(search).not_to_be_focused()
    taps = [message.tap and message.tap.label for message in stage.emulator.messages]
    assert taps == [None, "Hayır", None]


def test_a_button_is_tapped_by_tab_and_enter(stage: Stage, ids: list[int]) -> None:
    """The focus is not lost when the button locks."""
    page = stage.open(f"?to={GUEST}")
    button(page, ids[0], 0).focus()
    page.keyboard.press("Tab")
    expect(button(page, ids[0], 1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(turn(page, ids[0]).get_by_test_id("reply")).to_contain_text("⛔ No")
    expect(turn(page, ids[0]).locator(".inspect")).to_be_focused()


def test_links_lead_to_what_they_name(stage: Stage, ids: list[int]) -> None:
    """A customer, a message, a view; and the browser's back and forward go along."""
    page = stage.open(f"?to={GUEST}")
    current(page, GUEST)
    expect(page).to_have_title("+90 537 493 77 66 · MultiWhats sandbox")
    page.goto(f"{stage.server.url}?message={ids[1]}")
    current(page, OTHER)
    expect(turn(page, ids[1])).to_have_class(re.compile("selected"))
    row(page, GUEST).click()
    expect(page).to_have_url(re.compile(rf"\?to={GUEST}&from="))
    page.get_by_test_id("nav-faults").click()
    expect(page.get_by_test_id("fault-add")).to_be_visible()
    page.go_back()
    current(page, GUEST)
    expect(page.get_by_test_id("fault-add")).to_be_hidden()
    page.go_back()
    current(page, OTHER)
    page.go_forward()
    current(page, GUEST)
    page.reload()
    current(page, GUEST)
    page.goto(f"{stage.server.url}?to=905300000099")
    expect(page.get_by_text("Waits for the first message to +90 530 000 00 99.")).to_be_visible()
    (message_id,) = stage.send(("905300000099", "Here it is", YES_NO))
    expect(turn(page, message_id)).to_contain_text("Here it is")


FOUND = {
    "KAHVALTI": GUEST,
    "kahvalti ister": GUEST,
    "İster": GUEST,
    "hayir": OTHER,
    "🚕": OTHER,
    "5300000002": THIRD,
}


def test_search_finds_texts_buttons_and_numbers(stage: Stage, ids: list[int]) -> None:
    """Case and accents make no difference, the Turkish i's included."""
    page = stage.open()
    for typed, to in FOUND.items():
        page.get_by_test_id("search").fill(typed)
        expect(row(page, to)).to_be_visible()
        expect(page.get_by_test_id("conversation")).to_have_count(1)
    page.get_by_test_id("search").fill("nowhere")
    expect(page.get_by_test_id("conversation")).to_have_count(0)
    page.get_by_role("button", name="Clear the search").click()
    expect(page.get_by_test_id("conversation")).to_have_count(3)
    expect(page.get_by_test_id("search")).to_have_value("")


def background(page: Page) -> int:
    """Return how light the page's background is, 0 to 765."""
    color = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(int(part) for part in re.findall(r"\d+", color)[:3])


def test_the_theme_is_the_systems_until_one_is_chosen(stage: Stage) -> None:
    """The choice holds over a reload, and in the other tabs."""
    page, other = stage.open(), stage.open()
    page.emulate_media(color_scheme="dark")
    assert background(page) < 200
    page.emulate_media(color_scheme="light")
    assert background(page) > 600
    theme = page.get_by_test_id("theme")
    theme.click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    theme.click()
    for tab in (page, other):
        expect(tab.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert background(page) < 200
    expect(theme).to_have_accessible_name("Theme: dark")


@pytest.fixture
def narrow(browser: Browser, stage: Stage, ids: list[int]) -> Iterator[Page]:
    """Open the page as wide as a small phone."""
    page = stage.open()
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]  # one of its words
    return page


def too_wide(page: Page) -> list[str]:
    """Return what sticks out of the window to the right and makes it scroll."""
    return page.evaluate(
        """() => {
            const root = document.documentElement;
            if (Math.max(root.scrollWidth, document.body.scrollWidth) <= innerWidth) return [];
            return [...document.body.querySelectorAll("*")]
                .filter((el) => el.getBoundingClientRect().right > innerWidth + 1)
                .map((el) => `${el.tagName}.${el.className}`);
        }"""
    )


def test_a_narrow_window_shows_one_thing_at_a_time(narrow: Page, ids: list[int]) -> None:
    """From the list to a chat, to a message's inside, and back."""
    page, chat, inspector = narrow, narrow.locator("#chat-pane"), narrow.locator("#inspector")
    page.goto(page.url.partition("?")[0])
    expect(page.get_by_test_id("conversation")).to_have_count(3)
    expect(chat).to_be_hidden()
    assert too_wide(page) == []
    row(page, THIRD).click()
    expect(chat).to_be_visible()
    expect(page.get_by_test_id("search")).to_be_hidden()
    expect(turn(page, ids[2])).to_be_visible()
    assert too_wide(page) == []
    turn(page, ids[2]).locator(".inspect").click()
    expect(inspector).to_be_visible()
    assert too_wide(page) == []
    page.get_by_role("button", name="Back to the phone").click()
    expect(chat).to_be_visible()
    page.get_by_role("button", name="Back to the conversations").click()
    expect(page.get_by_test_id("search")).to_be_visible()
    expect(chat).to_be_hidden()


def test_nothing_scrolls_sideways_in_a_narrow_window(narrow: Page, stage: Stage) -> None:
    """In none of the views, and in no dialog."""
    stage.emulator.tap(stage.emulator.messages[-1].id, index=0)
    stage.emulator.faults.add("429=1@every:50,to:905374937766,times:100")
    page = narrow
    for view in ("phone", "deliveries", "faults", "refused"):
        page.get_by_test_id(f"nav-{view}").click()
        expect(page.locator("body")).to_have_attribute("data-view", view)
        assert too_wide(page) == []
    page.get_by_test_id("connect").click()
    expect(page.get_by_role("dialog").get_by_text("export MULTIWHATS_BASE_URL")).to_be_visible()
    assert too_wide(page) == []
