"""One life of a menu's engine: takes one pushed tap, and is killed where it is told to be.

python one_tap.py SESSIONS BASE_URL BACKEND POINT < TAP
"""

import os
import signal
import sys
from pathlib import Path

import anyio
from guests import MENU, OURS, no_order

from multiwhats_async import AsyncMultiWhats
from multiwhats_async.menus import MenuEngine, Session, SQLiteMenuStore
from multiwhats_async.replies import ReplyHandler

POINTS = {
    "before the intent": (1, False),
    "behind the intent": (1, True),
    "before the id": (2, False),
    "behind the id": (2, True),
    "never": (0, False),
}
"""Which of its writes a life ends at, and whether behind it."""


class LethalStore(SQLiteMenuStore):
    """Sessions in a file, and the blow that ends the process."""

    def __init__(self, path: Path, write: int, *, behind: bool) -> None:
        super().__init__(path)
        self.left = write
        self.behind = behind

    async def save(self, session: Session, *, expected: int) -> bool:
        """Save, and be killed before or behind it."""
        self.left -= 1
        if self.left == 0 and not self.behind:
            os.kill(os.getpid(), signal.SIGKILL)
        saved = await super().save(session, expected=expected)
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return saved


async def live(path: Path, base_url: str, point: str, tap: bytes) -> None:
    """Take the tap."""
    write, behind = POINTS[point]
    async with (
        AsyncMultiWhats("KEY", sender=OURS, base_url=base_url) as client,
        MenuEngine(
            client, MENU, LethalStore(path, write, behind=behind), actions={"order": no_order}
        ) as engine,
    ):
        handler = ReplyHandler(engine.handle, token=None, assumed_item_id="label")
        status, _ = await handler.handle(tap, None)
        sys.exit(0 if status == 200 else 1)


if __name__ == "__main__":
    sessions, url, backend, where = sys.argv[1:]
    anyio.run(live, Path(sessions), url, where, sys.stdin.buffer.read(), backend=backend)
