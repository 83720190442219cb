"""What Prometheus reads off a client."""

import pytest
from prometheus_client import CollectorRegistry
from runs import LOST, REFUSED, run_all
from vendor import Vendor, answer, message, messages

from multiwhats_async.integrations.prometheus import PrometheusHooks

pytestmark = pytest.mark.anyio


async def test_messages_attempts_and_credits_are_counted() -> None:
    """By certainty; every certainty is there from the start, so that a rate can be taken of it."""
    hooks, registry = PrometheusHooks(), CollectorRegistry()
    registry.register(hooks)

    def value(name: str, certainty: str | None = None) -> float | None:
        labels = {} if certainty is None else {"certainty": certainty}
        return registry.get_sample_value(f"multiwhats_{name}_total", labels)

    assert value("messages", "accepted") == 0
    vendor = Vendor()
    vendor.script = {
        message().to: [REFUSED],
        message(1).to: [LOST],
        message(2).to: [answer(422)],
    }
    async with vendor.client(hooks=[hooks]) as client:
        await run_all(client.bulk(messages(5)))
    words = ("accepted", "rejected", "not_sent", "unknown")
    assert [value("messages", word) for word in words] == [3, 1, 0, 1]
    assert [value("attempts", word) for word in words] == [3, 1, 1, 1]
    assert value("credits") == 3
    assert (value("attempt_seconds") or 0) > 0
