"""Odd moments of bulk runs and deliveries, each of which once went wrong."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import anyio
import httpx
import pytest
from runs import LOST, REFUSED, inputs
from vendor import SENDER, Vendor, answer, message, messages, record_for

from multiwhats_async import (
    AsyncMultiWhats,
    Attempt,
    BulkRun,
    ButtonMessage,
    Certainty,
    ConfigurationError,
    MultiWhatsError,
    Outcome,
    OutcomeUnknownError,
    RetryPolicy,
    StopReason,
)

pytestmark = pytest.mark.anyio

ONE = message().to


@pytest.fixture
def anyio_backend(virtual: tuple[str, Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    """Run on a clock that jumps."""
    return virtual


@pytest.mark.parametrize("last", [REFUSED, answer(400), answer(429)])
async def test_no_later_attempt_undoes_a_doubt(last: Any) -> None:
    """An unknown attempt that was sent again and then refused may still have gone out."""
    vendor = Vendor()
    vendor.script[ONE] = [LOST] + [last] * 9
    async with vendor.client(retry=RetryPolicy(resend_unknown=True)) as client:
        outcome = await client.deliver(message())
    assert outcome.certainty is Certainty.UNKNOWN
    assert isinstance(outcome.error, OutcomeUnknownError)
    assert outcome.unknown_attempts == 1
    assert outcome.attempts == outcome.error.attempts == vendor.total > 1


async def test_a_doubtful_attempt_counts_as_paid_though_the_next_was_accepted() -> None:
    """It may have cost its credit too."""
    vendor = Vendor()
    for number in range(10):
        vendor.script[message(number).to] = [LOST]
    policy = RetryPolicy(resend_unknown=True, budget_cost=0)
    async with vendor.client(retry=policy, max_concurrency=1, breaker=None) as client:
        report = await client.send_many(messages(10), max_credits=6)
    assert (report.accepted, report.stopped_by) == (3, StopReason.MAX_CREDITS)


async def waiting_for_ever() -> AsyncIterator[ButtonMessage]:
    """Yield one message, and never another."""
    yield message()
    await anyio.sleep_forever()


@pytest.mark.parametrize("end", [BulkRun.stop, BulkRun.abort])
async def test_a_run_whose_input_waits_can_be_ended(end: Callable[[BulkRun], None]) -> None:
    """Nobody waits for a message that does not come."""
    async with Vendor().client() as client, client.bulk(waiting_for_ever()) as run:
        async for outcome in run:
            assert outcome.certainty is Certainty.ACCEPTED
            end(run)
    assert run.report.total == 1


async def test_a_run_whose_input_waits_ends_with_its_block_and_its_deadline() -> None:
    """By leaving, by an exception, by time."""
    async with Vendor().client() as client:
        async with client.bulk(waiting_for_ever()) as run:
            async for _ in run:
                break
        with pytest.raises(ZeroDivisionError):
            async with client.bulk(waiting_for_ever()):
                raise ZeroDivisionError
        async with client.bulk(waiting_for_ever(), deadline=5) as run:
            assert len([outcome async for outcome in run]) == 1
    assert run.report.stopped_by is StopReason.DEADLINE


async def test_a_deadline_leaves_an_endless_input_unread() -> None:
    """What was never read cannot be lost."""
    taken = 0

    def endless() -> Iterator[ButtonMessage]:
        nonlocal taken
        while True:
            taken += 1
            yield message(taken)

    vendor = Vendor(latency=1)
    async with vendor.client(max_concurrency=2) as client:
        async with client.bulk(endless(), deadline=5.5) as run:
            outcomes = [outcome async for outcome in run]
    assert len(outcomes) == run.report.total <= taken <= vendor.total + 2


class SlowHook:
    """Takes its time with everything."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def on_attempt(self, attempt: Attempt) -> None:
        await anyio.sleep(self.seconds)

    async def on_outcome(self, outcome: Outcome) -> None:
        await anyio.sleep(self.seconds)


async def test_a_slow_hook_does_not_lock_a_run_with_max_credits() -> None:
    """The one who waits for credit is woken when it is free."""
    async with Vendor(latency=0.1).client(hooks=[SlowHook(0.1)]) as client:
        report = await client.send_many(messages(3), max_credits=1)
    assert (report.accepted, report.not_sent) == (1, 2)


async def test_a_message_that_waits_for_credit_has_its_outcome_when_the_run_is_cancelled() -> None:
    """It was taken from the input, so it is accounted for."""
    vendor = Vendor(latency=1)
    async with vendor.client(max_concurrency=20) as client:
        run = client.bulk(iter(messages(50)), max_credits=2)
        with anyio.move_on_after(0.5):
            async with run:
                async for _ in run:
                    pass
    assert (run.report.accepted, run.report.not_sent) == (2, 18)
    assert run.progress.in_flight == 0


