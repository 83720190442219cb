"""An ASGI application in this process: its lifespan, and its requests with what that left."""

from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
import httpx

BASE: Final = "http://testserver"
"""Where the application seems to be."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Scope]]
Send = Callable[[Scope], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


@asynccontextmanager
async def alive(app: App) -> AsyncGenerator[App, None]:
    """Start an application, yield it with its lifespan's state, and shut it down at the end.

    Args:
        app: The application. One that knows no lifespan is taken as it is.

    Raises:
        Exception: What its start or its end raises, or the block, as it is: in no group.
    """
    life = _Life(app)
    failure: BaseException | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(life.run)
        try:
            await life.started.wait()
            if life.error is None:
                yield life.request
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException as error:  # noqa: BLE001  # raised below: the group would wrap it
            failure = error
        finally:
            life.leave.set()
    failure = failure or life.error
    if failure is not None:
        raise failure


def web_client(app: App) -> httpx.AsyncClient:
    """Return an HTTP client of an application in this process."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(_reading(app)), base_url=BASE)


def _reading(app: App) -> App:
    """Return an application that leaves no request half read: httpx's body warns of it on trio."""

    async def read(scope: Scope, receive: Receive, send: Send) -> None:
        is_whole = False

        async def watched() -> Scope:
            nonlocal is_whole
            message = await receive()
            is_whole = not message.get("more_body", False)
            return message

        await app(scope, watched, send)
        while not is_whole:
            await watched()

    return read


class _Life:
    """The lifespan of one application."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._state: dict[str, Any] = {}
        self._has_asked = self._has_spoken = False
        self.started = anyio.Event()
        self.leave = anyio.Event()
        self.error: Exception | None = None

    async def run(self) -> None:
        """Run the application's lifespan, to its end."""
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": self._state}
        try:
            await self._app(scope, self._receive, self._send)
        except Exception as error:  # noqa: BLE001  # raised by alive, where the test can see it
            # ASGI: one that raises before it has said anything knows no lifespan.
            self.error = error if self._has_spoken else None
        finally:
            self.started.set()

    async def request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the application, with the state that its lifespan left."""
        await self._app({**scope, "state": {**self._state}}, receive, send)

    async def _receive(self) -> Scope:
        if not self._has_asked:
            self._has_asked = True
            return {"type": "lifespan.startup"}
        await self.leave.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Scope) -> None:
        self._has_spoken = True
        if message["type"].endswith(".failed"):
            self.error = RuntimeError(f"The application: {message['type']} {message['message']}")
        self.started.set()
