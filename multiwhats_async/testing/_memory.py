"""The kit in memory."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx

from .._settings import BASE_URL
from ..client import AsyncMultiWhats
from ..replies import AssumedItemId
from ..sandbox import Delivery, DeliveryAttempt, Emulator, Webhook, mock_transport
from ._asgi import App, alive, web_client
from ._kit import Kit, client_of

A_DAY: Final = 86_400.0
"""Seconds by which the kit's own clock goes on: whatever is held back is due by then."""

IN_MEMORY: Final = "http://127.0.0.1/"
"""Marks choices as to be delivered; nothing listens there, and nothing is sent there."""


class MultiWhatsKit(Kit):
    """The sandbox in memory: no socket, no thread, no waiting.

    Args:
        assumed_item_id: What ``selectedItemId`` of a tap holds: ``"label"``, ``"index_from_0"`` or
            ``"index_from_1"``. The vendor does not document it.
        options: Further arguments of :class:`~multiwhats_async.sandbox.Emulator`, such as
            ``credits=3`` or ``api_keys=["KEY"]``. Magic numbers are off: nothing fails that the
            test has not asked for.

    Attributes:
        emulator: The sandbox behind it.
    """

    def __init__(
        self, *, assumed_item_id: AssumedItemId | str = AssumedItemId.LABEL, **options: Any
    ) -> None:
        self._seconds = 0.0
        self._alive: dict[int, App] = {}
        webhook = Webhook(IN_MEMORY, AssumedItemId(assumed_item_id))
        defaults: dict[str, Any] = {
            "magic_numbers": False,
            "webhook": webhook,
            "clock": lambda: self._seconds,
        }
        super().__init__(Emulator(**defaults | options))

    def client(self, **options: Any) -> AsyncMultiWhats:
        """Return a new client that ends in the sandbox; open it with ``async with``.

        Args:
            options: Options of :class:`~multiwhats_async.AsyncMultiWhats` in place of the kit's: a
                key that passes, :data:`TEST_SENDER`, retries without pauses, no breaker.
        """
        http = httpx.AsyncClient(transport=mock_transport(self.emulator))
        return client_of(self.emulator, {"base_url": BASE_URL, "http_client": http} | options)

    def take_replies(self) -> list[Any]:
        """Return what is to be pushed for the taps since the last call, as JSON data.

        For sync tests: post each to your own endpoint, with Starlette's ``TestClient`` for
        instance. Each counts as delivered.
        """
        due: list[Any] = []
        self._seconds += A_DAY
        while (delivery := self.emulator.store.take_delivery()) is not None:
            self._note(delivery, httpx.Response(200))
            due.append(delivery.body)
        return due

    async def deliver_to(self, app: App, path: str) -> list[httpx.Response]:
        """Push the replies of the taps since the last call to an ASGI application, in process.

        They go in the order that the sandbox would push them in, with the faults ``webhook_…`` and
        without their waiting. One that is not answered with a 2xx is pushed again by the next call.

        Args:
            app: The application. Where it needs its lifespan, do this within :meth:`running`.
            path: The path of its endpoint, with the token: ``"/replies?token=secret"``.

        Returns:
            What it answered, one response a push.

        Raises:
            Exception: What the application raises.
        """
        answers: list[httpx.Response] = []
        self._seconds += A_DAY
        async with web_client(self._alive.get(id(app), app)) as web:
            while (delivery := self.emulator.store.take_delivery()) is not None:
                answer = await web.post(path, json=delivery.body)
                self._note(delivery, answer)
                answers.append(answer)
        return answers

    @asynccontextmanager
    async def running(self, app: App) -> AsyncGenerator[httpx.AsyncClient, None]:
        """Start an ASGI application in this process, and shut it down at the end.

        Args:
            app: The application.

        Yields:
            A client for its requests: ``await web.get("/")``.

        Raises:
            Exception: What its start or its end raises.
        """
        async with alive(app) as living, web_client(living) as web:
            self._alive[id(app)] = living
            try:
                yield web
            finally:
                del self._alive[id(app)]

    def _note(self, delivery: Delivery, answer: httpx.Response) -> None:
        attempt = DeliveryAttempt(self.emulator.now(), 0.0, answer.status_code)
        self.emulator.store.note_attempt(delivery.id, attempt)
