"""Thousands of messages while the page is open: it stays small, and it stays usable."""

from browser.stage import GUEST, Locator, Page, Stage, button, expect, row, turn
from sandbox.wire_examples import payload, request_of

MESSAGES, CUSTOMERS = 3_000, 600
MOST_ELEMENTS = 250


def put(stage: Stage, number: int, to: str) -> None:
    """Have one message accepted, by the sandbox's inside: sending is not what is tested."""
    fields = payload(to=to, message=f"Message {number}", buttons=["👍 Yes", "⛔ No"])
    assert stage.emulator.handle(request_of(fields)).status == 200


def elements(page: Page, test_id: str) -> int:
    """Return how many elements of a list there are."""
    return page.get_by_test_id(test_id).count()


def scroll_until(page: Page, scroller: Locator, step: str, wanted: Locator) -> None:
    """Scroll step by step until something is there; each step waits for what it loads."""
    for _ in range(MESSAGES):
        if wanted.count():
            break
        scroller.evaluate(f"(el) => {{ {step}; return new Promise(requestAnimationFrame); }}")
    expect(wanted).to_have_count(1)


def test_the_lists_stay_short_under_a_flood(stage: Stage) -> None:
    """Few elements, the last message on top, the open chat at its end, and a tap works."""
    page = stage.open(f"?to={GUEST}")
    for number in range(MESSAGES):
        put(stage, number, str(905_000_000_000 + number % CUSTOMERS) if number % 3 else GUEST)
    put(stage, MESSAGES, GUEST)

    expect(page.get_by_test_id("stats-accepted")).to_have_text(f"{MESSAGES + 1:,}")
    expect(row(page, GUEST).locator(".preview")).to_have_text(f"Message {MESSAGES}")
    last = stage.emulator.messages[-1].id
    expect(turn(page, last)).to_be_in_viewport()
    assert 10 < elements(page, "conversation") < MOST_ELEMENTS
    assert 10 < elements(page, "message") < MOST_ELEMENTS
    button(page, last, 1).click()
    expect(turn(page, last).get_by_test_id("reply")).to_contain_text("⛔ No")


def test_one_scrolls_through_all_of_a_flood(stage: Stage) -> None:
    """To the oldest conversation and the oldest message; older ones come as they are reached."""
    for number in range(MESSAGES):
        put(stage, number, str(905_000_000_000 + number % CUSTOMERS) if number % 3 else GUEST)
    page = stage.open(f"?to={GUEST}")
    oldest = row(page, "905000000001")
    log, rows = page.locator(".log"), page.locator("#conversations .scroller")
    first = turn(page, stage.emulator.messages[0].id)
    scroll_until(page, rows, "el.scrollTop = el.scrollHeight", oldest)
    assert elements(page, "conversation") < MOST_ELEMENTS
    scroll_until(page, log, "el.scrollTop = 0", first)
    assert elements(page, "message") < MOST_ELEMENTS
    page.get_by_test_id("chat-pill").click()
    newest = max(one.id for one in stage.emulator.messages if one.recipient == GUEST)
    expect(turn(page, newest)).to_be_in_viewport()
