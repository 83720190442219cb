"""What answers must not do, besides what is known of a message after them."""

import tracemalloc
from collections.abc import Callable

import anyio.to_thread
import pytest
from faults.answers import head
from faults.cases import MESSAGE, answered
from faults.conftest import OpenClient
from faults.content_cases import BOMB
from faults.scene import KEY
from faults.server import Connection, RawServer

from multiwhats_async import Certainty

pytestmark = pytest.mark.anyio

MEGABYTE = 1_000_000


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_to_a_foreign_host(
    status: int, start_server: Callable[..., RawServer], open_client: OpenClient
) -> None:
    """A redirect to another host is not followed: neither the key nor the message arrives there."""
    foreign = start_server()
    server = start_server(answered(status, b"", [("Location", foreign.url)]))
    async with open_client(server) as client:
        outcome = await client.deliver(MESSAGE)
    assert outcome.certainty is Certainty.UNKNOWN
    assert outcome.error is not None
    assert outcome.error.status_code == status
    assert server.requests[0].query == {"apikey": [KEY]}
    assert (server.posts, foreign.connections) == (1, 0)


async def test_a_bomb_takes_little_memory(
    start_server: Callable[..., RawServer], open_client: OpenClient
) -> None:
    """An answer of 60 MB in 60 KB of gzip is cut off at about the cap of 1 MB."""
    server = start_server(answered(200, BOMB, [("Content-Encoding", "gzip")]))
    async with open_client(server) as client:
        tracemalloc.start()
        try:
            outcome = await client.deliver(MESSAGE)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert outcome.certainty is Certainty.UNKNOWN
    assert peak < 5 * MEGABYTE


async def test_an_endless_body_is_cut_off(
    start_server: Callable[..., RawServer], open_client: OpenClient
) -> None:
    """A body without an end is read to the cap, and its connection is closed."""
    sent: list[int] = []

    def flood(connection: Connection) -> None:
        connection.read_request()
        connection.send(head())
        while True:
            connection.send(bytes(MEGABYTE))
            sent.append(MEGABYTE)

    server = start_server(flood)
    async with open_client(server) as client:
        outcome = await client.deliver(MESSAGE)
        await anyio.to_thread.run_sync(server.wait_idle)
    assert outcome.certainty is Certainty.UNKNOWN
    assert outcome.error is not None
    assert outcome.error.status_code == 200
    assert "larger than" in str(outcome.error)
    assert sum(sent) < 20 * MEGABYTE  # the cap, and what the kernel holds
