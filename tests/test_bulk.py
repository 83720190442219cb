"""Bulk runs: every message gets its outcome, whatever happens."""

import gc
from collections.abc import Iterator, Mapping
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from runs import LOST, A, R, S, counted, inputs, run_all
from vendor import SENDER, Vendor, answer, message, messages, record_for

from multiwhats_async import (
    AsyncMultiWhats,
    ButtonMessage,
    ConfigurationError,
    InvalidMessageError,
    Progress,
    Rate,
    RetryPolicy,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(virtual: tuple[str, Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    """Run on a clock that jumps."""
    return virtual


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
        with pytest.raises(InvalidMessageError, match=r"message 7 of the input.*not dict"):
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
        with pytest.raises(InvalidMessageError, match=r"message 7 of the input.*not int"):
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


async def test_resending_unknown_works_in_bulk_too() -> None:
    """By its own name only."""
    vendor = Vendor()
    vendor.script[message(3).to] = [LOST]
    async with vendor.client(retry=RetryPolicy(resend_unknown=True)) as client:
        assert (await client.send_many(messages(5))).accepted == 5
    assert vendor.posts[message(3).to] == 2
