"""Event loops whose clock jumps to the next timer: policies of minutes are tested in no time.

Only for tests without sockets and threads: the clock does not wait for either.
"""

import asyncio
import selectors
from collections.abc import Mapping
from typing import Any

import trio.testing


class _JumpingSelector(selectors.DefaultSelector):  # type: ignore[misc,valid-type]  # by platform
    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or timeout is None:
            return ready or super().select(timeout)
        self.now += max(timeout, 0.0)
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """An asyncio loop that never waits: where nothing is ready, time passes."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def virtual_backend(name: str) -> tuple[str, Mapping[str, Any]]:
    """Return the options that give a backend a clock of its own."""
    if name == "asyncio":
        return name, {"loop_factory": JumpingLoop}
    return name, {"clock": trio.testing.MockClock(autojump_threshold=0)}
