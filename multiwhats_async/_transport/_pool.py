"""Our own connection pool: an ``httpx`` transport over public httpcore connections.

httpcore's own pool walks every connection at every step, and loses slots for good when a request
is cancelled or waits too long. This one has nothing to lose: the limit on concurrency stands in
front of it, a connection belongs to exactly one attempt, and comes back only when its answer was
read to the end. So no cancellation can brick it.
"""

import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Final, Self

import anyio
import httpcore
import httpx

from .._secret import Secret
from .._wire import add_key
from ..options import KeyPlace
from ._answer import check_head
from ._turn import CLOSE_SECONDS, Line

KEY_EXTENSION: Final = "multiwhats.key"
"""The request extension that carries the key, as a Secret, to the last moment."""

DROPPED_HEADERS: Final = frozenset((b"location", b"set-cookie", b"referer", b"link"))
"""httpx acts on these even where it follows no redirect, or keeps them; we have no use for them."""


DEFAULT_PORTS: Final = {"https": 443, "http": 80}


class _NoLock:
    """Locks nothing. httpcore guards a connection against two requests at once; ours has one.

    Each of the three locks that a message would take costs a round of the event loop.
    """

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        """Do nothing."""


_NO_LOCK: Final[Any] = _NoLock()


class PooledConnection(httpcore.AsyncHTTPConnection):
    """A connection of httpcore's, and the line below it.

    It is httpcore's in all that it does, so that whoever mocks that class mocks this one.
    """

    def __init__(self, origin: httpcore.Origin, ssl_context: ssl.SSLContext | None) -> None:
        self.line = Line()
        super().__init__(origin, ssl_context, network_backend=self.line)
        self._request_lock = _NO_LOCK

    def unlock(self) -> None:
        """Leave out the locks of what httpcore has opened below."""
        below: Any = self._connection
        below._state_lock = _NO_LOCK  # noqa: SLF001  # where it has moved, it locks as before


class PooledTransport(httpx.AsyncBaseTransport):
    """Sends requests to a single origin over kept connections.

    Args:
        origin: The only URL scheme, host and port that requests may go to.
        ssl_context: Verifies the server, for HTTPS.
        keepalive: Seconds for which an idle connection is kept; None keeps none.
        clock: Tells the seconds of the event loop.
    """

    def __init__(
        self,
        origin: httpx.URL,
        *,
        ssl_context: ssl.SSLContext | None,
        keepalive: float | None,
        clock: Callable[[], float] = anyio.current_time,
    ) -> None:
        self.origin = httpcore.Origin(
            origin.raw_scheme,
            origin.raw_host,
            origin.port or DEFAULT_PORTS[origin.scheme],
        )
        self._ssl_context = ssl_context
        self._keepalive = keepalive
        self.clock = clock
        self._idle: deque[tuple[PooledConnection, float]] = deque()
        self.closed = False
        self.opened = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request, with the key added below everything that logs."""
        wire_request = self._wire_request(request)
        connection = await self.take()
        connection.line.serve(None)
        try:
            response = await connection.handle_async_request(wire_request)
            check_head(response.headers)
        except BaseException as error:
            await drop(connection)
            if isinstance(error, httpcore_errors):
                raise as_httpx_error(error) from error
            raise
        headers = [item for item in response.headers if item[0].lower() not in DROPPED_HEADERS]
        return httpx.Response(
            response.status,
            headers=headers,
            stream=_Body(response, connection, self),
            extensions={
                name: value
                for name, value in response.extensions.items()
                if name in ("http_version", "network_stream")
            },
        )

    def _wire_request(self, request: httpx.Request) -> httpcore.Request:
        """Return the request that really goes out: the only one that holds the key."""
        target, content = request.url.raw_path, request.content
        headers = request.headers.raw
        key: tuple[Secret, KeyPlace] | None = request.extensions.get(KEY_EXTENSION)
        if key is not None:
            target, content = with_key(target, content, *key)
            length = str(len(content)).encode()
            headers = [
                (name, value) for name, value in headers if name.lower() != b"content-length"
            ]
            headers.append((b"Content-Length", length))
        extensions = {
            name: value
            for name, value in request.extensions.items()
            if name in ("timeout", "trace", "sni_hostname")
        }
        return httpcore.Request(
            request.method.encode(),
            httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=target,
            ),
            headers=headers,
            content=Content(content),
            extensions=extensions,
        )

    async def take(self) -> PooledConnection:
        """Return an idle connection that still stands, the freshest first, or a new one."""
        now = self.clock()
        while self._idle and self._idle[0][1] <= now:
            await drop(self._idle.popleft()[0])
        while self._idle:
            connection, _ = self._idle.pop()
            # Also true where bytes wait unasked: the end of the connection, or a stray answer.
            if not connection.has_expired():
                return connection
            await drop(connection)
        self.opened += 1
        return PooledConnection(self.origin, self._ssl_context)

    async def give_back(self, connection: PooledConnection) -> None:
        """Keep a connection whose answer was read to the end; close any other."""
        if (
            self._keepalive is None
            or self.closed
            or not connection.is_available()
            or _holds_more(connection)
        ):
            await drop(connection)
        else:
            connection.unlock()
            self._idle.append((connection, self.clock() + self._keepalive))

    @property
    def idle(self) -> int:
        """How many connections are kept, and carry nothing."""
        return len(self._idle)

    async def close_idle(self) -> None:
        """Close every idle connection."""
        while self._idle:
            await drop(self._idle.pop()[0])

    async def aclose(self) -> None:
        """Close every idle connection, and from now on each that comes back."""
        self.closed = True
        await self.close_idle()

    def forget(self) -> None:
        """Let go of the connections without touching them: after a fork they are the parent's."""
        self._idle.clear()


