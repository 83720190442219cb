"""A ledger is opened and closed once for all of its users, and refuses what it cannot do."""

import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from runs import A, N, R, U
from services import Postgres
from vendor import SENDER, messages

from multiwhats_async import (
    ConfigurationError,
    LedgerError,
    MemoryLedger,
    PostgresLedger,
    SQLiteLedger,
)

pytestmark = pytest.mark.anyio


def threads(name: str) -> set[threading.Thread]:
    """Return the threads that have a name of that beginning."""
    return {each for each in threading.enumerate() if each.name.startswith(name)}


def ended(found: set[threading.Thread]) -> bool:
    """Wait for the end of threads; tell whether it has come."""
    for each in found:
        each.join(5)
    return not any(each.is_alive() for each in found)


async def test_users_that_come_at_once_open_it_once(tmp_path: Path) -> None:
    """The second waits until the first has opened it; the last one closes it."""
    ledger = SQLiteLedger(tmp_path / "spring.db")
    database: Any = ledger._database
    opened: list[str] = []
    really_open = database.open

    def counted_open() -> None:
        opened.append("open")
        really_open()

    database.open = counted_open
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(ledger.open)
    assert opened == ["open"]
    for is_left in (True, True, False):
        await ledger.aclose()
        assert ledger.is_open is is_left


async def test_a_cancelled_user_closes_it_all_the_same() -> None:
    """Or nobody ever would."""
    ledger = MemoryLedger()
    await ledger.open()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await ledger.aclose()
    assert not ledger.is_open


async def test_what_cannot_be_opened_leaves_no_thread(tmp_path: Path) -> None:
    """Its thread is ended, and it may be tried again."""
    before = threads("multiwhats-ledger")
    ledger = SQLiteLedger(tmp_path / "spring.db")
    (tmp_path / "spring.db").mkdir()
    with pytest.raises(LedgerError) as caught:
        await ledger.open()
    assert ended(threads("multiwhats-ledger") - before)
    assert caught.tb is not None  # which keeps alive what was under way then
    (tmp_path / "spring.db").rmdir()
    async with ledger:
        assert ledger.is_open
        assert repr(ledger).endswith("(open)>")
    assert ended(threads("multiwhats-ledger") - before)


async def test_a_run_begins_in_an_open_ledger() -> None:
    """A campaign that has a name, and no other run in this process."""
    ledger = MemoryLedger()
    with pytest.raises(LedgerError, match="The ledger in memory is not open"):
        await ledger.begin("spring")
    async with ledger:
        for name in ("", None, "x" * 201):
            with pytest.raises(ConfigurationError, match=r"^campaign (must|is missing)"):
                await ledger.begin(name)  # type: ignore[arg-type]  # what is tested
        first = await ledger.begin("spring")
        with pytest.raises(LedgerError, match="'spring' is being sent by another run"):
            await ledger.begin("spring")
        other = await ledger.begin("summer")
        assert first.run != other.run
        await first.aclose()
        again = await ledger.begin("spring")
        assert again.run not in {first.run, other.run}


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda ledger: ledger.summary(7), "campaign must be of type str"),
        (lambda ledger: anext(ledger.outcomes(7)), "campaign must be of type str"),
        (lambda ledger: ledger.resolve(7, A), "key must be of type str"),
        (lambda ledger: ledger.resolve("k", A, campaign=""), "campaign must be a name"),
        (lambda ledger: ledger.resolve("k", A, note=7), "note must be of type str"),
        (
            lambda ledger: ledger.resolve("k", U),
            r"certainty must be one of Certainty\.ACCEPTED, Certainty\.REJECTED, Certainty\.NOT",
        ),
    ],
    ids=["summary", "outcomes", "key", "campaign", "note", "certainty"],
)
async def test_what_is_no_question(
    ask: Callable[[MemoryLedger], Awaitable[Any]], words: str
) -> None:
    """It is said by name, and before anything is opened."""
    ledger = MemoryLedger()
    with pytest.raises(ConfigurationError, match=f"^{words}"):
        await ask(ledger)
    assert not ledger.is_open


async def test_what_is_being_sent_is_among_the_unknown() -> None:
    """And among no others."""
    async with MemoryLedger() as ledger:
        run = await ledger.begin("spring", sender=SENDER)
        await run.load(0, messages(2))
        (claim,) = await run.claim(1)
        await claim.intend()
        found = {
            certainty: [each.index async for each in ledger.outcomes("spring", certainty)]
            for certainty in (A, R, N, U)
        }
    assert found == {A: [], R: [], N: [1], U: [0]}


async def test_leases_are_renewed_while_it_is_open(postgres: Postgres) -> None:
    """By a thread that ends with it."""
    before = threads("multiwhats-lease")
    async with PostgresLedger(postgres.schema()):
        hearts = threads("multiwhats-lease") - before
        assert len(hearts) == 1
    assert ended(hearts)
