"""One POST through a user's ``httpx.AsyncClient``: deadline, shield, cap, and evidence.

The modules of this package are the only ones that know httpx; the client's façade takes a user's
``httpx.AsyncClient`` and hands it on.
"""

import socket
from contextlib import suppress
from typing import Any

import anyio
import httpx

from .._evidence import Answer, Evidence, Failure, Silence
from .._secret import Secret
from .._version import __version__
from .._wire import decode_body, may_belong
from ..options import KeyPlace, Timeouts
from ._collected import Collected, check_size, read_capped
from ._flight import InFlight, ended, unbegun
from ._pool import Content, with_key
from ._told import described, masked


def standing_headers(url: str, *, keep: bool) -> dict[str, str]:
    """Return what every request says of itself.

    Args:
        url: Where it goes.
        keep: Whether its connection may be kept.
    """
    return {
        "Host": httpx.URL(url).netloc.decode(),
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": f"multiwhats-async/{__version__}",
    } | ({} if keep else {"Connection": "close"})


class _KeyedURL(httpx.URL):
    """A URL whose text never shows the key, while transports find it in the path and query.

    The transport of a user's client (a mock, an ASGI app, a proxy) reads the request's URL and
    nothing else.
    """

    _raw: bytes

    @property
    def raw_path(self) -> bytes:
        return self._raw

    @property
    def query(self) -> bytes:
        return self._raw.partition(b"?")[2]

    def __reduce__(self) -> tuple[Any, ...]:
        return httpx.URL, (str(self),)


class HttpxExchange:
    """Carries requests through an ``httpx.AsyncClient`` that a user brought.

    Args:
        http_client: The client.
        url: Where to POST, without the key.
        key: The API key.
        place: Where the key goes.
        headers: What every request says of itself.
    """

    def __init__(
        self,
        http_client: httpx.AsyncClient,
        *,
        url: httpx.URL,
        key: Secret,
        place: KeyPlace,
        headers: dict[str, str],
    ) -> None:
        self._http = http_client
        self._url = url
        self._key = key
        self._place: KeyPlace = place
        self._headers = headers

    def flight(self) -> InFlight:
        """Return a fresh watch for one attempt."""
        return InFlight()

    async def post(self, body: bytes, *, timeouts: Timeouts, flight: InFlight) -> Answer | Silence:
        """POST a body once; return what is known of it. Lower-layer errors come back as data."""
        return flight.finish(await self._post(body, timeouts, flight))

    async def _post(self, body: bytes, timeouts: Timeouts, flight: InFlight) -> Answer | Silence:
        collected = Collected()
        failure: Failure | None = None
        deadline = anyio.current_time() + timeouts.attempt
        with anyio.CancelScope(shield=True, deadline=deadline) as scope:
            flight.begin(scope)
            try:
                failure = unbegun(flight, closed=self._http.is_closed)
                if failure is None:
                    await self._round_trip(body, timeouts, flight.evidence, collected)
            except Exception as error:  # noqa: BLE001  # classified by evidence, not by type
                failure = described(error, self._key, self._url.netloc.decode())
        if scope.cancelled_caught:
            failure = ended(timeouts, by_deadline=anyio.current_time() >= deadline)
        return collected.result(flight.evidence, failure)

    async def distrust(self) -> None:
        """Drop nothing: the connections of a user's client are not ours."""

    async def _round_trip(
        self, body: bytes, timeouts: Timeouts, evidence: Evidence, collected: Collected
    ) -> None:
        """Send the request and collect the answer as far as it comes."""
        request = self._build(body, timeouts, evidence)
        response = await self._http.send(request, stream=True, follow_redirects=False)
        try:
            collected.status = response.status_code
            collected.retry_after = response.headers.get("retry-after")
            collected.date = response.headers.get("date")
            raw = await _read_body(response)
            if not may_belong(response.status_code, raw, body):
                _hang_up(response)
        finally:
            await response.aclose()
        plain = decode_body(raw, response.headers.get("content-encoding"))
        collected.body = masked(plain, self._key, is_record=response.is_success)

    def _build(self, body: bytes, timeouts: Timeouts, evidence: Evidence) -> httpx.Request:
        """Return the request, with the headers, parameters and cookies that are the client's."""
        extensions: dict[str, Any] = {
            "timeout": {
                "connect": timeouts.connect,
                "write": timeouts.write,
                "read": timeouts.read,
                "pool": timeouts.connect,
            },
            "trace": evidence,
        }
        request = self._http.build_request(
            "POST", self._url, headers=self._headers, extensions=extensions
        )
        target, body = with_key(request.url.raw_path, body, self._key, self._place)
        keyed = httpx.Request(
            "POST", request.url, headers=self._headers, content=body, extensions=extensions
        )
        keyed.stream = Content(body)
        for name, value in request.headers.multi_items():
            keyed.headers.setdefault(name, value)
        keyed.url = _KeyedURL(request.url)
        keyed.url._raw = target  # noqa: SLF001  # our own class
        return keyed


async def _read_body(response: httpx.Response) -> bytes:
    """Read a body as it comes on the wire, up to the cap.

    Raises:
        ValueError: It is larger than the cap.
    """
    if response.is_stream_consumed:  # a mock's answer, decoded by httpx already
        response.headers.pop("content-encoding", None)
        check_size(len(response.content))
        return response.content
    # Not by aiter_raw(), which gives the connection back before its answer is looked at.
    return await read_capped(response.stream)


def _hang_up(response: httpx.Response) -> None:
    """End the connection below an answer, before its pool can hand it out again.

    Where the answer is another's, that to our request comes next, and would be taken for the
    answer to whatever follows. The pool finds the end of the connection when it looks at it: one
    that is closed under its hands is handed out on trio. HTTP/2 tells answers apart.
    """
    stream = response.extensions.get("network_stream")
    if stream is not None and response.http_version.startswith("HTTP/1"):
        with suppress(Exception):  # it has ended by itself, or is no socket
            stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
