"""What the browser tests share: the real client beside the page, and a program behind it."""

import os
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import anyio
import pytest

from multiwhats_async import AsyncMultiWhats, RetryPolicy
from multiwhats_async.sandbox import Emulator, SandboxServer

REQUIRED = os.environ.get("MULTIWHATS_BROWSER_TESTS") == "1"
"""Whether a missing browser is a failure."""

try:
    from playwright.sync_api import (
        Browser,
        BrowserContext,
        ConsoleMessage,
        Locator,
        Page,
        WebError,
        expect,
    )
except ImportError:
    if REQUIRED:
        raise
    pytest.skip("Playwright is not installed.", allow_module_level=True)

OURS, GUEST, OTHER = "908503080335", "905374937766", "905300000001"
YES_NO = ("👍 Yes", "⛔ No")

Result = TypeVar("Result")

expect.set_options(timeout=15_000)


def new_context(browser: Browser) -> BrowserContext:
    """Return what is to the browser a new user, with the window of a desk."""
    return browser.new_context(
        viewport={"width": 1440, "height": 900},
        locale="en-GB",
        timezone_id="UTC",
        reduced_motion="reduce",
    )


class Stage:
    """A sandbox on a real socket, pages that look at it, and what the browser complains of."""

    def __init__(self, server: SandboxServer, context: BrowserContext) -> None:
        self.server = server
        self.context = context
        self.complaints: list[str] = []
        self.allowed: list[str] = []
        context.on("console", self._heard)
        context.on("weberror", self._failed)
        context.on("dialog", lambda dialog: self.complaints.append(f"dialog {dialog.message}"))

    @property
    def emulator(self) -> Emulator:
        """The sandbox's inside."""
        return self.server.emulator

    def open(self, address: str = "", *, live: bool = True) -> Page:
        """Open the page in a tab of its own."""
        page = self.context.new_page()
        page.goto(self.server.url + address)
        if live:
            page.locator('[data-testid="connection"][data-state="live"]').wait_for()
        return page

    def send(self, *messages: tuple[str, str, Sequence[str]], **options: Any) -> list[int]:
        """Send messages (recipient, text, buttons) by the real client; return their ids."""

        async def run() -> list[int]:
            async with AsyncMultiWhats(
                self.emulator.api_key, sender=OURS, base_url=self.server.base_url, **options
            ) as client:
                receipts = [
                    await client.send_button_message(to, text, buttons, limits=None)
                    for to, text, buttons in messages
                ]
            return [receipt.id or 0 for receipt in receipts]

        return in_a_thread(run)

    def fails_to_send(self, to: str) -> Exception:
        """Send a message by the real client, which tries once; return why it was refused."""
        with pytest.raises(Exception, match=r".") as caught:
            self.send((to, "Refused", YES_NO), retry=RetryPolicy(attempts=1, throttled_attempts=1))
        return caught.value

    def allow(self, complaint: str) -> None:
        """Expect a complaint of the browser's that a test provokes; part of its text."""
        self.allowed.append(complaint)

    @property
    def unexpected(self) -> list[str]:
        """What the browser complained of, and was not to."""
        return [text for text in self.complaints if not any(one in text for one in self.allowed)]

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning", "assert"}:
            self.complaints.append(f"console {message.type}: {message.text}")

    def _failed(self, error: WebError) -> None:
        self.complaints.append(f"page error: {error.error}")


def in_a_thread(work: Callable[[], Awaitable[Result]]) -> Result:
    """Run async code on a thread of its own: Playwright's own loop runs in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(anyio.run, work).result()


def row(page: Page, to: str) -> Locator:
    """Return the row of a customer's conversation."""
    return page.locator(f'[data-testid="conversation"][data-to="{to}"]')


def turn(page: Page, message_id: int) -> Locator:
    """Return the place of a message on the phone."""
    return page.locator(f'[data-testid="message"][data-id="{message_id}"]')


def button(page: Page, message_id: int, index: int) -> Locator:
    """Return a button of a message."""
    return turn(page, message_id).locator(f'[data-testid="button"][data-index="{index}"]')
