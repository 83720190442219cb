"""What is known of a message when there is no connection: always that it was not sent."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from types import SimpleNamespace
from typing import Any

import anyio.to_thread
import attrs
import pytest
from faults.cases import MESSAGE, ONCE, PROBE, short
from faults.conftest import Certificates, OpenClient
from faults.server import RawServer

from multiwhats_async import Certainty, RetryPolicy

pytestmark = pytest.mark.anyio


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Hold a port on which nobody listens."""
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


async def test_refused(closed_port: int, open_client: OpenClient) -> None:
    """A refused connection proves that nothing was sent, and may be tried again."""
    nobody: Any = SimpleNamespace(url=f"http://127.0.0.1:{closed_port}/")
    again = RetryPolicy(attempts=3, base=0.0)
    async with open_client(nobody, retry=again) as client:
        outcome = await client.deliver(MESSAGE)
    assert outcome.certainty is Certainty.NOT_SENT
    assert outcome.attempts == 3


@pytest.mark.parametrize("host", ["a" * 70 + ".invalid", "xn--" + "a" * 70 + ".invalid"])
async def test_overlong_label(host: str, open_client: OpenClient) -> None:
    """A host name that cannot be asked for, whatever it raises, proves that nothing was sent."""
    nowhere: Any = SimpleNamespace(url=f"https://{host}/")
    async with open_client(nowhere) as client:
        outcome = await client.deliver(MESSAGE)
    assert outcome.certainty is Certainty.NOT_SENT
    assert outcome.error is not None
    assert outcome.error.status_code is None


async def test_unknown_name(open_client: OpenClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that the resolver does not know proves that nothing was sent."""

    def unknown(*args: Any, **options: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    nowhere: Any = SimpleNamespace(url="https://nonexistent.invalid/")
    async with open_client(nowhere) as client:
        monkeypatch.setattr(socket, "getaddrinfo", unknown)  # no question leaves this machine
        outcome = await client.deliver(MESSAGE)
    assert outcome.certainty is Certainty.NOT_SENT


async def test_bad_certificate(
    open_client: OpenClient,
    certificates: Certificates,
    start_server: Callable[..., RawServer],
) -> None:
    """A refused certificate proves that nothing was sent, and trying again is of no use."""
    server = start_server(tls=certificates.server)
    again = RetryPolicy(attempts=4, base=0.0)
    async with open_client(server, ssl_context=certificates.suspicious, retry=again) as client:
        outcome = await client.deliver(MESSAGE)
        second = await client.deliver(PROBE)
    await anyio.to_thread.run_sync(server.wait_idle)
    assert outcome.certainty is second.certainty is Certainty.NOT_SENT
    assert outcome.error is not None
    assert outcome.error.cause == "SSLCertVerificationError"
    assert outcome.attempts == 1
    assert server.posts == 0


async def test_wrong_host_name(
    open_client: OpenClient,
    certificates: Certificates,
    start_server: Callable[..., RawServer],
) -> None:
    """A certificate of another host is refused too."""
    server = start_server(tls=certificates.server)
    elsewhere: Any = SimpleNamespace(url=server.url.replace("127.0.0.1", "localhost"))
    async with open_client(elsewhere) as client:
        outcome = await client.deliver(MESSAGE)
    assert outcome.certainty is Certainty.NOT_SENT
    assert outcome.error is not None
    assert outcome.error.cause == "SSLCertVerificationError"
    assert server.posts == 0


@pytest.mark.parametrize("part", ["connect", "attempt"])
async def test_full_backlog(part: str, open_client: OpenClient) -> None:
    """A server that accepts no more connections proves nothing was sent; later it is reached."""
    server = RawServer(backlog=0)
    waiting = []
    try:
        for _ in range(4):  # fill the queue of those that wait to be accepted
            sock = socket.socket()
            waiting.append(sock)
            sock.setblocking(False)
            with suppress(BlockingIOError):
                sock.connect(("127.0.0.1", server.port))
        async with open_client(server, timeout=short(part)) as client:
            outcome = await client.deliver(MESSAGE)
            for sock in waiting:
                sock.close()
            server.start()
            late = attrs.evolve(short(part), connect=8, attempt=8)
            probe = await client.deliver(PROBE, timeout=late)
    finally:
        server.stop()
    assert outcome.certainty is Certainty.NOT_SENT
    assert probe.certainty is Certainty.ACCEPTED
    assert server.posts == 1


async def test_retried_until_it_is_there(
    start_server: Callable[..., RawServer],
    open_client: OpenClient,
    certificates: Certificates,
) -> None:
    """What provably was not sent is sent again, and arrives once."""
    server = start_server(lambda connection: connection.reset(), tls=certificates.server)
    server.handshake = False

    class Mend:
        def on_retry(self, details: object) -> None:
            server.mend()

    again = attrs.evolve(ONCE, attempts=2, base=0.0)
    async with open_client(server, retry=again, hooks=[Mend()]) as client:
        outcome = await client.deliver(MESSAGE)
    assert outcome.certainty is Certainty.ACCEPTED
    assert (outcome.attempts, server.posts) == (2, 1)
