"""For people who use a screen reader: names, landmarks, and a word when something comes in."""

from typing import Any

from browser.stage import GUEST, YES_NO, Page, Stage, button, expect, turn

NAMED = {"button", "link", "textbox", "searchbox", "combobox", "tab", "dialog", "radio", "checkbox"}


def nodes(page: Page) -> list[dict[str, Any]]:
    """Return what the browser tells a screen reader: roles and names, as it computes them."""
    session = page.context.new_cdp_session(page)
    tree = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    return [
        {"role": node["role"]["value"], "name": node.get("name", {}).get("value", "")}
        for node in tree
        if not node["ignored"] and node.get("role")
    ]


def roles(page: Page) -> list[str]:
    """Return the roles of all nodes."""
    return [node["role"] for node in nodes(page)]


def nameless(page: Page) -> list[str]:
    """Return the controls that have no name."""
    return [one["role"] for one in nodes(page) if one["role"] in NAMED and not one["name"].strip()]


def test_every_control_has_a_name(stage: Stage) -> None:
    """In each view, in each tab of the inspector and in each dialog."""
    stage.allow("status of 409")
    (message_id,) = stage.send((GUEST, "May we?", YES_NO))
    page = stage.open()
    button(page, message_id, 0).click()
    expect(turn(page, message_id).get_by_test_id("push")).to_be_visible()
    assert roles(page).count("button") > 10
    assert nameless(page) == []
    for tab in ("response", "deliveries", "python", "curl"):
        page.get_by_test_id(f"tab-{tab}").click()
        assert nameless(page) == []
    for opener in ("connect", "webhook-edit", "reset"):
        page.get_by_test_id(opener).click()
        assert "dialog" in roles(page)
        assert nameless(page) == []
        page.keyboard.press("Escape")
    for view in ("deliveries", "faults", "refused"):
        page.get_by_test_id(f"nav-{view}").click()
        expect(page.locator(f"#{view}")).to_be_visible()
        assert nameless(page) == []
    page.get_by_test_id("nav-deliveries").click()
    page.get_by_test_id("delivery").locator(".main").click()
    page.get_by_role("button", name="Replay", exact=True).click()  # refused: there is no webhook
    expect(page.get_by_test_id("toast")).to_be_visible()
    assert nameless(page) == []


def test_the_page_has_its_landmarks(stage: Stage) -> None:
    """One main part, one heading of the first rank, a navigation, and a language."""
    page = stage.open()
    for landmark in ("main", "banner", "navigation"):
        expect(page.get_by_role(landmark)).to_have_count(1)  # type: ignore[arg-type]  # one of its words
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_contain_text("MultiWhats sandbox")
    assert page.evaluate("document.documentElement.lang") == "en"
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_what_happens_is_announced(stage: Stage) -> None:
    """A message that comes in and an answer, politely; a failure at once."""
    page = stage.open()
    announcer = page.locator("#announcer")
    expect(announcer).to_have_attribute("aria-live", "polite")
    (message_id,) = stage.send((GUEST, "Hoş geldiniz 👋", YES_NO))
    expect(announcer).to_have_text("New message to +90 537 493 77 66: Hoş geldiniz 👋")
    button(page, message_id, 0).click()
    expect(announcer).to_have_text("The customer answered 👍 Yes")
    page.keyboard.press("1")
    expect(page.get_by_role("alert")).to_contain_text("no message to answer")


def contrasts(page: Page) -> dict[str, float]:
    """Return the contrast of texts with what is behind them, by the formula of WCAG 2."""
    return page.evaluate(
        """() => {
            const context = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
            const over = (colors) => {
                context.clearRect(0, 0, 1, 1);
                for (const color of colors) {
                    context.fillStyle = color;
                    context.fillRect(0, 0, 1, 1);
                }
                return [...context.getImageData(0, 0, 1, 1).data];
            };
            const light = ([r, g, b]) => [r, g, b]
                .map((c) => c / 255)
                .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
                .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
            const found = {};
            for (const el of document.querySelectorAll("body *")) {
                const own = [...el.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
                if (!own || !el.checkVisibility({opacityProperty: true})) continue;
                if (el.closest("[disabled], .sr, .skip, .avatar")) continue;
                const back = [];
                for (let up = el; up; up = up.parentElement)
                    back.unshift(getComputedStyle(up).backgroundColor);
                const a = light(over(back));
                const b = light(over([...back, getComputedStyle(el).color]));
                const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
                const name = `${el.parentElement.className}>${el.tagName}.${el.className}`;
                found[name] = Math.min(found[name] ?? 99, Math.round(ratio * 100) / 100);
            }
            return found;
        }"""
    )


def test_texts_stand_out_from_what_is_behind_them(stage: Stage) -> None:
    """By 4.5 to 1 at the least, dark and light, in every view."""
    (message_id,) = stage.send((GUEST, "May we?", YES_NO))
    stage.emulator.faults.add("429@every:50")
    page = stage.open()
    button(page, message_id, 0).click()
    expect(turn(page, message_id).get_by_test_id("push")).to_be_visible()
    pale: dict[str, float] = {}
    for view in ("phone", "deliveries", "faults", "refused"):
        page.get_by_test_id(f"nav-{view}").click()
        expect(page.locator(f'[data-for="{view}"] :is(h2, .log)').first).to_be_visible()
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of its words
            found = contrasts(page)
            assert len(found) > 5
            pale |= {f"{scheme} {name}": one for name, one in found.items() if one < 4.5}
    assert pale == {}
