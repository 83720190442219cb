"""What is known of a message when there is no connection: always that it was not sent."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import anyio.to_thread
import attrs
import pytest
from faults.cases import MESSAGE, ONCE, PROBE
from faults.certificates import EXPIRED, OTHER_HOST, STRANGERS, TRUSTED, Certificates
from faults.conftest import OpenClient
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


@pytest.mark.parametrize("shown", [STRANGERS, OTHER_HOST, EXPIRED])
async def test_bad_certificate(
    shown: str,
    open_client: OpenClient,
    certificates: Certificates,
    start_server: Callable[..., RawServer],
) -> None:
    """A refused certificate proves that nothing was sent, and trying again is of no use."""
    server = start_server(tls=certificates.servers[shown])
    again = RetryPolicy(attempts=4, base=0.0)
    async with open_client(server, retry=again) as client:
        outcome = await client.deliver(MESSAGE)
        second = await client.deliver(PROBE)
    await anyio.to_thread.run_sync(server.wait_idle)
    assert outcome.certainty is second.certainty is Certainty.NOT_SENT
    assert outcome.error is not None
    assert outcome.error.cause == "SSLCertVerificationError"
    assert outcome.attempts == 1
    assert server.posts == 0


async def test_retried_until_it_is_there(
    start_server: Callable[..., RawServer],
    open_client: OpenClient,
    certificates: Certificates,
) -> None:
    """What provably was not sent is sent again, and arrives once."""
    server = start_server(lambda connection: connection.reset(), tls=certificates.servers[TRUSTED])
    server.handshake = False

    class Mend:
        def on_retry(self, details: object) -> None:
            server.mend()

    again = attrs.evolve(ONCE, attempts=2, base=0.0)
    async with open_client(server, retry=again, hooks=[Mend()]) as client:
        outcome = await client.deliver(MESSAGE)
    assert outcome.certainty is Certainty.ACCEPTED
    assert (outcome.attempts, server.posts) == (2, 1)
