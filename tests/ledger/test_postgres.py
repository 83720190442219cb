"""PostgreSQL behind a ledger: reached, lost and found again, and what is said when it is not."""

import builtins
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import anyio
import psycopg
import pytest
from runs import A, N, run_all
from services import Postgres
from vendor import RESPONSE, SENDER, Vendor, messages

from multiwhats_async import (
    CampaignState,
    ConfigurationError,
    LedgerError,
    MessageReceipt,
    Outcome,
    PostgresLedger,
    make_converter,
)
from multiwhats_async.ledger import _postgres
from multiwhats_async.ledger._postgres import Address, PostgresDatabase
from multiwhats_async.ledger._statements import Session

pytestmark = pytest.mark.anyio

RECEIPT: MessageReceipt = make_converter().structure(RESPONSE, MessageReceipt)


def rows(dsn: str, query: str) -> list[Any]:
    """Return what a query finds, beside the ledgers."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(query)  # type: ignore[call-overload]  # a text of the tests
        return cursor.fetchall() if cursor.description else []


# --- lost and found ---------------------------------------------------------------------------


async def test_a_campaign_goes_on_when_the_server_comes_back(postgres: Postgres, dsn: str) -> None:
    """It crashes twice in the middle: everything waits, nothing is lost, nothing doubled."""
    vendor = Vendor(latency=0.002)
    async with vendor.client(max_concurrency=20) as client:
        run = client.bulk(messages(400), ledger=PostgresLedger(dsn), campaign="spring")
        async with run:
            done = 0
            async for _ in run:
                done += 1
                if done in (50, 200):
                    postgres.crash()
                    postgres.start()
    assert (run.report.accepted, run.report.stopped) == (400, None)
    assert set(vendor.posts.values()) == {1}
    ledger = PostgresLedger(dsn)
    assert (await ledger.summary("spring")).accepted == 400


class Deaf:
    """A connection that is lost between a commit and its answer, once."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._connection.transaction():
            yield
        self._connection.close()
        raise psycopg.OperationalError("the answer was lost")


def lose_the_answer(ledger: PostgresLedger) -> None:
    """Let the next commit of a ledger succeed, and its answer not arrive."""
    database: Any = ledger._database
    database._connection = Deaf(database._connection)


async def test_a_commit_whose_answer_was_lost_is_made_once(dsn: str) -> None:
    """Every step is done again, and each counts once."""
    async with PostgresLedger(dsn) as ledger:
        lose_the_answer(ledger)
        run = await ledger.begin("spring", sender=SENDER)
        lose_the_answer(ledger)
        await run.load(0, messages(250) + messages(1))
        lose_the_answer(ledger)
        claims = [*await run.claim(200)]
        assert [claim.may_send for claim in claims] == [True] * 200
        claims += await run.claim(200)
        assert [claim.index for claim in claims] == [*range(251)]
        assert [claim.may_send for claim in claims[200:]] == [True] * 50 + [False]
        claim = claims[0]
        lose_the_answer(ledger)
        await claim.intend()
        assert rows(dsn, "SELECT attempts, state FROM multiwhats_message WHERE position = 0") == [
            (1, "sending")
        ]
        lose_the_answer(ledger)
        await claim.postpone()
        await claim.intend()
        outcome = Outcome(
            message=claim.message, key=claim.key, certainty=A, receipt=RECEIPT, attempts=2
        )
        lose_the_answer(ledger)
        await claim.settle(outcome)
        lose_the_answer(ledger)
        await ledger.pause("spring")
        lose_the_answer(ledger)
        await run.aclose()
        (back, *_) = [each async for each in ledger.outcomes("spring")]
        assert (back.certainty, back.attempts) == (A, 2)
        summary = await ledger.summary("spring")
        assert (summary.accepted, summary.pending, summary.total) == (1, 249, 250)


async def test_a_machine_that_hangs_in_a_transaction_holds_nobody_up(dsn: str) -> None:
    """The server ends it and frees what it had locked; when it goes on, it does its work again."""
    locked, freed = threading.Event(), threading.Event()

    def hang(db: Session) -> None:
        db.say("UPDATE multiwhats_campaign SET because = 'it went on'")
        locked.set()
        assert freed.wait(30), "the other waits for ever"

    async with PostgresLedger(dsn) as made:
        await (await made.begin("spring")).aclose()
    async with PostgresLedger(dsn, lease=1) as hanging, PostgresLedger(dsn) as other:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hanging._open_commits().do, hang)
            await anyio.to_thread.run_sync(locked.wait)
            await other.pause("spring", "a look")
            freed.set()
        status = await other.status("spring")
    assert (status.state, status.because) == (CampaignState.PAUSED, "it went on")


