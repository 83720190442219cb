"""Chromium, found on this machine and driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome")
ATTACKER = "attacker.example"
"""A name that resolves to this machine in the browser alone."""

ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    f"--host-resolver-rules=MAP {ATTACKER} 127.0.0.1",
)


def chromium_path() -> str | None:
    """Return where Chromium is, or None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def chromium() -> "Iterator[Browser]":
    """Run Chromium for as long as the block lasts."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  # may be missing

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=[*ARGUMENTS])
        try:
            yield browser
        finally:
            browser.close()
