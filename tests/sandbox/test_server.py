"""The server on a real socket: what a client meets there, and that nothing is left behind."""

import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest
from sandbox.raw import HANG_SECONDS, connect, read_all, read_all_or_reset
from sandbox.wire_examples import PATH, payload, raw_request

from multiwhats_async.sandbox import Emulator, FaultPlan, SandboxServer
from multiwhats_async.sandbox.server import _Server


@pytest.fixture
def emulator() -> Emulator:
    """Return an emulator whose faults a test adds."""
    return Emulator(faults=FaultPlan())


@pytest.fixture
def server(emulator: Emulator) -> Iterator[SandboxServer]:
    """Run a server on any free port."""
    with SandboxServer(emulator, port=0) as server:
        yield server


def wait_for_requests(server: SandboxServer, count: int) -> None:
    """Ask the server for its home page until it has read so many requests."""
    while server.emulator.stats().requests < count:
        with closing(connect(server)) as other:
            other.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert read_all(other).startswith(b"HTTP/1.1 200")


def test_sends(server: SandboxServer, emulator: Emulator) -> None:
    """A message gets its record over the base URL and key that the server names."""
    env = server.env
    assert env["MULTIWHATS_BASE_URL"] == server.base_url
    assert server.base_url == f"http://127.0.0.1:{server.port}/api/v1/"
    with httpx.Client(base_url=env["MULTIWHATS_BASE_URL"]) as client:
        response = client.post(
            "basic/whatsapp/send-dynamic",
            params={"apikey": env["MULTIWHATS_API_KEY"]},
            json=payload(),
        )
        assert response.json() == emulator.messages[0].response
        stats = client.get(f"http://127.0.0.1:{server.port}/sandbox/stats").json()
    assert stats["accepted"] == 1
    assert repr(server) == f"<SandboxServer on port {server.port}>"


@pytest.mark.anyio
async def test_many_at_once(server: SandboxServer, emulator: Emulator) -> None:
    """A hundred requests over kept connections are all answered, from both backends."""
    async with httpx.AsyncClient(base_url=server.base_url) as client:
        for number in range(100):
            response = await client.post(
                "basic/whatsapp/send-dynamic?apikey=k", json=payload(message=f"n{number}")
            )
            assert response.status_code == 200
    assert emulator.stats().sent_twice == 0
    assert emulator.stats().accepted == 100


def test_key_of_its_own() -> None:
    """The key that the server names is one that its emulator accepts."""
    with SandboxServer(Emulator(api_keys=["K1", "K2"]), port=0) as server:
        assert server.env["MULTIWHATS_API_KEY"] == "K1"


def test_a_closed_port_refuses_and_open_connections_go_on(server: SandboxServer) -> None:
    """As while a server restarts; then the same port takes connections again."""
    for _ in range(2):
        with closing(HTTPConnection("127.0.0.1", server.port, timeout=HANG_SECONDS)) as kept:
            kept.request("GET", "/")
            assert kept.getresponse().read()
            ours = kept.sock.getsockname()
            server.close_port()
            with pytest.raises(ConnectionRefusedError):
                connect(server)
            kept.request("GET", "/")
            assert kept.getresponse().read()
            assert kept.sock.getsockname() == ours
        server.open_port()
        connect(server).close()


def test_a_port_that_is_closed_needs_a_running_server() -> None:
    """Before and after, there is none to close; and one that ends while closed ends well."""
    server = SandboxServer(port=0)
    with pytest.raises(RuntimeError, match="not running"):
        server.close_port()
    with server:
        server.close_port()
    with pytest.raises(RuntimeError, match="not running"):
        server.open_port()


def test_refuse_strikes_before_a_byte_is_read(server: SandboxServer, emulator: Emulator) -> None:
    """The connection is reset though the client has sent nothing; the next one is served."""
    emulator.faults.add("refuse@nth:1")
    with pytest.raises(ConnectionResetError), closing(connect(server)) as connection:
        connection.recv(1)  # by timing, connecting is reset already
    assert emulator.stats().requests == 0
    assert emulator.stats().dropped == {"refuse": 1}
    with closing(connect(server)) as connection:
        connection.sendall(raw_request(payload()))
        assert connection.recv(12) == b"HTTP/1.1 200"


@pytest.mark.parametrize(("kind", "accepted"), [("disconnect_before", 0), ("disconnect_after", 1)])
def test_disconnect(server: SandboxServer, emulator: Emulator, kind: str, accepted: int) -> None:
    """The connection is reset without an answer, after the message was or was not processed."""
    emulator.faults.add(f"{kind}@nth:2")
    with closing(connect(server)) as connection:
        connection.sendall(raw_request(payload(message="first")))
        assert connection.recv(12) == b"HTTP/1.1 200"
        connection.sendall(raw_request(payload(message="second")))
        with pytest.raises(ConnectionResetError):
            read_all(connection)
    stats = emulator.stats()
    assert (stats.requests, stats.accepted, stats.dropped) == (2, 1 + accepted, {kind: 1})


