"""Connections that stay open: server-sent events, and noticing that a client has left."""

import json
from collections.abc import Callable
from typing import Final

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ._reading import MAX_BODY_BYTES
from ._views import Json, changes_view
from .store import Store

HEARTBEAT_SECONDS: Final = 15.0
"""A proxy or a router forgets a connection on which nothing moves."""

PAUSE_SECONDS: Final = 0.1
"""Between two events: a thousand messages a second become ten events."""


class EventStream(Response):
    """What changes in the store, as server-sent events, until the client leaves."""

    media_type = "text/event-stream"

    def __init__(self, store: Store, stats: Callable[[], Json]) -> None:
        super().__init__()
        self._store = store
        self._stats = stats
        del self.headers["content-length"]

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._tell, send)
            await gone(receive)
            tasks.cancel_scope.cancel()

    async def _tell(self, send: Send) -> None:
        async def write(text: str) -> None:
            await send({"type": "http.response.body", "body": text.encode(), "more_body": True})

        with self._store.bell.listener() as listener:
            revision, text = self._event(self._store.revision)
            await write(text)
            while True:
                with anyio.move_on_after(HEARTBEAT_SECONDS) as patience:
                    await listener.wait()
                if patience.cancelled_caught:
                    await write(":\n\n")
                elif self._store.revision != revision:
                    revision, text = self._event(revision)
                    await write(text)
                    await anyio.sleep(PAUSE_SECONDS)

    def _event(self, revision: int) -> tuple[int, str]:
        """Return the revision now, and the event that tells what has changed since one."""
        changes = self._store.changes(revision)
        data = json.dumps(
            changes_view(changes, self._stats()), ensure_ascii=False, separators=(",", ":")
        )
        return changes.revision, f"event: change\ndata: {data}\n\n"


async def body_of(receive: Receive) -> bytes | None:
    """Return the body, cut off once it is over the cap, or None where the client left."""
    body = bytearray()
    more = True
    while more and len(body) <= MAX_BODY_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


async def gone(receive: Receive, *, within: float | None = None) -> bool:
    """Wait for the client to go away; return whether it did within so many seconds."""
    with anyio.move_on_after(within):
        while (await receive())["type"] != "http.disconnect":
            pass  # what is left of a body that was over the cap
        return True
    return False
