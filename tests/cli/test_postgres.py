"""``multiwhats bulk``, ``report`` and ``resolve`` on a ledger in PostgreSQL."""

import re
import shlex
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import psycopg
import pytest

from multiwhats_async import PostgresLedger, Summary
from multiwhats_async.cli._failure import fit_to_show, without_password
from multiwhats_async.cli._ledger import same_command
from multiwhats_async.cli._place import Place, place_named
from multiwhats_async.sandbox import Emulator, FaultPlan, SandboxServer

Cli = Callable[..., Any]
Serve = Callable[[Emulator], SandboxServer]
Steer = Callable[..., Emulator]
Table = Callable[..., Path]
PASSWORD = "s3cret-Of-mine"  # noqa: S105  # of a server that trusts everybody


@pytest.fixture
def secret_dsn(dsn: str) -> str:
    """Return the address with a password, which the server does not look at."""
    return re.sub(r"//(\w+):?@", rf"//\1:{PASSWORD}@", dsn)


@pytest.fixture
def in_environment(secret_dsn: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name the ledger in the environment."""
    monkeypatch.setenv("MULTIWHATS_LEDGER", secret_dsn)
    return secret_dsn


def summary_of(dsn: str, campaign: str = "in.csv") -> Summary:
    """Return where a campaign stands."""
    return anyio.run(PostgresLedger(dsn).summary, campaign)


def rows_of(dsn: str) -> dict[str, int]:
    """Return how many rows each table has, as long as there are tables."""
    tables = ("campaign", "message", "detail", "input", "run", "chunk")
    with psycopg.connect(dsn) as connection:
        return {
            name: connection.execute(f"SELECT count(*) FROM multiwhats_{name}").fetchone()[0]  # type: ignore[index]  # noqa: S608  # a count always has a row; our own names
            for name in tables
        }


# --- bulk -------------------------------------------------------------------------------------


def test_the_same_command_again_sends_nothing(
    cli: Cli, sandbox: SandboxServer, table: Table, secret_dsn: str
) -> None:
    """As with a file; nothing stands beside the input, and no password is shown."""
    path = table(25)
    options = ("bulk", path, "--yes", "--ledger", secret_dsn)
    said = cli(*options, "--out", path.with_name("out.csv"))
    assert (said.code, f"On record in {without_password(secret_dsn)}\n" in said.err) == (0, True)
    again = cli(*options, "--out", path.with_name("out.csv"))
    assert again.code == 0
    assert "The campaign in.csv goes on: 25 accepted\nNothing was sent: every" in again.err
    assert "out.csv is there: the results of this run go to" in again.err
    assert PASSWORD not in said.err + again.err
    assert sandbox.emulator.stats().accepted == 25
    assert sorted(each.name for each in path.parent.iterdir()) == ["in.csv", "out.csv"]


def test_the_ledger_of_the_environment(
    cli: Cli, sandbox: SandboxServer, table: Table, in_environment: str
) -> None:
    """Is taken by every command that names none, and is told."""
    path = table(5)
    said = cli("bulk", path, "--yes")
    assert (said.code, "On record in postgresql://" in said.err) == (0, True)
    assert "in.csv  (postgresql://" in cli("report").out
    assert cli("bulk", path, "--yes", "--no-ledger").code == 0
    assert "no name: give both" in cli("bulk", "-", "--yes", stdin=path.read_bytes()).err
    named = ("bulk", "-", "--yes", "--campaign", "çağrı", "--from", "908503080335")
    assert cli(*named, stdin=path.read_bytes()).code == 0
    assert summary_of(in_environment, "çağrı").accepted == 5
    said = cli("report", path)
    assert said.code == 2
    assert "leave the file out and add --campaign in.csv" in said.err


def test_a_campaign_that_was_begun_beside_its_file(
    cli: Cli, sandbox: SandboxServer, table: Table, monkeypatch: pytest.MonkeyPatch, dsn: str
) -> None:
    """It is not begun anew because an environment variable has come: that would send it twice."""
    path = table(3)
    beside = path.with_name("in.csv.ledger")
    assert cli("bulk", path, "--yes").code == 0
    monkeypatch.setenv("MULTIWHATS_LEDGER", dsn)
    said = cli("bulk", path, "--yes")
    assert said.code == 2
    assert f"Say which you mean: --ledger {beside}, or --ledger with" in said.err
    assert cli("bulk", path, "--yes", "--ledger", beside).code == 0
    assert "in.csv.ledger)" in cli("report", path).out
    monkeypatch.setenv("MULTIWHATS_LEDGER", str(beside))
    assert cli("bulk", path, "--yes").code == 0
    assert cli("report", beside).code == cli("report").code == 0
    monkeypatch.setenv("MULTIWHATS_LEDGER", dsn)
    assert cli("report", beside).code == 0  # a ledger is none of the messages of another
    assert sandbox.emulator.stats().accepted == 3


def test_a_dry_run_leaves_nothing_and_holds_nobody_up(
    cli: Cli, sandbox: SandboxServer, table: Table, dsn: str
) -> None:
    """It counts right beside a run that has rows locked, and writes no row at all."""
    path = table(30)
    text = path.read_text("utf-8")
    said = cli("bulk", path, "--dry-run", "--ledger", dsn)
    assert (said.code, "30 messages from" in said.err) == (0, True)
    assert set(rows_of(dsn).values()) == {0}
    assert cli("bulk", table(20), "--yes", "--ledger", dsn).code == 0
    before = rows_of(dsn)
    path.write_text(text + text.splitlines()[1] + "\n", "utf-8")  # the first row once more
    with psycopg.connect(dsn) as connection:
        connection.execute("SELECT * FROM multiwhats_message FOR UPDATE")
        connection.execute("UPDATE multiwhats_message SET state = 'sending', attempts = 1")
        said = cli("bulk", path, "--dry-run", "--ledger", dsn)
        connection.rollback()
    assert "The campaign in.csv goes on: 20 accepted, 10 pending\n10 messages from" in said.err
    assert rows_of(dsn) == before
    path.write_text(text.replace("Merhaba 3 ", "Selam 3 "), "utf-8")
    said = cli("bulk", path, "--dry-run", "--ledger", dsn)
    assert (said.code, "text was 'Merhaba 3 👋', is now 'Selam 3 👋'" in said.err) == (3, True)


def test_messages_in_the_hands_of_others_are_skipped(
    cli: Cli, sandbox: SandboxServer, table: Table, dsn: str
) -> None:
    """They are told as what they are, and it is no success to have left them."""
    path = table(6)
    assert cli("bulk", path, "--yes", "--ledger", dsn).code == 0
    table(9)
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "UPDATE multiwhats_message SET state = CASE WHEN position < 3 THEN 'sending' ELSE "
            "'claimed' END, owner = 99 WHERE position < 5"
        )
        connection.execute(
            "INSERT INTO multiwhats_run (id, campaign, worker, alive_until) OVERRIDING SYSTEM "
            "VALUE SELECT 99, id, 'elsewhere:1', now() + interval '1 h' FROM multiwhats_campaign"
        )
    said = cli("bulk", path, "--yes", "--ledger", dsn)
    assert "goes on: 1 accepted, 2 not sent, 3 in flight, 3 pending" in said.err
    assert "Skipped, as known from before, or in the hands of others: 1 accepted" in said.err
    assert said.code == 1
    told = cli("report", dsn, "--campaign", "in.csv").out
    assert "in flight           3" in told
    assert "  running\n" in told


@pytest.mark.parametrize("verb", ["pause", "cancel"])
def test_a_campaign_that_is_held_is_not_begun(
    cli: Cli, sandbox: SandboxServer, table: Table, in_environment: str, verb: str
) -> None:
    """One line says so, with why and the way out; nothing was sent."""
    path = table(3, name="yaz davet.csv")
    assert cli("bulk", path, "--yes").code == 0
    sure = ["--yes"] if verb == "cancel" else []
    assert cli("campaign", verb, path.name, "--because", "yanlış metin", *sure).code == 0
    table(5, name=path.name)
    for options in (("--yes",), ("--dry-run",), ("--yes", "--enqueue", "pgqueuer")):
        said = cli("bulk", path, *options)
        assert said.code == 3
        assert said.err.startswith("multiwhats: nothing was sent: The campaign 'yaz davet.csv' ")
        assert "yanlış metin" in said.err
        assert said.err.count("\n") == 1
    assert ("multiwhats campaign resume 'yaz davet.csv'" in said.err) is (verb == "pause")
    assert sandbox.emulator.stats().accepted == 3


@pytest.mark.parametrize("form", ["option", "environment"])
@pytest.mark.parametrize("verb", ["pause", "cancel"])
def test_a_campaign_that_is_held_in_the_middle(
    cli: Cli,
    steered: Steer,
    table: Table,
    secret_dsn: str,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    form: str,
) -> None:
    """The screen's end and the exit code say so, and the commands it prints go on."""

    async def steer() -> None:
        await getattr(PostgresLedger(secret_dsn), verb)("yaz davet.csv", "kredi bitti")

    emulator = steered(5, lambda: anyio.run(steer))
    path = table(60, name="yaz davet.csv")
    named = ["--ledger", secret_dsn]
    if form == "environment":
        monkeypatch.setenv("MULTIWHATS_LEDGER", secret_dsn)
        named = []
    said = cli("bulk", path, "--yes", "--max-concurrency", "2", *named)
    assert said.code == 6
    assert "kredi bitti" in said.err
    assert PASSWORD not in said.err
    sent = summary_of(secret_dsn, path.name)
    assert f"Not sent: {sent.to_send}." in said.err
    assert (sent.unknown, sent.in_flight, emulator.stats().sent_twice) == (0, 0, 0)
    assert 5 <= sent.accepted == emulator.stats().accepted < 60
    _, _, tail = said.err.partition("To go on with what was not sent:\n")
    if verb == "cancel":
        assert tail == ""
        return
    assert ("the password is left out" in tail) is (form == "option")
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    for line in tail.splitlines()[:2]:
        assert cli(*shlex.split(line)[1:]).code == 0
    assert summary_of(secret_dsn, path.name).accepted == 60
    assert emulator.stats().sent_twice == 0


def test_ctrl_c_prints_a_command_without_the_password(
    steered: Steer, table: Table, program: Callable[..., Any], secret_dsn: str
) -> None:
    """It goes on from any machine that knows the password."""
    started: list[Any] = []
    emulator = steered(10, lambda: started[0].send_signal(signal.SIGINT))
    options = ("bulk", table(200), "--yes", "--max-concurrency", "4", f"--ledger={secret_dsn}")
    process = program(*options)
    started.append(process)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert PASSWORD not in err
    told = err[err.index("To go on with what was not sent:\n") :].splitlines()[1].strip()
    process = program(*shlex.split(told)[1:], env={"PGPASSWORD": PASSWORD})
    _, err = process.communicate(timeout=60)
    assert (process.returncode, emulator.stats().accepted) == (0, 200)
    assert emulator.stats().sent_twice == 0


# --- report and resolve -----------------------------------------------------------------------


def test_report_and_resolve(
    cli: Cli, serve: Serve, table: Table, secret_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts, lists, the page, the results: as from a file, with the campaign's state."""
    plan = ["422@nth:2", "disconnect_after@nth:4", "disconnect_after@nth:6"]
    serve(Emulator(faults=FaultPlan(plan), magic_numbers=False))
    path = table(12)
    said = cli("bulk", path, "--yes", "--max-concurrency", "1", "--ledger", secret_dsn)
    assert said.code == 1
    (look,) = (line for line in said.err.splitlines() if "--certainty unknown" in line)
    listed = cli(*shlex.split(look)[1:])
    keys = re.findall(r"key (\S+):", listed.out)
    assert len(keys) == 2
    html, out = path.with_name("a.html"), path.with_name("a.jsonl")
    said = cli("report", secret_dsn, "--html", html, "--out", out)
    assert said.code == 0
    assert f"in.csv  ({without_password(secret_dsn)})\n" in said.out
    assert "\n  finished\n" in said.out
    assert PASSWORD not in said.out + said.err + html.read_text("utf-8")
    assert len(out.read_text("utf-8").splitlines()) == 12
    assert "Mend the rows" in html.read_text("utf-8")
    note = ("--note", "arandı", "--campaign", "in.csv")
    assert cli("resolve", secret_dsn, keys[0], "accepted", *note).code == 0
    monkeypatch.setenv("MULTIWHATS_LEDGER", secret_dsn)
    assert cli("resolve", keys[1], "not_sent").code == 0
    summary = summary_of(secret_dsn)
    assert (summary.accepted, summary.not_sent, summary.unknown) == (10, 1, 0)
    assert cli("campaign", "pause", "in.csv", "--because", "wait").code == 0
    told = cli("report", "--campaign", "in.csv")
    assert re.search(r"\n  paused since \d\d \w+ \d{4}, [\d:]+: wait\n", told.out)


# --- what is named wrongly --------------------------------------------------------------------


def test_resolve_says_how_it_is_written(cli: Cli, table: Table) -> None:
    """Too few words, too many, or another certainty: one line, and nothing is changed."""
    for words in ((), ("a", "b"), ("a", "b", "accepted", "d")):
        said = cli("resolve", *words)
        assert (said.code, "multiwhats resolve LEDGER KEY CERTAINTY" in said.err) == (2, True)
    said = cli("resolve", table(1), "key", "lost")
    assert (said.code, "'lost' is not one of 'accepted'" in said.err) == (2, True)
    said = cli("report")
    assert (said.code, "no ledger: name it, or set MULTIWHATS_LEDGER" in said.err) == (2, True)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("mysql://u:s3cret-Of-mine@h/db", "not at mysql://"),
        ("postgresql://u:s3cret-Of-mine@h/db?x=1", "dsn cannot be read"),
        ("postgres://u:s3cret-Of-mine@127.0.0.1:9/db", "cannot be reached"),
        ("postgres://u:so/s3cret-Of-mine@127.0.0.1:9/db", "such as %2F for / and %40 for @"),
    ],
)
@pytest.mark.parametrize("command", ["bulk", "report", "campaign"])
def test_an_address_that_cannot_be_used(
    cli: Cli, no_account: None, table: Table, command: str, address: str, words: str
) -> None:
    """One line, without the password."""
    argv: list[Any] = {
        "bulk": ["bulk", table(1), "--yes", "--ledger", address],
        "report": ["report", address],
        "campaign": ["campaign", "status", "--ledger", address],
    }[command]
    said = cli(*argv)
    assert said.code in (2, 3)
    assert said.err.count("\n") == 1
    assert words in said.err
    assert PASSWORD not in said.err


def test_passwords_are_left_out() -> None:
    """Wherever an address stands; what is none stays as it is."""
    for text, shown in (
        ("postgresql://u:p%40ss@h:5/db", "postgresql://u@h:5/db"),
        ("redis://:pass@h", "redis://@h"),
        ("postgresql://h/db?sslmode=x&password=pass", "postgresql://h/db?sslmode=x"),
        ("http://127.0.0.1:8787/a@b", "http://127.0.0.1:8787/a@b"),
        ("no address: a@b", "no address: a@b"),
    ):
        assert without_password(text) == shown
    assert fit_to_show("at redis://u:pass@h\nfailed") == "at redis://u@h failed"
    words = ["bulk", "a.csv", "--redis=redis://u:p@h", "--ledger", "postgres://u:p@h/d", "--yes"]
    told = "multiwhats bulk a.csv --redis redis://u@h --ledger postgres://u@h/d --yes"
    assert same_command(words) == told
    assert same_command(["bulk", "--ledger"]) == "multiwhats bulk --ledger ''"
    place = place_named("postgres://u:p@h/d")
    assert "p@" not in f"{place} {place!r}"
    assert Place(path=Path("a b")).words() == ["--ledger", "a b"]
