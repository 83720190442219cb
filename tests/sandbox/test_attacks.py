"""What is written to a sandbox by hand, to have it do what it would refuse. Over a real socket."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import httpx
import pytest
from sandbox.raw import answers_to, connect, read_all, read_all_or_reset
from sandbox.wire_examples import PATH, payload, raw_request

from multiwhats_async.sandbox import Emulator, SandboxServer
from multiwhats_async.sandbox.server import MAX_HEAD_BYTES

INNER = raw_request(payload(message="smuggled"))
"""A whole request, to be hidden in the body of another."""

HEAD = (
    f"POST {PATH}?apikey=KEY HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
).encode()


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    """Run a sandbox on any free port."""
    with SandboxServer(Emulator(), port=0) as server:
        yield server


def chunk(data: bytes) -> bytes:
    """Return bytes as a chunk of a body, and the end of the body."""
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data)


SMUGGLED = {
    "both lengths, the chunks are short": (
        b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % (len(INNER) + 5)
        + b"0\r\n\r\n"
        + INNER
    ),
    "both lengths, the length is short": (
        b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + chunk(INNER)
    ),
    "two lengths": b"Content-Length: 2\r\nContent-Length: %d\r\n\r\n{}" % len(INNER) + INNER,
    "a list of lengths": b"Content-Length: 2, 2\r\n\r\n{}" + INNER,
    "a length with a sign": b"Content-Length: +2\r\n\r\n{}" + INNER,
    "a length below 0": b"Content-Length: -1\r\n\r\n" + INNER,
    "a length in hex": b"Content-Length: 0x2\r\n\r\n{}" + INNER,
    "an unknown encoding": b"Transfer-Encoding: xchunked\r\n\r\n" + INNER,
    "chunks not last": b"Transfer-Encoding: chunked, identity\r\n\r\n" + INNER,
    "a space before the colon": b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + INNER,
    "a folded header": b"X: a\r\n Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
    "a chunk beyond counting": b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n" + INNER,
    "a NUL in a header": b"X: a\x00b\r\nContent-Length: 2\r\n\r\n{}" + INNER,
}


@pytest.mark.parametrize("name", list(SMUGGLED))
def test_a_request_within_a_request(name: str, server: SandboxServer) -> None:
    """Where two readers could see two ends of a body, the whole connection is refused."""
    before = server.emulator.stats()
    said = answers_to(server, HEAD + SMUGGLED[name])
    assert said.startswith(b"HTTP/1.1 400 ")
    assert said.count(b"HTTP/1.1") == 1
    after = server.emulator.stats()
    assert (after.requests, after.accepted) == (before.requests, before.accepted)


def test_a_body_is_no_request(server: SandboxServer) -> None:
    """What stands in a body of the stated length is read as that body, and as nothing else."""
    before = server.emulator.stats().accepted
    for body in (b"Content-Length: %d\r\n\r\n" % len(INNER) + INNER, chunk(INNER)):
        framing = b"" if body.startswith(b"Content") else b"Transfer-Encoding: chunked\r\n\r\n"
        said = answers_to(server, HEAD + framing + body)
        assert said.count(b"HTTP/1.1") == 1
        assert b"invalid_json" in said
    assert server.emulator.stats().accepted == before


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("Host: evil.com\r\nHost: localhost", 421),
        ("Host: localhost\r\nHost: evil.com", 421),
        ("Host: localhost:1, evil.com", 421),
        ("Host: localhost\r\nOrigin: http://evil.com\r\nOrigin: http://localhost", 403),
        ("Host: localhost\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Site: none", 403),
        ("Host: localhost\r\nOrigin: http://localhost", 204),
    ],
)
@pytest.mark.parametrize("allow_remote", [False, True])
def test_a_header_that_comes_twice(headers: str, status: int, *, allow_remote: bool) -> None:
    """No second one stands in for the first; not even where any name is allowed."""
    request = f"POST /sandbox/reset HTTP/1.1\r\n{headers}\r\nContent-Length: 0\r\n\r\n"
    with SandboxServer(Emulator(), port=0, allow_remote=allow_remote) as server:
        assert answers_to(server, request.encode()).startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.parametrize("start", [b"GET /%b", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: %b"])
def test_a_head_without_end(start: bytes, server: SandboxServer) -> None:
    """A line or header that goes on and on ends its connection; the memory stays free."""
    with closing(connect(server)) as connection:
        sent = 0
        connection.sendall(start % b"")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            while sent < 200 * MAX_HEAD_BYTES:
                connection.sendall(b"a" * 65_536)
                sent += 65_536
    assert httpx.get(server.url).status_code == 200


def test_a_head_just_within(server: SandboxServer) -> None:
    """What a browser can send is served, and the count begins anew with each request."""
    filler = "a" * (MAX_HEAD_BYTES - 1_000)
    with httpx.Client() as client:
        for _ in range(3):
            assert client.get(server.url, headers={"x": filler}).status_code == 200


def test_slow_clients_keep_nobody_waiting(server: SandboxServer) -> None:
    """A hundred who never come to the end of their head or body, and one who does."""
    with ExitStack() as open_ones:
        for number in range(100):
            connection = open_ones.enter_context(closing(connect(server)))
            beginning = HEAD + b"X: " if number % 2 else HEAD + b"Content-Length: 9\r\n\r\n{"
            connection.sendall(beginning)
        before = server.emulator.stats().accepted
        with closing(connect(server)) as other:
            other.sendall(raw_request(payload()))
            assert other.recv(12) == b"HTTP/1.1 200"
        assert server.emulator.stats().accepted == before + 1


def test_streams_are_let_go_of() -> None:
    """Two hundred pages that watch cost the one that comes after them nothing, nor stay behind."""
    emulator = Emulator()
    request = b"GET /sandbox/events HTTP/1.1\r\nHost: localhost\r\n\r\n"
    listeners = emulator.store.bell._listeners
    with SandboxServer(emulator, port=0) as server:
        of_its_own = len(listeners)  # what pushes the choices listens as well
        with ExitStack() as pages:
            for _ in range(200):
                page = pages.enter_context(closing(connect(server)))
                page.sendall(request)
                assert page.recv(12) == b"HTTP/1.1 200"
            assert len(listeners) > of_its_own
            assert httpx.get(server.url + "sandbox/stats").status_code == 200
        with httpx.Client(base_url=server.url) as client:
            for _ in range(2_000):
                if len(listeners) == of_its_own:
                    break
                client.get("sandbox/stats")  # each answer is a turn of the server's loop
        assert len(listeners) == of_its_own


def test_no_other_protocol_is_spoken(server: SandboxServer) -> None:
    """Neither WebSockets, whose requests no policy of origins holds, nor HTTP/2."""
    upgrade = (
        b"GET /sandbox/events HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
        b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://evil.com\r\n"
    )
    with closing(connect(server)) as connection:
        connection.sendall(upgrade + b"\r\n")
        assert connection.recv(12) == b"HTTP/1.1 200"
    assert answers_to(server, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "value", ["429=7\r\nX-Evil: 1", "500@to:9053\r\nX-Evil: 1", "html\r\n\r\n<script>"]
)
def test_no_setting_becomes_a_header(value: str, server: SandboxServer) -> None:
    """A fault whose text holds the end of a line is refused, and the answer holds no such line."""
    answer = httpx.post(f"{server.url}sandbox/faults", json={"fault": value})
    assert answer.status_code == 422
    assert "x-evil" not in answer.headers
    assert server.emulator.faults.faults == ()


def test_no_text_becomes_a_header(server: SandboxServer) -> None:
    """Nor does what comes in the address, the query or the Host."""
    for target, host in (
        ("/%0d%0aX-Evil:%201", "localhost"),
        ("/?a=%0d%0aX-Evil:%201", "localhost"),
        ("/sandbox/page/index.html/%0d%0aX-Evil:%201", "localhost"),
        ("/", "localhost%0d%0aX-Evil: 1"),
    ):
        request = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        head = answers_to(server, request.encode()).partition(b"\r\n\r\n")[0]
        assert b"\nx-evil" not in head.lower()


def test_a_client_that_leaves_in_the_middle(server: SandboxServer) -> None:
    """Half a message is none."""
    whole = raw_request(payload(message="half"))
    before = server.emulator.stats().accepted
    for end in (len(whole) - 1, len(whole) // 2, 60):
        with closing(connect(server)) as connection:
            connection.sendall(whole[:end])
            connection.shutdown(socket.SHUT_WR)
            assert b" 200 " not in read_all_or_reset(connection)
    with closing(connect(server)) as other:
        other.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert read_all(other).startswith(b"HTTP/1.1 200")
    assert server.emulator.stats().accepted == before
