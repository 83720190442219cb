"""The edges of one delivery: times, the budget's tokens, and where each decision turns."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import httpx
import pytest
from test_claims import delivering
from test_delivery import LOST, REFUSED, TO, Listener
from vendor import SENDER, Vendor, answer, message

from multiwhats_async import Attempt, Breaker, Certainty, Outcome, RetryPolicy
from multiwhats_async._breaker import BreakerState
from multiwhats_async._delivery import LEAST_SECONDS
from multiwhats_async._evidence import Evidence, Failure, Silence
from multiwhats_async._hooks import HOOK_SECONDS, settle
from multiwhats_async.options import Timeouts

pytestmark = pytest.mark.anyio

ONE_TOKEN = RetryPolicy(budget=5, budget_cost=5, budget_return=5)


@pytest.fixture
def anyio_backend(virtual: tuple[str, Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    """Run on a clock that jumps."""
    return virtual


async def test_what_is_told_of_a_single_message() -> None:
    """Its place, its key, and how long it took: all of it, and its attempt."""
    assert (LEAST_SECONDS, HOOK_SECONDS) == (1.0, 5.0)
    listener, vendor = Listener(), Vendor(latency=2.0)
    async with vendor.client(hooks=[listener]) as client:
        await anyio.sleep(100)  # a clock that begins at 0 would forgive a wrong sign
        outcome = await client.deliver(message())
    assert (outcome.index, outcome.key) == (0, message().identity(SENDER))
    assert outcome.elapsed == pytest.approx(2.0, abs=0.01)
    (attempt,) = listener.attempts
    assert (attempt.key, attempt.status_code, attempt.error) == (outcome.key, 200, None)
    assert attempt.elapsed == pytest.approx(2.0, abs=0.01)


async def test_what_a_hook_is_told_of_a_retry() -> None:
    """The seconds since the message began, not since the attempt did."""
    listener, vendor = Listener(), Vendor()
    vendor.script[TO] = [REFUSED, REFUSED]
    policy = RetryPolicy(should_retry=lambda _: 3.0)
    async with vendor.client(hooks=[listener], retry=policy) as client:
        await anyio.sleep(100)
        outcome = await client.deliver(message())
    assert [each.elapsed for each in listener.retries] == pytest.approx([0.0, 3.0], abs=0.01)
    assert [each.delay for each in listener.retries] == [3.0, 3.0]
    assert outcome.elapsed == pytest.approx(6.0, abs=0.01)


async def test_a_hook_has_all_its_time() -> None:
    """Nobody cuts it off, unless its call was cancelled: then it has some seconds."""
    told: list[str] = []

    class Slow:
        async def on_outcome(self, outcome: Outcome) -> None:
            await anyio.sleep(2 * HOOK_SECONDS)
            told.append(outcome.key)

    async with Vendor().client(hooks=[Slow()]) as client:
        outcome = await client.deliver(message())
        assert told == [outcome.key]
        began = anyio.current_time()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await client.deliver(message())
    assert told == [outcome.key]
    assert anyio.current_time() - began == pytest.approx(HOOK_SECONDS, abs=0.01)


async def test_a_call_that_was_cancelled_before_makes_no_attempt() -> None:
    """Not even one that ends before it has written anything."""
    listener, vendor = Listener(), Vendor()
    async with vendor.client(hooks=[listener]) as client:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await client.deliver(message())
    (outcome,) = listener.outcomes
    assert (outcome.certainty, outcome.attempts, vendor.total) == (Certainty.NOT_SENT, 0, 0)


async def test_an_attempt_is_logged_with_the_seconds_that_it_took(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever the clock shows."""
    caplog.set_level(logging.DEBUG, "multiwhats_async")
    async with Vendor(latency=2.0).client() as client:
        await anyio.sleep(100)
        await client.deliver(message())
    (record,) = caplog.records
    assert vars(record)["elapsed"] == pytest.approx(2.0, abs=0.01)


async def test_a_hook_that_cancels_the_call_leaves_the_next_its_time() -> None:
    """The one behind it hears of the attempt all the same, and the outcome is told."""
    listener = Listener()

    class Ending:
        def on_attempt(self, attempt: Attempt) -> None:
            scope.cancel()

    class Slow:
        async def on_attempt(self, attempt: Attempt) -> None:
            await anyio.sleep(HOOK_SECONDS / 2)
            listener.on_attempt(attempt)

        async def on_outcome(self, outcome: Outcome) -> None:
            await listener.on_outcome(outcome)

    async with Vendor().client(hooks=[Ending(), Slow()]) as client:
        with anyio.CancelScope() as scope:
            await client.deliver(message())
    (attempt,), (outcome,) = listener.attempts, listener.outcomes
    assert (attempt.certainty, outcome.certainty) == (Certainty.ACCEPTED, Certainty.ACCEPTED)


