"""Group commit: one fsync for all that wait, and nobody is left without an answer."""

import asyncio
import gc
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from copy import copy
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from vendor import Vendor, message, messages

from multiwhats_async import (
    Certainty,
    ClaimLostError,
    ConfigurationError,
    LedgerError,
    MemoryLedger,
    Outcome,
    SQLiteLedger,
)
from multiwhats_async.ledger._campaign import StoredCampaign, StoredClaim
from multiwhats_async.ledger._statements import MANY_AT_ONCE, ROWS_AT_ONCE

pytestmark = pytest.mark.anyio

SENDER = "908503080335"
MANY = 60


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SQLiteLedger]:
    """Open a ledger in a file."""
    async with SQLiteLedger(tmp_path / "spring.db") as ledger:
        yield ledger


async def claims(ledger: SQLiteLedger, count: int = MANY) -> list[StoredClaim]:
    """Return that many claims of a campaign."""
    run: StoredCampaign = await ledger.begin("spring", sender=SENDER)
    await run.load(0, messages(count))
    return [*await run.claim(count)]


def told(claim: StoredClaim) -> Outcome:
    """Return an outcome for a claim."""
    return Outcome(message=claim.message, key=claim.key, certainty=Certainty.ACCEPTED, attempts=1)


async def test_all_that_wait_share_a_commit(ledger: SQLiteLedger) -> None:
    """Fifty intents at once are a few statements, each of them a transaction; not fifty."""
    said: set[str] = set()  # what a trigger does is told under the name of its statement
    taken = await claims(ledger, ROWS_AT_ONCE)
    db = ledger._database._connection
    db.set_trace_callback(said.add)
    async with anyio.create_task_group() as tasks:
        for claim in taken:
            tasks.start_soon(claim.intend)
    db.set_trace_callback(None)
    assert 1 <= len(said) <= 3
    assert all(text.startswith("INSERT INTO transition") for text in said)
    assert (await ledger.summary("spring")).in_flight == ROWS_AT_ONCE


async def in_one_commit(
    ledger: SQLiteLedger, act: Callable[[Any], Awaitable[None]], taken: Iterable[StoredClaim]
) -> None:
    """Let all act while the thread is held, so that one commit takes them all along."""
    commits = ledger._commits
    assert commits is not None
    entered, released = anyio.Event(), threading.Event()

    def hold(_: object) -> None:
        commits._soon(entered.set)
        released.wait()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(commits.do, hold)
        await entered.wait()
        for claim in taken:
            tasks.start_soon(act, claim)
        await anyio.wait_all_tasks_blocked()
        released.set()


async def lost_in_one_commit(
    ledger: SQLiteLedger, taken: Iterable[StoredClaim]
) -> list[ClaimLostError]:
    """Write all intents in one commit; return the errors of those that were lost."""
    lost: list[ClaimLostError] = []

    async def intend(claim: Any) -> None:
        try:
            await claim.intend()
        except ClaimLostError as error:
            lost.append(error)

    await in_one_commit(ledger, intend, taken)
    return lost


async def test_of_many_in_one_statement_one_that_is_lost_concerns_nobody_else(
    ledger: SQLiteLedger,
) -> None:
    """The others are on record, each once; the one is told, with its number masked."""
    taken = await claims(ledger)
    db = ledger._database._connection
    db.execute("UPDATE message SET attempts = 7 WHERE id = ?", [taken[3]._row])
    lost = await lost_in_one_commit(ledger, taken)
    assert len(lost) == 1
    assert "was changed in the ledger" in str(lost[0])
    assert taken[3].message.to not in str(lost[0])
    assert (await ledger.summary("spring")).in_flight == MANY - 1
    attempts = [row[0] for row in db.execute("SELECT attempts FROM message ORDER BY id")]
    assert attempts == [7 if number == 3 else 1 for number in range(MANY)]


async def test_more_than_fit_into_one_statement(ledger: SQLiteLedger) -> None:
    """They are one transaction all the same, and one that is lost concerns nobody else."""
    taken = await claims(ledger, 2 * ROWS_AT_ONCE + 1)
    db = ledger._database._connection
    moved = taken[ROWS_AT_ONCE + 3]
    db.execute("UPDATE message SET attempts = 7 WHERE id = ?", [moved._row])
    commits: list[str] = []
    db.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    lost = await lost_in_one_commit(ledger, taken)
    db.set_trace_callback(None)
    assert len(commits) == 2  # the thread was held in one
    assert len(lost) == 1
    attempts = [row[0] for row in db.execute("SELECT attempts FROM message ORDER BY id")]
    assert attempts == [7 if claim is moved else 1 for claim in taken]


