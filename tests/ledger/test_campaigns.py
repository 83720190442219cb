"""Campaigns in a ledger: sent once, resumed, and never further than what is on record."""

import pickle
from collections.abc import Iterator, Mapping
from typing import Any

import anyio
import httpx
import pytest
from runs import LOST, REFUSED, A, N, R, S, U, counted, inputs, run_all
from vendor import Vendor, answer, message, messages, record_for

from multiwhats_async import (
    AuthenticationError,
    ButtonMessage,
    Certainty,
    ConfigurationError,
    InvalidMessageError,
    LedgerError,
    MemoryLedger,
    Outcome,
    OutcomeUnknownError,
    PostgresLedger,
    RetryPolicy,
    StopReason,
)
from multiwhats_async.ledger._base import DatabaseLedger
from multiwhats_async.ledger._campaign import StoredClaim

pytestmark = pytest.mark.anyio

ONCE = RetryPolicy(attempts=1, throttled_attempts=1)


@pytest.fixture
def anyio_backend(virtual: tuple[str, Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    """Run on a clock that jumps: a ledger in memory needs no thread."""
    return virtual


class HerePostgresLedger(PostgresLedger):
    """One that needs no thread, and waits in the event loop: its clock may jump."""

    def _new_worker(self) -> None:
        """Return none."""


@pytest.fixture
def memory() -> MemoryLedger:
    """Keep a ledger in memory."""
    return MemoryLedger()


@pytest.fixture(params=["memory", "postgres"])
def ledger(request: pytest.FixtureRequest) -> DatabaseLedger:
    """Keep a ledger in memory, with the same SQL as in a file, and one in PostgreSQL."""
    if request.param == "memory":
        return MemoryLedger()
    return HerePostgresLedger(request.getfixturevalue("postgres").schema())


def found(outcomes: list[Outcome]) -> dict[int, Certainty]:
    """Return the certainty at each position."""
    return {outcome.index: outcome.certainty for outcome in outcomes}


async def on_record(ledger: DatabaseLedger, campaign: str = "spring") -> list[Outcome]:
    """Return all outcomes of a campaign."""
    return [outcome async for outcome in ledger.outcomes(campaign)]


# --- sent once --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["list", "generator", "async"])
async def test_the_same_call_again_sends_nothing(ledger: DatabaseLedger, kind: str) -> None:
    """Every message has its outcome on record, equal to the one that the run told."""
    vendor = Vendor(latency=0.1)
    async with vendor.client() as client:
        run = client.bulk(inputs(kind, messages(250)), ledger=ledger, campaign="spring")
        told = await run_all(run)
        again = client.bulk(inputs(kind, messages(250)), ledger=ledger, campaign="spring")
        skipped = await run_all(again)
    assert set(vendor.posts.values()) == {1}
    assert (run.report.accepted, run.report.credits, again.report.skipped) == (250, 250, 250)
    assert {(outcome.certainty, outcome.earlier) for outcome in skipped} == {(S, A)}
    assert sorted(outcome.index for outcome in skipped) == list(range(250))
    recorded = await on_record(ledger)
    assert recorded == sorted(told, key=recorded.index)
    assert (await ledger.summary("spring")).to_dict() == {
        "campaign": "spring",
        "pending": 0,
        "not_sent": 0,
        "in_flight": 0,
        "accepted": 250,
        "rejected": 0,
        "unknown": 0,
        "credits": 250,
        "total": 250,
    }


async def test_a_stopped_run_goes_on_where_it_stopped(ledger: DatabaseLedger) -> None:
    """Whatever was not tried is pending, and only that is sent by the next call."""
    vendor = Vendor(latency=1)
    async with vendor.client(max_concurrency=5) as client:
        run = client.bulk(messages(100), ledger=ledger, campaign="spring")
        async with run:
            told = []
            async for outcome in run:
                told.append(outcome)
                if len(told) == 30:
                    run.stop()
        assert len(told) == 100
        summary = await ledger.summary("spring")
        assert (summary.accepted, summary.pending) == (run.report.accepted, run.report.not_sent)
        assert summary.to_send == summary.pending > 0
        # More have come to the input meanwhile.
        report = await client.send_many(messages(110), ledger=ledger, campaign="spring")
    assert set(vendor.posts.values()) == {1}
    assert (report.accepted, report.skipped) == (110 - run.report.accepted, run.report.accepted)
    assert [outcome.index for outcome in report.outcomes] == list(range(110))


@pytest.mark.parametrize("kind", ["list", "generator", "async"])
async def test_what_has_its_outcome_is_skipped_after_a_stop(
    ledger: DatabaseLedger, kind: str
) -> None:
    """A run that has no credit left does not call not sent what an earlier one has sent."""
    vendor = Vendor()
    async with vendor.client(max_concurrency=1) as client:
        await client.send_many(messages(3)[2:], ledger=ledger, campaign="spring")
        vendor.always = lambda *_: answer(402)
        run = client.bulk(inputs(kind, messages(4)), ledger=ledger, campaign="spring")
        outcomes = await run_all(run)
    assert [outcome.certainty for outcome in outcomes] == [R, N, S, N]
    assert outcomes[2].earlier is A
    assert (await ledger.summary("spring")).total == 4


async def test_an_intent_without_an_attempt_changes_nothing(
    ledger: DatabaseLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is stopped right before it sends a refused message anew leaves it refused."""
    vendor = Vendor()
    vendor.script[message().to] = [answer(422, json={"message": "no such number"})]
    intend = StoredClaim.intend
    async with vendor.client() as client:
        await client.send_many(messages(1), ledger=ledger, campaign="spring")
        before = await on_record(ledger)
        run = client.bulk(messages(1), ledger=ledger, campaign="spring", only_failed=True)

        async def intend_and_stop(claim: StoredClaim) -> None:
            await intend(claim)
            run.stop()

        with monkeypatch.context() as patch:
            patch.setattr(StoredClaim, "intend", intend_and_stop)
            outcomes = await run_all(run)
        await client.send_many(messages(1), ledger=ledger, campaign="spring")
    assert [outcome.certainty for outcome in outcomes] == [N]
    told = [outcome.error and outcome.error.to_dict() for outcome in await on_record(ledger)]
    assert told == [outcome.error and outcome.error.to_dict() for outcome in before]
    assert vendor.total == 1


async def test_what_is_not_in_the_input_is_not_sent(ledger: DatabaseLedger) -> None:
    """Somebody who was taken off the list gets nothing, though the ledger has the message."""
    vendor = Vendor()
    async with vendor.client() as client:
        async with client.bulk(messages(10), ledger=ledger, campaign="spring") as run:
            run.stop()
        report = await client.send_many(messages(8)[::-1], ledger=ledger, campaign="spring")
    assert (report.accepted, vendor.total) == (8, 8)
    assert [outcome.message for outcome in report.outcomes] == messages(8)[::-1]
    assert (await ledger.summary("spring")).pending == 2


async def test_a_key_that_stands_twice_is_sent_once(ledger: DatabaseLedger) -> None:
    """The second is skipped; it had no outcome before."""
    twice = [message(), message(1, key="order-7"), message(), message(1, key="order-7")]
    vendor = Vendor()
    async with vendor.client() as client:
        report = await client.send_many(twice, ledger=ledger, campaign="spring")
    assert [outcome.certainty for outcome in report.outcomes] == [A, A, S, S]
    assert [outcome.earlier for outcome in report.outcomes] == [None] * 4
    assert report.outcomes[3].key == "order-7"


async def test_campaigns_know_nothing_of_each_other(ledger: DatabaseLedger) -> None:
    """The same message in two campaigns is two messages."""
    vendor = Vendor()
    async with vendor.client() as client:
        await client.send_many(messages(3), ledger=ledger, campaign="spring")
        await client.send_many(messages(5), ledger=ledger, campaign="summer")
    assert (vendor.total, await ledger.campaigns()) == (8, ("spring", "summer"))
    assert [(await ledger.summary(name)).accepted for name in ("spring", "summer")] == [3, 5]
    assert len(await on_record(ledger)) == 3


@pytest.mark.parametrize("kind", ["list", "generator"])
async def test_changed_texts_are_refused_with_the_difference(
    ledger: DatabaseLedger, kind: str
) -> None:
    """Nothing is sent, and nothing of the input stays behind."""
    old = [message(number, key=f"k{number}") for number in range(5)]
    new = [message(9, key="k9"), message(0, key="k0", message="Selam"), *old[1:3]]
    new += [message(3, key="k3", buttons=["Evet"]), message(7, key="k4"), message(8, key="k2")]
    vendor = Vendor()
    async with vendor.client() as client:
        await client.send_many(old, ledger=ledger, campaign="spring")
        with pytest.raises(LedgerError) as caught:
            await client.send_many(inputs(kind, new), ledger=ledger, campaign="spring")
        text = str(caught.value)
        assert "'k0' (message 1 of the input): text was 'Merhaba 👤', is now 'Selam'" in text
        assert "'k3' (message 4 of the input): buttons was '👍', '⛔', is now 'Evet'" in text
        assert "recipient was ••••••••0004, is now ••••••••0007; and 1 more" in text
        assert (vendor.total, (await ledger.summary("spring")).total) == (5, 5)
        # The same under another name is another campaign.
        new.pop()
        report = await client.send_many(new, ledger=ledger, campaign="spring 2")
    assert report.accepted == 6


async def test_another_sender_is_a_change_too(ledger: DatabaseLedger) -> None:
    """With a key of its own a message stays what it is, also in who sends it."""
    vendor = Vendor()
    async with vendor.client() as client:
        await client.send_many([message(key="k")], ledger=ledger, campaign="spring")
        other = client.with_options(sender="908503080399")
        with pytest.raises(LedgerError, match="sender was ••••••••0335, is now ••••••••0399"):
            await other.send_many([message(key="k")], ledger=ledger, campaign="spring")


async def test_a_key_that_was_a_digest_is_another_message(ledger: DatabaseLedger) -> None:
    """Nothing is different but whose the key is: that is said too."""
    vendor = Vendor()
    async with vendor.client() as client:
        report = await client.send_many([message()], ledger=ledger, campaign="spring")
        named = message(key=report.outcomes[0].key)
        with pytest.raises(LedgerError, match="of the input\\): is not the same message"):
            await client.send_many([named], ledger=ledger, campaign="spring")


async def test_a_bad_input_leaves_nothing_behind(ledger: DatabaseLedger) -> None:
    """A generator is looked at as a whole before anything is sent."""

    def source() -> Iterator[Any]:
        yield from messages(2500)
        yield "no message"

    vendor = Vendor()
    async with vendor.client() as client:
        with pytest.raises(InvalidMessageError, match="message 2500 of the input"):
            async with client.bulk(source(), ledger=ledger, campaign="spring"):
                pass
    assert (vendor.total, await ledger.campaigns()) == (0, ())


# --- what may be sent again -------------------------------------------------------------------


async def first_run(ledger: DatabaseLedger, vendor: Vendor) -> None:
    """Leave one message of each kind on record: 0 accepted to 4 pending."""
    vendor.script = {
        message(1).to: [answer(422)],
        message(2).to: [LOST],
        message(3).to: [REFUSED],
    }
    async with vendor.client(retry=ONCE) as client:
        report = await client.send_many(messages(4), ledger=ledger, campaign="spring")
        assert [outcome.certainty for outcome in report.outcomes] == [A, R, U, N]
        async with client.bulk(messages(5)[4:], ledger=ledger, campaign="spring") as run:
            run.stop()


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


def connection(ledger: DatabaseLedger) -> Any:
    """Return the connection of an open ledger."""
    database: Any = ledger._database
    return database._connection


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


def fill(ledger: DatabaseLedger, spare: int) -> None:
    """Leave so many pages before SQLite says that the disk is full."""
    db = connection(ledger)
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages + spare}")


def refuse(ledger: DatabaseLedger, state: str) -> None:
    """Have every write of a state fail."""
    db = connection(ledger)
    if isinstance(ledger, PostgresLedger):
        db.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql"
            " AS 'BEGIN RAISE EXCEPTION ''the disk refuses''; END'"
        )
        table, run = "multiwhats_message", "EXECUTE FUNCTION refuse()"
    else:
        table, run = "message", "BEGIN SELECT RAISE(ABORT, 'the disk refuses'); END"
    db.execute(
        f"CREATE TRIGGER refusing BEFORE UPDATE ON {table} FOR EACH ROW"
        f" WHEN (new.state = '{state}') {run}"
    )


def allow(ledger: DatabaseLedger) -> None:
    """Have writes succeed again."""
    where = " ON multiwhats_message" if isinstance(ledger, PostgresLedger) else ""
    connection(ledger).execute(f"DROP TRIGGER refusing{where}")


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


# --- inputs that come bit by bit --------------------------------------------------------------


async def test_an_async_input_is_sent_as_it_comes(ledger: DatabaseLedger) -> None:
    """Nobody waits for its end, which may be days away; what has come is on record."""

    async def days() -> Any:
        for number in range(5):
            yield message(number)
            await anyio.sleep(86_400)

    vendor = Vendor()
    async with vendor.client() as client:
        async with client.bulk(days(), ledger=ledger, campaign="spring") as run:
            async for outcome in run:
                assert anyio.current_time() < 86_400 * (outcome.index + 1)
                assert (await ledger.summary("spring")).total == outcome.index + 1
                assert run.progress.total is None
    assert run.report.accepted == 5


async def test_a_repeated_key_in_an_async_input_is_sent_once(ledger: DatabaseLedger) -> None:
    """Also where both are worked on at once."""
    vendor = Vendor(latency=5)
    twice = [message(number % 10) for number in range(40)]
    async with vendor.client() as client:
        run = client.bulk(inputs("async", twice), ledger=ledger, campaign="spring")
        outcomes = await run_all(run)
    assert set(vendor.posts.values()) == {1}
    assert counted(outcomes) == {A: 10, S: 30}


async def test_a_changed_text_in_an_async_input_stops_the_run(ledger: DatabaseLedger) -> None:
    """It is found when it comes; it is not sent, and has its outcome."""
    vendor = Vendor()
    items = [message(1, key="a"), message(2, key="b"), message(3, key="a"), message(4)]
    async with vendor.client(max_concurrency=1) as client:
        run = client.bulk(inputs("async", items), ledger=ledger, campaign="spring")
        outcomes = []
        with pytest.raises(LedgerError, match="'a' \\(message 2 of the input\\): recipient was"):
            async with run:
                outcomes = [outcome async for outcome in run]
    assert found(outcomes) == {0: A, 1: A, 2: N}
    assert vendor.total == 2


# --- how it is called -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"campaign": "spring"}, "need a ledger"),
        ({"resend_unknown": True}, "need a ledger"),
        ({"only_failed": True}, "need a ledger"),
        ({"ledger": MemoryLedger()}, "campaign is missing"),
        ({"ledger": MemoryLedger(), "campaign": ""}, "1 to 200 characters"),
        ({"ledger": MemoryLedger(), "campaign": "x" * 201}, "1 to 200 characters, not 201"),
        ({"ledger": MemoryLedger(), "campaign": "\ud83d"}, "half an emoji"),
        ({"ledger": MemoryLedger(), "campaign": 7}, "campaign must be of type str"),
        ({"ledger": "spring.db", "campaign": "spring"}, "ledger must be a ledger such as"),
    ],
)
async def test_options_that_do_not_fit_together(options: dict[str, Any], words: str) -> None:
    """Said before anything is opened."""
    async with Vendor().client() as client:
        with pytest.raises(ConfigurationError, match=words):
            client.bulk(messages(1), **options)


async def test_one_campaign_has_one_run_at_a_time(memory: MemoryLedger) -> None:
    """A second run is refused; one of another campaign is not, nor the same one afterwards."""
    vendor = Vendor(latency=1)
    async with vendor.client() as client:
        async with client.bulk(messages(5), ledger=memory, campaign="spring") as run:
            with pytest.raises(LedgerError, match="is being sent by another run"):
                await client.send_many(messages(5), ledger=memory, campaign="spring")
            report = await client.send_many(messages(5), ledger=memory, campaign="summer")
        again = await client.send_many(messages(5), ledger=memory, campaign="spring")
    assert (run.report.accepted, report.accepted, again.skipped) == (5, 5, 5)


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