@pytest.mark.parametrize(("own", "idle"), [("400ms", "400ms"), ("1h", "15s"), ("0", "15s")])
async def test_an_administrators_tighter_bound_holds(dsn: str, own: str, idle: str) -> None:
    """Of a transaction that stands still; a wider one, or none, is tightened."""
    option = quote(f" -c idle_in_transaction_session_timeout={own}", safe="")
    async with PostgresLedger(f"{dsn}{option}") as ledger:  # it ends with the options
        shown: list[Any] = []
        await ledger._open_commits().do(
            lambda db: shown.append(
                db.connection.execute("SHOW idle_in_transaction_session_timeout").fetchone()
            )
        )
    assert shown == [{"idle_in_transaction_session_timeout": idle}]


async def test_a_connection_that_is_cut_is_made_again(dsn: str) -> None:
    """By an administrator, or a router that forgets."""
    async with PostgresLedger(dsn) as ledger:
        run = await ledger.begin("spring", sender=SENDER)
        database: Any = ledger._database
        pid = database._connection.info.backend_pid
        rows(dsn, f"SELECT pg_terminate_backend({pid}, 5000)")
        await run.load(0, messages(3))
        assert len(await run.claim(5)) == 3


@pytest.mark.parametrize("state", sorted(_postgres.GOES_BY))
def test_what_goes_by_is_tried_again(dsn: str, state: str) -> None:
    """A deadlock, a server that starts up, a primary that has changed."""
    database = PostgresDatabase(Address(dsn), on_open=lambda _: None, sleep=lambda _: None)
    database.open()
    tries = []

    def work(session: Any) -> None:
        tries.append(1)
        if len(tries) == 1:
            session.say(f"DO $$ BEGIN RAISE 'so' USING ERRCODE = '{state}'; END $$")

    database.do(work)
    database.close()
    database.close()
    assert len(tries) == 2


def test_patience_has_an_end(dsn: str) -> None:
    """A server that stays away is said, with the way out; the pauses grow."""
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    database = PostgresDatabase(
        Address(dsn), on_open=lambda _: None, patience=60, sleep=sleep, clock=lambda: now[0]
    )
    database.open()
    database.close()
    database._address.parameters["host"] = "/nowhere"
    with pytest.raises(LedgerError, match=r"cannot be reached: is the server up.*No such file"):
        database.do(lambda _: None)
    assert 60 <= sum(slept) < 64
    assert max(slept) <= 3
    assert slept[0] < 0.1


# --- what cannot be used ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dsn", "words"),
    [
        ("", "not str"),
        (7, "not int"),
        (None, "not NoneType"),
        ("postgresql://ayse:gizli@[db/x", "cannot be read"),
        ("gizli", "cannot be read"),
    ],
)
def test_an_address_that_is_none_is_refused(dsn: Any, words: str) -> None:
    """At once, and without showing what may be a password."""
    with pytest.raises(ConfigurationError, match=words) as caught:
        PostgresLedger(dsn)
    assert "gizli" not in str(caught.value)


async def test_a_password_is_never_shown(dsn: str) -> None:
    """Neither by the ledger nor in what the server says."""
    ledger = PostgresLedger("postgresql://ayse:gizli@127.0.0.1:1/gizli_kutu")
    assert "gizli@" not in repr(ledger)
    assert repr(ledger) == "<PostgresLedger postgresql://127.0.0.1/gizli_kutu (closed)>"
    with pytest.raises(LedgerError, match="cannot be reached") as caught:
        await ledger.open()
    assert caught.value.__cause__ is None
    text = Address("postgresql://ayse:gizli@db/x").redacted("FATAL:  no\n gizli here")
    assert text == "FATAL: no **** here"


async def test_a_database_of_another_encoding_is_refused(postgres: Postgres) -> None:
    """It could not hold an emoji."""
    rows(postgres.dsn, "DROP DATABASE IF EXISTS latin")
    rows(postgres.dsn, "CREATE DATABASE latin ENCODING LATIN1 TEMPLATE template0 LOCALE 'C'")
    with pytest.raises(LedgerError, match="encoding LATIN1"):
        await PostgresLedger(postgres.dsn.replace("/postgres?", "/latin?")).open()