@pytest.mark.parametrize("kind", ["generator", "async"])
async def test_send_many_reads_all_before_it_sends_any(kind: str) -> None:
    """An input that breaks in the middle has sent nothing."""

    def broken() -> Iterator[ButtonMessage]:
        yield from messages(3)
        raise OSError("row 4")

    async def broken_later() -> AsyncIterator[ButtonMessage]:
        for item in broken():
            yield item

    vendor = Vendor()
    async with vendor.client() as client:
        with pytest.raises(OSError, match="row 4"):
            await client.send_many(broken() if kind == "generator" else broken_later())
    assert vendor.total == 0


async def test_a_run_that_is_left_says_so_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever looks later finds that it did not end by itself."""
    caplog.set_level(logging.WARNING, "multiwhats_async")
    async with Vendor(latency=5).client() as client:
        with anyio.move_on_after(1):
            await client.send_many(messages(3))
    assert "A bulk run was left by" in caplog.text


async def test_a_slow_hook_does_not_put_off_the_pause() -> None:
    """The 429 pauses everybody at once, whoever is told of it first."""
    vendor = Vendor(latency=0.01)
    vendor.always = lambda _, count: (
        answer(429, headers={"retry-after": "60"}) if count == 1 else None
    )
    async with vendor.client(hooks=[SlowHook(10)]) as client:
        began = anyio.current_time()
        report = await client.send_many(messages(50))
    early = [time for time in vendor.times if time - began < 60]
    assert report.accepted == 50
    assert len(early) <= 4


async def test_a_hook_may_send_through_the_same_client() -> None:
    """The place of the attempt is free again before the hook is told."""
    vendor = Vendor()

    class Copy:
        async def on_attempt(self, attempt: Attempt) -> None:
            if attempt.message == message():
                await client.deliver(message(1))

    async with vendor.client(hooks=[Copy()], max_concurrency=1) as client:
        assert (await client.deliver(message())).certainty is Certainty.ACCEPTED
    assert vendor.total == 2


async def test_a_run_of_a_closed_client_is_refused() -> None:
    """Also where it was made while the client was open."""
    async with Vendor().client() as client:
        run = client.bulk(messages(3))
    with pytest.raises(ConfigurationError, match="closed"):
        await run.__aenter__()


async def test_a_client_closed_between_attempts_leaves_a_message_not_sent() -> None:
    """Nothing of the last attempt can have left."""
    vendor = Vendor()
    vendor.always = lambda *_: tried.set() or REFUSED
    outcomes: list[Outcome] = []
    http = httpx.AsyncClient(transport=httpx.MockTransport(vendor))

    tried = anyio.Event()

    async def close() -> None:
        await tried.wait()
        await http.aclose()

    client = AsyncMultiWhats("KEY", sender=SENDER, http_client=http)
    async with client, anyio.create_task_group() as tasks:
        tasks.start_soon(close)
        outcomes.append(await client.deliver(message()))
    assert outcomes[0].certainty is Certainty.NOT_SENT
    assert vendor.total >= 1


async def test_a_client_used_outside_of_a_loop_says_so() -> None:
    """In a thread there is none."""
    async with Vendor().client() as client:
        with pytest.raises(ConfigurationError, match="another event loop"):
            await anyio.to_thread.run_sync(client.bulk, [])


def test_a_future_that_somebody_else_cancelled_is_no_cancellation_of_ours() -> None:
    """Neither in a hook nor in the input: the one is logged, the other ends the run aloud."""

    async def main() -> None:
        dead: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        dead.cancel()

        class Hook:
            async def on_attempt(self, attempt: Attempt) -> None:
                await dead

            async def on_outcome(self, outcome: Outcome) -> None:
                await dead

        async def source() -> AsyncIterator[ButtonMessage]:
            yield message(1)
            await dead

        vendor = Vendor()
        async with vendor.client(hooks=[Hook()]) as client:
            assert (await client.send(message())).id == 3664
            assert (await client.send_many(messages(10))).accepted == 10
            with pytest.raises(MultiWhatsError, match="cancelled from within"):
                async with client.bulk(source()) as run:
                    pass
        assert run.report.stopped_by is StopReason.INPUT

    asyncio.run(main())


async def test_a_slow_run_leaves_room_for_single_messages() -> None:
    """Waiting for a slot in time, or for a pause, keeps no place."""
    vendor = Vendor(latency=0.1)
    async with vendor.client() as client, client.bulk(messages(100), rate=0.1) as run:
        await anyio.sleep(1)
        began = anyio.current_time()
        await client.deliver(message(1000))
        assert anyio.current_time() - began < 1
        run.stop()


async def test_a_pause_that_begins_while_a_message_waits_is_not_slept_through() -> None:
    """A single message does not wait for an hour."""
    vendor = Vendor(latency=1)
    vendor.script[ONE] = [answer(429, headers={"retry-after": "3600"})]
    outcomes: list[Outcome] = []

    async def deliver(number: int) -> None:
        outcomes.append(await client.deliver(message(number)))

    async with vendor.client(max_concurrency=1) as client:
        began = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(deliver, 0)
            tasks.start_soon(deliver, 1)
        assert anyio.current_time() - began < 10
    assert sorted(str(outcome.certainty) for outcome in outcomes) in (
        ["accepted", "rejected"],
        ["not_sent", "rejected"],
    )


async def test_no_attempt_is_begun_without_time_for_it() -> None:
    """It would only end in doubt."""
    vendor = Vendor(latency=0.1)
    async with vendor.client(rate=1) as client:
        await client.deliver(message())
        outcome = await client.deliver(message(1), deadline=1.2)
    assert (outcome.certainty, outcome.attempts, vendor.total) == (Certainty.NOT_SENT, 0, 1)


async def test_messages_that_were_never_tried_do_not_say_that_the_server_is_silent() -> None:
    """A pause and a deadline of one's own are no fault of the server."""
    vendor = Vendor()
    vendor.script[ONE] = [answer(429, headers={"retry-after": "100"})]
    async with vendor.client(retry=RetryPolicy(deadline=5)) as client:
        await client.deliver(message())
        report = await client.send_many(messages(30))
    assert (report.not_sent, report.stopped_by, vendor.total) == (30, None, 1)


