"""A server on loopback, in threads of its own, that does to each connection what a play says."""

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, Self
from urllib.parse import parse_qs, urlsplit

import attrs
from faults.answers import record_answer

SECONDS = 10.0
"""Nothing here takes so long unless something is broken."""

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@attrs.frozen
class Request:
    """One POST as the server read it, in full."""

    head: bytes
    body: bytes

    @property
    def target(self) -> str:
        """The path and query."""
        return self.head.split(b" ", 2)[1].decode()

    @property
    def query(self) -> dict[str, list[str]]:
        """The parameters of the query."""
        return parse_qs(urlsplit(self.target).query)

    def header(self, name: str) -> str | None:
        """Return a header's value."""
        for line in self.head.split(b"\r\n")[1:]:
            found, _, value = line.partition(b":")
            if found.decode().lower() == name.lower():
                return value.strip().decode()
        return None


class Connection:
    """The server's end of a connection, as a play uses it. Reading past its end ends the play."""

    def __init__(self, server: "RawServer", sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.closed = False
        self._buffer = b""

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Shake hands, as a server."""
        self.sock = context.wrap_socket(self.sock, server_side=True)

    def read_head(self) -> bytes:
        """Read up to the end of a request's head."""
        while b"\r\n\r\n" not in self._buffer:
            self._buffer += self._receive()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return head

    def read_some(self, count: int) -> None:
        """Read that many bytes, or a few more."""
        while count > 0:
            count -= len(self._receive())

    def read_request(self) -> Request:
        """Read a request in full, and count it."""
        request = Request(self.read_head(), b"")
        length = int(request.header("Content-Length") or 0)
        while len(self._buffer) < length:
            self._buffer += self._receive()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        request = Request(request.head, body)
        self.server.note(lambda: self.server.requests.append(request))
        return request

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.sock.sendall(data)

    def reset(self) -> None:
        """Close the connection with a RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.close()

    def close(self) -> None:
        """Close the connection; with a FIN, unless bytes are left unread."""
        self.closed = True
        self.sock.close()

    def end_sending(self) -> None:
        """Half-close: nothing more will be sent. TLS itself is not told: its stream is cut."""
        socket.socket.shutdown(self.sock, socket.SHUT_WR)  # that of TLS would end its reading too

    def say_goodbye(self) -> None:
        """Say over TLS that nothing more will be sent."""
        assert isinstance(self.sock, ssl.SSLSocket)
        self.sock.settimeout(0)  # the client's own goodbye is not waited for
        with suppress(ssl.SSLWantReadError):
            self.sock.unwrap()
        self.sock.settimeout(SECONDS)

    def part(self) -> None:
        """Say over TLS that nothing more will be sent, then close."""
        self.say_goodbye()
        self.close()

    def linger(self) -> None:
        """Read on, whatever comes, until the client goes."""
        while self._receive():
            pass

    def wait_for_more(self) -> None:
        """Wait until the client sends something, or goes; of a plain socket read nothing."""
        if isinstance(self.sock, ssl.SSLSocket):
            self._buffer += self._receive()
        elif not self._buffer:
            self.sock.recv(1, socket.MSG_PEEK)

    def _receive(self) -> bytes:
        data = self.sock.recv(65536)
        if not data:
            raise EOFError
        return data


Play = Callable[[Connection], None]


def behave(connection: Connection) -> None:
    """Read a request and answer with its record, as the vendor does."""
    request = connection.read_request()
    connection.send(record_answer(request.body))


class RawServer:
    """Runs a play on each connection, and again on each further request of it.

    Args:
        play: What to do. A play that leaves the connection open is followed by the one that
            then holds (see :meth:`mend`), as soon as the client sends more.
        tls: Speak TLS.
        handshake: Shake hands before the play; otherwise it gets the bare socket.
        receive_buffer: Bytes that the kernel takes for a connection before it is read.
        door: What the kernel does with a connection: ``open`` takes it, ``closed`` refuses it,
            and before a ``crowded`` one it waits. Mending opens it.
    """

    def __init__(
        self,
        play: Play = behave,
        *,
        tls: ssl.SSLContext | None = None,
        handshake: bool = True,
        receive_buffer: int | None = None,
        door: Literal["open", "crowded", "closed"] = "open",
    ) -> None:
        self.play = play
        self.tls = tls
        self.handshake = handshake
        self.requests: list[Request] = []
        self.connections = 0
        self.live = 0
        self.released = threading.Event()
        """Set once the server is mended: a play may wait for it."""
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._sockets: list[Connection] = []
        self._listener = socket.socket()
        if receive_buffer is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._listener.bind(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._crowd: list[socket.socket] = []
        self._door = door

    @property
    def url(self) -> str:
        """The base URL for the client."""
        return f"{'http' if self.tls is None else 'https'}://127.0.0.1:{self.port}/api/v1/"

    @property
    def posts(self) -> int:
        """How many POSTs were read in full."""
        return len(self.requests)

    def texts(self) -> list[str]:
        """Return the texts of the messages that were read in full."""
        return [json.loads(request.body)["message"] for request in self.requests]

    def answer_to(self, request: Request) -> bytes:
        """Return the answer that a request gets when all is well."""
        return record_answer(request.body)

    def start(self) -> Self:
        """Begin to accept connections, if the door is open."""
        if self._door == "crowded":
            self._listener.listen(0)
            self._gather()
        elif self._door == "open":
            self._open()
        return self

    def mend(self, play: Play = behave, *, tls: ssl.SSLContext | None = None) -> None:
        """From now on do what the vendor does, or another play; with another certificate."""
        self.play = play
        self.handshake = True
        self.tls = tls or self.tls
        self.released.set()
        if self._door != "open":
            self._door = "open"
            for sock in self._crowd:
                sock.close()
            self._open()

    def note(self, change: Callable[[], object]) -> None:
        """Change what is counted, and wake who waits for it."""
        with self._changed:
            change()
            self._changed.notify_all()

    def wait_until(self, reached: Callable[[], bool]) -> None:
        """Block until a condition on the counters holds; for a thread of the test."""
        with self._changed:
            assert self._changed.wait_for(reached, SECONDS), "the server never got there"

    def wait_idle(self) -> None:
        """Block until the client has let go of every connection."""
        self.wait_until(lambda: self.live == 0)

    def stop(self) -> None:
        """Close everything."""
        self.released.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._crowd:
            sock.close()
        for connection in self._sockets:
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(SECONDS)

    def _open(self) -> None:
        self._listener.listen(128)
        thread = threading.Thread(target=self._accept, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _gather(self) -> None:
        """Fill the queue of those that wait to be accepted."""
        for _ in range(4):
            sock = socket.socket()
            self._crowd.append(sock)
            sock.setblocking(False)
            with suppress(BlockingIOError):
                sock.connect(("127.0.0.1", self.port))

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(SECONDS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(self, sock)
            self._sockets.append(connection)
            self.note(self._count_one)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _count_one(self) -> None:
        self.connections += 1
        self.live += 1

    def _count_off(self) -> None:
        self.live -= 1

    def _serve(self, connection: Connection) -> None:
        play = self.play
        try:
            if self.tls is not None and self.handshake:
                connection.start_tls(self.tls)
            play(connection)
            while not connection.closed:
                connection.wait_for_more()
                self.play(connection)
        except (OSError, EOFError):
            pass
        finally:
            connection.close()
            self.note(self._count_off)
