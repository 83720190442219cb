"""The sandbox on a real socket: uvicorn on a thread of its own. Needs the extra ``sandbox``."""

import asyncio
import errno
import os
import signal
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Collection
from contextvars import Context
from functools import partial
from ipaddress import ip_address
from types import FrameType, TracebackType
from typing import Any, ClassVar, Final, Self, cast

import attrs
import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from ._reading import BASE_PATH
from .app import DROP_HOOK, create_app
from .emulator import Emulator
from .exchange import Action
from .pushes import is_loopback

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8787
MAX_PORT: Final = 65535
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

JOIN_SECONDS: Final = 0.5
"""How often the main thread looks up while it waits: a lock cannot be interrupted on Windows."""

GRACE_SECONDS: Final = 1
"""For requests to end at shutdown. A net only: their connections are reset before."""

MAX_HEAD_BYTES: Final = 65_536
"""Of a request's line and headers. httptools has no limit of its own; h11 has this one."""

_RESET: Final = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
"""SO_LINGER on, for 0 seconds: closing sends RST, not FIN."""


class SandboxServer:
    """The sandbox on a port, for as long as the ``with`` block lasts.

    ``refuse`` resets a connection when it is accepted, before a byte of it is read. The kernel
    has completed the handshake by then, so a client may already have written into a socket that
    nobody reads; it sees a reset while connecting, writing or reading, as timing has it.

    Args:
        emulator: Where the requests go; a new one by default.
        host: The address to listen on.
        port: The port; 0 takes any free one.
        allow_remote: Whether the address may be reachable from other machines. Then the Host
            header may hold any name, unless ``allowed_hosts`` is given.
        allowed_hosts: Names that the Host header may have beside the loopback names.
        page: Whether there is a page to look at; otherwise only the APIs.

    Raises:
        ValueError: The host is no loopback address and ``allow_remote`` is not set, or the port
            is none.
    """

    def __init__(
        self,
        emulator: Emulator | None = None,
        *,
        host: str = DEFAULT_HOST,
        port: int = DEFAULT_PORT,
        allow_remote: bool = False,
        allowed_hosts: Collection[str] | None = None,
        page: bool = True,
    ) -> None:
        if not allow_remote and not is_loopback(host):
            raise ValueError(
                f"{host!r} may be reached from other machines: use 127.0.0.1, ::1 or localhost, "
                "or pass allow_remote=True"
            )
        if not 0 <= port <= MAX_PORT:
            raise ValueError(f"{port} is no port: use 1 to {MAX_PORT}, or 0 for any free one")
        self.emulator: Emulator = Emulator() if emulator is None else emulator
        self._host = host
        self._port = port
        self._app = create_app(
            self.emulator,
            allowed_hosts=() if allowed_hosts is None and not allow_remote else allowed_hosts,
            page=page,
        )
        self._running: _Running | None = None

    def __repr__(self) -> str:
        state = "stopped" if self._running is None else f"on port {self._running.port}"
        return f"<SandboxServer {state}>"

    @property
    def port(self) -> int:
        """The port that it listens on.

        Raises:
            RuntimeError: The server is not running.
        """
        if self._running is None:
            raise RuntimeError("The sandbox is not running: use it in a with block.")
        return self._running.port

    @property
    def base_url(self) -> str:
        """The base URL to give to a client, such as ``http://127.0.0.1:8787/api/v1/``."""
        return self.url.removesuffix("/") + BASE_PATH

    @property
    def url(self) -> str:
        """The address of the page, such as ``http://127.0.0.1:8787/``."""
        return f"http://{_reachable(self._host)}:{self.port}/"

    @property
    def env(self) -> dict[str, str]:
        """The two environment variables that point a program at this server."""
        return {
            "MULTIWHATS_BASE_URL": self.base_url,
            "MULTIWHATS_API_KEY": self.emulator.api_key,
        }

    def start(self) -> None:
        """Listen, and return once requests are answered.

        Raises:
            OSError: The address cannot be had, most often because the port is in use.
            RuntimeError: The server is running already.
        """
        if self._running is not None:
            raise RuntimeError("The sandbox is running already.")
        listener = _listen(self._host, self._port)
        port: int = listener.getsockname()[1]
        server = _Server(self._config())
        thread = threading.Thread(
            target=_run, args=(server, listener), name="multiwhats-sandbox", daemon=True
        )
        thread.start()
        server.settled.wait()
        if not server.started:
            thread.join()
            raise RuntimeError("The sandbox did not start; its thread has printed why.")
        self._running = _Running(server, thread, port)

    def stop(self) -> None:
        """Reset every connection, close the port and end the thread; takes about 0.2 seconds."""
        if self._running is not None:
            self._running.server.should_exit = True
            self._running.thread.join()
            self._running = None

    def close_port(self) -> None:
        """Refuse new connections from now on; those that are open go on.

        What a client meets while a server restarts, or has as many connections as it takes.

        Raises:
            RuntimeError: The server is not running.
        """
        self._in_its_loop(lambda server: server.close_port())

    def open_port(self) -> None:
        """Take new connections again, on the same port.

        Raises:
            OSError: Something else has taken the port meanwhile.
            RuntimeError: The server is not running.
        """
        host, port = self._host, self.port
        self._in_its_loop(lambda server: server.open_port(_listen(host, port)))

    def _in_its_loop(self, step: "Callable[[_Server], Awaitable[None]]") -> None:
        """Run one step in the server's own loop, and wait until it is done."""
        if self._running is None:
            raise RuntimeError("The sandbox is not running: use it in a with block.")
        server = self._running.server

        async def run() -> None:
            await step(server)

        # In a context of its own: the caller's says that it runs on trio, where it does, and
        # every connection of the port would inherit that.
        Context().run(asyncio.run_coroutine_threadsafe, run(), server.loop).result()

    def serve_forever(
        self, *, on_start: Callable[[Self], object] | None = None
    ) -> signal.Signals | None:
        """Serve until SIGINT, SIGTERM or :meth:`stop`. For the main thread of a command line.

        Args:
            on_start: Called with this server once it answers; the place to print its ``env``.

        Returns:
            The signal that ended it, or None where it was stopped.

        Raises:
            OSError: As :meth:`start`.
            ValueError: Called from another thread than the main one.
        """
        received: list[int] = []

        def end(number: int, _frame: FrameType | None) -> None:
            received.append(number)
            if self._running is not None:  # else it is starting, and the loop below sees it
                self._running.server.should_exit = True

        previous = {number: signal.signal(number, end) for number in SIGNALS}
        try:
            with self:
                if on_start is not None:
                    on_start(self)
                while not received and (running := self._running) and running.thread.is_alive():
                    running.thread.join(JOIN_SECONDS)
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
        return signal.Signals(received[0]) if received else None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _config(self) -> uvicorn.Config:
        return uvicorn.Config(
            self._app,
            http=_gated(self.emulator),
            loop="asyncio",  # so that a connection's socket can be set to reset
            ws="none",
            lifespan="on",
            log_config=None,
            log_level="warning",
            access_log=False,  # it would write the key, which stands in the query
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )


