"""Runs of a campaign that are stopped, cancelled, given up."""

from collections.abc import Iterator, Mapping
from typing import Any

import anyio
import pytest
from ledger.campaign_ledgers import first_run
from runs import N, U, counted, run_all
from vendor import Vendor, answer, message, messages

from multiwhats_async import ButtonMessage, StopReason
from multiwhats_async.ledger._base import DatabaseLedger

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(virtual: tuple[str, Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    """Run on a clock that jumps: a ledger in memory needs no thread."""
    return virtual


async def test_a_run_that_is_stopped_while_it_loads(ledger: DatabaseLedger) -> None:
    """What was loaded is pending, and no message is sent."""
    vendor = Vendor()

    def source() -> Iterator[ButtonMessage]:
        for number in range(5000):
            if number == 1500:
                run.stop()
            yield message(number)

    async with vendor.client() as client:
        run = client.bulk(source(), ledger=ledger, campaign="spring")
        outcomes = await run_all(run)
    assert (vendor.total, counted(outcomes)) == (0, {N: 2000})
    assert (await ledger.summary("spring")).pending == 2000


async def test_a_run_that_is_stopped_before_it_loads(ledger: DatabaseLedger) -> None:
    """A collection is counted as not sent, as without a ledger."""
    async with Vendor().client() as client:
        run = client.bulk(messages(100), ledger=ledger, campaign="spring")
        run.stop()
        assert await run_all(run) == []
    assert (run.report.not_sent, run.progress.queued) == (100, 0)


async def test_what_a_failed_run_left_under_way_is_unknown(ledger: DatabaseLedger) -> None:
    """Also where the ledger stays open: no run is sending it any more."""
    async with ledger:
        run = await ledger.begin("spring", sender="908503080335")
        await run.load(0, messages(2))
        await (await run.claim(2))[0].intend()
        await run.aclose()
        vendor = Vendor()
        async with vendor.client() as client:
            report = await client.send_many(messages(2), ledger=ledger, campaign="spring")
        assert [outcome.earlier for outcome in report.outcomes] == [U, None]
        assert (vendor.total, (await ledger.summary("spring")).unknown) == (1, 1)


async def test_a_run_that_is_cancelled_loses_nothing(ledger: DatabaseLedger) -> None:
    """What was under way is taken to its end, the rest is counted, and goes out next time."""
    vendor = Vendor(latency=1)
    async with vendor.client(max_concurrency=5) as client:
        run = client.bulk(messages(50), ledger=ledger, campaign="spring")
        with anyio.move_on_after(3.5):
            await run_all(run)
        assert run.report.total == 50
        summary = await ledger.summary("spring")
        assert (summary.accepted, summary.in_flight) == (run.report.accepted, 0)
        await client.send_many(messages(50), ledger=ledger, campaign="spring")
    assert set(vendor.posts.values()) == {1}
    assert vendor.total == 50


async def test_a_stop_may_count_the_rest_instead_of_telling_it(ledger: DatabaseLedger) -> None:
    """Also once the run has stopped; what was under way is told, and nothing is counted twice."""
    await first_run(ledger, Vendor())
    vendor = Vendor(latency=5)
    vendor.script[message(20).to] = [answer(402)]
    async with vendor.client(max_concurrency=4) as client:
        run = client.bulk(messages(400)[::-1], ledger=ledger, campaign="spring")
        told = []
        async with run:
            async for outcome in run:
                told.append(outcome)
                if outcome.certainty is N:
                    run.stop("of the test", counts_rest=True)
    assert run.report.stopped_by is StopReason.CREDIT
    assert run.report.total == 400
    assert (run.report.accepted, run.report.rejected) == (vendor.total - 1, 1)
    assert (run.report.skipped, run.report.unknown) == (3, 0)
    assert 0 < counted(told)[N] <= 10
    assert (await ledger.summary("spring")).to_send == run.report.not_sent


async def test_a_cancelled_run_counts_what_is_known_of_the_rest(ledger: DatabaseLedger) -> None:
    """What was accepted before is skipped, and what is in doubt is not called not sent."""
    await first_run(ledger, Vendor())
    vendor = Vendor(latency=5)
    fresh = messages(400)[10:]
    again = [*fresh[:2], *messages(5), *fresh[2:], *messages(5)]
    async with vendor.client(max_concurrency=2) as client:
        run = client.bulk(again, ledger=ledger, campaign="spring", resend_unknown=True)
        with anyio.move_on_after(1):
            await run_all(run)
    report = run.report
    assert (report.accepted, report.not_sent) == (2, 388 + 2)
    assert (report.unknown, report.skipped, report.total) == (1, 2 + 5, 400)


async def test_a_given_up_run_is_unknown_on_record(ledger: DatabaseLedger) -> None:
    """What abort() tears has been written, perhaps."""
    vendor = Vendor(latency=10)
    async with vendor.client(max_concurrency=3) as client:
        async with client.bulk(messages(9), ledger=ledger, campaign="spring") as run:
            await anyio.sleep(1)
            run.abort()
    summary = await ledger.summary("spring")
    assert (summary.unknown, summary.pending) == (3, 6)
