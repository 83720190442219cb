"""How a bulk run stops, pauses, drains and is cancelled: nothing is lost on the way."""

import asyncio
import itertools
import logging
from collections.abc import Mapping
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from runs import LOST, REFUSED, A, N, R, S, counted, inputs, reading, run_all
from vendor import Vendor, answer, message, messages, record_for

from multiwhats_async import (
    Breaker,
    BulkRun,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(virtual: tuple[str, Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    """Run on a clock that jumps."""
    return virtual


@pytest.mark.parametrize("status", [401, 402])
@pytest.mark.parametrize("kind", ["list", "generator", "async"])
async def test_no_credit_and_a_refused_key_stop_the_run(kind: str, status: int) -> None:
    """Those in flight are recorded; every other message is not sent and says why."""
    vendor = Vendor(latency=0.01)
    vendor.always = lambda _, count: answer(status) if count > 40 else None
    async with vendor.client(max_concurrency=4) as client:
        run = client.bulk(inputs(kind, messages(200)))
        outcomes = await run_all(run)
    counts = counted(outcomes)
    assert (counts[A], counts[R] + counts[N]) == (40, 160)
    assert counts[R] <= 4
    assert vendor.total == 40 + counts[R]
    assert run.report.stopped is not None
    assert str(status) in run.report.stopped
    untried = [outcome for outcome in outcomes if outcome.attempts == 0]
    assert all(str(status) in str(outcome.error) for outcome in untried)


async def test_one_403_fails_its_message_and_three_in_a_row_stop_the_run() -> None:
    """One may concern a recipient; three concern the account."""
    vendor = Vendor()
    vendor.always = lambda _, count: answer(403) if count in (5, 10, 11, 12) else None
    async with vendor.client(max_concurrency=1) as client:
        report = await client.send_many(messages(20))
    assert (report.accepted, report.rejected, report.not_sent) == (8, 4, 8)
    assert report.stopped == "the server answered 403 to 3 messages in a row"


async def test_the_same_refusal_from_the_start_stops_the_run() -> None:
    """Twenty times the same 422 says that the rest would fare no better."""
    vendor = Vendor()
    vendor.always = lambda *_: answer(422)
    async with vendor.client(max_concurrency=1) as client:
        report = await client.send_many(messages(50))
    assert (report.rejected, report.not_sent) == (20, 30)


async def test_different_refusals_do_not_stop_the_run() -> None:
    """Neither do those that come after a success."""
    vendor = Vendor()
    vendor.always = lambda _, count: answer(422 if count % 2 else 404)
    async with vendor.client(max_concurrency=1) as client:
        assert (await client.send_many(messages(50))).rejected == 50
    vendor.always = lambda _, count: answer(422) if count > 51 else None
    async with vendor.client(max_concurrency=1) as client:
        assert (await client.send_many(messages(50))).rejected == 49


async def test_a_server_that_never_answers_stops_the_run_early() -> None:
    """Five messages are enough to see that the address is wrong."""
    vendor = Vendor()
    vendor.always = lambda *_: REFUSED
    async with vendor.client(max_concurrency=1) as client:
        report = await client.send_many(messages(50))
    assert (report.not_sent, [outcome.attempts for outcome in report.outcomes[5:]]) == (
        50,
        [0] * 45,
    )
    assert report.stopped == "none of the first 5 messages got an answer from the server"


async def test_max_failures_stops_the_run(caplog: pytest.LogCaptureFixture) -> None:
    """After so many messages that were not accepted; the log says so, with the reason's word."""
    caplog.set_level(logging.INFO, "multiwhats_async")
    vendor = Vendor()
    vendor.always = lambda _, count: answer(422) if count % 2 else None
    async with vendor.client(max_concurrency=1) as client:
        report = await client.send_many(messages(50), max_failures=3)
    assert (report.rejected, report.accepted, report.not_sent) == (3, 2, 45)
    assert report.stopped == "3 messages failed (max_failures=3)"
    (record,) = caplog.records
    assert (report.stopped in record.getMessage(), vars(record)["stopped_by"]) == (
        True,
        "max_failures",
    )


@pytest.mark.parametrize("cost", [1, 3])
async def test_the_cost_never_exceeds_max_credits(cost: int) -> None:
    """Attempts under way are counted before they answer; refused ones give their share back."""
    vendor = Vendor(latency=0.01)

    def priced(recipient: str, count: int) -> Any:
        if count % 5 == 0:
            return answer(422)
        return httpx.Response(200, json=record_for(recipient, total_credit=cost))

    vendor.always = priced
    async with vendor.client(max_concurrency=8) as client:
        report = await client.send_many(messages(200), max_credits=30)
    # Before its first receipt the run does not know that a message costs more than one.
    assert 30 - cost < report.credits <= 30 + 8 * (cost - 1)
    assert report.stopped == "one more message could cost more than max_credits=30"
    assert report.total == 200


async def test_an_unknown_message_counts_as_paid() -> None:
    """It may have cost its credit."""
    vendor = Vendor()
    vendor.always = lambda _, count: LOST if count in (2, 3) else None
    async with vendor.client(max_concurrency=1) as client:
        report = await client.send_many(messages(50), max_credits=10)
    assert (report.accepted, report.unknown) == (8, 2)


async def test_a_run_has_its_own_deadline() -> None:
    """Then it begins no more; what was begun is taken to its end."""
    async with Vendor(latency=1).client(max_concurrency=1) as client:
        report = await client.send_many(messages(50), deadline=9.5)
    assert (report.accepted, report.not_sent) == (10, 40)
    assert report.stopped == "its deadline of 9.5 s passed"


@pytest.mark.parametrize(("kind", "total"), [("list", 100), ("generator", 12), ("async", 12)])
async def test_stop_drains_what_is_in_flight(kind: str, total: int) -> None:
    """A collection's rest is reported; an iterator's is left unread."""
    vendor = Vendor(latency=1)
    async with vendor.client(max_concurrency=2) as client:
        source = inputs(kind, messages(100))
        run = client.bulk(source)
        outcomes = []
        async with run:
            async for outcome in run:
                outcomes.append(outcome)
                if len(outcomes) == 10:
                    run.stop("enough")
        if kind == "generator":
            assert len(list(source)) == 100 - len(outcomes)  # left unread, and unharmed
        elif kind == "async":
            await source.aclose()
    assert run.report.accepted == vendor.total
    assert 10 <= vendor.total <= 12
    assert abs(len(outcomes) - total) <= 2
    assert run.report.total == len(outcomes)
    assert run.report.stopped == "enough"


@pytest.mark.parametrize("kind", ["list", "generator"])
async def test_a_stop_may_count_the_rest(kind: str) -> None:
    """Of a collection it is not sent, and not told; an iterator is left where it stands."""
    vendor = Vendor(latency=1)
    async with vendor.client(max_concurrency=4) as client:
        async with client.bulk(inputs(kind, messages(200))) as run:
            told = []
            async for outcome in run:
                told.append(outcome)
                if len(told) == 5:
                    run.stop(counts_rest=True)
    assert len(told) < 20
    assert (vendor.total, run.report.accepted) == (len(told), len(told))
    assert run.report.total == (200 if kind == "list" else len(told))


async def test_stop_ends_a_pause_at_once() -> None:
    """Messages that only wait are not sent; nobody waits for an hour to stop."""
    vendor = Vendor()
    vendor.always = lambda *_: answer(429, headers={"retry-after": "3600"})
    async with vendor.client() as client:
        began = anyio.current_time()
        async with client.bulk(messages(10)) as run:
            await anyio.sleep(60)
            progress = run.progress
            run.stop()
        assert anyio.current_time() - began == pytest.approx(60)
    assert progress.paused_for == pytest.approx(3540, abs=3)
    assert progress.paused_because == "the server asked to come back later"
    assert run.report.total == 10
    assert run.report.rejected + run.report.not_sent == 10


async def test_abort_ends_attempts_at_once() -> None:
    """What was under way on a transport without evidence is unknown."""
    vendor = Vendor(latency=20)
    async with vendor.client(max_concurrency=4) as client:
        began = anyio.current_time()
        async with client.bulk(messages(10)) as run:
            await anyio.sleep(1)
            run.abort()
        assert anyio.current_time() - began == pytest.approx(1)
    assert (run.report.unknown, run.report.not_sent) == (4, 6)


async def test_leaving_the_iteration_stops_the_run() -> None:
    """``break`` means enough; what is in flight is recorded."""
    vendor = Vendor(latency=1)
    async with vendor.client(max_concurrency=4) as client:
        async with client.bulk(iter(messages(100))) as run:
            async for _ in run:
                break
    assert run.report.stopped == "the iteration was left"
    assert 1 <= run.report.accepted == vendor.total <= 12
    assert run.progress.in_flight == 0


async def test_an_exception_in_the_block_stops_the_run_and_stays_what_it_is() -> None:
    """No exception group; the report is there."""
    vendor = Vendor(latency=1)
    async with vendor.client(max_concurrency=4) as client:
        with pytest.raises(ZeroDivisionError):
            async with client.bulk(messages(100)) as run:
                async for _ in run:
                    raise ZeroDivisionError
    assert run.report.total == 100
    assert run.report.accepted == vendor.total
    assert run.report.stopped == "the block was left by ZeroDivisionError"


async def test_a_cancelled_run_accounts_for_every_message() -> None:
    """Attempts that were written are taken to their outcomes first."""
    vendor = Vendor(latency=5)
    async with vendor.client(max_concurrency=4) as client:
        with anyio.move_on_after(12) as scope:
            async with client.bulk(messages(100)) as run:
                async for _ in run:
                    pass
        assert scope.cancelled_caught
    assert run.report.total == 100
    assert run.report.accepted == vendor.total == 12
    assert run.report.not_sent == 88


async def test_a_run_cancelled_while_it_is_left_accounts_for_what_it_took() -> None:
    """Also where nobody iterates and the block only waits."""
    vendor = Vendor(latency=5)
    async with vendor.client(max_concurrency=4) as client:
        with anyio.move_on_after(12):
            async with client.bulk(messages(100)) as run:
                pass
    assert run.report.accepted == vendor.total == 12
    assert run.progress.in_flight == 0


async def test_one_429_pauses_all_workers() -> None:
    """Nobody knocks until the server's time has come, and nothing is lost."""
    vendor = Vendor(latency=0.5)
    vendor.always = lambda _, count: (
        answer(429, headers={"retry-after": "30"}) if count == 20 else None
    )
    async with vendor.client(max_concurrency=4) as client:
        report = await client.send_many(messages(100))
    gaps = [later - sooner for sooner, later in itertools.pairwise(vendor.times)]
    assert report.accepted == 100
    assert max(gaps) >= 29
    assert sorted(gaps)[-2] < 2


async def test_a_long_retry_after_holds_the_run_and_says_until_when() -> None:
    """Ten minutes are waited out; the progress shows it."""
    vendor = Vendor()
    vendor.script[message(5).to] = [answer(429, headers={"retry-after": "600"})]
    async with vendor.client(max_concurrency=1) as client:
        async with client.bulk(messages(10)) as run, reading(run):
            await anyio.sleep(60)
            assert run.progress.paused_for == pytest.approx(541, abs=2)
    assert (run.report.accepted, run.report.elapsed) == (10, pytest.approx(601, abs=2))


async def test_a_silent_server_holds_the_queue_in_mid_run() -> None:
    """After answers, silence opens the breaker: nothing more fails until the server is back."""
    vendor = Vendor()
    vendor.always = lambda _, count: LOST if 20 < count <= 27 else None
    async with vendor.client(max_concurrency=1) as client:
        async with client.bulk(messages(100)) as run, reading(run):
            await anyio.sleep(3)
            assert run.progress.paused_because == "the server does not answer"
            assert 0 < (run.progress.paused_for or 0) <= 5
    assert (run.report.accepted, run.report.unknown) == (93, 7)
    assert run.report.elapsed > 5 + 10


async def test_a_restart_of_the_server_costs_no_message() -> None:
    """A hundred refused at once are held by the breaker: they do not eat up the retry budget."""
    vendor = Vendor(latency=0.05)

    def restart(_: str, __: int) -> Any:
        return REFUSED if 1.0 < anyio.current_time() - began < 1.5 else None

    vendor.always = restart
    async with vendor.client(max_concurrency=100) as client:
        began = anyio.current_time()
        report = await client.send_many(messages(3000))
    assert (report.accepted, report.stopped) == (3000, None)
    assert sum(vendor.posts.values()) - 3000 >= 100


async def test_a_server_that_takes_fewer_connections_costs_no_message() -> None:
    """The run finds out how many it may hold, and sends what was refused more slowly."""
    vendor = Vendor(latency=0.5)
    vendor.always = lambda *_: REFUSED if vendor.at_once > 50 else None
    async with vendor.client(max_concurrency=100) as client:
        report = await client.send_many(messages(3000))
    assert (report.accepted, report.stopped) == (3000, None)
    assert vendor.total < 3000 * 1.2


async def test_a_server_that_stays_silent_stops_the_run() -> None:
    """After the probes that the breaker allows; the rest is not sent."""
    vendor = Vendor()
    vendor.always = lambda _, count: LOST if count > 20 else None
    async with vendor.client(max_concurrency=1, breaker=Breaker(probes=3)) as client:
        report = await client.send_many(messages(100))
    assert (report.accepted, report.unknown, report.not_sent) == (20, 5 + 3, 72)
    assert report.stopped == "the server has stopped answering"


async def test_without_a_breaker_nothing_is_held() -> None:
    """Every message is tried."""
    vendor = Vendor()
    vendor.always = lambda *_: LOST
    async with vendor.client(breaker=None) as client:
        assert (await client.send_many(messages(50))).unknown == 50


def test_native_cancellation_of_the_task_loses_nothing() -> None:
    """Asyncio's own ``task.cancel()`` knows no shield: the attempts live in tasks of their own."""
    vendor, enough = Vendor(latency=0.05), asyncio.Event()
    vendor.always = lambda _, count: enough.set() if count == 20 else None
    runs: list[BulkRun] = []

    async def send() -> None:
        async with vendor.client(max_concurrency=4) as client:
            run = client.bulk(messages(1000))
            runs.append(run)
            async with run:
                async for _ in run:
                    pass

    async def main() -> None:
        task = asyncio.create_task(send())
        await enough.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert runs[0].report.total == 1000
    assert runs[0].report.accepted == vendor.total


@pytest.mark.parametrize("kind", ["list", "generator", "async"])
async def test_a_key_that_was_sent_is_not_called_not_sent_after_a_stop(kind: str) -> None:
    """It stands in the input once more, behind the message that stops the run."""
    vendor = Vendor()
    vendor.always = lambda _, count: answer(402) if count == 2 else None
    items = [message(0), message(1), message(0), message(2)]
    async with vendor.client(max_concurrency=1) as client:
        outcomes = await run_all(client.bulk(inputs(kind, items)))
    assert [outcome.certainty for outcome in outcomes] == [A, R, S, N]