def test_timeout_is_never_answered(emulator: Emulator) -> None:
    """Not a byte comes until the server ends, and nothing was processed."""
    emulator.faults.add("timeout@nth:1")
    with SandboxServer(emulator, port=0) as server, closing(connect(server)) as silent:
        silent.sendall(raw_request(payload()))
        wait_for_requests(server, 1)
        server.stop()
        assert read_all_or_reset(silent) == b""
    assert emulator.stats().accepted == 0


@pytest.mark.parametrize("ending", ["stopped", "left"])
def test_slow_answers_do_not_hold_the_server(emulator: Emulator, ending: str) -> None:
    """Neither latency nor a slow drip keeps the server from ending at once."""
    emulator.faults.add("latency=3600@nth:1")
    emulator.faults.add("slow_drip=3600@nth:2")
    with SandboxServer(emulator, port=0) as server:
        connections = [connect(server) for _ in range(2)]
        connections[0].sendall(raw_request(payload()))
        wait_for_requests(server, 1)
        connections[1].sendall(raw_request(payload()))
        assert connections[1].recv(12) == b"HTTP/1.1 200"
        if ending == "left":
            for connection in connections:
                connection.close()
    for connection in connections:
        connection.close()
    assert emulator.stats().accepted == 2


def test_slow_drip_comes_whole(server: SandboxServer, emulator: Emulator) -> None:
    """A dripped answer is the same in the end, and the connection is kept."""
    emulator.faults.add("slow_drip=0@nth:1")
    with httpx.Client(base_url=server.base_url) as client:
        for number in range(2):
            response = client.post("basic/whatsapp/send-dynamic?apikey=k", json=payload())
            assert response.json() == emulator.messages[number].response


@pytest.mark.parametrize(
    ("fault", "status", "start"),
    [
        ("429=7", 429, b'{"error"'),
        ("500", 500, b'{"error"'),
        ("html", 200, b"<!doctype html>"),
        ("malformed_json", 200, b'{"user_id":264,'),
    ],
)
def test_bad_answers(
    server: SandboxServer, emulator: Emulator, fault: str, status: int, start: bytes
) -> None:
    """A bad answer comes over the socket as the fault describes it."""
    emulator.faults.add(fault)
    url = server.base_url + "basic/whatsapp/send-dynamic?apikey=k"
    response = httpx.post(url, json=payload())
    assert response.status_code == status
    assert response.content.startswith(start)
    assert response.headers.get("retry-after") == ("7" if fault == "429=7" else None)


def test_body_over_the_cap(server: SandboxServer) -> None:
    """A body of 5 MB is answered 413, and the connection serves the next request."""
    with httpx.Client(base_url=server.base_url) as client:
        for body, status in ((b" " * 5_000_000, 413), (json.dumps(payload()).encode(), 200)):
            response = client.post(
                "basic/whatsapp/send-dynamic?apikey=k",
                content=body,
                headers={"content-type": "application/json"},
            )
            assert response.status_code == status


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\xff\r\n\r\n",
        b"POST / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 300 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
    ],
)
def test_garbage_does_not_harm(server: SandboxServer, data: bytes) -> None:
    """Bytes that are no HTTP end their own connection only."""
    with closing(connect(server)) as connection:
        connection.sendall(data)
        assert b" 200 " not in read_all_or_reset(connection)
    assert httpx.get(f"http://127.0.0.1:{server.port}/").status_code == 200


def test_foreign_host(server: SandboxServer) -> None:
    """A page that has its own name resolve to this machine is not served."""
    url = f"http://127.0.0.1:{server.port}/"
    assert httpx.get(url, headers={"host": "evil.example"}).status_code == 421


def test_nothing_is_left_behind(emulator: Emulator) -> None:
    """After the block the port is closed, the thread is gone, open connections are ended."""
    threads = threading.active_count()
    server = SandboxServer(emulator, port=0)
    with server:
        port = server.port
        idle = connect(server)
        kept = connect(server)
        kept.sendall(raw_request(payload()))
        assert kept.recv(12) == b"HTTP/1.1 200"
    assert threading.active_count() == threads
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), HANG_SECONDS)
    for connection in (idle, kept):
        with closing(connection):
            read_all_or_reset(connection)
    gc.collect()  # a socket that was left open warns now
    assert repr(server) == "<SandboxServer stopped>"


def test_starts_again(server: SandboxServer) -> None:
    """A server can be started again, but not twice at once; stopping twice does nothing."""
    with pytest.raises(RuntimeError, match="running already"):
        server.start()
    server.stop()
    server.stop()
    with pytest.raises(RuntimeError, match="not running: use it in a with block"):
        _ = server.base_url
    server.start()
    assert httpx.get(f"http://127.0.0.1:{server.port}/").status_code == 200


