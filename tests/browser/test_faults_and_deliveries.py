"""What goes wrong on purpose, what is pushed, and starting anew: all of it from the page."""

from collections.abc import Iterator

import pytest
from browser.stage import GUEST, YES_NO, Page, Stage, button, expect, turn
from sandbox.hooks import Hook, running

from multiwhats_async import RateLimitedError


@pytest.fixture
def hook() -> Iterator[Hook]:
    """Run a program that takes what is pushed."""
    with running(Hook()) as hook:
        yield hook


def set_webhook(page: Page, url: str) -> None:
    """Set the webhook in the page."""
    page.get_by_test_id("webhook-edit").click()
    page.get_by_role("dialog").get_by_label("URL of your program").fill(url)
    page.get_by_role("dialog").get_by_role("button", name="Save").click()


def test_a_fault_that_is_added_in_the_page_strikes(stage: Stage) -> None:
    """The form builds it, a request meets it, the page counts it and shows what was refused."""
    page = stage.open("?view=faults")
    page.get_by_test_id("fault-kind").select_option("429")
    form = page.get_by_role("form", name="Add a fault")
    form.get_by_label("Retry-After, seconds").fill("3")
    form.get_by_label("When").select_option("nth")
    form.get_by_label("n", exact=True).fill("1")
    form.get_by_label("Only to this number").fill("+90 537 493 77 66")
    expect(page.get_by_test_id("fault-text")).to_have_text(f"429=3@nth:1,to:{GUEST}")
    page.get_by_test_id("fault-add").click()
    fault = page.get_by_test_id("fault")
    expect(fault).to_contain_text("0 of 0 struck")

    error = stage.fails_to_send(GUEST)
    assert isinstance(error, RateLimitedError)
    expect(fault).to_contain_text("1 of 1 struck")
    page.get_by_test_id("nav-refused").click()
    refusal = page.get_by_test_id("refusal")
    expect(refusal).to_contain_text("429")
    expect(refusal).to_contain_text("to +90 537 493 77 66")
    refusal.locator(".main").click()
    expect(page.locator("#refused .detail")).to_contain_text('"message": "Refused"')

    page.get_by_test_id("nav-faults").click()
    page.get_by_test_id("faults-clear").click()
    expect(fault).to_have_count(0)
    assert len(stage.send((GUEST, "Goes through", YES_NO))) == 1


def test_a_fault_that_makes_no_sense_is_explained(stage: Stage) -> None:
    """In the form itself, where it can be mended."""
    stage.allow("status of 422")
    page = stage.open("?view=faults")
    page.get_by_test_id("fault-kind").select_option("status")
    page.get_by_role("form").get_by_label("Status, 400 to 599").fill("200")
    page.get_by_test_id("fault-add").click()
    expect(page.locator(".problem")).to_contain_text("200")
    expect(page.get_by_test_id("fault")).to_have_count(0)


def test_an_answer_that_a_fault_spoilt_is_marked(stage: Stage) -> None:
    """The message was accepted, its answer lost: the case that doubles messages elsewhere."""
    page = stage.open()
    stage.emulator.faults.add("disconnect_after@nth:1")
    stage.fails_to_send(GUEST)
    expect(page.get_by_test_id("fault-badge")).to_contain_text("answer lost")
    expect(page.get_by_test_id("stats-accepted")).to_have_text("1")
    long = stage.send(
        (GUEST, "What WhatsApp would not take", [f"Button {one}" for one in range(4)])
    )
    expect(turn(page, long[0]).get_by_test_id("advice")).to_be_visible()


def test_a_choice_is_pushed_and_replayed(stage: Stage, hook: Hook) -> None:
    """To the webhook that is set in the page; the program gets the same a second time."""
    page = stage.open()
    set_webhook(page, f"{hook.url}/replies")
    expect(page.get_by_test_id("webhook")).to_have_text(f"{hook.url}/replies")
    (message_id,) = stage.send((GUEST, "May we?", YES_NO))
    button(page, message_id, 0).click()
    push = turn(page, message_id).get_by_test_id("push")
    expect(push).to_have_attribute("data-state", "delivered")
    hook.wait(1)
    push.click()
    delivery = page.locator("#inspector").get_by_test_id("delivery")
    expect(delivery).to_have_count(1)
    delivery.get_by_test_id("replay").click()
    expect(delivery).to_have_count(2)
    expect(delivery.first).to_have_attribute("data-state", "delivered")
    hook.wait(2)
    assert hook.choices == [(message_id, "👍 Yes")] * 2

    page.get_by_test_id("nav-deliveries").click()
    listed = page.locator("#deliveries").get_by_test_id("delivery")
    expect(listed).to_have_count(2)
    listed.first.get_by_test_id("replay").click()
    expect(listed).to_have_count(3)
    hook.wait(3)
    listed.first.locator(".main").click()
    detail = page.get_by_test_id("delivery-detail")
    expect(detail).to_have_attribute("data-state", "delivered")
    detail.get_by_text("What is pushed").click()
    expect(detail).to_contain_text('"selectedItemId": "👍 Yes"')
    page.get_by_role("button", name="Show on the phone").click()
    expect(turn(page, message_id).get_by_test_id("reply")).to_be_visible()


def test_a_webhook_elsewhere_is_refused(stage: Stage) -> None:
    """A made-up choice does not leave this machine; the dialog says why, and stays."""
    stage.allow("status of 422")
    page = stage.open()
    for address in ("http://192.0.2.1/replies", "http://localhost.attacker.example/", "file:///x"):
        set_webhook(page, address)
        expect(page.locator("#hook-error")).not_to_be_empty()
        page.keyboard.press("Escape")
    expect(page.get_by_test_id("webhook")).to_have_text("not set")
    assert stage.emulator.store.webhook.url is None


def test_a_tap_that_came_too_late_shows_the_one_before(stage: Stage) -> None:
    """Where a program tapped between two looks at the page."""
    stage.allow("status of 409")
    page = stage.open()
    (message_id,) = stage.send((GUEST, "May we?", YES_NO))
    expect(button(page, message_id, 1)).to_be_visible()
    page.route("**/tap", lambda route: (stage.emulator.tap(message_id, index=0), route.continue_()))
    button(page, message_id, 1).click()
    expect(turn(page, message_id).get_by_test_id("reply")).to_contain_text("👍 Yes")
    expect(button(page, message_id, 0)).to_have_attribute("aria-pressed", "true")


def test_reset_asks_and_empties_the_page(stage: Stage, hook: Hook) -> None:
    """Messages, deliveries and counters go; the webhook stays, and ids go on."""
    page = stage.open()
    set_webhook(page, hook.url)
    (first,) = stage.send((GUEST, "Before", YES_NO))
    button(page, first, 0).click()
    expect(turn(page, first).get_by_test_id("push")).to_have_attribute("data-state", "delivered")
    page.get_by_test_id("reset").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_test_id("message")).to_have_count(1)
    page.get_by_test_id("reset").click()
    page.get_by_test_id("confirm").click()
    for what in ("message", "conversation", "delivery"):
        expect(page.get_by_test_id(what)).to_have_count(0)
    expect(page.get_by_test_id("stats-accepted")).to_have_text("0")
    expect(page.get_by_test_id("webhook")).to_have_text(f"{hook.url}")
    (second,) = stage.send((GUEST, "After", YES_NO))
    assert second > first
    expect(turn(page, second)).to_contain_text("After")
    expect(turn(page, second).get_by_test_id("button").first).to_be_enabled()
