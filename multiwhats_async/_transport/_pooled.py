"""One POST over a connection of httpcore's, from our own pool: no client of httpx is in between.

The pool's :class:`PooledTransport` carries requests of an ``httpx.AsyncClient`` too, for whoever
reaches for it. A message takes this shorter way to the same connections.
"""

from typing import Any, Final

import anyio
import h11
import httpcore
import httpx

from .._evidence import Answer, Failure, Silence
from .._secret import Secret
from .._wire import decode_body, may_belong
from ..options import KeyPlace, Timeouts
from ._answer import check_head
from ._collected import Collected, read_capped
from ._flight import InFlight, ended, unbegun
from ._pool import Content, PooledTransport, as_httpx_error, drop, httpcore_errors, with_key
from ._told import described, masked
from ._turn import Turn

_SLOW: Final = {
    "WriteTimeout": "the server does not take the request",
    "ReadTimeout": "the server does not answer",
}

_RETRY_AFTER: Final = b"retry-after"
_DATE: Final = b"date"
_ENCODING: Final = b"content-encoding"
_WANTED: Final = frozenset((_RETRY_AFTER, _DATE, _ENCODING))
"""Of an answer's headers, those that are looked at."""

_MAX_LENGTHS: Final = 1000
"""Of bodies, of which the headers are kept."""


class PooledExchange:
    """Carries requests over the connections of our own pool.

    Args:
        pool: The connections.
        url: Where to POST, without the key.
        key: The API key.
        place: Where the key goes.
        headers: What every request says of itself, but for the length of its body.
    """

    def __init__(
        self,
        pool: PooledTransport,
        *,
        url: httpx.URL,
        key: Secret,
        place: KeyPlace,
        headers: dict[str, str],
    ) -> None:
        self._pool = pool
        self._key = key
        self._host = url.netloc.decode()
        self._requests = KeyedRequests(url, headers, key, place)

    def flight(self) -> InFlight:
        """Return a fresh watch for one attempt."""
        return InFlight()

    async def post(self, body: bytes, *, timeouts: Timeouts, flight: InFlight) -> Answer | Silence:
        """POST a body once; return what is known of it. Lower-layer errors come back as data."""
        return flight.finish(await self._post(body, timeouts, flight))

    async def _post(self, body: bytes, timeouts: Timeouts, flight: InFlight) -> Answer | Silence:
        collected = Collected()
        failure: Failure | None = None
        clock = self._pool.clock
        end = clock() + timeouts.attempt
        scope = anyio.CancelScope(shield=True, deadline=end)
        turn = Turn(flight, scope, timeouts=timeouts, end=end, clock=clock)
        with scope:
            flight.begin(scope)
            try:
                failure = unbegun(flight, closed=self._pool.closed)
                if failure is None:
                    await self._round_trip(body, timeouts, turn, collected)
            except Exception as error:  # noqa: BLE001  # classified by evidence, not by type
                failure = described(error, self._key, self._host)
        if scope.cancelled_caught and collected.body is None:
            if turn.slow is None or flight.abandoned:
                failure = ended(timeouts, by_deadline=clock() >= end)
            else:
                failure = Failure(cause=turn.slow, text=_SLOW[turn.slow])
        return collected.result(flight.evidence, failure)

    async def _round_trip(
        self, body: bytes, timeouts: Timeouts, turn: Turn, collected: Collected
    ) -> None:
        """Send the request and collect the answer as far as it comes."""
        connection = await self._pool.take()
        connection.line.serve(turn)
        try:
            response = await connection.handle_async_request(self._requests.reveal(body, timeouts))
            check_head(response.headers)
            collected.status = response.status
            told = _told(response.headers)
            collected.retry_after, collected.date = told.get(_RETRY_AFTER), told.get(_DATE)
            raw = await read_capped(response.stream)
            plain = decode_body(raw, told.get(_ENCODING))
            is_record = 200 <= response.status < 300  # noqa: PLR2004  # success
            # Before the connection is seen to: it is known now, whatever becomes of that.
            collected.body = masked(plain, self._key, is_record=is_record)
            await response.aclose()
        except BaseException as error:
            await drop(connection)
            if isinstance(error, httpcore_errors):
                raise as_httpx_error(error) from error
            raise
        connection.line.serve(None)
        if may_belong(response.status, raw, body):
            await self._pool.give_back(connection)
        else:
            # Another's answer: the one to our request comes next, and is not to be taken for
            # the answer to whatever follows.
            await drop(connection)

    async def distrust(self) -> None:
        """Drop every idle connection."""
        await self._pool.close_idle()


class _OneURL(httpcore.URL):
    """A URL whose origin is made once; httpcore asks for it twice a message."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self._origin = super().origin

    @property
    def origin(self) -> httpcore.Origin:
        return self._origin


class KeyedRequests:
    """Makes the requests of a client, with the key in them; it never shows itself."""

    __slots__ = ("_by_length", "_headers", "_key", "_place", "_url")

    def __init__(
        self, url: httpx.URL, headers: dict[str, str], key: Secret, place: KeyPlace
    ) -> None:
        self._key = key
        self._place: KeyPlace = place
        self._headers = [
            (name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()
        ]
        self._by_length: dict[int, Any] = {}
        target = url.raw_path
        self._url = _OneURL(
            scheme=url.raw_scheme,
            host=url.raw_host,
            port=url.port,
            target=target if place == "json" else with_key(target, b"", key, place)[0],
        )

    def reveal(self, body: bytes, timeouts: Timeouts) -> httpcore.Request:
        """Return a request; call it only where it is handed to the connection."""
        if self._place == "json":
            body = with_key(b"", body, self._key, "json")[1]
        request = httpcore.Request(
            b"POST",
            self._url,
            content=Content(body),
            extensions={
                "timeout": {
                    "connect": timeouts.connect,
                    "write": timeouts.write,
                    "read": timeouts.read,
                }
            },
        )
        request.headers = self._by_length.get(len(body)) or self._headers_for(len(body))
        return request

    def _headers_for(self, length: int) -> Any:
        """Return the headers of a request, as h11 has them once it has looked at them.

        They are a sequence of pairs, which h11 does not look at again.
        """
        if len(self._by_length) == _MAX_LENGTHS:
            self._by_length.clear()
        headers = [*self._headers, (b"Content-Length", b"%d" % length)]
        checked = h11.Request(method=b"POST", target=b"/", headers=headers).headers
        self._by_length[length] = checked
        return checked


def _told(headers: list[tuple[bytes, bytes]]) -> dict[bytes, str]:
    """Return the headers that are looked at; those of one name are joined, as httpx does it."""
    found: dict[bytes, str] = {}
    for name, value in headers:
        lower = name.lower()
        if lower in _WANTED:
            text = value.decode("latin-1")
            found[lower] = f"{found[lower]}, {text}" if lower in found else text
    return found
