"""The direct way to the server: one origin, connections of our own, no layer that is not needed.

What it promises is what the way over httpcore promises: a connection belongs to exactly one
attempt, and carries another only when its answer was read to the end and nothing was left over.
Until the request is handed to the network an attempt is provably not sent; from there on it may
have left.
"""

import ssl
from collections import deque
from collections.abc import Callable

import anyio
import anyio.lowlevel
import httpx
import sniffio

from .._evidence import Answer, Failure, Silence, weigh
from .._secret import Secret
from .._wire import decode_body, may_belong
from ..options import KeyPlace, Timeouts
from ._answer import IncomingAnswer, KnownHeads
from ._flight import InFlight, ended, unbegun
from ._pool import DEFAULT_PORTS, with_key
from ._port import AbandonedError, Connection, Network, OutOfTimeError, Request
from ._told import described, masked


class Origin:
    """Opens connections to one server, and keeps them while they are good for another request.

    Args:
        url: Its scheme, host and port are the only ones that are ever spoken to.
        ssl_context: Verifies the server, for HTTPS.
        keepalive: Seconds for which an idle connection is kept; None keeps none.
        network: Opens connections; None takes that of the running loop.
        new_answer: Makes what reads an answer; None takes the fastest parser there is.
    """

    def __init__(
        self,
        url: httpx.URL,
        *,
        ssl_context: ssl.SSLContext | None,
        keepalive: float | None,
        network: Network | None = None,
        new_answer: Callable[[KnownHeads], IncomingAnswer] | None = None,
    ) -> None:
        self.host = url.raw_host.decode("ascii")
        self.port: int = url.port or DEFAULT_PORTS[url.scheme]
        self.scheme = url.scheme
        self._ssl_context = ssl_context if url.scheme == "https" else None
        if self._ssl_context is not None:
            self._ssl_context.set_alpn_protocols(["http/1.1"])
        self._keepalive = keepalive
        self._network = running_network() if network is None else network
        self._new_answer = _fastest_answer() if new_answer is None else new_answer
        self._known: KnownHeads = {}
        self.clock = self._network.clock
        self._idle: deque[tuple[Connection, float]] = deque()
        self.closed = False
        self.opened = 0

    def new_answer(self) -> IncomingAnswer:
        """Return what reads the next answer."""
        return self._new_answer(self._known)

    async def carry(
        self, request: Request, answer: IncomingAnswer, *, flight: InFlight, timeouts: Timeouts
    ) -> None:
        """Write a request and read its answer to the end, over a connection of its own.

        Raises:
            httpx.TransportError: There is no connection, it failed, or the server was too slow.
            OutOfTimeError: The attempt's time was over.
            AbandonedError: It was given up.
            ValueError: The answer is larger than the cap.
        """
        now = self.clock()
        end = now + timeouts.attempt
        connection = self._take(now) or await self._open(flight, timeouts, end)
        try:
            if flight.abandoned:  # while the connection came: nothing is written any more
                raise AbandonedError
            flight.begin(connection)
            await connection.round_trip(
                request, answer, evidence=flight.evidence, timeouts=timeouts, end=end
            )
        finally:
            if (
                answer.keeps
                and self._keepalive is not None
                and not self.closed
                and request.may_be_answered_by(answer)
            ):
                self._idle.append((connection, self.clock() + self._keepalive))
            else:
                connection.close()

    def _take(self, now: float) -> Connection | None:
        """Return an idle connection that still stands, the freshest first, or None."""
        while self._idle and self._idle[0][1] <= now:
            self._idle.popleft()[0].close()
        while self._idle:
            connection, _ = self._idle.pop()
            if connection.is_usable():
                return connection
            connection.close()
        return None

    async def _open(self, flight: InFlight, timeouts: Timeouts, end: float) -> Connection:
        """Open a connection."""
        self.opened += 1
        limit = self.clock() + timeouts.connect
        with anyio.CancelScope(deadline=min(end, limit)) as scope:
            flight.begin(scope)
            return await self._network.connect(self.host, self.port, ssl_context=self._ssl_context)
        if flight.abandoned:
            raise AbandonedError
        if end <= limit:
            raise OutOfTimeError
        raise httpx.ConnectTimeout(f"no connection within {timeouts.connect:g} s")

    @property
    def idle(self) -> int:
        """How many connections are kept, and carry nothing."""
        return len(self._idle)

    def close_idle(self) -> None:
        """Close every idle connection."""
        while self._idle:
            self._idle.pop()[0].close()

    async def aclose(self) -> None:
        """Close every idle connection, and from now on each that comes back."""
        self.closed = True
        self.close_idle()
        # On asyncio a socket is closed in the loop's next round.
        await anyio.lowlevel.cancel_shielded_checkpoint()

    def forget(self) -> None:
        """Let go of the connections without touching them: after a fork they are the parent's."""
        self._idle.clear()


