"""A run goes never further than what is on record."""

import pickle
from collections.abc import Mapping
from typing import Any

import anyio
import httpx
import pytest
from ledger.campaign_ledgers import allow, connection, fill, first_run, found, on_record, refuse
from runs import LOST, REFUSED, A, N, U, counted, run_all
from vendor import Vendor, answer, message, messages, record_for

from multiwhats_async import LedgerError, MemoryLedger, PostgresLedger, RetryPolicy, StopReason
from multiwhats_async.ledger._base import DatabaseLedger

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(virtual: tuple[str, Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    """Run on a clock that jumps: a ledger in memory needs no thread."""
    return virtual


# --- the order of writes ----------------------------------------------------------------------


async def test_the_intent_is_on_record_before_the_post(ledger: DatabaseLedger) -> None:
    """While a request is under way its message is in flight, and the others are pending."""
    seen = []

    async def look() -> httpx.Response:
        seen.append(await ledger.summary("spring"))
        (under_way,) = [o for o in await on_record(ledger) if o.certainty is U]
        assert under_way.error is not None
        assert "is being sent" in str(under_way.error)
        return httpx.Response(200, json=record_for(message(len(seen) - 1).to))

    vendor = Vendor()
    vendor.always = lambda recipient, count: look
    async with vendor.client(max_concurrency=1) as client:
        await client.send_many(messages(3), ledger=ledger, campaign="spring")
    assert [(now.accepted, now.in_flight, now.pending) for now in seen] == [
        (0, 1, 2),
        (1, 1, 1),
        (2, 1, 0),
    ]


async def test_the_outcome_is_on_record_before_it_is_told(ledger: DatabaseLedger) -> None:
    """Whoever reads an outcome can rely on the ledger to have it."""
    async with Vendor(latency=1).client() as client:
        async with client.bulk(messages(20), ledger=ledger, campaign="spring") as run:
            async for outcome in run:
                recorded = {each.key: each for each in await on_record(ledger)}
                assert recorded[outcome.key] == outcome


async def test_between_attempts_a_message_is_not_in_doubt(ledger: DatabaseLedger) -> None:
    """A crash in the pause after a refused connection, or after a 429, loses no proof."""
    states = []

    class Watch:
        async def on_retry(self, _: object) -> None:
            states.append((await on_record(ledger))[0].certainty)

    vendor = Vendor()
    vendor.script[message().to] = [REFUSED, answer(429), REFUSED]
    async with vendor.client(hooks=[Watch()]) as client:
        report = await client.send_many([message()], ledger=ledger, campaign="spring")
    assert report.outcomes[0].attempts == 4
    assert states == [N, N, N]
    recorded = (await on_record(ledger))[0]
    assert (recorded.certainty, recorded.attempts) == (A, 4)


async def test_a_crash_in_the_pause_leaves_the_message_pending(ledger: DatabaseLedger) -> None:
    """The run is cancelled while it waits to try again."""
    vendor = Vendor()
    vendor.script[message().to] = [REFUSED] * 9
    patient = RetryPolicy(base=100, cap=100)
    async with vendor.client(retry=patient) as client:
        with anyio.move_on_after(5):
            await client.send_many([message()], ledger=ledger, campaign="spring")
    summary = await ledger.summary("spring")
    assert (summary.not_sent, summary.unknown) == (1, 0)


async def test_a_resent_unknown_stays_in_doubt_between_attempts(ledger: DatabaseLedger) -> None:
    """With resend_unknown in the policy, a crash in the pause leaves it unknown."""
    vendor = Vendor()
    vendor.script[message().to] = [LOST] * 9
    policy = RetryPolicy(resend_unknown=True, base=100, cap=100)
    async with vendor.client(retry=policy, breaker=None) as client:
        with anyio.move_on_after(5):
            await client.send_many([message()], ledger=ledger, campaign="spring")
    assert (await ledger.summary("spring")).unknown == 1


def in_flight(ledger: DatabaseLedger) -> int:
    """Return how many messages are being sent, read beside the ledger's own way."""
    table = "multiwhats_message" if isinstance(ledger, PostgresLedger) else "message"
    query = f"SELECT count(*) AS found FROM {table} WHERE state = 'sending'"  # noqa: S608  # ours
    found: int = connection(ledger).execute(query).fetchone()["found"]
    return found


async def test_a_stop_while_the_intent_is_written_sends_nothing(ledger: DatabaseLedger) -> None:
    """The intent is taken back: nothing of the message was written, and no attempt counts."""
    vendor = Vendor()
    async with vendor.client() as client, ledger:
        run = client.bulk([message()], ledger=ledger, campaign="spring")
        commit = ledger._database.run

        def stopping(tickets: Any) -> None:
            commit(tickets)
            if in_flight(ledger):
                run.stop()

        ledger._commits._run = stopping  # type: ignore[union-attr]  # it is open
        outcomes = await run_all(run)
        assert (vendor.total, found(outcomes)) == (0, {0: N})
        summary = await ledger.summary("spring")
    assert (summary.pending, summary.total) == (1, 1)


async def test_a_deadline_that_passes_in_the_intent_sends_nothing(ledger: DatabaseLedger) -> None:
    """A slow disk may take the time that an attempt needs."""
    vendor = Vendor()
    now = [0.0]
    policy = RetryPolicy(deadline=10)
    async with vendor.client(retry=policy) as client:
        run = client.bulk([message()], ledger=ledger, campaign="spring")
        sender: Any = run._sender
        sender._clock = lambda: now[0]
        async with ledger:
            commit = ledger._database.run

            def slow(tickets: Any) -> None:
                commit(tickets)
                if in_flight(ledger):
                    now[0] = 9.5

            ledger._commits._run = slow  # type: ignore[union-attr]  # it is open
            (outcome,) = await run_all(run)
    assert (vendor.total, outcome.certainty) == (0, N)
    assert "no time for an attempt" in str(outcome.error)
    assert (await ledger.summary("spring")).to_send == 1


# --- what goes wrong --------------------------------------------------------------------------


async def test_an_intent_that_cannot_be_written_is_not_followed_by_a_post(
    ledger: DatabaseLedger,
) -> None:
    """The run stops, every message has its outcome, and nothing is lost."""
    vendor = Vendor()
    async with vendor.client(max_concurrency=4) as client:
        run = client.bulk(messages(50), ledger=ledger, campaign="spring")
        outcomes = []
        with pytest.raises(LedgerError, match="the disk refuses"):
            async with run:
                refuse(ledger, "sending")
                outcomes = [outcome async for outcome in run]
    assert vendor.total == 0
    assert counted(outcomes) == {N: 50}
    assert run.report.stopped_by is StopReason.LEDGER
    assert any("intent could not be recorded" in str(outcome.error) for outcome in outcomes)


@pytest.mark.parametrize("full", [False, True])
async def test_an_outcome_that_cannot_be_written_is_told_all_the_same(
    ledger: DatabaseLedger, *, full: bool
) -> None:
    """The run stops; the next one calls unknown what went out without a record."""
    if full and isinstance(ledger, PostgresLedger):
        ledger = MemoryLedger()  # whose disk has a size that a test can set
    vendor = Vendor(latency=1)
    async with vendor.client(max_concurrency=4) as client, ledger:
        run = client.bulk(messages(50), ledger=ledger, campaign="spring")
        outcomes = []
        with pytest.raises(LedgerError, match="disk is full" if full else "the disk refuses"):
            async with run:
                if full:
                    fill(ledger, 3)
                else:
                    refuse(ledger, "accepted")
                outcomes = [outcome async for outcome in run]
        assert run.report.stopped_by is StopReason.LEDGER
        assert len(outcomes) == 50
        assert (run.report.accepted, run.report.not_sent) == (vendor.total, 50 - vendor.total)
        if full:
            fill(ledger, 1_000_000)
        else:
            allow(ledger)
    async with vendor.client() as client, ledger:
        summary = await ledger.summary("spring")
        assert 0 < summary.unknown <= 4
        assert summary.accepted + summary.unknown == vendor.total
        await client.send_many(messages(50), ledger=ledger, campaign="spring")
    assert set(vendor.posts.values()) == {1}


async def test_send_many_tells_what_it_knows_when_its_ledger_fails(ledger: DatabaseLedger) -> None:
    """The error carries the report, with the outcome that the ledger could not take."""

    async def break_it() -> httpx.Response:
        refuse(ledger, "accepted")
        return httpx.Response(200, json=record_for(message(1).to))

    vendor = Vendor()
    vendor.script[message(1).to] = [break_it]
    async with vendor.client(max_concurrency=1) as client, ledger:
        with pytest.raises(LedgerError, match="the disk refuses") as caught:
            await client.send_many(messages(5), ledger=ledger, campaign="spring")
        allow(ledger)
    report = pickle.loads(pickle.dumps(caught.value)).report  # noqa: S301  # our own
    assert [outcome.certainty for outcome in report.outcomes] == [A, A, N, N, N]
    assert (report.stopped_by, vendor.total) == (StopReason.LEDGER, 2)


async def test_an_input_that_cannot_be_loaded_sends_nothing(memory: MemoryLedger) -> None:
    """Not even the part that there was room for."""
    vendor = Vendor()
    async with vendor.client() as client, memory:
        fill(memory, 150)
        with pytest.raises(LedgerError, match="disk is full"):
            await client.send_many(messages(5000), ledger=memory, campaign="spring")
    assert (vendor.total, await memory.campaigns()) == (0, ())


async def test_a_claim_that_was_lost_is_not_sent(ledger: DatabaseLedger) -> None:
    """Somebody resolves a message that a run is about to send again: the ledger's word counts."""
    await first_run(ledger, Vendor())
    vendor = Vendor(latency=1)
    async with vendor.client(max_concurrency=1) as client:
        run = client.bulk(
            [message(4), message(2)], ledger=ledger, campaign="spring", resend_unknown=True
        )
        async with run:
            await anyio.sleep(0.5)  # both are claimed, and the first is under way
            await ledger.resolve(message(2).identity("908503080335"), A)
            outcomes = [outcome async for outcome in run]
    assert (vendor.total, found(outcomes), run.report.stopped) == (1, {0: A, 1: U}, None)
    assert (await ledger.summary("spring")).accepted == 3


@pytest.mark.parametrize("has_failed_before", [False, True])
async def test_a_ledger_that_cannot_be_closed_is_said(has_failed_before: bool) -> None:
    """The run raises it once all is sent; what went wrong first is what is told."""

    class Stuck(MemoryLedger):
        async def aclose(self) -> None:
            await super().aclose()
            raise LedgerError("it cannot be closed")

    ledger = Stuck()
    vendor = Vendor()
    async with vendor.client() as client:
        run = client.bulk(messages(3), ledger=ledger, campaign="spring")
        words = "the disk refuses" if has_failed_before else "it cannot be closed"
        with pytest.raises(LedgerError, match=words):
            async with run:
                if has_failed_before:
                    refuse(ledger, "sending")
                async for _ in run:
                    pass
    assert vendor.total == (0 if has_failed_before else 3)
