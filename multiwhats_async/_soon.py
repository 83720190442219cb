"""The way into a running event loop, from any thread, on asyncio and on trio."""

from collections.abc import Callable
from typing import Any

import anyio.lowlevel

Soon = Callable[[Callable[[], Any]], Any]
"""Has something called in an event loop, from any thread, without waiting for it."""


def soon_here() -> Soon:
    """Return the way into the event loop that runs now."""
    loop: Any = anyio.lowlevel.current_token().native_token
    found: Soon = getattr(loop, "call_soon_threadsafe", None) or loop.run_sync_soon  # trio's name
    return found
