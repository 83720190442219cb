"""Two clients with one shared rate, against a vendor that says "later"."""

import httpx
import pytest
from stores import PostgresStore, RedisStore
from vendor import SENDER, messages

from multiwhats_async import AsyncMultiWhats, Certainty, RateLimitedError, RetryPolicy
from multiwhats_async.sandbox import Emulator, Fault, FaultPlan, mock_transport

pytestmark = pytest.mark.anyio

Store = PostgresStore | RedisStore

RETRY_AFTER = 30
NOISE = 2.0
"""Seconds: the jitter of the policy, and a busy machine."""


def client_of(emulator: Emulator, **options: object) -> AsyncMultiWhats:
    """Return a client that speaks to the emulator."""
    http = httpx.AsyncClient(transport=mock_transport(emulator))
    settings = {
        "sender": SENDER,
        "http_client": http,
        "base_url": "http://127.0.0.1/api/v1/",
    } | options
    return AsyncMultiWhats("KEY", **settings)  # type: ignore[arg-type]  # options by name


async def test_later_to_one_machine_holds_the_other(store: Store) -> None:
    """Both send at the shared rate; after a 429 no slot of either comes before its end."""
    first, second, refused = messages(21)[:10], messages(21)[10:20], messages(21)[20]
    fault = Fault("429", seconds=RETRY_AFTER, to=refused.to)
    emulator = Emulator(faults=FaultPlan([fault]))
    once = RetryPolicy(throttled_attempts=1)
    async with store.rate(1000) as here, store.rate(1000) as there:
        async with (
            client_of(emulator, rate=here, retry=once) as one,
            client_of(emulator, retry=once) as other,
        ):
            assert (await one.send_many(first)).accepted == 10
            assert (await other.send_many(second, rate=there)).accepted == 10
            assert await there.reserve("another sender") < NOISE
            outcome = await one.deliver(refused)
        assert outcome.certainty is Certainty.REJECTED
        assert isinstance(outcome.error, RateLimitedError)
        await there.postpone(SENDER, 0)  # it lets go of the slots that it had at hand
        waits = [await limiter.reserve("new") for limiter in (here, there)]
    assert waits == pytest.approx([RETRY_AFTER, RETRY_AFTER], abs=NOISE)
    assert len(emulator.messages) == 20
