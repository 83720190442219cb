"""Whatever a message holds is shown as text, wherever it is shown."""

import json
import re

import httpx
from browser.stage import GUEST, OTHER, OURS, Page, Stage, expect, row, turn

ATTACK = "<img src=x onerror=window.attacked=1>"
OTHERS = (
    "<script>window.attacked=1</script>",
    '"><svg onload=window.attacked=1>',
    "javascript:window.attacked=1",
    "{{constructor.constructor('window.attacked=1')()}}",
    "<iframe srcdoc='<script>top.attacked=1</script>'></iframe>",
)


def untouched(page: Page) -> bool:
    """Return whether nothing of an attack became an element, or ran."""
    made = page.locator('img[src="x"], svg[onload], main script, iframe')
    return made.count() == 0 and not page.evaluate("window.attacked")


def test_markup_in_a_message_shows_as_it_is(stage: Stage) -> None:
    """In the text, in a long text, in the buttons, in the row, the reply and the inspector."""
    long = ATTACK + " …" * 2_000 + "".join(OTHERS)
    ids = stage.send(
        (OTHER, long, [ATTACK, *OTHERS]),
        (GUEST, ATTACK, [f"{ATTACK}<b>", "</span><script>attacked=1</script>"]),
    )
    page = stage.open(f"?message={ids[1]}")
    message = turn(page, ids[1])
    expect(message.locator(".words .text")).to_have_text(ATTACK)
    expect(row(page, GUEST).locator(".preview")).to_have_text(ATTACK)
    message.get_by_test_id("button").first.click()
    expect(message.get_by_test_id("reply").locator("> .text")).to_have_text(f"{ATTACK}<b>")
    expect(message.locator(".quote")).to_contain_text(ATTACK)
    expect(row(page, GUEST).locator(".preview")).to_have_text(f"{ATTACK}<b>")
    for tab in ("request", "response", "deliveries", "python", "curl"):
        page.get_by_test_id(f"tab-{tab}").click()
        expect(page.locator("#tab-panel")).to_contain_text("<img src=x")
    assert untouched(page)

    row(page, OTHER).click()
    page.get_by_role("button", name="Show more").click()
    expect(turn(page, ids[0]).locator(".words .text")).to_have_text(long)
    turn(page, ids[0]).get_by_test_id("button").nth(1).click()
    expect(turn(page, ids[0]).get_by_test_id("reply")).to_contain_text(OTHERS[0])
    page.get_by_test_id("nav-deliveries").click()
    page.get_by_test_id("delivery").first.locator(".main").click()
    page.get_by_text("What is pushed").click()
    expect(page.get_by_test_id("delivery-detail")).to_contain_text(OTHERS[0])
    assert untouched(page)


def test_markup_in_the_address_and_in_the_search_does_nothing(stage: Stage) -> None:
    """Neither in what one types nor in a link that somebody sends."""
    stage.send((GUEST, ATTACK, ["OK"]))
    page = stage.open()
    page.get_by_test_id("search").fill(ATTACK)
    expect(page).to_have_url(re.compile("q="))
    expect(page.get_by_test_id("conversation")).to_have_count(1)
    page.get_by_test_id("search").fill(OTHERS[1])
    expect(page.get_by_text("Nothing found.")).to_be_visible()
    for address in (f"?to={ATTACK}&message={ATTACK}&view={ATTACK}&q={ATTACK}", f"?q={OTHERS[0]}"):
        page.goto(stage.server.url + address)
        expect(page.get_by_test_id("search")).to_have_value(address.rpartition("q=")[2])
    assert page.title() == "MultiWhats sandbox"
    assert untouched(page)


def test_markup_in_a_refused_request_and_in_an_answer_shows_as_it_is(stage: Stage) -> None:
    """What a program sent wrongly, and what an address answers, is no markup either."""
    page = stage.open("?view=refused")
    body = {"from": OURS, "to": ATTACK, "message": ATTACK, "type": "button", "buttons": ATTACK}
    url = f"{stage.server.base_url}basic/whatsapp/send-dynamic"
    for content in (json.dumps(body), ATTACK):
        httpx.post(url, params={"apikey": "KEY"}, content=content)
    refusals = page.get_by_test_id("refusal")
    expect(refusals).to_have_count(2)
    refusals.nth(1).locator(".main").click()
    expect(page.locator("#refused .detail")).to_contain_text(ATTACK)
    assert untouched(page)


def test_markup_in_the_address_of_the_webhook_shows_as_it_is(stage: Stage) -> None:
    """Typed in the page, and set by a program; and beside a choice that was pushed there."""
    (message,) = stage.send((GUEST, "May we?", ["OK"]))
    attack = "http://127.0.0.1:9/<img/src=x/onerror=window.attacked=1>"
    page = stage.open()
    page.get_by_test_id("webhook-edit").click()
    page.get_by_label("URL of your program").fill(f"{attack}?token=<script>")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_test_id("webhook")).to_have_text(f"{attack}?token=****")
    turn(page, message).get_by_test_id("button").click()
    page.get_by_test_id("nav-deliveries").click()
    page.get_by_test_id("delivery").first.locator(".main").click()
    expect(page.get_by_test_id("delivery-detail")).to_be_visible()
    assert untouched(page)


def test_names_in_json_change_no_object_of_the_page(stage: Stage) -> None:
    """``__proto__`` and its like, in what a program sends, and in the address of the page."""
    page = stage.open("?view=refused")
    pollution = {"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}}
    url = f"{stage.server.base_url}basic/whatsapp/send-dynamic"
    httpx.post(url, params={"apikey": "KEY"}, json={"to": GUEST, "message": pollution} | pollution)
    page.get_by_test_id("refusal").locator(".main").click()
    expect(page.locator("#refused .detail")).to_contain_text("__proto__")
    untainted = "() => ({}).polluted === undefined && [].polluted === undefined"
    assert page.evaluate(untainted)
    page.goto(f"{stage.server.url}?__proto__[polluted]=1&to=__proto__&view=constructor")
    expect(page.get_by_test_id("search")).to_be_visible()
    assert page.evaluate(untainted)


def test_every_complaint_of_the_browser_would_be_seen(stage: Stage) -> None:
    """The watch over console and policy, which every test here stands on, works."""
    page = stage.open()
    assert stage.unexpected == []
    page.evaluate(
        """() => new Promise((done) => {
            const image = new Image();
            image.onerror = done;
            image.src = "http://127.0.0.1:9/elsewhere.png";
        })"""
    )
    page.evaluate("setTimeout(() => { throw new Error('a bug'); })")
    page.wait_for_function("1")
    assert any("Content Security Policy" in text for text in stage.complaints)
    assert any("a bug" in text for text in stage.complaints)
    stage.allow("Content Security Policy")
    stage.allow("a bug")