async def test_a_collection_that_misjudges_its_length_invents_nothing() -> None:
    """What came is what counts."""

    class Odd(list[ButtonMessage]):
        def __len__(self) -> int:
            return 8

    async with Vendor().client() as client:
        report = await client.send_many(Odd(messages(5)))
    assert (report.accepted, report.total) == (5, 5)


async def test_reading_one_outcome_counts_as_iterating() -> None:
    """Leaving after it means enough."""
    vendor = Vendor(latency=1)
    async with vendor.client(max_concurrency=2) as client:
        async with client.bulk(messages(500)) as run:
            assert (await anext(run)).certainty is Certainty.ACCEPTED
    assert vendor.total < 10
    assert run.report.total == 500


async def test_a_run_sends_later_what_the_budget_does_not_allow_now() -> None:
    """It has time, and the server has answered before: nothing fails."""
    vendor = Vendor(latency=0.1)
    vendor.script[message(7).to] = [REFUSED, REFUSED]
    async with vendor.client(max_concurrency=1, retry=RetryPolicy(budget=0)) as client:
        report = await client.send_many(messages(10))
    assert (report.accepted, report.outcomes[7].attempts) == (10, 3)


async def test_a_number_that_looks_like_the_key_stays_a_number() -> None:
    """Masking an id would spoil a paid record; a text that holds the key is masked."""
    record = record_for(ONE, id=12345678, message="key 12345678")
    http = httpx.AsyncClient(
        transport=httpx.MockTransport(lambda _: httpx.Response(200, json=record))
    )
    async with AsyncMultiWhats("12345678", sender=SENDER, http_client=http) as client:
        receipt = await client.send(message())
    assert (receipt.id, receipt.message) == (12345678, "key ****")


@pytest.mark.parametrize("status", [200, 402])
async def test_hooks_are_told_of_what_finishes_after_the_stop(status: int) -> None:
    """Every attempt and every outcome, of the message that stops the run and of the others."""
    told: list[int] = []
    attempts: list[int] = []

    class Hook:
        async def on_attempt(self, attempt: Attempt) -> None:
            await anyio.sleep(0.1)
            attempts.append(attempt.number)

        async def on_outcome(self, outcome: Outcome) -> None:
            await anyio.sleep(0.1)
            told.append(outcome.index)

    vendor = Vendor(latency=1)
    vendor.always = lambda *_: answer(status) if status != 200 else None
    async with vendor.client(hooks=[Hook()], max_concurrency=4) as client:
        async with client.bulk(messages(50)) as run:
            await anyio.sleep(0.5)
            if status == 200:
                run.stop()
    assert sorted(told) == [0, 1, 2, 3]
    assert len(attempts) == vendor.total == 4


async def test_a_run_may_be_stopped_before_it_is_begun() -> None:
    """Then nothing of it is sent."""
    vendor = Vendor()
    async with vendor.client() as client:
        run = client.bulk(messages(3))
        run.abort("changed my mind")
        async with run:
            assert [outcome.certainty async for outcome in run] == [Certainty.NOT_SENT] * 3
    assert (vendor.total, run.report.stopped) == (0, "changed my mind")


@pytest.mark.parametrize("kind", ["list", "generator"])
async def test_two_runs_share_a_client(kind: str) -> None:
    """Each has its own outcomes."""
    vendor = Vendor(latency=0.1)
    reports = []

    async def send(start: int) -> None:
        items = [message(start + number) for number in range(50)]
        reports.append(await client.send_many(inputs(kind, items)))

    async with vendor.client() as client, anyio.create_task_group() as tasks:
        tasks.start_soon(send, 0)
        tasks.start_soon(send, 100)
    assert [report.accepted for report in reports] == [50, 50]
    assert set(vendor.posts.values()) == {1}