async def test_a_busy_loop_does_not_hold_up_what_is_loaded(ledger: SQLiteLedger) -> None:
    """A block is loaded by a few statements: each hands Python's lock back and forth."""
    said: list[str] = []
    run: StoredCampaign = await ledger.begin("spring", sender=SENDER)
    db = ledger._database._connection
    db.set_trace_callback(said.append)
    count = 2 * MANY_AT_ONCE + ROWS_AT_ONCE + 1
    await run.load(0, messages(count))
    db.set_trace_callback(None)
    assert len(said) < 15
    assert (await ledger.summary("spring")).pending == count


async def test_work_is_done_in_a_thread_of_its_own(ledger: SQLiteLedger) -> None:
    """A disk that is slow must not stop the event loop."""
    assert ledger._commits is not None
    threads = {await ledger._commits.do(lambda db: threading.get_ident()) for _ in range(3)}
    assert threading.get_ident() not in threads


async def test_who_comes_during_a_commit_shares_the_next(ledger: SQLiteLedger) -> None:
    """Each commit takes along all that have come by then."""
    taken = await claims(ledger)
    groups: list[int] = []
    commits = ledger._commits
    assert commits is not None
    run = commits._run
    entered, released = anyio.Event(), threading.Event()

    def held(tickets: Any) -> None:
        groups.append(len(tickets))
        if len(groups) == 1:
            commits._soon(entered.set)
            released.wait()
        run(tickets)

    commits._run = held
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(taken[0].intend)
        await entered.wait()
        for claim in taken[1:]:
            tasks.start_soon(claim.intend)
        await anyio.wait_all_tasks_blocked()
        released.set()
    await commits.do(lambda _: None)  # behind whatever else the thread was called for
    assert groups == [1, MANY - 1, 1]


async def test_a_commit_that_fails_fails_all_who_wait_for_it(ledger: SQLiteLedger) -> None:
    """None of them may go on as if it were on disk; nothing of it is, and the next commit works."""
    taken = await claims(ledger)
    db = ledger._database._connection
    db.execute(
        "CREATE TEMP TRIGGER refusing BEFORE UPDATE ON message WHEN new.id = 7"
        " BEGIN SELECT RAISE(ABORT, 'the disk refuses'); END"
    )
    errors: list[Exception] = []

    async def intend(claim: StoredClaim) -> None:
        try:
            await claim.intend()
        except LedgerError as error:
            errors.append(error)

    await in_one_commit(ledger, intend, taken)
    assert len(errors) == MANY
    assert len({id(error) for error in errors}) == MANY
    assert all("the disk refuses" in str(error) for error in errors)
    assert (await ledger.summary("spring")).pending == MANY
    db.execute("DROP TRIGGER refusing")
    await taken[0].intend()
    assert (await ledger.summary("spring")).in_flight == 1


async def test_work_that_is_refused_concerns_nobody_else(ledger: SQLiteLedger) -> None:
    """Somebody's changed text must not stop the messages that share its commit."""
    run = await ledger.begin("spring", sender=SENDER)
    await run.load(0, [message(0, key="k")])
    other = await ledger.begin("summer", sender=SENDER)
    refused: list[LedgerError] = []

    async def change() -> None:
        try:
            await run.load(1, [message(2), message(1, key="k")])
        except LedgerError as error:
            refused.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(change)
        for number in range(20):
            tasks.start_soon(other.load, number, [message(number)])
    assert len(refused) == 1
    assert [(await ledger.summary(name)).total for name in ("spring", "summer")] == [1, 20]


