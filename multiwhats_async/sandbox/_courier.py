"""Pushes the customers' choices to the webhook. How the vendor does it is not documented."""

import time
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Final

import anyio
import anyio.abc
import httpx

from ._reading import encode_json
from .messages import Delivery, DeliveryAttempt
from .store import Store

TIMEOUT_SECONDS: Final = 10.0
"""For one attempt. Assumed."""

AT_ONCE: Final = 8
"""Choices of different customers that are pushed at once; those of one go in their order."""

SHOWN_BYTES: Final = 2_000
"""Of an answer."""

HEADERS: Final = {
    "content-type": "application/json",
    "user-agent": "multiwhats-sandbox",
}


class Courier:
    """Takes deliveries from the store to their webhook, for as long as it runs.

    Args:
        store: Where they are, and where what became of them goes.
        now: The clock that is shown.
    """

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self._queues: dict[str, deque[Delivery]] = {}
        self._limiter = anyio.Semaphore(AT_ONCE)

    async def run(self) -> None:
        """Push what is due, until cancelled."""
        self._store.take_up()
        # No proxy and no credentials of the environment: what is pushed stays on this machine.
        async with (
            httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_SECONDS, headers=HEADERS) as client,
            anyio.create_task_group() as tasks,
        ):
            with self._store.bell.listener() as listener:
                while True:
                    self._start_due(client, tasks)
                    with anyio.move_on_after(self._store.next_delivery()):
                        await listener.wait()

    def _start_due(self, client: httpx.AsyncClient, tasks: anyio.abc.TaskGroup) -> None:
        while (delivery := self._store.take_delivery()) is not None:
            customer = delivery.customer
            if customer in self._queues:
                self._queues[customer].append(delivery)
            else:
                self._queues[customer] = deque([delivery])
                tasks.start_soon(self._serve, client, customer)

    async def _serve(self, client: httpx.AsyncClient, customer: str) -> None:
        """Push the choices of one customer, one after the other."""
        queue = self._queues[customer]
        while queue:
            delivery = queue.popleft()
            async with self._limiter:
                attempt = await self._push(client, delivery)
            self._store.note_attempt(delivery.id, attempt)
        del self._queues[customer]

    async def _push(self, client: httpx.AsyncClient, delivery: Delivery) -> DeliveryAttempt:
        began, start = self._now(), time.monotonic()
        status: int | None = None
        problem: str | None = None
        body = bytearray()
        try:
            # The client's own time-outs begin anew with every byte; this one is for all.
            with anyio.fail_after(TIMEOUT_SECONDS):
                async with client.stream(
                    "POST", str(delivery.url), content=encode_json(delivery.body)
                ) as response:
                    status = response.status_code
                    async for piece in response.aiter_raw():
                        body += piece
                        if len(body) > SHOWN_BYTES:
                            break
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            problem = _reason(error)
        return DeliveryAttempt(
            time=began,
            seconds=round(time.monotonic() - start, 4),
            status=status,
            error=problem,
            body=bytes(body[:SHOWN_BYTES]).decode(errors="replace"),
        )


def _reason(error: Exception) -> str:
    """Return in one line why there was no answer, without the address: it may hold a token."""
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return f"no whole answer within {TIMEOUT_SECONDS:g} seconds"
    if isinstance(error, httpx.ConnectError):
        return "nothing listens there: is your program running?"
    return f"the connection broke ({type(error).__name__})"
