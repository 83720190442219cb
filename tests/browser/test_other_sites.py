"""A page of another site in the same browser: it can ask, post and frame, and gets nowhere."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from browser.chromium import ATTACKER
from browser.stage import GUEST, YES_NO, Browser, Page, Stage, button, expect

PAGE = "<!doctype html><title>Another site</title><iframe name=target></iframe>"


@contextmanager
def another_site() -> Iterator[int]:
    """Serve an empty page on any free port, under whatever name; give the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(PAGE.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def victim(stage: Stage) -> Stage:
    """Return a sandbox with one message that nobody has tapped, and a fault that is in force."""
    stage.emulator.faults.add("429@to:905300000429")
    stage.send((GUEST, "May we?", YES_NO))
    return stage


@pytest.fixture(params=["127.0.0.1", "localhost", ATTACKER])
def attacker(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """Open another site: another port of this machine, another name of it, and a stranger's."""
    with another_site() as port:
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"http://{request.param}:{port}/")
        yield page
        context.close()


def unharmed(stage: Stage) -> bool:
    """Return whether everything is as it was."""
    emulator = stage.emulator
    (message,) = emulator.messages
    return (
        message.tap is None
        and emulator.stats().accepted == 1
        and len(emulator.faults.faults) == 1
        and emulator.store.webhook.url is None
    )


def writes_of(stage: Stage) -> list[tuple[str, str, str]]:
    """Return the requests that would change something: method, path and body."""
    message = stage.emulator.messages[0]
    send = '{"from":"908503080335","to":"905300000002","message":"x","type":"button","buttons":[]}'
    return [
        ("POST", f"sandbox/messages/{message.id}/tap", '{"index": 0}'),
        ("POST", "sandbox/reset", ""),
        ("POST", "sandbox/faults", '{"fault": "500"}'),
        ("POST", "api/v1/basic/whatsapp/send-dynamic?apikey=KEY", send),
        ("PUT", "sandbox/webhook", '{"url": "http://127.0.0.1:9/"}'),
        ("DELETE", "sandbox/faults", ""),
    ]


def test_another_site_can_neither_write_nor_read_by_script(victim: Stage, attacker: Page) -> None:
    """Whatever the mode of the request: it is refused, and its answer is not to be had."""
    for method, path, body in writes_of(victim):
        for mode in ("no-cors", "cors"):
            if mode == "no-cors" and method != "POST":
                continue  # the browser itself does not let it
            got = attacker.evaluate(
                """([url, method, mode, body]) =>
                    fetch(url, {method, mode, body: body || null, credentials: "include"})
                        .then((answer) => answer.text(), () => "")""",
                [victim.server.url + path, method, mode, body],
            )
            assert got == ""
    for path in ("sandbox/messages", "sandbox/events", "sandbox/webhook", ""):
        read = "(url) => fetch(url, {mode: 'no-cors'}).then((answer) => answer.text(), () => '')"
        assert attacker.evaluate(read, victim.server.url + path) == ""
    assert attacker.evaluate(
        """(url) => new Promise((done) => {
            const events = new EventSource(url);
            events.onmessage = events.onopen = () => done("open");
            events.onerror = () => done("refused");
        })""",
        f"{victim.server.url}sandbox/events",
    ) == ("refused")
    assert unharmed(victim)


def test_another_site_can_not_post_a_form(victim: Stage, attacker: Page) -> None:
    """A form needs no script's permission, and its answer would even be shown."""
    origin = attacker.url
    for method, path, body in writes_of(victim):
        if method != "POST":
            continue
        with attacker.expect_navigation() as navigation:
            attacker.evaluate(
                """([action, body]) => {
                    const form = document.createElement("form");
                    Object.assign(form, {action, method: "post", enctype: "text/plain"});
                    const field = document.createElement("input");
                    [field.name, field.value] = [body.slice(0, -1), body.slice(-1)];
                    form.append(field);
                    document.body.append(form);
                    form.submit();
                }""",
                [victim.server.url + path, body],
            )
        assert navigation.value.status == 403
        attacker.goto(origin)
    assert unharmed(victim)


def test_another_site_can_not_put_the_page_in_a_frame(victim: Stage, attacker: Page) -> None:
    """So it cannot have somebody tap on what they do not see."""
    with attacker.expect_event("framenavigated", lambda frame: frame.name == "target"):
        attacker.evaluate("(url) => { frames[0].location = url; }", victim.server.url)
    frame = attacker.frame("target")
    assert frame is not None
    assert frame.url == "chrome-error://chromewebdata/"
    assert frame.locator("[data-testid]").count() == 0
    assert unharmed(victim)


def test_another_site_can_not_hold_on_to_a_window_of_the_page(
    victim: Stage, attacker: Page
) -> None:
    """A link leads to the page, which then has nothing to do with the one that it came from."""
    with attacker.expect_popup() as opened:
        attacker.evaluate("(url) => { window.other = open(url); }", victim.server.url)
    page = opened.value
    message_id = victim.emulator.messages[0].id
    expect(button(page, message_id, 0)).to_be_visible()
    assert attacker.evaluate("other.closed")
    assert page.evaluate("opener") is None
    assert unharmed(victim)
    button(page, message_id, 0).click()  # the page itself may, however one came to it
    expect(button(page, message_id, 0)).to_be_disabled()


def test_a_name_that_is_bent_to_this_machine_gets_nothing(victim: Stage, browser: Browser) -> None:
    """DNS rebinding: the browser takes the sandbox for the attacker's own site."""
    context = browser.new_context()
    page = context.new_page()
    answer = page.goto(f"http://{ATTACKER}:{victim.server.port}/")
    assert answer is not None
    assert answer.status == 421
    for method, path, body in writes_of(victim):
        status = page.evaluate(
            """([url, method, body]) =>
                fetch(url, {method, body: body || null}).then((answer) => answer.status)""",
            [f"/{path}", method, body],
        )
        assert status == 421
    assert page.evaluate("fetch('/sandbox/messages').then((answer) => answer.status)") == 421
    context.close()
    assert unharmed(victim)
