"""What the client sends shows on every open page, without a reload."""

from browser.stage import GUEST, OTHER, YES_NO, Stage, button, expect, row, turn

TABS = 12


def test_a_message_appears_on_the_open_page(stage: Stage) -> None:
    """The row, the bubble and the buttons, with every letter and emoji as it was sent."""
    text = "Sayın İğdır Ağaoğlu 👩‍💻 \n\nŞŞ ıI iİ ğĞ çÇ öÖ üÜ 🇹🇷👍🏽\n  Onaylıyor musunuz?"
    buttons = ["👍🏽 Evet, ığdır", "⛔ Hayır"]
    page = stage.open()
    page.evaluate("window.stillTheSame = true")
    expect(page.get_by_test_id("conversation")).to_have_count(0)

    (message_id,) = stage.send((GUEST, text, buttons))

    expect(row(page, GUEST)).to_contain_text("+90 537 493 77 66")
    expect(row(page, GUEST).locator(".preview")).to_contain_text("Sayın İğdır Ağaoğlu 👩‍💻")
    message = turn(page, message_id)
    expect(message).to_be_visible()
    assert message.locator(".words .text").text_content() == text
    shown = message.get_by_test_id("button").locator("span").all_text_contents()
    assert shown == buttons
    expect(page.get_by_test_id("stats-accepted")).to_have_text("1")
    expect(page.get_by_test_id("stats-credits")).to_have_text("1")
    expect(page.get_by_test_id("stats-twice")).to_have_text("0")
    assert page.evaluate("window.stillTheSame")


def test_the_inspector_shows_what_went_over_the_wire(stage: Stage) -> None:
    """Request and response of the message, and the same call as Python and as curl."""
    (message_id,) = stage.send((GUEST, "Merhaba 👤", YES_NO))
    page = stage.open()
    panel = page.locator("#tab-panel")
    expect(panel).to_contain_text('"message": "Merhaba 👤"')
    page.get_by_test_id("tab-response").click()
    expect(panel).to_contain_text(f'"id": {message_id}')
    page.get_by_test_id("tab-deliveries").click()
    expect(panel).to_contain_text("Not answered yet.")
    page.get_by_test_id("tab-python").click()
    expect(panel).to_contain_text("client.send_button_message(")
    page.get_by_test_id("tab-curl").click()
    expect(panel).to_contain_text("send-dynamic?apikey=$MULTIWHATS_API_KEY")
    assert stage.emulator.api_key not in (panel.text_content() or "")


def test_a_message_that_is_sent_twice_is_counted(stage: Stage) -> None:
    """The counter beside the credits turns to an alarm."""
    page = stage.open()
    stage.send((GUEST, "Once", YES_NO), (GUEST, "Once", YES_NO))
    expect(page.get_by_test_id("stats-twice")).to_have_text("1")
    expect(page.locator("#twice")).to_have_class("alarm")


def test_twelve_tabs_share_one_stream(stage: Stage) -> None:
    """A message and a tap show in each; when the leading tab is closed, another one leads."""
    streams: list[object] = []
    listeners = stage.emulator.store.bell._listeners  # one of them takes choices to the webhook
    stage.context.on(
        "request",
        lambda one: streams.append(one.frame.page) if one.url.endswith("/events") else None,
    )
    pages = [stage.open() for _ in range(TABS)]
    assert streams == pages[:1]
    assert len(listeners) == 1 + 1

    (first,) = stage.send((GUEST, "To all tabs", YES_NO))
    for page in pages:
        turn(page, first).filter(has_text="To all tabs").wait_for()
    button(pages[7], first, 1).click()
    for page in pages:
        turn(page, first).get_by_test_id("reply").filter(has_text="⛔ No").wait_for()
    assert len(streams) == 1

    pages.pop(0).close()
    (second,) = stage.send((OTHER, "And on it goes", YES_NO))
    for page in pages:
        row(page, OTHER).filter(has_text="And on it goes").wait_for()
        expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live")
    assert second == first + 1
    assert len(streams) == 2
    assert streams[1] in pages
    assert len(listeners) == 1 + 1


def test_the_page_comes_back_with_the_sandbox(stage: Stage) -> None:
    """It says that nobody answers, goes on by itself, and shows what came meanwhile."""
    stage.allow("net::ERR_")
    page = stage.open()
    stage.server._port = stage.server.port
    stage.server.stop()
    connection = page.get_by_test_id("connection")
    expect(connection).to_have_attribute("data-state", "connecting")
    stage.server.start()
    (message_id,) = stage.send((GUEST, "Meanwhile", YES_NO))
    expect(turn(page, message_id)).to_contain_text("Meanwhile")
    expect(connection).to_have_attribute("data-state", "live")
