"""A client whose way to the server is none: what is left is what the library itself costs."""

import re
from types import SimpleNamespace
from typing import Any

import anyio.lowlevel
from _server import BODY, RECIPIENT

from multiwhats_async import AsyncMultiWhats, Certainty
from multiwhats_async._evidence import Answer, Evidence, Failure, Silence

TO = re.compile(rb'"to":"(\d+)"')
REFUSED = Failure(cause="ConnectError", text="refused", before_writing=True)


class NullFlight:
    """An attempt of which nothing is written."""

    def __init__(self) -> None:
        self.evidence = Evidence()
        self.result: Answer | Silence | None = None

    def interrupt(self) -> None:
        """Let it finish."""

    def abandon(self) -> None:
        """Let it finish."""


EVENTS = [
    ("http11.send_request_headers.started", {"request": SimpleNamespace(method=b"POST")}),
    ("http11.send_request_headers.complete", {}),
    ("http11.send_request_body.started", {}),
    ("http11.send_request_body.complete", {}),
    ("http11.receive_response_headers.started", {}),
    ("http11.receive_response_headers.complete", {"return_value": (b"HTTP/1.1", 200)}),
    ("http11.receive_response_body.started", {}),
    ("http11.receive_response_body.complete", {}),
    ("http11.response_closed.started", {}),
    ("http11.response_closed.complete", {}),
]
"""What httpcore tells of a POST that is answered."""


class NullExchange:
    """Answers at once with the documented record, for the recipient of the request.

    Args:
        evidence: Whether it tells of its writing, as httpcore does.
        refused: Every which attempt finds no server; None is none.
    """

    def __init__(self, *, evidence: bool = False, refused: int | None = None) -> None:
        self._evidence = evidence
        self._refused = refused
        self._count = 0

    def flight(self) -> NullFlight:
        """Return a fresh watch for one attempt."""
        return NullFlight()

    async def post(self, body: bytes, *, timeouts: object, flight: NullFlight) -> Answer | Silence:
        """Give others their turn, as a socket would, and answer."""
        await anyio.lowlevel.checkpoint()
        self._count += 1
        if self._refused is not None and self._count % self._refused == 0:
            flight.result = Silence(failure=REFUSED, certainty=Certainty.NOT_SENT)
            return flight.result
        if self._evidence:
            for name, info in EVENTS:
                await flight.evidence(name, info)
        to = TO.search(body)
        assert to is not None
        flight.result = Answer(status=200, body=BODY.replace(RECIPIENT, to[1]))
        return flight.result

    async def distrust(self) -> None:
        """Drop nothing."""


class NullClient(AsyncMultiWhats):
    """Sends to nobody.

    Args:
        exchange: What it sends with; None answers everything.
        options: Those of the class.
    """

    def __init__(self, exchange: NullExchange | None = None, **options: Any) -> None:
        super().__init__("KEY", sender="908503080335", base_url="http://127.0.0.1:9/", **options)
        self._way = exchange or NullExchange()

    def _exchange(self) -> Any:
        return self._way
