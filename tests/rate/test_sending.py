"""Sending at a shared rate: no slot, no message; "later" to one is told to all."""

from collections.abc import Mapping
from typing import Any

import anyio
import pytest
from runs import A, N, counted, run_all
from vendor import SENDER, Vendor, answer, message, messages

from multiwhats_async import (
    AsyncMultiWhats,
    Certainty,
    ConfigurationError,
    MemoryLedger,
    NotSentError,
    PostgresRate,
    Rate,
    RateError,
    RateLimitedError,
    RetryPolicy,
    StopReason,
)
from multiwhats_async._pacing import POSTPONE_SECONDS

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(virtual: tuple[str, Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    """Run on a clock that jumps."""
    return virtual


class Limiter:
    """Gives slots at once until it is told otherwise, and remembers the holds."""

    def __init__(self) -> None:
        self.slots = 10**9
        self.error: Exception = RateError("the shared rate 'x' could not be reached: gone")
        self.patience = 0.0
        self.holds: list[tuple[str, float]] = []
        self.hold_error: Exception | None = None
        self.hold_seconds = 0.0

    async def reserve(self, sender: str) -> float:
        self.slots -= 1
        if self.slots < 0:
            await anyio.sleep(self.patience)
            raise self.error
        return 0.01

    async def postpone(self, sender: str, seconds: float) -> None:
        await anyio.sleep(self.hold_seconds)
        if self.hold_error is not None:
            raise self.hold_error
        self.holds.append((sender, seconds))


LATER = {"headers": {"Retry-After": "30"}}
CALM = RetryPolicy(throttled_base=0)


async def test_without_a_slot_a_message_is_not_sent() -> None:
    """A single message says so by its certainty, its cause and its text."""
    vendor, limiter = Vendor(), Limiter()
    limiter.slots = 0
    async with vendor.client(rate=limiter) as client:
        with pytest.raises(NotSentError, match=r"was not sent: .*could not be reached") as caught:
            await client.send(message())
    assert (caught.value.cause, caught.value.attempts) == ("RateError", 0)
    assert vendor.total == 0


async def test_without_a_slot_a_run_stops() -> None:
    """At once, without a wait for each of the rest; every message has its outcome."""
    vendor, limiter = Vendor(), Limiter()
    limiter.slots, limiter.patience = 10, 60.0
    async with vendor.client(rate=limiter) as client:
        run = client.bulk(messages(200), max_failures=1)
        began = anyio.current_time()
        outcomes = await run_all(run)
        assert anyio.current_time() - began < 62
    assert counted(outcomes) == {A: 10, N: 190}
    assert run.report.stopped_by is StopReason.RATE
    assert "could not be reached" in (run.report.stopped or "")
    assert vendor.total == 10


async def test_a_run_that_stopped_for_its_rate_is_gone_on_with() -> None:
    """What got no slot is pending in the ledger."""
    vendor, limiter, ledger = Vendor(), Limiter(), MemoryLedger()
    limiter.slots = 3
    async with vendor.client(rate=limiter) as client:
        for _ in range(2):
            run = client.bulk(messages(10), ledger=ledger, campaign="spring")
            await run_all(run)
            limiter.slots = 100
    assert run.report.accepted == 7
    assert vendor.total == 10


async def test_a_slot_that_is_missing_on_the_second_attempt_stops_too() -> None:
    """What the first attempt came to stands; the next message is not tried."""
    vendor, limiter = Vendor(), Limiter()
    limiter.slots = 1
    vendor.script["905300000000"] = [answer(429, **LATER)]
    async with vendor.client(rate=limiter, retry=CALM) as client:
        run = client.bulk(messages(5), max_concurrency=1)
        outcomes = await run_all(run)
    assert outcomes[0].certainty is Certainty.REJECTED
    assert isinstance(outcomes[0].error, RateLimitedError)
    assert run.report.stopped_by is StopReason.RATE
    assert run.report.not_sent == 4


async def test_a_limiter_that_raises_is_no_way_around_the_rate(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A mistake in one of a user's own is a missing slot, and is logged whole."""
    vendor, limiter = Vendor(), Limiter()
    limiter.slots, limiter.error = 0, ValueError("mine")
    async with vendor.client() as client:
        run = client.bulk(messages(3), rate=limiter)
        await run_all(run)
    assert (run.report.stopped_by, run.report.not_sent) == (StopReason.RATE, 3)
    assert "raised ValueError" in (run.report.stopped or "")
    assert "mine" in caplog.text


async def test_a_shared_rate_that_is_not_open_is_a_mistake_to_be_told() -> None:
    """Nothing is sent; the error says how to open it, from a run too."""
    vendor = Vendor()
    rate = PostgresRate("postgresql://host/database", 80)
    async with vendor.client(rate=rate) as client:
        with pytest.raises(ConfigurationError, match="async with PostgresRate"):
            await client.send(message())
        run = client.bulk(messages(3))
        with pytest.raises(ConfigurationError, match="async with PostgresRate"):
            await run_all(run)
    assert (run.report.stopped_by, run.report.not_sent) == (StopReason.RATE, 3)
    assert vendor.total == 0


async def test_later_is_told_to_all_that_share_the_rate() -> None:
    """Once for one bad moment, however many attempts have met it."""
    vendor, limiter = Vendor(latency=1), Limiter()
    for each in messages(4):
        vendor.script[each.to] = [answer(429, **LATER)]
    async with vendor.client(rate=limiter, retry=CALM) as client:
        report = await client.send_many(messages(4))
    assert report.accepted == 4
    assert 1 <= len(limiter.holds) <= 4
    assert all(hold == (SENDER, pytest.approx(30, abs=2)) for hold in limiter.holds)


async def test_a_hold_of_the_same_moment_is_told_once() -> None:
    """The answers of one moment are one hold."""
    vendor, limiter = Vendor(), Limiter()
    async with vendor.client(rate=limiter) as client:
        gate = client._limits.rate
        assert gate is not None
        for seconds in (30, 30, 20):
            await gate.postpone(SENDER, seconds, 0.0)
        await gate.postpone(SENDER, 30, 1.0)
    assert limiter.holds == [(SENDER, 30), (SENDER, 30)]


@pytest.mark.parametrize("trouble", ["raises", "hangs"])
async def test_a_hold_that_cannot_be_told_costs_no_message(
    trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    """This process holds all the same; the log says that the others do not know."""
    vendor, limiter = Vendor(), Limiter()
    vendor.script["905300000000"] = [answer(429, **LATER)]
    if trouble == "raises":
        limiter.hold_error = RateError("gone")
    else:
        limiter.hold_seconds = 10**6
    async with vendor.client(rate=limiter, retry=CALM) as client:
        began = anyio.current_time()
        await client.send(message())
    assert 30 <= anyio.current_time() - began < 31 + POSTPONE_SECONDS
    assert vendor.total == 2
    assert "could not be told to hold" in caplog.text
    assert {record.name for record in caplog.records} == {"multiwhats_async"}


async def test_later_without_a_rate_concerns_nobody_else() -> None:
    """There is nobody to tell."""
    vendor = Vendor()
    vendor.script["905300000000"] = [answer(429, **LATER)]
    async with vendor.client(retry=CALM) as client:
        await client.send(message())
    assert vendor.total == 2


async def test_a_local_rate_holds_all_its_senders() -> None:
    """As the shared ones do."""
    vendor = Vendor()
    async with vendor.client(rate=2) as client:
        gate = client._limits.rate
        assert gate is not None
        await gate.postpone("a", 10, anyio.current_time())
        waits = [await gate.reserve(sender) for sender in ("a", "b", "b")]
    assert waits == pytest.approx([10, 10, 10.5])


@pytest.mark.parametrize("value", ["postgresql://u:gizli@host", object(), Limiter, [80]])
def test_what_is_no_rate_is_refused_and_not_shown(value: Any) -> None:
    """There may be a password in it; the error says what may be given."""
    client = AsyncMultiWhats("KEY", sender=SENDER)
    calls = (
        lambda: AsyncMultiWhats("KEY", rate=value),
        lambda: client.with_options(rate=value),
    )
    for call in calls:
        with pytest.raises(ConfigurationError, match="a Rate, a RateLimiter such as") as caught:
            call()
        assert "gizli" not in str(caught.value)


async def test_a_run_refuses_what_is_no_rate() -> None:
    """In the same words."""
    async with Vendor().client() as client:
        with pytest.raises(ConfigurationError, match="a Rate, a RateLimiter such as"):
            client.bulk(messages(1), rate="80")  # type: ignore[arg-type]  # what is tested


def test_a_limiter_is_shared_by_the_copies_of_a_client() -> None:
    """As a rate is; another one is another queue."""
    limiter = Limiter()
    client = AsyncMultiWhats("KEY", rate=limiter)
    assert client.with_options(sender=SENDER)._limits.rate is client._limits.rate
    assert client.with_options(rate=Limiter())._limits.rate is not client._limits.rate
    assert client.with_options(rate=Rate(3))._limits.rate_setting == Rate(3)
