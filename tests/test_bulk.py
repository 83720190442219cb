"""Bulk runs: every message gets its outcome, whatever happens."""

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from vendor import SENDER, Vendor, answer, message, messages, record_for

from multiwhats_async import (
    AsyncMultiWhats,
    Breaker,
    BulkRun,
    ButtonMessage,
    Certainty,
    ConfigurationError,
    InvalidMessageError,
    Outcome,
    Progress,
    Rate,
    RetryPolicy,
)

pytestmark = pytest.mark.anyio

REFUSED = httpx.ConnectError("refused")
LOST = httpx.ReadError("reset")
A, R, N, U, S = (
    Certainty.ACCEPTED,
    Certainty.REJECTED,
    Certainty.NOT_SENT,
    Certainty.UNKNOWN,
    Certainty.SKIPPED,
)


@pytest.fixture
def anyio_backend(virtual: tuple[str, Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    """Run on a clock that jumps."""
    return virtual


async def asynchronous(items: list[Any]) -> AsyncIterator[Any]:
    """Yield items, each after a moment."""
    for item in items:
        await anyio.sleep(0.001)
        yield item


def inputs(kind: str, items: list[Any]) -> Any:
    """Return items as each kind of input that a run takes."""
    return {"list": items, "generator": iter(items), "async": asynchronous(items)}[kind]


async def run_all(run: BulkRun) -> list[Outcome]:
    """Return the outcomes of a run."""
    async with run:
        return [outcome async for outcome in run]


@asynccontextmanager
async def reading(run: BulkRun) -> AsyncIterator[None]:
    """Read a run's outcomes to the end, beside the block."""

    async def read() -> None:
        async for _ in run:
            pass

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        yield


def counted(outcomes: list[Outcome]) -> Counter[Certainty]:
    """Return how many ended in each certainty."""
    return Counter(outcome.certainty for outcome in outcomes)


@pytest.mark.parametrize("kind", ["list", "generator", "async"])
async def test_every_message_is_sent_once_from_any_input(kind: str) -> None:
    """Lists, generators and async generators alike."""
    vendor = Vendor(latency=0.1)
    async with vendor.client() as client:
        run = client.bulk(inputs(kind, messages(300)), max_concurrency=20)
        outcomes = await run_all(run)
    assert sorted(outcome.index for outcome in outcomes) == list(range(300))
    assert set(vendor.posts.values()) == {1}
    assert (run.report.accepted, run.report.credits, run.report.total) == (300, 300, 300)
    assert run.report.stopped is None
    assert vendor.most_at_once == 20
    for outcome in outcomes:
        assert outcome.message == message(outcome.index)
        assert outcome.receipt is not None
        assert outcome.receipt.targets[0].target_identifier == outcome.message.to


async def test_send_many_reports_in_input_order() -> None:
    """For a list that one can hold."""
    vendor = Vendor()
    vendor.script[message(3).to] = [answer(422)]

    async def slow() -> httpx.Response:
        await anyio.sleep(9)
        return httpx.Response(200, json=record_for(message().to))

    vendor.script[message(0).to] = [slow]
    async with vendor.client() as client:
        report = await client.send_many(messages(10))
    assert [outcome.index for outcome in report.outcomes] == list(range(10))
    assert [outcome.certainty for outcome in report.outcomes[:4]] == [A, A, A, R]
    assert (report.accepted, report.rejected, report.elapsed) == (9, 1, pytest.approx(9))


@pytest.mark.parametrize("kind", ["list", "generator", "async"])
async def test_an_empty_input_gives_an_empty_report(kind: str) -> None:
    """Nothing to do is no error."""
    async with Vendor().client() as client:
        assert (await client.send_many(inputs(kind, []))).total == 0


async def test_messages_of_one_key_are_sent_once() -> None:
    """The same content twice, and the same own key with other content."""
    same_key = [message(1, key="order-7"), message(2, key="order-7")]
    vendor = Vendor()
    async with vendor.client() as client:
        report = await client.send_many([message(), message(), *same_key])
    assert [outcome.certainty for outcome in report.outcomes] == [A, S, A, S]
    assert report.outcomes[3].key == "order-7"
    assert (report.skipped, vendor.total, report.outcomes[1].attempts) == (2, 2, 0)


async def test_the_input_is_read_no_faster_than_it_is_sent() -> None:
    """Back-pressure: what is pulled is bounded by the concurrency and by a slow reader."""
    pulled = 0

    def source() -> Iterator[ButtonMessage]:
        nonlocal pulled
        for number in range(1000):
            pulled += 1
            yield message(number)

    async with Vendor().client() as client, client.bulk(source(), max_concurrency=10) as run:
        read = 0
        async for _ in run:
            read += 1
            await anyio.sleep(1)
            assert pulled <= read + 30
            if read == 50:
                break


async def test_a_run_that_nobody_iterates_sends_everything() -> None:
    """The block waits at its end."""
    vendor = Vendor()
    async with vendor.client() as client, client.bulk(messages(100)) as run:
        pass
    assert (run.report.accepted, vendor.total) == (100, 100)


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


async def test_max_failures_stops_the_run() -> None:
    """After so many messages that were not accepted."""
    vendor = Vendor()
    vendor.always = lambda _, count: answer(422) if count % 2 else None
    async with vendor.client(max_concurrency=1) as client:
        report = await client.send_many(messages(50), max_failures=3)
    assert (report.rejected, report.accepted, report.not_sent) == (3, 2, 45)
    assert report.stopped == "3 messages failed (max_failures=3)"


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
        if kind == "async":
            assert [item async for item in source]  # left unread, and unharmed
    assert run.report.accepted == vendor.total
    assert 10 <= vendor.total <= 12
    assert abs(len(outcomes) - total) <= 2
    assert run.report.total == len(outcomes)
    assert run.report.stopped == "enough"


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
    gaps = [later - sooner for sooner, later in zip(vendor.times, vendor.times[1:], strict=False)]
    assert report.accepted == 100
    assert sorted(gaps)[-1] >= 29
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


async def test_the_rate_is_kept_for_each_sender() -> None:
    """Evenly, in messages a second, by the client's rate or the run's."""
    vendor = Vendor()
    two = [message(number, sender=str(908503080000 + number % 2)) for number in range(40)]
    async with vendor.client(rate=4) as client:
        report = await client.send_many(two)
        assert report.elapsed == pytest.approx(19 / 4)
        report = await client.send_many(messages(41), rate=Rate(2))
    assert report.elapsed == pytest.approx(20)


async def test_progress_is_told_on_the_way_and_at_the_end() -> None:
    """Snapshots that add up; a callback that raises costs nothing."""
    seen: list[Progress] = []

    async def on_progress(progress: Progress) -> None:
        await anyio.lowlevel.checkpoint()
        seen.append(progress)

    async with Vendor(latency=1).client(max_concurrency=2) as client:
        await client.send_many(messages(20), on_progress=on_progress)
    assert len(seen) > 20
    assert (seen[-1].accepted, seen[-1].in_flight, seen[-1].queued) == (20, 0, 0)
    assert all(
        (snapshot.queued or 0) + snapshot.in_flight + snapshot.finished == 20 for snapshot in seen
    )
    assert seen[-1].stopped is None


async def test_a_progress_callback_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The run goes on."""

    def broken(progress: Progress) -> None:
        raise ZeroDivisionError

    async with Vendor().client() as client:
        assert (await client.send_many(messages(3), on_progress=broken)).accepted == 3
    assert "on_progress raised" in caplog.text


async def test_a_list_is_checked_before_anything_is_sent() -> None:
    """The error names the place."""
    vendor = Vendor()
    async with vendor.client() as client:
        with pytest.raises(InvalidMessageError, match="message 7 of the input.*not dict"):
            await client.send_many([*messages(7), {"to": "x"}])  # type: ignore[list-item]  # wrong on purpose
    async with vendor.client(sender=None) as client:
        with pytest.raises(InvalidMessageError, match="message 1 of the input: sender: no sender"):
            await client.send_many([message(sender=SENDER), message(1)])
        with pytest.raises(InvalidMessageError, match="sender: no sender"):
            await client.deliver(message())
    assert vendor.total == 0


@pytest.mark.parametrize("kind", ["generator", "async"])
async def test_a_wrong_item_in_a_stream_ends_the_run_with_its_place(kind: str) -> None:
    """What came before it has its outcome."""
    vendor = Vendor()
    items = [*messages(7), 7, *messages(3)]
    outcomes = []
    async with vendor.client(max_concurrency=1) as client:
        with pytest.raises(InvalidMessageError, match="message 7 of the input.*not int"):
            async with client.bulk(inputs(kind, items)) as run:
                async for outcome in run:
                    outcomes.append(outcome)  # noqa: PERF401  # the run raises at its end
    assert counted(outcomes) == {A: 7}
    assert run.report.stopped == "InvalidMessageError in the input"


async def test_an_error_of_the_input_is_raised_after_the_drain() -> None:
    """It is the user's own error, as it is."""

    def source() -> Iterator[ButtonMessage]:
        yield from messages(10)
        raise LookupError("row 11")

    vendor = Vendor(latency=1)
    async with vendor.client() as client:
        with pytest.raises(LookupError, match="row 11"):
            async with client.bulk(source()) as run:
                pass
    assert run.report.total == 10
    assert run.report.accepted == vendor.total


@pytest.mark.parametrize("wrong", [7, None, "text", b"bytes", {"a": 1}])
async def test_what_is_no_input_is_refused(wrong: object) -> None:
    """A text or a mapping is iterable, but no messages."""
    async with Vendor().client() as client:
        with pytest.raises(ConfigurationError, match="messages must be an iterable"):
            client.bulk(wrong)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    "options",
    [
        {"max_concurrency": 0},
        {"max_failures": 0},
        {"max_credits": -1},
        {"deadline": 0},
        {"rate": 0},
    ],
)
async def test_options_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    """By name, before anything is begun."""
    async with Vendor().client() as client:
        with pytest.raises(ConfigurationError, match=f"(?i){next(iter(options))}"):
            client.bulk([], **options)


async def test_a_run_is_begun_once_and_inside_its_block() -> None:
    """Each misuse has its own clear error."""
    async with Vendor().client() as client:
        run = client.bulk(messages(2))
        assert run.progress.elapsed == 0
        with pytest.raises(ConfigurationError, match="Begin the run first"):
            await anext(run)
        async with run:
            with pytest.raises(ConfigurationError, match="begun already"):
                await run.__aenter__()
        assert [outcome async for outcome in run] == []


async def test_a_client_that_is_not_open_refuses_a_run() -> None:
    """Before anything is begun."""
    with pytest.raises(ConfigurationError, match="not open"):
        AsyncMultiWhats("KEY").bulk([])


async def test_a_bug_in_the_sender_comes_out_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is swallowed, and the run ends."""

    def broken(*_: object) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr("multiwhats_async._delivery.encode_request", broken)
    async with Vendor().client() as client:
        with pytest.raises(ZeroDivisionError):
            await client.send_many(messages(3))


async def test_nothing_is_left_behind() -> None:
    """No task, no stream: warnings are errors."""
    async with Vendor().client() as client:
        async with client.bulk(iter(messages(50)), max_concurrency=3) as run:
            async for _ in run:
                break
    gc.collect()
    assert not [task for task in anyio.get_running_tasks() if "_work" in (task.name or "")]


def test_native_cancellation_of_the_task_loses_nothing() -> None:
    """Asyncio's own ``task.cancel()`` knows no shield: the attempts live in tasks of their own."""
    vendor = Vendor(latency=0.05)
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
        while vendor.total < 20:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert runs[0].report.total == 1000
    assert runs[0].report.accepted == vendor.total


async def test_resending_unknown_works_in_bulk_too() -> None:
    """By its own name only."""
    vendor = Vendor()
    vendor.script[message(3).to] = [LOST]
    async with vendor.client(retry=RetryPolicy(resend_unknown=True)) as client:
        assert (await client.send_many(messages(5))).accepted == 5
    assert vendor.posts[message(3).to] == 2