async def test_cancellation_waits_for_the_answer(ledger: SQLiteLedger) -> None:
    """Whoever asked learns whether it is on record; only then is he cancelled."""
    run = await ledger.begin("spring", sender=SENDER)
    await run.load(0, [message(0)])
    taken: list[Any] = []
    with anyio.CancelScope() as scope:
        scope.cancel()
        taken += await run.claim(1)
        await anyio.lowlevel.checkpoint()
        pytest.fail("not cancelled")
    with anyio.CancelScope(shield=True):  # as a run's workers stand
        await taken[0].intend()
    assert (await ledger.summary("spring")).in_flight == 1


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_native_cancellation_leaves_nobody_waiting(ledger: SQLiteLedger) -> None:
    """No shield holds off asyncio's own; whoever else waits for the same commit has its answer."""
    taken = await claims(ledger)
    commits = ledger._commits
    assert commits is not None
    run = commits._run
    entered, released = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def held(tickets: Any) -> None:
        loop.call_soon_threadsafe(entered.set)
        released.wait()
        run(tickets)

    commits._run = held
    first = asyncio.create_task(taken[0].intend())
    await entered.wait()
    waiting = [asyncio.create_task(claim.intend()) for claim in taken[1:10]]
    await anyio.wait_all_tasks_blocked()
    first.cancel()
    waiting[3].cancel()
    await anyio.wait_all_tasks_blocked()
    released.set()
    with pytest.raises(asyncio.CancelledError):
        await first
    done = await asyncio.gather(*waiting, return_exceptions=True)
    cancelled = [isinstance(result, asyncio.CancelledError) for result in done]
    assert cancelled == [number == 3 for number in range(9)]
    # Whoever is gone does not know it, but an intent that was asked for is on record.
    assert (await ledger.summary("spring")).in_flight == 10


