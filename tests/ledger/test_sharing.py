"""One campaign, several runs: claims, leases, fences, and a state that holds for all."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import anyio
import httpx
import psycopg
import pytest
from ledger.shared_runs import RECEIPT, certainties, loaded, told
from runs import A, N, S, U, counted, run_all
from vendor import SENDER, Vendor, message, messages, record_for

from multiwhats_async import ClaimLostError, ConfigurationError, LedgerError, PostgresLedger
from multiwhats_async.ledger.postgres import Heart

pytestmark = pytest.mark.anyio


def say(dsn: str, text: str) -> None:
    """Run a statement beside the ledgers."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(text)  # type: ignore[call-overload]  # a text of the tests


def end_leases(dsn: str) -> None:
    """Let all runs look as if nobody had heard of them for longer than their lease."""
    say(dsn, "UPDATE multiwhats_run SET alive_until = now() - interval '1 second'")


# --- side by side -----------------------------------------------------------------------------


async def test_two_runs_share_a_campaign(dsn: str) -> None:
    """With the same input at the same time: each message is sent by one of them."""
    vendor = Vendor(latency=0.002)
    counts = []

    async def one() -> None:
        async with vendor.client(max_concurrency=20) as client:
            run = client.bulk(messages(600), ledger=PostgresLedger(dsn), campaign="spring")
            counts.append(counted(await run_all(run)))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one)
        tasks.start_soon(one)
    assert set(vendor.posts.values()) == {1}
    assert vendor.total == 600
    assert [count[A] + count[S] for count in counts] == [600, 600]
    assert min(count[A] for count in counts) > 0


async def test_what_another_run_has_claimed_is_passed_over(dsn: str) -> None:
    """It may have been unknown before: then it is said to be."""
    async with PostgresLedger(dsn) as one, PostgresLedger(dsn) as other:
        first, second = await loaded(one, 5), await loaded(other, 5)
        taken = await first.claim(3)
        seen = await second.claim(10)
        assert [claim.may_send for claim in taken] == [True] * 3
        assert [claim.may_send for claim in seen] == [False] * 3 + [True] * 2
        assert [claim.earlier for claim in seen] == [N] * 5
        assert await first.rest() == {S: 2}
        # A run that has stopped only looks, and takes nothing.
        third = await loaded(other, 5)
        assert len(await third.claim(10, to_send=False)) == 5
        await first.aclose()
        assert [claim.may_send for claim in await (await loaded(one, 5)).claim(10)] == [
            *([True] * 3),
            *([False] * 2),
        ]


async def test_a_lease_that_is_over_gives_way(dsn: str) -> None:
    """What was not begun is free, what was being sent is unknown; the late run learns of it."""
    async with PostgresLedger(dsn) as one:
        run = await loaded(one, 3)
        late, lost, kept = await run.claim(3)
        await late.intend()
        end_leases(dsn)
        async with PostgresLedger(dsn) as other:
            assert await certainties(other) == [U, N, N]
            second = await loaded(other, 3)
            (_, mine, _) = await second.claim(2) + (await second.claim(1))
            await mine.intend()
        with pytest.raises(ClaimLostError, match="was taken over by another run"):
            await lost.intend()
        with pytest.raises(ClaimLostError):
            await kept.intend()
        await late.settle(told(late))  # it had gone out, and now that is known
        assert (await one.summary("spring")).accepted == 1
        (outcome,) = [each async for each in one.outcomes("spring", A)]
        assert outcome.receipt == RECEIPT


async def test_an_outcome_comes_too_late_where_it_was_sent_again(dsn: str) -> None:
    """On the user's word another run has sent it: that one tells what became of it."""
    async with PostgresLedger(dsn) as one, PostgresLedger(dsn) as other:
        (late,) = await (await loaded(one, 1)).claim(1)
        await late.intend()
        end_leases(dsn)
        (again,) = await (await loaded(other, 1, resend_unknown=True)).claim(1)
        assert (again.may_send, again.attempts, again.unknown_attempts) == (True, 1, 1)
        assert again.doubt is not None
        await again.intend()
        with pytest.raises(ClaimLostError):
            await late.settle(told(late))
        await again.settle(told(again, attempts=2))
        assert await certainties(one) == [A]


