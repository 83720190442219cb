"""The kit lets no time pass: on a clock that jumps to the next timer, it stands still."""

from collections.abc import Mapping
from typing import Any

import anyio
import pytest

from multiwhats_async import ButtonMessage
from multiwhats_async.testing import MultiWhatsKit

pytestmark = pytest.mark.anyio

GUEST = "905374937766"
BUTTONS = ["Yes", "No"]


@pytest.fixture
def anyio_backend(virtual: tuple[str, Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    """Run on virtual time."""
    return virtual


async def test_a_fault_that_passes_is_retried_at_once(multiwhats: MultiWhatsKit) -> None:
    """Four answers of 429, then the message: one in the outbox, five requests."""
    multiwhats.fail_next("429", times=4)
    began = anyio.current_time()
    async with multiwhats.client() as client:
        await client.send_button_message(GUEST, "Hi", BUTTONS)
    assert anyio.current_time() == began
    multiwhats.assert_sent(text="Hi", times=1)
    assert multiwhats.emulator.stats().requests == 5


async def test_a_bulk_run_is_not_held(multiwhats: MultiWhatsKit) -> None:
    """The breaker is off: a run over many faults ends at once."""
    multiwhats.fail_next("disconnect_before", times=12)
    messages = [ButtonMessage(str(905300000000 + n), "Hi", BUTTONS) for n in range(14)]
    began = anyio.current_time()
    async with multiwhats.client() as client:
        report = await client.send_many(messages, max_concurrency=1)
    assert anyio.current_time() == began
    assert (report.unknown, report.accepted, len(multiwhats.outbox)) == (12, 2, 2)


async def test_a_time_out_comes_at_once(multiwhats: MultiWhatsKit) -> None:
    """Where the sandbox never answers, and where it breaks the connection."""
    for fault in ("timeout", "disconnect_before", "refuse", "html", "malformed_json"):
        multiwhats.fail_next(fault)
    began = anyio.current_time()
    async with multiwhats.client() as client:
        for _ in range(5):
            await client.deliver(ButtonMessage(GUEST, "Hi", BUTTONS))
    assert anyio.current_time() == began
    multiwhats.assert_sent(text="Hi", times=2)  # the spoilt answer's, and the one refused first