def running_network() -> Network:
    """Return what opens connections in the running loop; each backend is a module of its own."""
    if sniffio.current_async_library() == "trio":
        from ._on_trio import TrioNetwork  # noqa: PLC0415  # trio may not be installed

        return TrioNetwork()
    from ._on_asyncio import AsyncioNetwork  # noqa: PLC0415  # not needed on trio

    return AsyncioNetwork()


def _fastest_answer() -> Callable[[KnownHeads], IncomingAnswer]:
    """Return what reads an answer with the fastest parser that is installed."""
    try:
        from ._with_httptools import HttptoolsAnswer  # noqa: PLC0415  # an extra
    except ModuleNotFoundError:
        from ._with_h11 import H11Answer  # noqa: PLC0415  # likewise not always needed

        return H11Answer
    return HttptoolsAnswer


class DirectExchange:
    """Carries requests straight to the server, with the head of them made once.

    Args:
        origin: The connections to the server.
        url: Where to POST, without the key.
        key: The API key.
        place: Where the key goes.
        headers: What every request says of itself, but for the length of its body.
    """

    def __init__(
        self,
        origin: Origin,
        *,
        url: httpx.URL,
        key: Secret,
        place: KeyPlace,
        headers: dict[str, str],
    ) -> None:
        self._origin = origin
        self._key = key
        self._host = url.netloc.decode()
        self._head = KeyedHead(url.raw_path, headers, key, place)

    def flight(self) -> InFlight:
        """Return a fresh watch for one attempt: nothing of it has left before it is said."""
        return InFlight(traced=True)

    async def post(self, body: bytes, *, timeouts: Timeouts, flight: InFlight) -> Answer | Silence:
        """POST a body once; return what is known of it. Lower-layer errors come back as data."""
        answer = self._origin.new_answer()
        failure: Failure | None = None
        plain = b""
        try:
            failure = unbegun(flight, closed=self._origin.closed)
            if failure is None:
                request = _KeyedRequest(self._head, body)
                await self._origin.carry(request, answer, flight=flight, timeouts=timeouts)
                plain = self._plain(answer)
        except OutOfTimeError:
            failure = ended(timeouts, by_deadline=True)
        except AbandonedError:
            failure = ended(timeouts, by_deadline=False)
        except Exception as error:  # noqa: BLE001  # classified by evidence, not by type
            failure = described(error, self._key, self._host)
        if answer.status is None:
            failure = failure or Failure(cause="NoAnswer", text="")
            certainty = weigh(flight.evidence, failure)
            return flight.finish(Silence(failure=failure, certainty=certainty))
        return flight.finish(
            Answer(
                status=answer.status,
                body=None if failure else plain,
                retry_after=answer.header(b"retry-after"),
                date=answer.header(b"date"),
                failure=failure,
            )
        )

    def _plain(self, answer: IncomingAnswer) -> bytes:
        """Return the body of an answer, decoded, and without the key."""
        assert answer.status is not None  # noqa: S101  # it is complete
        plain = decode_body(answer.body, answer.header(b"content-encoding"))
        return masked(plain, self._key, is_record=200 <= answer.status < 300)  # noqa: PLR2004  # success

    async def distrust(self) -> None:
        """Drop every idle connection."""
        self._origin.close_idle()


class KeyedHead:
    """The head of every request of a client, with the key in it; it never shows itself."""

    __slots__ = ("_before_length", "_key", "_place")

    def __init__(
        self, target: bytes, headers: dict[str, str], key: Secret, place: KeyPlace
    ) -> None:
        self._key = key
        self._place: KeyPlace = place
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._before_length = b"POST %b HTTP/1.1\r\n%bContent-Length: " % (
            target if place == "json" else with_key(target, b"", key, place)[0],
            lines.encode("latin-1"),
        )

    def reveal(self, body: bytes) -> bytes:
        """Return the whole request; call it only where it is handed to the network."""
        if self._place == "json":
            body = with_key(b"", body, self._key, "json")[1]
        return b"%b%d\r\n\r\n%b" % (self._before_length, len(body), body)


class _KeyedRequest:
    """One request, whose bytes are only made where they are handed to the network."""

    __slots__ = ("_body", "_head")

    def __init__(self, head: KeyedHead, body: bytes) -> None:
        self._head = head
        self._body = body

    def reveal(self) -> bytes:
        return self._head.reveal(self._body)

    def may_be_answered_by(self, answer: IncomingAnswer) -> bool:
        assert answer.status is not None  # noqa: S101  # it is complete
        return may_belong(answer.status, answer.body, self._body)