async def test_an_intent_that_took_longer_than_the_lease_is_not_followed_by_a_post(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that hung in between: others may have seen to the message. It is pending again."""
    now = iter([0.0, 61.0, 62.0, 63.0])
    vendor = Vendor()
    async with vendor.client() as client:
        run = client.bulk([message()], ledger=PostgresLedger(dsn), campaign="spring")
        async with run:
            monkeypatch.setattr("multiwhats_async.ledger._shared.time", _Clock(now))
            outcomes = [outcome async for outcome in run]
        assert (vendor.total, counted(outcomes), run.report.stopped) == (0, {N: 1}, None)
        assert "only after its lease was over" in str(outcomes[0].error)
        report = await client.send_many([message()], ledger=PostgresLedger(dsn), campaign="spring")
    assert (report.accepted, vendor.total) == (1, 1)


class _Clock:
    """Tells what it is given, in turn."""

    def __init__(self, times: Iterator[float]) -> None:
        self._times = times

    def monotonic(self) -> float:
        return next(self._times)


async def test_a_claim_of_a_doubtful_message_falls_back_to_its_doubt(dsn: str) -> None:
    """A run that was to send it again and died before: it is not sent again by itself."""
    async with PostgresLedger(dsn) as one, PostgresLedger(dsn) as other:
        (claim,) = await (await loaded(one, 1)).claim(1)
        await claim.intend()
        await claim.settle(told(claim, U))
        run = await loaded(one, 1, resend_unknown=True)
        (again,) = await run.claim(1)
        assert again.may_send
        assert await certainties(other) == [U]
        end_leases(dsn)
        (skipped,) = await (await loaded(other, 1)).claim(1)
        assert (skipped.may_send, skipped.earlier) == (False, U)
        await run.aclose()
        assert await certainties(other) == [U]


async def test_a_run_of_which_a_message_was_lost_goes_on(dsn: str) -> None:
    """It is not sent there, the others are, and an outcome that comes too late stops nothing."""
    vendor = Vendor(latency=0.05)
    async with vendor.client(max_concurrency=1) as client, PostgresLedger(dsn) as other:
        run = client.bulk(messages(4), ledger=PostgresLedger(dsn), campaign="spring")
        async with run:
            outcomes = []
            async for outcome in run:
                outcomes.append(outcome)
                if len(outcomes) == 1:
                    end_leases(dsn)
                    (_, *mine) = await (await loaded(other, 3)).claim(3)
                    assert any(claim.may_send for claim in mine)
    assert set(vendor.posts.values()) == {1}
    assert run.report.stopped is None
    assert counted(outcomes)[N] + counted(outcomes)[A] == 4
    assert counted(outcomes)[N] > 0


async def test_an_outcome_that_comes_too_late_stops_nothing(
    dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Another run is sending the message again, on the user's word: this one tells, and ends."""
    vendor, answered = Vendor(), anyio.Event()

    async def slow() -> httpx.Response:
        await answered.wait()
        return httpx.Response(200, json=record_for(message().to))

    vendor.script[message().to] = [slow]
    async with vendor.client() as client, PostgresLedger(dsn) as other:
        run = client.bulk(messages(1), ledger=PostgresLedger(dsn), campaign="spring")
        async with run:
            while not vendor.total:
                await anyio.lowlevel.checkpoint()
            end_leases(dsn)
            (again,) = await (await loaded(other, 1, resend_unknown=True)).claim(1)
            await again.intend()
            answered.set()
            outcomes = [outcome async for outcome in run]
    assert (counted(outcomes), run.report.stopped) == ({A: 1}, None)
    assert "came too late" in caplog.text


async def test_what_one_run_takes_back_another_does_not_lose(dsn: str) -> None:
    """Messages in another run's input stay, though the run that loaded them was refused."""
    async with PostgresLedger(dsn) as one, PostgresLedger(dsn) as other:
        first = await loaded(one, 4)
        second = await other.begin("spring", sender=SENDER)
        await second.load(0, messages(2))
        await first.withdraw()
        assert (await other.summary("spring")).total == 2
        say(dsn, "DELETE FROM multiwhats_message WHERE position = 1")
        with pytest.raises(LedgerError, match="were taken back by the run that had loaded them"):
            await second.claim(2)


async def test_a_campaign_that_another_run_has_begun_is_not_taken_away(dsn: str) -> None:
    """It is empty, but somebody is about to load it."""
    async with PostgresLedger(dsn) as one, PostgresLedger(dsn) as other:
        first, second = await loaded(one, 2), await other.begin("spring", sender=SENDER)
        await first.withdraw()
        assert await one.campaigns() == ("spring",)
        await first.aclose()
        await second.withdraw()
        assert await one.campaigns() == ()


# --- signs of life ----------------------------------------------------------------------------


async def test_a_run_renews_its_lease(dsn: str) -> None:
    """With what it does, and from a thread beside that."""
    async with PostgresLedger(dsn, lease=1000) as ledger:
        run = await loaded(ledger, 1)
        for act in (partial(run.claim, 1), partial(anyio.to_thread.run_sync, ledger._beat)):
            end_leases(dsn)
            await act()
            status = await ledger.status("spring")  # the thread does one thing after the other
            assert [each.silent_for < 999 for each in status.runs] == [True]
        await run.aclose()
        ledger._beat()
        assert (await ledger.status("spring")).runs == ()
    ledger._beat()  # it is closed: nothing is done


async def test_a_lease_that_cannot_be_renewed_disturbs_nobody(dsn: str) -> None:
    """Whoever sends meets the same server, and says so."""
    async with PostgresLedger(dsn) as ledger:
        run = await loaded(ledger, 1)
        say(dsn, "ALTER TABLE multiwhats_run RENAME TO multiwhats_hidden")
        ledger._renew()
        say(dsn, "ALTER TABLE multiwhats_hidden RENAME TO multiwhats_run")
        assert len(await run.claim(1)) == 1


async def test_a_run_that_was_given_up_says_so(dsn: str) -> None:
    """After a day nobody waits for it; its input is gone."""
    async with PostgresLedger(dsn) as ledger:
        run = await loaded(ledger, 1)
        say(dsn, "UPDATE multiwhats_run SET alive_until = now() - interval '2 days'")
        async with PostgresLedger(dsn):
            pass
        with pytest.raises(LedgerError, match="not heard of for more than a day"):
            await run.claim(1)
        assert (await ledger.status("spring")).runs == ()


def test_a_heart_beats_until_nobody_has_it() -> None:
    """It does not keep a ledger alive that was forgotten."""

    class Owner:
        def __init__(self) -> None:
            self.beats = threading.Semaphore(0)

        def beat(self) -> None:
            self.beats.release()

    def wait_for(ended: Callable[[], bool]) -> None:
        for thread in [each for each in threading.enumerate() if each.name == "multiwhats-lease"]:
            thread.join(10)
        assert ended()

    owner = Owner()
    heart = Heart(owner.beat, every=0.001)
    assert owner.beats.acquire(timeout=10)
    assert owner.beats.acquire(timeout=10)
    heart.stop()
    wait_for(lambda: True)
    heart = Heart(owner.beat, every=0.001)
    del owner
    wait_for(lambda: not heart._stopped.is_set())


# --- the state of a campaign ------------------------------------------------------------------


async def test_a_status_tells_who_has_what_in_hand(dsn: str) -> None:
    """Where each run is, and how long nobody has heard of it."""
    async with PostgresLedger(dsn, lease=60) as ledger:
        run = await loaded(ledger, 5)
        (first, *_) = await run.claim(3)
        await first.intend()
        say(dsn, "UPDATE multiwhats_run SET alive_until = alive_until - interval '45 seconds'")
        (status,) = (await ledger.status("spring")).runs
        assert (status.claimed, status.sending) == (2, 1)
        assert 44 < status.silent_for < 60
        assert ":" in status.worker
        summary = await ledger.summary("spring")
        assert (summary.pending, summary.in_flight) == (4, 1)


async def test_a_resolved_message_is_lost_to_the_run_that_would_send_it_again(dsn: str) -> None:
    """A person's word counts, also while a run has claimed it."""
    async with PostgresLedger(dsn) as ledger:
        (claim,) = await (await loaded(ledger, 1)).claim(1)
        await claim.intend()
        await claim.settle(told(claim, U))
        (again,) = await (await loaded(ledger, 1, resend_unknown=True)).claim(1)
        await ledger.resolve(again.key, A, note="she has answered")
        with pytest.raises(ClaimLostError):
            await again.intend()
        assert await certainties(ledger) == [A]


@pytest.mark.parametrize("lease", [0.5, None, 0, -1, "60"])
def test_a_lease_is_a_number_of_seconds(lease: Any) -> None:
    """One that is over before an answer can come would call unknown what is under way."""
    with pytest.raises(ConfigurationError, match="lease must be"):
        PostgresLedger("postgresql://db/x", lease=lease)