async def test_what_a_users_function_comes_to() -> None:
    """Its answer, or its own error as it was raised."""

    async def answered() -> str:
        await anyio.lowlevel.checkpoint()
        return "yes"

    async def raised() -> str:
        await anyio.lowlevel.checkpoint()
        raise KeyError("no")

    assert [await settle("plain"), await settle(answered())] == ["plain", "yes"]
    with pytest.raises(KeyError, match="no"):
        await settle(raised())


async def test_an_accepted_message_gives_a_token_back() -> None:
    """So the next one may be tried again as well."""
    vendor = Vendor()
    async with vendor.client(retry=ONE_TOKEN) as client:
        for _ in range(3):
            vendor.script[TO] = [REFUSED]
            outcome = await client.deliver(message())
            assert (outcome.certainty, outcome.attempts) == (Certainty.ACCEPTED, 2)


@pytest.mark.parametrize("end", [answer(422), answer(500), LOST], ids=["422", "500", "lost"])
async def test_a_message_that_was_not_accepted_gives_none_back(end: Any) -> None:
    """Then the next has none, and is tried once."""
    vendor = Vendor()
    async with vendor.client(retry=ONE_TOKEN) as client:
        vendor.script[TO] = [REFUSED, end]
        assert (await client.deliver(message())).attempts == 2
        vendor.script[TO] = [REFUSED]
        outcome = await client.deliver(message())
    assert (outcome.certainty, outcome.attempts) == (Certainty.NOT_SENT, 1)


@pytest.mark.parametrize(
    ("second", "certainty"),
    [(REFUSED, Certainty.UNKNOWN), (answer(422), Certainty.UNKNOWN), (None, Certainty.ACCEPTED)],
    ids=["refused", "422", "accepted"],
)
async def test_a_doubt_is_undone_by_a_record_only(second: Any, certainty: Certainty) -> None:
    """An earlier attempt may have gone out, whatever the later one came to."""
    vendor = Vendor()
    vendor.script[TO] = [LOST] if second is None else [LOST, second]
    async with vendor.client(retry=RetryPolicy(resend_unknown=True, attempts=2)) as client:
        outcome = await client.deliver(message())
    assert (outcome.certainty, outcome.attempts) == (certainty, 2)
    assert outcome.unknown_attempts == 1


async def test_a_deadline_counts_from_the_message_on() -> None:
    """However late the clock; an attempt that does not end is cut off at it."""
    vendor = Vendor(latency=60)
    async with vendor.client() as client:
        await anyio.sleep(100)
        outcome = await client.deliver(message(), deadline=3.0)
    assert outcome.certainty is Certainty.UNKNOWN
    assert outcome.elapsed == pytest.approx(3.0, abs=0.01)


async def test_a_deadline_ends_the_wait_for_a_place() -> None:
    """At its time, though the others keep theirs for longer; nothing is sent afterwards."""
    vendor = Vendor(latency=20)
    async with vendor.client(max_concurrency=1) as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.deliver, message(1))
            await anyio.wait_all_tasks_blocked()
            outcome = await client.deliver(message(), deadline=3.0)
            assert outcome.elapsed == pytest.approx(3.0, abs=0.01)
        assert (outcome.certainty, outcome.attempts) == (Certainty.NOT_SENT, 0)
        assert outcome.error is not None
        assert "its deadline leaves no time" in str(outcome.error)
    assert vendor.total == 1


async def test_a_short_deadline_leaves_room_for_an_attempt() -> None:
    """Half of it is enough for one to begin, and less is not."""
    vendor = Vendor()
    async with vendor.client() as client:
        outcome = await client.deliver(message(), deadline=0.5)
    assert outcome.certainty is Certainty.ACCEPTED
    for delay, attempts in ((0.2, 2), (0.3, 1)):
        vendor = Vendor()
        vendor.script[TO] = [REFUSED]
        policy = RetryPolicy(should_retry=lambda _, delay=delay: delay)
        async with vendor.client(retry=policy) as client:
            outcome = await client.deliver(message(), deadline=0.5)
        assert (outcome.attempts, vendor.total) == (attempts, attempts)