def test_port_in_use(server: SandboxServer) -> None:
    """A port that is taken is one line that says so, and leaves no socket open."""
    with pytest.raises(OSError, match=f"port {server.port} on 127.0.0.1 is in use: stop") as caught:
        SandboxServer(port=server.port).start()
    assert "\n" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_address_of_another_machine() -> None:
    """An address that cannot be had is one line that says so."""
    with pytest.raises(OSError, match=r"cannot listen on port 0 of 192\.0\.2\.1: "):
        SandboxServer(host="192.0.2.1", port=0, allow_remote=True).start()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "sandbox.example", ""])  # noqa: S104 - refused
def test_loopback_only(host: str) -> None:
    """An address that others may reach needs allow_remote."""
    with pytest.raises(ValueError, match="or pass allow_remote=True"):
        SandboxServer(host=host)


@pytest.mark.parametrize("port", [-1, 65536])
def test_port_out_of_range(port: int) -> None:
    """A number that is no port is refused."""
    with pytest.raises(ValueError, match=f"{port} is no port: use 1 to 65535"):
        SandboxServer(port=port)


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("localhost", "localhost"),
        ("127.0.0.2", "127.0.0.2"),
        ("::1", "[::1]"),
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104 - for as long as the test lasts
        ("::", "[::1]"),
    ],
)
def test_base_url(host: str, reached: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The base URL names an address that can be reached."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))  # this machine may have no IPv6
    monkeypatch.setattr("multiwhats_async.sandbox.server._listen", lambda *_: listener)
    with SandboxServer(host=host, port=0, allow_remote=True) as server:
        assert server.base_url == f"http://{reached}:{server.port}/api/v1/"


def test_remote_hosts(emulator: Emulator) -> None:
    """With allow_remote any Host will do, unless some are named."""
    for allowed, status in ((None, 200), (["phone.test"], 421)):
        with SandboxServer(emulator, port=0, allow_remote=True, allowed_hosts=allowed) as server:
            url = f"http://127.0.0.1:{server.port}/"
            assert httpx.get(url, headers={"host": "other.test"}).status_code == status


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # meant
def test_server_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where uvicorn gives up, so does start, and no thread or socket is left."""

    async def give_up(*_: Any) -> None:
        raise SystemExit(3)

    monkeypatch.setattr(_Server, "startup", give_up)
    with pytest.raises(RuntimeError, match="did not start"):
        SandboxServer(port=0).start()
    assert "multiwhats-sandbox" not in {thread.name for thread in threading.enumerate()}
    gc.collect()  # a socket that was left open warns now


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_forever_ends_by_signal(emulator: Emulator, number: signal.Signals) -> None:
    """A signal ends it, is told, and the handlers are as they were."""
    before = signal.getsignal(number)
    answered: list[int] = []

    def end(server: SandboxServer) -> None:
        answered.append(httpx.get(server.base_url.removesuffix("api/v1/")).status_code)
        os.kill(os.getpid(), number)

    server = SandboxServer(emulator, port=0)
    assert server.serve_forever(on_start=end) is number
    assert answered == [200]
    assert signal.getsignal(number) is before
    assert repr(server) == "<SandboxServer stopped>"


def test_serve_forever_hears_a_signal_while_it_starts() -> None:
    """A signal that comes before the server runs ends it as well."""

    class Early(SandboxServer):
        def start(self) -> None:
            signal.raise_signal(signal.SIGTERM)
            super().start()

    assert Early(port=0).serve_forever() is signal.SIGTERM


def test_serve_forever_ends_with_its_server() -> None:
    """Stopped without a signal, it returns None."""
    assert SandboxServer(port=0).serve_forever(on_start=SandboxServer.stop) is None

    def end_soon(server: SandboxServer) -> None:
        assert server._running is not None
        server._running.server.should_exit = True  # its thread lives on for a moment

    assert SandboxServer(port=0).serve_forever(on_start=end_soon) is None


def test_serve_forever_needs_the_main_thread() -> None:
    """From another thread it raises before it listens."""
    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match="main thread"):
        pool.submit(SandboxServer(port=0).serve_forever).result()


PROGRAM = """
from multiwhats_async.sandbox import SandboxServer
print(SandboxServer(port=0).serve_forever(on_start=lambda server: print(server.port, flush=True)))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to another process there")
def test_program_with_a_hanging_client() -> None:
    """A program in its own process ends by SIGINT though clients wait, and prints no traceback."""
    with subprocess.Popen(  # noqa: S603 - our own lines
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with socket.create_connection(("127.0.0.1", port), HANG_SECONDS) as client:
            client.sendall(raw_request(payload(to="905374930408")))
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=HANG_SECONDS)
    assert (output, errors, process.returncode) == (f"{signal.SIGINT!s}\n", "", 0)


def test_access_is_not_logged(
    server: SandboxServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """No log line and no output holds the key, or anything at all."""
    with caplog.at_level("DEBUG"):
        httpx.post(f"http://127.0.0.1:{server.port}{PATH}", json=payload(apikey="K3Y"))
    assert "K3Y" not in caplog.text
    assert capfd.readouterr() == ("", "")