def test_a_loop_that_ends_in_the_middle_of_a_commit(tmp_path: Path) -> None:
    """asyncio.run cancels every task at its end: none is left waiting, and the file is closed."""
    ledger = SQLiteLedger(tmp_path / "spring.db")
    vendor = Vendor(latency=0.001)
    released = threading.Event()

    async def send() -> None:
        async with vendor.client() as client:
            await client.send_many(messages(300), ledger=ledger, campaign="spring")

    async def release_at_the_end() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            released.set()

    async def main() -> None:
        tasks = [asyncio.create_task(send()), asyncio.create_task(release_at_the_end())]
        reached = asyncio.Event()
        vendor.always = lambda recipient, count: reached.set() if count >= 50 else None
        await reached.wait()
        assert ledger._commits is not None
        run, entered = ledger._commits._run, asyncio.Event()
        loop = asyncio.get_running_loop()

        def held(tickets: Any) -> None:
            loop.call_soon_threadsafe(entered.set)
            released.wait()
            run(tickets)

        ledger._commits._run = held
        await entered.wait()
        assert not any(task.done() for task in tasks)

    asyncio.run(main())
    assert not ledger.is_open
    summary = anyio.run(ledger.summary, "spring")
    assert summary.total == 300
    assert summary.accepted + summary.unknown >= vendor.total
    assert set(vendor.posts.values()) == {1}


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_cancelled_opening_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread goes on to its end; then the file is closed, and can be opened again."""
    ledger = SQLiteLedger(tmp_path / "other.db")
    entered, released = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    really_open = ledger._database.open

    def held() -> None:
        loop.call_soon_threadsafe(entered.set)
        released.wait()
        really_open()

    monkeypatch.setattr(ledger._database, "open", held)
    opening = asyncio.create_task(ledger.open())
    await entered.wait()
    opening.cancel()
    await anyio.wait_all_tasks_blocked()
    released.set()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert not ledger.is_open
    async with SQLiteLedger(tmp_path / "other.db") as other:
        assert await other.campaigns() == ()


async def test_a_thread_that_cannot_be_started_is_said(
    ledger: SQLiteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system may be out of threads; nobody waits for good."""
    taken = await claims(ledger)

    def refuse(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(ledger._worker, "submit", refuse)
        with pytest.raises(LedgerError, match="cannot be started: can't start new thread"):
            await taken[0].intend()
    await taken[0].intend()


async def test_a_thread_that_breaks_leaves_nobody_waiting(ledger: SQLiteLedger) -> None:
    """Whatever it was."""
    taken = await claims(ledger)

    def broken(tickets: Any) -> None:
        raise ValueError("broken")

    assert ledger._commits is not None
    ledger._commits._run = broken
    with pytest.raises(LedgerError, match="thread failed: broken"):
        await taken[0].intend()


async def test_a_bug_in_a_statement_is_an_error_of_the_ledger(ledger: SQLiteLedger) -> None:
    """Nothing of a lower layer comes out, and nobody hangs."""

    def broken(db: sqlite3.Connection) -> None:
        raise KeyError("row")

    assert ledger._commits is not None
    with pytest.raises(LedgerError, match="The ledger failed: KeyError"):
        await ledger._commits.do(broken)
    with pytest.raises(LedgerError, match=r"spring\.db failed \(no such table: absent\)"):
        await ledger._commits.do(lambda db: db.say("SELECT * FROM absent"))


async def test_a_settled_claim_is_settled_once(ledger: SQLiteLedger) -> None:
    """The fence: an outcome of another attempt, or of a row that has moved on, is not written."""
    (claim,) = await claims(ledger, 1)
    await claim.settle(told(claim))  # never begun: nothing is written
    assert (await ledger.summary("spring")).pending == 1
    other = copy(claim)
    await claim.intend()
    with pytest.raises(LedgerError, match="its claim no longer holds"):
        await other.intend()
    await claim.settle(told(claim))
    with pytest.raises(LedgerError, match="its claim no longer holds"):
        await claim.settle(told(claim))
    assert (await ledger.summary("spring")).accepted == 1


async def test_a_campaign_that_cannot_be_begun_can_be_begun_later(ledger: SQLiteLedger) -> None:
    """It is not taken for one that is being sent."""
    db = ledger._database._connection
    db.execute(
        "CREATE TEMP TRIGGER refusing BEFORE INSERT ON campaign"
        " BEGIN SELECT RAISE(ABORT, 'the disk refuses'); END"
    )
    with pytest.raises(LedgerError, match="the disk refuses"):
        await ledger.begin("spring")
    db.execute("DROP TRIGGER refusing")
    await ledger.begin("spring")


async def test_what_was_closed_under_a_run_says_so(ledger: SQLiteLedger) -> None:
    """A call of aclose() too many."""
    (claim,) = await claims(ledger, 1)
    await ledger.aclose()
    with pytest.raises(LedgerError, match="is closed"):
        await claim.intend()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_after_a_fork_it_is_refused(
    ledger: SQLiteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes on one connection would ruin the file."""
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(ConfigurationError, match="before a fork"):
        await ledger.campaigns()
    monkeypatch.undo()


def test_another_event_loop_is_refused(tmp_path: Path) -> None:
    """Its answers would arrive nowhere."""
    ledger = SQLiteLedger(tmp_path / "spring.db")
    anyio.run(ledger.open)
    with pytest.raises(ConfigurationError, match="another event loop"):
        anyio.run(ledger.campaigns, backend="trio")
    anyio.run(ledger.aclose)
    assert anyio.run(ledger.campaigns, backend="trio") == ()


def test_a_ledger_in_memory_keeps_its_content_between_loops() -> None:
    """It has no file that it could be read from again."""
    ledger = MemoryLedger()

    async def fill() -> None:
        async with ledger:
            await claims(ledger, 3)

    assert repr(ledger) == "<MemoryLedger in memory (closed)>"
    anyio.run(fill)
    assert anyio.run(ledger.summary, "spring", backend="trio").pending == 3


async def test_a_ledger_in_memory_lets_others_have_their_turn() -> None:
    """It waits for no disk; a run must not keep the event loop to itself all the same."""
    async with MemoryLedger() as ledger:
        turns: list[str] = []

        async def other() -> None:
            for _ in range(3):
                turns.append("other")
                await anyio.lowlevel.checkpoint()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(other)
            for _ in range(5):
                turns.append("ledger")
                await ledger._open_commits().do(lambda _: None)
    assert turns[-1] == "ledger"


async def test_a_run_that_has_ended_leaves_nothing_of_its_input(ledger: SQLiteLedger) -> None:
    """Its positions are its own; the file would grow with each run of a campaign."""
    run = await ledger.begin("spring", sender=SENDER)
    await run.load(0, messages(3))
    commits = ledger._open_commits()

    def positions(db: Any) -> int:
        count: int = db.connection.execute("SELECT count(*) FROM input").fetchone()[0]
        return count

    assert await commits.do(positions) == 3
    await run.aclose()
    assert await commits.do(positions) == 0
    assert (await ledger.summary("spring")).pending == 3


async def test_a_ledger_in_memory_ends_with_its_object() -> None:
    """It keeps its content until then, and leaves no connection open."""
    ledger = MemoryLedger()
    async with ledger:
        pass
    connection = ledger._database._connection  # type: ignore[attr-defined]  # SQLite's
    assert connection.execute("SELECT 1").fetchone()[0] == 1
    del ledger
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")