async def test_a_retry_that_would_begin_at_the_deadline_is_not_waited_for() -> None:
    """There is nothing to wait for."""
    vendor = Vendor()
    vendor.script[TO] = [REFUSED]
    policy = RetryPolicy(should_retry=lambda _: 10.0)
    async with vendor.client(retry=policy) as client:
        outcome = await client.deliver(message(), deadline=10.0)
    assert (outcome.attempts, outcome.elapsed) == (1, pytest.approx(0.0, abs=0.01))


@pytest.mark.parametrize(("seconds", "attempts"), [("119", 2), ("120", 2), ("121", 1)])
async def test_the_longest_pause_that_a_single_message_waits_for(
    seconds: str, attempts: int
) -> None:
    """As much as the policy says, and the jitter on top of it."""
    vendor = Vendor()
    vendor.script[TO] = [answer(429, headers={"retry-after": seconds})]
    async with vendor.client() as client:
        outcome = await client.deliver(message())
    assert outcome.attempts == attempts
    assert outcome.elapsed == pytest.approx(int(seconds) + 0.5 if attempts == 2 else 0.0, abs=0.6)


async def test_a_refusal_pauses_nobody() -> None:
    """Only "later" does."""
    vendor = Vendor()
    vendor.script[TO] = [answer(422), httpx.ReadError("reset"), answer(500)]
    async with vendor.client() as client:
        for _ in range(4):
            await client.deliver(message())
    assert vendor.times[-1] - vendor.times[0] == pytest.approx(0.0, abs=0.01)


@attrs.define(eq=False)
class Watch:
    """A flight that notes its interruption."""

    interrupt: Callable[[], None]
    evidence: Evidence = attrs.field(factory=Evidence)
    result: Silence | None = None


class Scripted:
    """An exchange that comes to the same failure each time; or waits until it is interrupted."""

    def __init__(self, cause: str | None) -> None:
        self._cause = cause
        self.posts = 0
        self.interrupted = anyio.Event()

    def flight(self) -> Any:
        return Watch(self.interrupted.set)

    async def post(self, _: bytes, *, timeouts: Timeouts, flight: Any) -> None:
        self.posts += 1
        if self._cause is None:
            with anyio.move_on_after(timeouts.attempt, shield=True):
                await self.interrupted.wait()
        failure = Failure(cause=self._cause or "Cancelled", text="", before_writing=True)
        flight.result = Silence(failure=failure, certainty=Certainty.NOT_SENT)


@pytest.mark.parametrize(("cause", "posts"), [("SSLCertVerificationError", 1), ("SSLError", 4)])
async def test_a_refused_certificate_is_not_tried_again(cause: str, posts: int) -> None:
    """It will be the same one; other trouble before anything is written may go by."""
    exchange = Scripted(cause)
    async with delivering(Vendor()) as (deliverer, _):
        deliverer._exchange = exchange
        outcome = await deliverer.deliver(message())
    assert (outcome.certainty, outcome.attempts) == (Certainty.NOT_SENT, posts)
    assert exchange.posts == posts


async def test_a_call_that_is_cancelled_interrupts_its_attempt() -> None:
    """So that one of which nothing was written ends at once."""
    exchange, told = Scripted(None), list[Outcome]()
    async with delivering(Vendor()) as (deliverer, _):
        deliverer._exchange = exchange
        began = anyio.current_time()
        with anyio.move_on_after(2.0):
            await deliverer.deliver(message(), record=told.append)
    assert exchange.interrupted.is_set()
    assert anyio.current_time() - began == pytest.approx(2.0, abs=0.01)
    assert [each.certainty for each in told] == [Certainty.NOT_SENT]


@pytest.mark.parametrize("knows_the_server", [False, True])
async def test_a_run_without_tokens(*, knows_the_server: bool) -> None:
    """It sends later what it has no token for now; to a server that never answered, not at all."""
    vendor = Vendor()
    vendor.script[TO] = [REFUSED, REFUSED]
    policy = RetryPolicy(budget=5, budget_cost=5, budget_return=0, throttled_cap=40.0)
    breaker = BreakerState(Breaker())
    if knows_the_server:
        breaker.note(None, answered=True, now=0.0)
    async with delivering(vendor, policy=policy, breaker=breaker) as (deliverer, _):
        deliverer._patient = True
        outcome = await deliverer.deliver(message())
    if knows_the_server:
        assert (outcome.certainty, outcome.attempts) == (Certainty.ACCEPTED, 3)
        assert vendor.times[2] - vendor.times[1] == pytest.approx(20.0, abs=0.01)
    else:
        assert (outcome.certainty, outcome.attempts) == (Certainty.NOT_SENT, 2)