async def test_a_newer_schema_is_refused(dsn: str) -> None:
    """An old program must not write into what it does not understand."""
    async with PostgresLedger(dsn):
        rows(dsn, "UPDATE multiwhats_schema SET version = 99")
    with pytest.raises(LedgerError, match=r"newer version .*\(schema 99, this one knows 1\)"):
        await PostgresLedger(dsn).open()


async def test_a_user_who_may_not_write_is_told(postgres: Postgres, dsn: str) -> None:
    """Before anything is sent."""
    rows(postgres.dsn, "DROP ROLE IF EXISTS reader")
    rows(postgres.dsn, "CREATE ROLE reader LOGIN")
    with pytest.raises(LedgerError, match="cannot be used by this user"):
        await PostgresLedger(dsn.replace("postgres:@", "reader:@")).open()


async def test_a_server_that_confirms_too_early_is_told_not_to(dsn: str) -> None:
    """With synchronous_commit off, a crash would lose intents that it has confirmed."""
    rows(dsn, "ALTER ROLE postgres SET synchronous_commit = off")
    try:
        async with PostgresLedger(dsn) as ledger:
            database: Any = ledger._database
            shown = database._connection.execute("SHOW synchronous_commit").fetchone()
    finally:
        rows(dsn, "ALTER ROLE postgres RESET synchronous_commit")
    assert shown == {"synchronous_commit": "on"}


@pytest.mark.parametrize(
    ("state", "words"),
    [("53100", "the server's disk is full"), ("25006", "is read only: name the primary")],
)
async def test_what_the_server_cannot_do_is_said(dsn: str, state: str, words: str) -> None:
    """With the way out."""
    async with PostgresLedger(dsn, patience=1e-9) as ledger:
        text = f"DO $$ BEGIN RAISE 'so' USING ERRCODE = '{state}'; END $$"
        with pytest.raises(LedgerError, match=words):
            await ledger._open_commits().do(lambda db: db.say(text))


async def test_an_error_of_ours_in_a_work_is_an_error_of_the_ledger(dsn: str) -> None:
    """Whoever waits for the same commit is told too."""

    def broken(_: Any) -> None:
        raise KeyError("row")

    async with PostgresLedger(dsn) as ledger:
        with pytest.raises(LedgerError, match="The ledger failed: KeyError"):
            await ledger._open_commits().do(broken)


async def test_many_that_begin_at_once_make_the_tables_once(dsn: str) -> None:
    """A fleet starts in one moment."""

    async def one() -> None:
        async with PostgresLedger(dsn) as ledger:
            assert await ledger.campaigns() == ()

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(one)


def without(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a module be missing."""
    real: Callable[..., Any] = builtins.__import__

    def refuse(name: str, *args: Any, **options: Any) -> Any:
        if name == module:
            raise ImportError(f"No module named {name!r}")
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)


def test_a_missing_driver_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says what to install."""
    without("psycopg", monkeypatch)
    with pytest.raises(ConfigurationError, match=r'install "multiwhats-async\[postgres\]"'):
        PostgresLedger("postgresql://db/x")


async def test_a_ledger_that_is_not_open_cannot_begin(dsn: str) -> None:
    """As with a file."""
    with pytest.raises(LedgerError, match="is not open"):
        await PostgresLedger(dsn).begin("spring")


async def test_a_large_input_is_loaded_in_blocks(dsn: str) -> None:
    """In the order of the input, every message once."""
    vendor = Vendor()
    async with vendor.client() as client:
        run = client.bulk(iter(messages(12_000)), ledger=PostgresLedger(dsn), campaign="spring")
        async with run:
            async for _ in run:
                break
    ledger = PostgresLedger(dsn)
    outcomes = [each.index async for each in ledger.outcomes("spring")]
    assert outcomes == [*range(12_000)]
    assert (await ledger.summary("spring")).pending + vendor.total == 12_000
    left = [each async for each in ledger.outcomes("spring", N)]
    assert len(left) == 12_000 - vendor.total


async def test_a_run_reads_what_it_has_sent(dsn: str) -> None:
    """An outcome is the one that was told."""
    async with Vendor().client() as client:
        run = client.bulk(messages(20), ledger=PostgresLedger(dsn), campaign="spring")
        told = await run_all(run)
    ledger = PostgresLedger(dsn)
    assert [each async for each in ledger.outcomes("spring")] == sorted(
        told, key=lambda outcome: outcome.index
    )
