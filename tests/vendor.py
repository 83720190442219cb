"""The vendor's documented example, and a small server in memory that answers as it does."""

import copy
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx

from multiwhats_async import AsyncMultiWhats, ButtonMessage

DATA = Path(__file__).parent / "data"
REQUEST: dict[str, Any] = json.loads((DATA / "seed_request.json").read_text("utf-8"))
RESPONSE: dict[str, Any] = json.loads((DATA / "seed_response.json").read_text("utf-8"))
SENDER: str = REQUEST["from"]
RECIPIENT: str = REQUEST["to"]
URL = "https://api.multiwhats.app/api/v1/basic/whatsapp/send-dynamic"


def record_for(recipient: str, **changes: Any) -> dict[str, Any]:
    """Return the documented record, for another recipient."""
    record = copy.deepcopy(RESPONSE) | changes
    record["targets"][0]["target_identifier"] = recipient
    return record


def message(number: int = 0, **changes: Any) -> ButtonMessage:
    """Return one of as many different messages as a test wants."""
    fields = {"to": str(905300000000 + number), "message": "Merhaba 👤", "buttons": ["👍", "⛔"]}
    return ButtonMessage(**fields | changes)


def messages(count: int) -> list[ButtonMessage]:
    """Return that many different messages."""
    return [message(number) for number in range(count)]


Answer = httpx.Response | Exception | Callable[[], Any]


class Vendor:
    """Answers POSTs in memory, by script, and counts what it read."""

    def __init__(self, *, latency: float = 0.0) -> None:
        self.latency = latency
        self.posts: Counter[str] = Counter()
        self.order: list[str] = []
        self.times: list[float] = []
        self.at_once = 0
        self.most_at_once = 0
        self.script: dict[str, list[Answer]] = {}
        self.always: Callable[[str, int], Answer | None] = lambda recipient, count: None

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        recipient: str = json.loads(request.content)["to"]
        self.posts[recipient] += 1
        self.order.append(recipient)
        self.times.append(anyio.current_time())
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        answer = self._answer(recipient)
        try:
            await anyio.sleep(0 if isinstance(answer, httpx.ConnectError) else self.latency)
            if callable(answer):
                answer = await answer()
        finally:
            self.at_once -= 1
        if isinstance(answer, Exception):
            raise answer
        return answer or httpx.Response(200, json=record_for(recipient))

    def _answer(self, recipient: str) -> Any:
        queued = self.script.get(recipient)
        if queued:
            return queued.pop(0)
        return self.always(recipient, sum(self.posts.values()))

    @property
    def total(self) -> int:
        """How many POSTs it read."""
        return sum(self.posts.values())

    def client(self, **options: Any) -> AsyncMultiWhats:
        """Return a client that speaks to this server."""
        http = httpx.AsyncClient(transport=httpx.MockTransport(self))
        return AsyncMultiWhats("KEY", **{"sender": SENDER, "http_client": http} | options)


def answer(status: int, **fields: Any) -> Callable[[], Any]:
    """Return a scripted answer; built anew each time it is given."""

    async def build() -> httpx.Response:
        return httpx.Response(status, **fields)

    return build