class _Body(httpx.AsyncByteStream):
    """The body of an answer; gives the connection back when it is closed."""

    def __init__(
        self,
        response: httpcore.Response,
        connection: PooledConnection,
        pool: PooledTransport,
    ) -> None:
        self._response = response
        self._connection = connection
        self._pool = pool

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response.aiter_stream():
                yield chunk
        except httpcore_errors as error:
            raise as_httpx_error(error) from error

    async def aclose(self) -> None:
        with anyio.CancelScope(shield=True):
            await self._response.aclose()
            await self._pool.give_back(self._connection)


class Content(httpx.AsyncByteStream):
    """A request's body in one piece.

    httpcore and httpx wrap bytes into an async generator, which is left open where writing fails,
    and trio complains of such.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _Once(self._content)


class _Once(AsyncIterator[bytes]):
    """Gives one piece, and is no generator."""

    def __init__(self, content: bytes) -> None:
        self._content: bytes | None = content

    async def __anext__(self) -> bytes:
        content, self._content = self._content, None
        if content is None:
            raise StopAsyncIteration
        return content


def _holds_more(connection: PooledConnection) -> bool:
    """Tell whether more was read than an answer: bytes that nobody asked for, or the end.

    Bytes would be taken for the answer to the next request; behind the end there is none. Over
    TLS the end may be said while the socket stays open, and looks idle. Only h11's own buffer and
    that of the stream know of either; where they cannot be looked into, it counts as holding more.
    """
    try:
        http11: Any = connection._connection  # noqa: SLF001  # no public way to see it
        stream = http11._network_stream  # noqa: SLF001  # likewise
        trailing = http11._h11_state.trailing_data  # noqa: SLF001  # likewise
        return any(trailing) or bool(stream.holds_more())
    except AttributeError:
        return True


def with_key(target: bytes, content: bytes, secret: Secret, place: KeyPlace) -> tuple[bytes, bytes]:
    """Return a request's target and body with the key in one of them."""
    if place == "json":
        return target, add_key(content, secret.reveal())
    query = httpx.QueryParams({"apikey": secret.reveal()})
    return target + (b"&" if b"?" in target else b"?") + str(query).encode(), content


async def drop(connection: PooledConnection) -> None:
    """Close a connection, come what may: it is never used again."""
    with anyio.move_on_after(CLOSE_SECONDS, shield=True):
        with suppress(Exception):  # a connection that cannot be closed is gone too
            await connection.aclose()


httpcore_errors: Final = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
)


def as_httpx_error(error: BaseException) -> httpx.TransportError:
    """Return httpx's error of the same name; both trees are alike."""
    kind: type[httpx.TransportError] = getattr(httpx, type(error).__name__, httpx.TransportError)
    return kind(str(error))
