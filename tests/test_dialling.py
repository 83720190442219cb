"""From a name to a connected socket: every address is tried, none is left behind."""

import socket
from collections.abc import Iterator
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest
from faults.server import RawServer

from multiwhats_async._transport import _dialling, _port
from multiwhats_async._transport._dialling import dial

pytestmark = pytest.mark.anyio


@pytest.fixture
def server() -> Iterator[RawServer]:
    """Run a server that behaves."""
    server = RawServer().start()
    yield server
    server.stop()


async def connect_to(sock: socket.socket, address: Any) -> None:
    """Connect to whatever listens, without blocking for long on loopback."""
    sock.settimeout(5)
    await anyio.to_thread.run_sync(sock.connect, address)


class TestDialling:
    async def test_ipv6_and_ipv4_in_turn(
        self, server: RawServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The addresses are tried in turn, IPv6 first; a refused one hands on at once."""
        tried: list[Any] = []

        async def connect(sock: socket.socket, address: Any) -> None:
            tried.append(address[0])
            await connect_to(sock, address)

        found = [
            (socket.AF_INET, 1, 6, "", ("127.0.0.1", 1)),
            (socket.AF_INET, 1, 6, "", ("127.0.0.1", server.port)),
            (socket.AF_INET6, 1, 6, "", ("::1", 1, 0, 0)),
        ]
        monkeypatch.setattr(anyio, "getaddrinfo", lambda *args, **options: told(found))
        monkeypatch.setattr(_dialling, "HEAD_START", 60.0)
        sock = await dial("example", server.port, connect)
        sock.close()
        assert tried[0] == "::1"
        assert len(tried) == 3

    async def test_a_silent_address_does_not_hold_up(
        self, server: RawServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where one address says nothing the next is tried beside it, and the loser is closed."""
        socks: list[socket.socket] = []

        async def connect(sock: socket.socket, address: Any) -> None:
            socks.append(sock)
            if address[1] == 1:
                await anyio.sleep_forever()
            await connect_to(sock, address)

        found = [(2, 1, 6, "", ("127.0.0.1", port)) for port in (1, server.port)]
        monkeypatch.setattr(anyio, "getaddrinfo", lambda *args, **options: told(found))
        monkeypatch.setattr(_dialling, "HEAD_START", 0.01)
        sock = await dial("example", server.port, connect)
        assert socks[0].fileno() == -1
        assert sock is socks[1]
        sock.close()

    async def test_the_second_to_arrive_is_closed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of two that are connected in the same moment one is kept."""
        socks: list[socket.socket] = []
        both = anyio.Event()

        async def connect(sock: socket.socket, address: Any) -> None:
            socks.append(sock)
            if len(socks) == 2:
                both.set()
            with anyio.CancelScope(shield=True):
                await both.wait()

        found = [(2, 1, 6, "", ("127.0.0.1", port)) for port in (1, 2)]
        monkeypatch.setattr(anyio, "getaddrinfo", lambda *args, **options: told(found))
        monkeypatch.setattr(_dialling, "HEAD_START", 0.01)
        sock = await dial("example", 1, connect)
        assert [each.fileno() == -1 for each in socks].count(True) == 1
        sock.close()

    async def test_nobody_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where every address fails each reason is told, once."""

        async def refuse(sock: socket.socket, address: Any) -> None:
            raise ConnectionRefusedError(111, "Connection refused")

        found = [
            (2, 1, 6, "", ("127.0.0.1", 1)),
            (2, 1, 6, "", ("127.0.0.1", 2)),
            (9999, 1, 6, "", ("x", 1)),
        ]
        monkeypatch.setattr(anyio, "getaddrinfo", lambda *args, **options: told(found))
        with pytest.raises(httpx.ConnectError, match=r"refused; .*not supported") as caught:
            await dial("example", 1, refuse)
        assert str(caught.value).count("refused") == 1

    @pytest.mark.parametrize(("host", "family"), [("127.0.0.1", 2), ("::1", socket.AF_INET6)])
    async def test_an_address_in_numbers(
        self, host: str, family: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is no resolver's business, and no thread's."""
        tried: list[Any] = []

        async def connect(sock: socket.socket, address: Any) -> None:
            tried.append((sock.family, address[:2]))

        monkeypatch.delattr(anyio, "getaddrinfo")
        (await dial(host, 443, connect)).close()
        assert tried == [(family, (host, 443))]

    async def test_cancelled_with_a_winner(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A socket that was won as the caller went is closed."""
        socks: list[socket.socket] = []

        async def connect(sock: socket.socket, address: Any) -> None:
            socks.append(sock)
            scope.cancel()
            if address[1] == 2:
                await anyio.sleep_forever()

        found = [(2, 1, 6, "", ("127.0.0.1", port)) for port in (1, 2)]
        monkeypatch.setattr(anyio, "getaddrinfo", lambda *args, **options: told(found))
        with anyio.CancelScope() as scope:
            await dial("example", 1, connect)
        assert scope.cancelled_caught
        assert {sock.fileno() for sock in socks} == {-1}


async def told(found: Any) -> Any:
    """Return what a resolver would."""
    return found


@pytest.mark.parametrize("has_poll", [True, False])
def test_what_is_readable(has_poll: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes and an end are both something to read, on systems without ``poll`` too."""
    if not has_poll:
        monkeypatch.delattr("select.poll")
    ours, theirs = socket.socketpair()
    has_more = _port.readable(ours.fileno())
    with ours, theirs:
        assert not has_more()
        theirs.send(b"x")
        assert has_more()
        ours.recv(1)
        theirs.close()
        assert has_more()
