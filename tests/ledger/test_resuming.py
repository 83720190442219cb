"""What a run of a campaign that was run before may send."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from ledger.campaign_ledgers import ONCE, first_run, on_record
from runs import LOST, REFUSED, A, N, R, S, U
from vendor import Vendor, answer, message, messages, record_for

from multiwhats_async import (
    AuthenticationError,
    Certainty,
    Outcome,
    OutcomeUnknownError,
    StopReason,
)
from multiwhats_async.ledger._base import DatabaseLedger

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(virtual: tuple[str, Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    """Run on a clock that jumps: a ledger in memory needs no thread."""
    return virtual


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({}, {3, 4}),
        ({"resend_unknown": True}, {2, 3, 4}),
        ({"only_failed": True}, {1, 3}),
        ({"only_failed": True, "resend_unknown": True}, {1, 2, 3}),
    ],
)
async def test_what_a_resumed_run_sends(
    ledger: DatabaseLedger, options: dict[str, bool], sent: set[int]
) -> None:
    """Pending and proven not sent by itself; unknown and refused only where asked for."""
    await first_run(ledger, Vendor())
    vendor = Vendor()
    async with vendor.client() as client:
        report = await client.send_many(messages(5), ledger=ledger, campaign="spring", **options)
    assert set(vendor.posts) == {message(number).to for number in sent}
    before = dict(enumerate([A, R, U, N, N]))
    for outcome in report.outcomes:
        skipped = outcome.index not in sent
        assert outcome.certainty is (S if skipped else A)
        assert outcome.earlier is (before[outcome.index] if skipped else None)


@pytest.mark.parametrize(
    ("then", "certainty", "unknown_attempts"),
    [([], A, 1), ([answer(422)], U, 1), ([REFUSED], U, 1), ([LOST], U, 2)],
)
async def test_a_doubt_of_an_earlier_run_stays(
    ledger: DatabaseLedger, then: list[Any], certainty: Certainty, unknown_attempts: int
) -> None:
    """Only an acceptance undoes it; all attempts of all runs are counted."""
    await first_run(ledger, Vendor())
    vendor = Vendor()
    vendor.script[message(2).to] = [*then]
    async with vendor.client(retry=ONCE) as client:
        report = await client.send_many(
            [message(2)], ledger=ledger, campaign="spring", resend_unknown=True
        )
    (outcome,) = report.outcomes
    assert (outcome.certainty, outcome.attempts) == (certainty, 2)
    assert outcome.unknown_attempts == unknown_attempts
    recorded = (await on_record(ledger))[2]
    assert (recorded.certainty, recorded.attempts) == (certainty, 2)
    assert recorded.unknown_attempts == unknown_attempts
    assert (recorded.error is None) is (certainty is A)


async def test_a_refused_message_that_is_sent_again_is_in_flight(ledger: DatabaseLedger) -> None:
    """What the server said of it before is not what is known of it now."""
    await first_run(ledger, Vendor())
    seen: list[Outcome] = []

    async def look() -> httpx.Response:
        seen.append((await on_record(ledger))[1])
        return httpx.Response(200, json=record_for(message(1).to))

    vendor = Vendor()
    vendor.script[message(1).to] = [look]
    async with vendor.client() as client:
        await client.send_many([message(1)], ledger=ledger, campaign="spring", only_failed=True)
    assert (seen[0].certainty, seen[0].attempts) == (U, 2)
    assert "is being sent" in str(seen[0].error)


async def test_a_doubtful_message_that_is_not_tried_stays_unknown(ledger: DatabaseLedger) -> None:
    """That a run was stopped before it says nothing of the attempt before."""
    await first_run(ledger, Vendor())
    async with Vendor().client() as client:
        async with client.bulk(
            [message(2)], ledger=ledger, campaign="spring", resend_unknown=True
        ) as run:
            run.stop()
            (outcome,) = [outcome async for outcome in run]
    assert (outcome.certainty, outcome.attempts, outcome.unknown_attempts) == (U, 1, 1)
    assert (await ledger.summary("spring")).unknown == 1


async def test_a_doubt_does_not_hide_that_the_key_is_refused(ledger: DatabaseLedger) -> None:
    """The message stays unknown, says why it did not go this time, and the run stops."""
    vendor = Vendor()
    vendor.always = lambda recipient, count: httpx.ReadError("reset")
    async with vendor.client(retry=ONCE, breaker=None, max_concurrency=1) as client:
        await client.send_many(messages(9), ledger=ledger, campaign="spring")
        vendor.always = lambda recipient, count: answer(401)
        report = await client.send_many(
            messages(9), ledger=ledger, campaign="spring", resend_unknown=True
        )
    assert (report.stopped_by, report.unknown, vendor.total) == (StopReason.AUTHENTICATION, 9, 10)
    first = report.outcomes[0]
    assert isinstance(first.last_error, AuthenticationError)
    assert (first.certainty, type(first.error)) == (U, OutcomeUnknownError)
    assert first.to_dict()["last_error"]["status_code"] == 401


async def test_credits_of_earlier_doubts_are_not_this_runs(ledger: DatabaseLedger) -> None:
    """What may have been paid before does not count against this run's limit."""
    vendor = Vendor()
    vendor.always = lambda recipient, count: httpx.ReadError("reset")
    async with vendor.client(retry=ONCE, breaker=None) as client:
        await client.send_many(messages(20), ledger=ledger, campaign="spring")
        vendor.always = lambda recipient, count: None
        report = await client.send_many(
            messages(20), ledger=ledger, campaign="spring", resend_unknown=True, max_credits=20
        )
    assert (report.accepted, report.stopped) == (20, None)
