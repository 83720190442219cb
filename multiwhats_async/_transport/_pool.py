"""Our own connection pool: an ``httpx`` transport over public httpcore connections.

httpcore's own pool walks every connection at every step, and loses slots for good when a request
is cancelled or waits too long. This one has nothing to lose: the limit on concurrency stands in
front of it, a connection belongs to exactly one attempt, and comes back only when its answer was
read to the end. So no cancellation can brick it.

This is the only module that knows httpcore.
"""

import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Final

import anyio
import httpcore
import httpx
import sniffio

from .._secret import Secret
from .._wire import add_key
from ..options import KeyPlace
from ._port import holds_a_record

KEY_EXTENSION: Final = "multiwhats.key"
"""The request extension that carries the key, as a Secret, to the last moment."""

CLOSE_SECONDS: Final = 1.0
"""How long closing a connection may take; it is dropped either way."""

DROPPED_HEADERS: Final = frozenset((b"location", b"set-cookie", b"referer", b"link"))
"""httpx acts on these even where it follows no redirect, or keeps them; we have no use for them."""


DEFAULT_PORTS: Final = {"https": 443, "http": 80}


class PooledTransport(httpx.AsyncBaseTransport):
    """Sends requests to a single origin over kept connections.

    Args:
        origin: The only URL scheme, host and port that requests may go to.
        ssl_context: Verifies the server, for HTTPS.
        keepalive: Seconds for which an idle connection is kept; None keeps none.
        clock: Tells the seconds of the event loop.
        network: Opens the connections; None is httpcore's own.
    """

    def __init__(
        self,
        origin: httpx.URL,
        *,
        ssl_context: ssl.SSLContext | None,
        keepalive: float | None,
        clock: Callable[[], float] = anyio.current_time,
        network: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._origin = httpcore.Origin(
            origin.raw_scheme,
            origin.raw_host,
            origin.port or DEFAULT_PORTS[origin.scheme],
        )
        self._ssl_context = ssl_context
        self._keepalive = keepalive
        self._clock = clock
        self._network = network
        self._idle: deque[tuple[httpcore.AsyncHTTPConnection, float]] = deque()
        self._closed = False
        self.opened = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request, with the key added below everything that logs."""
        wire_request = self._wire_request(request)
        connection = await self._take()
        try:
            response = await connection.handle_async_request(wire_request)
        except BaseException as error:
            await _drop(connection)
            if isinstance(error, httpcore_errors):
                raise _as_httpx_error(error) from error
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

    async def _take(self) -> httpcore.AsyncHTTPConnection:
        """Return an idle connection that still stands, the freshest first, or a new one."""
        now = self._clock()
        while self._idle and self._idle[0][1] <= now:
            await _drop(self._idle.popleft()[0])
        while self._idle:
            connection, _ = self._idle.pop()
            # Also true where bytes wait unasked: the end of the connection, or a stray answer.
            if not connection.has_expired():
                return connection
            await _drop(connection)
        self.opened += 1
        return httpcore.AsyncHTTPConnection(
            origin=self._origin,
            ssl_context=self._ssl_context,
            http1=True,
            http2=False,
            retries=0,
            network_backend=self._network or _Network(),
        )

    async def _give_back(self, connection: httpcore.AsyncHTTPConnection) -> None:
        """Keep a connection whose answer was read to the end; close any other."""
        if (
            self._keepalive is None
            or self._closed
            or not connection.is_available()
            or _holds_more(connection)
        ):
            await _drop(connection)
        else:
            self._idle.append((connection, self._clock() + self._keepalive))

    @property
    def idle(self) -> int:
        """How many connections are kept, and carry nothing."""
        return len(self._idle)

    async def close_idle(self) -> None:
        """Close every idle connection."""
        while self._idle:
            await _drop(self._idle.pop()[0])

    async def aclose(self) -> None:
        """Close every idle connection, and from now on each that comes back."""
        self._closed = True
        await self.close_idle()

    def forget(self) -> None:
        """Let go of the connections without touching them: after a fork they are the parent's."""
        self._idle.clear()


class _Body(httpx.AsyncByteStream):
    """The body of an answer; gives the connection back when it is closed."""

    def __init__(
        self,
        response: httpcore.Response,
        connection: httpcore.AsyncHTTPConnection,
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
            raise _as_httpx_error(error) from error

    async def aclose(self) -> None:
        with anyio.CancelScope(shield=True):
            await self._response.aclose()
            await self._pool._give_back(self._connection)  # noqa: SLF001  # its own pool


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


class _Network(httpcore.AsyncNetworkBackend):
    """Opens connections as httpcore does, but closes one whose TLS handshake is cancelled.

    httpcore closes it on an ``Exception`` only, which a cancellation is not.
    """

    async def connect_tcp(self, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        on_trio = sniffio.current_async_library() == "trio"
        # Each is a class without methods where its library is not installed.
        backend: Any = httpcore.TrioBackend() if on_trio else httpcore.AnyIOBackend()
        return _Stream(await backend.connect_tcp(*args, **options))


class _Stream(httpcore.AsyncNetworkStream):
    """A connection before its TLS handshake, if it has one."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self.read = stream.read  # type: ignore[method-assign]  # as it is, without a frame more
        self.write = stream.write  # type: ignore[method-assign]  # likewise
        self.aclose = stream.aclose  # type: ignore[method-assign]  # likewise
        self.get_extra_info = stream.get_extra_info  # type: ignore[method-assign]  # likewise

    async def start_tls(self, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        try:
            return await self._stream.start_tls(*args, **options)
        except BaseException:
            with anyio.move_on_after(CLOSE_SECONDS, shield=True), suppress(Exception):
                await self._stream.aclose()
            raise


def _holds_more(connection: httpcore.AsyncHTTPConnection) -> bool:
    """Tell whether more was read than an answer: bytes that nobody asked for, or the end.

    Bytes would be taken for the answer to the next request; behind the end there is none. Over
    TLS the end may be said while the socket stays open, and looks idle. Only h11's own buffer and
    that of TLS know of either; where they cannot be looked into, it counts as holding more.
    """
    try:
        http11: Any = connection._connection  # noqa: SLF001  # no public way to see it
        stream = http11._network_stream  # noqa: SLF001  # likewise
        tls = stream.get_extra_info("ssl_object")
        return bool(
            any(http11._h11_state.trailing_data)  # noqa: SLF001  # likewise
            or (tls is not None and holds_a_record(stream._stream, tls))  # noqa: SLF001  # likewise
        )
    except AttributeError:
        return True


def with_key(target: bytes, content: bytes, secret: Secret, place: KeyPlace) -> tuple[bytes, bytes]:
    """Return a request's target and body with the key in one of them."""
    if place == "json":
        return target, add_key(content, secret.reveal())
    query = httpx.QueryParams({"apikey": secret.reveal()})
    return target + (b"&" if b"?" in target else b"?") + str(query).encode(), content


async def _drop(connection: httpcore.AsyncHTTPConnection) -> None:
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


def _as_httpx_error(error: BaseException) -> httpx.TransportError:
    """Return httpx's error of the same name; both trees are alike."""
    kind: type[httpx.TransportError] = getattr(httpx, type(error).__name__, httpx.TransportError)
    return kind(str(error))
