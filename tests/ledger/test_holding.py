"""A campaign that is paused, resumed or cancelled, for all runs at once."""

from collections.abc import AsyncIterator

import anyio
import pytest
from ledger.shared_runs import certainties, loaded, told
from runs import A, N, S, counted
from vendor import SENDER, Vendor, message, messages

from multiwhats_async import (
    ButtonMessage,
    CampaignHeldError,
    CampaignState,
    Certainty,
    ConfigurationError,
    LedgerError,
    PostgresLedger,
    StopReason,
)

pytestmark = pytest.mark.anyio


async def test_a_pause_holds_every_run_at_once(dsn: str) -> None:
    """From the moment at which it returns no attempt begins; resumed, all is sent once."""
    vendor = Vendor(latency=0.01)
    ledger = PostgresLedger(dsn)
    async with vendor.client(max_concurrency=5) as client:
        run = client.bulk(messages(300), ledger=PostgresLedger(dsn), campaign="spring")
        async with run:
            outcomes = []
            async for outcome in run:
                outcomes.append(outcome)
                if len(outcomes) == 20:
                    await ledger.pause("spring", "çay molası 🫖")
                    begun = vendor.total
        assert vendor.total <= begun + 5  # their intents were on record before
        assert counted(outcomes) == {A: vendor.total, N: 300 - vendor.total}
        assert run.report.stopped_by is StopReason.CAMPAIGN
        assert "'spring' is paused: çay molası 🫖. Resume it" in str(run.report.stopped)
        status = await ledger.status("spring")
        assert (status.state, status.because) == (CampaignState.PAUSED, "çay molası 🫖")
        assert status.summary.accepted == vendor.total
        assert status.runs == ()
        with pytest.raises(CampaignHeldError, match="multiwhats campaign resume spring"):
            await client.send_many(messages(300), ledger=ledger, campaign="spring")
        await ledger.pause("spring", "twice is once")
        await ledger.resume("spring")
        await ledger.resume("spring")
        report = await client.send_many(messages(300), ledger=ledger, campaign="spring")
    assert report.accepted + report.skipped == 300
    assert set(vendor.posts.values()) == {1}
    assert (await ledger.status("spring")).because is None


async def test_a_pause_before_the_first_message_is_told_of_each(dsn: str) -> None:
    """Not even the only worker ends by it: the rest of a collection has its outcomes."""
    vendor = Vendor()
    async with vendor.client(max_concurrency=1) as client, PostgresLedger(dsn) as ledger:
        await client.send_many(messages(2), ledger=ledger, campaign="spring")
        async with client.bulk(messages(250), ledger=ledger, campaign="spring") as run:
            await ledger.pause("spring")
            outcomes = [outcome async for outcome in run]
    assert counted(outcomes) == {S: 2, N: 248}
    assert (run.report.skipped, run.report.not_sent) == (2, 248)
    assert (run.report.stopped_by, vendor.total) == (StopReason.CAMPAIGN, 2)


async def test_a_key_that_was_sent_is_not_called_not_sent_in_a_pause(dsn: str) -> None:
    """Of an input that comes as it goes: one with its outcome is skipped, held or not."""
    vendor = Vendor()
    paused, told = anyio.Event(), dict[int, Certainty]()

    async def source() -> AsyncIterator[ButtonMessage]:
        yield message(0)
        await paused.wait()
        yield message(0)
        yield message(1)

    async with vendor.client(max_concurrency=1) as client, PostgresLedger(dsn) as ledger:
        async with client.bulk(source(), ledger=ledger, campaign="spring") as run:
            async for outcome in run:
                told[outcome.index] = outcome.certainty
                await ledger.pause("spring")
                paused.set()
        assert told == {0: A, 1: S, 2: N}
        assert await certainties(ledger) == [A, N]
    assert run.report.stopped_by is StopReason.CAMPAIGN
    assert vendor.total == 1


async def test_what_comes_in_a_pause_is_held_if_it_would_be_sent(dsn: str) -> None:
    """What the run would pass over in any case has its outcome, held or not."""
    async with PostgresLedger(dsn) as ledger:
        run = await loaded(ledger, 2)
        tried, _ = await run.claim(2)
        await tried.intend()
        await tried.postpone()
        await run.aclose()
        run = await ledger.begin("spring", sender=SENDER, only_failed=True)
        await ledger.pause("spring")
        with pytest.raises(CampaignHeldError):
            await run.admit(0, message(0))
        assert not (await run.admit(1, message(1))).may_send
        await run.aclose()


async def test_a_message_that_waits_is_not_sent_in_a_pause(dsn: str) -> None:
    """Claimed is not begun: the pause comes between."""
    async with PostgresLedger(dsn) as ledger:
        (claim,) = await (await loaded(ledger, 1)).claim(1)
        await ledger.pause("spring")
        with pytest.raises(CampaignHeldError, match=r"'spring' is paused\. Resume"):
            await claim.intend()
        await ledger.resume("spring")
        await claim.intend()
        await ledger.pause("spring")
        await claim.settle(told(claim))  # what is under way is taken to its end
        assert await certainties(ledger) == [A]


async def test_a_cancelled_campaign_is_over(dsn: str) -> None:
    """For good; what was not sent stays on record."""
    vendor = Vendor()
    ledger = PostgresLedger(dsn)
    async with vendor.client() as client, ledger:
        await (await loaded(ledger, 3)).aclose()
        await ledger.cancel("spring", "wrong text")
        with pytest.raises(CampaignHeldError, match=r"was cancelled: wrong text\. What was not"):
            await client.send_many(messages(3), ledger=ledger, campaign="spring")
        for change in (ledger.resume, ledger.pause):
            with pytest.raises(LedgerError, match="'spring' was cancelled, which is for good"):
                await change("spring")
        await ledger.cancel("spring")
        assert await certainties(ledger) == [N] * 3
        assert (await ledger.status("spring")).to_dict()["because"] == "wrong text"
        with pytest.raises(LedgerError, match="no campaign 'summer'"):
            await ledger.pause("summer")
        with pytest.raises(ConfigurationError, match="because"):
            await ledger.pause("spring", 7)  # type: ignore[arg-type]  # what is tested
    assert vendor.total == 0
