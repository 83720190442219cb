"""What is known of a message when the network or the server fails."""

import gc
from collections.abc import Callable

import anyio.to_thread
import pytest
from faults.cases import ACCEPTED, PROBE, Case, parametrised
from faults.conftest import Certificates, OpenClient
from faults.network_cases import CASES
from faults.server import RawServer

from multiwhats_async import Certainty

pytestmark = pytest.mark.anyio


@parametrised(CASES)
async def test_certainty(
    case: Case,
    start_server: Callable[..., RawServer],
    open_client: OpenClient,
    certificates: Certificates,
) -> None:
    """The certainty is the truth, nothing is sent twice, and the client goes on working."""
    server = start_server(
        case.play,
        tls=certificates.server if case.tls else None,
        handshake=case.handshake,
        receive_buffer=case.receive_buffer,
    )
    async with open_client(server, timeout=case.timeouts) as client:
        outcome = await client.deliver(case.message)
        server.mend()
        probe = await client.deliver(PROBE)
    gc.collect()  # httpcore leaves the socket of a cancelled handshake to it
    await anyio.to_thread.run_sync(server.wait_idle)
    status = outcome.error and outcome.error.status_code
    assert outcome.certainty in case.certainty
    assert status == case.status
    assert probe.certainty in ACCEPTED
    assert server.posts == case.posts + 1
    assert outcome.attempts == 1
    assert case.posts == 0 or outcome.certainty is not Certainty.NOT_SENT