class _Server(uvicorn.Server):
    """uvicorn's server, with a word when it has started and no wait for clients when it ends."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.settled.set()

    async def close_port(self) -> None:
        while self.servers:
            self.servers.pop().close()

    async def open_port(self, listener: socket.socket) -> None:
        protocol: Any = self.config.http_protocol_class
        self.servers.append(
            await self.loop.create_server(
                lambda: protocol(
                    config=self.config,
                    server_state=self.server_state,
                    app_state=self.lifespan.state,
                ),
                sock=listener,
                backlog=self.config.backlog,
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # A client that waits, or keeps an idle connection, would hold uvicorn up for seconds.
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)


@attrs.frozen
class _Running:
    server: _Server
    thread: threading.Thread
    port: int


class _Gate(asyncio.Protocol):
    """What goes before uvicorn's protocol: refuses connections, and lets the app drop one.

    A head that grows beyond all measure ends its connection, before it fills the memory.
    """

    emulator: ClassVar[Emulator]
    app_state: dict[str, Any]
    _head: int | None = None
    """Bytes of the head that is being read; None where none is."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio announces the base class, and hands a stream protocol a stream's transport.
        stream = cast("asyncio.Transport", transport)
        if self.emulator.accept() is Action.REFUSE:
            stream.set_protocol(asyncio.Protocol())  # uvicorn's never hears of this connection
            _reset(stream)
            return
        self.app_state = {**self.app_state, DROP_HOOK: partial(_reset, stream)}
        self._stream = stream
        super().connection_made(stream)

    def on_message_begin(self) -> None:
        """Take httptools' word for the first byte of a request."""
        super().on_message_begin()  # type: ignore[misc]  # uvicorn's protocol has it
        self._head = 0

    def on_headers_complete(self) -> None:
        """Take its word for the end of a head; a body has a limit of its own."""
        super().on_headers_complete()  # type: ignore[misc]  # likewise
        self._head = None

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._head is not None:
            self._head += len(data)
            if self._head > MAX_HEAD_BYTES:
                self._stream.abort()


def _gated(emulator: Emulator) -> type[asyncio.Protocol]:
    """Return the protocol that uvicorn would choose (httptools, else h11), behind the gate."""
    return type("SandboxProtocol", (_Gate, AutoHTTPProtocol), {"emulator": emulator})


def _reset(transport: asyncio.Transport) -> None:
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()


def _run(server: _Server, listener: socket.socket) -> None:
    with listener:
        try:
            server.run(sockets=[listener])
        finally:
            server.settled.set()


def _listen(host: str, port: int) -> socket.socket:
    """Return a bound socket, or raise an OSError that says in one line what is wrong."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        # Without it the port of a server that has just ended stays taken on POSIX for a minute;
        # on Windows it would let two servers share a port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, os.name == "posix")
        listener.bind(address)
    except OSError as error:
        listener.close()
        reason = (
            f"port {port} on {host} is in use: stop what listens there, "
            "or choose another one (0 takes any that is free)"
            if error.errno == errno.EADDRINUSE
            else f"cannot listen on port {port} of {host}: {error.strerror}"
        )
        raise OSError(error.errno, reason) from None
    return listener


def _reachable(host: str) -> str:
    """Return the host as a URL names it; one that means every address becomes loopback."""
    try:
        is_every_address = ip_address(host).is_unspecified
    except ValueError:
        return host
    if is_every_address:
        host = "::1" if ":" in host else "127.0.0.1"
    return f"[{host}]" if ":" in host else host
