"""The browser, closed with its module: while it is open, a loop runs in the main thread."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from multiwhats_async.sandbox import Emulator, SandboxServer

if TYPE_CHECKING:
    from browser.stage import Stage
    from playwright.sync_api import Browser

# Playwright is imported where it is used: without it the modules of this folder are skipped.


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Run Chromium for the tests of one module."""
    from browser.chromium import NAMES, chromium, chromium_path  # noqa: PLC0415  # see above
    from browser.stage import REQUIRED  # noqa: PLC0415  # see above

    if chromium_path() is None:
        (pytest.fail if REQUIRED else pytest.skip)(f"None of {', '.join(NAMES)} is installed.")
    with chromium() as running:
        yield running


@pytest.fixture
def stage(browser: "Browser") -> "Iterator[Stage]":
    """Run a sandbox and a browser context for one test; the browser must not complain."""
    from browser.stage import Stage, new_context  # noqa: PLC0415  # see above

    with SandboxServer(Emulator(magic_numbers=False), port=0) as server:
        context = new_context(browser)
        stage = Stage(server, context)
        yield stage
        context.close()
    assert stage.unexpected == []
