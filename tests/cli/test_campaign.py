"""``multiwhats campaign``: status, pause, resume and cancel."""

import json
import os
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import click
import psycopg
import pytest

from multiwhats_async import ButtonMessage, PostgresLedger
from multiwhats_async.cli import campaign as module
from multiwhats_async.fleet import enqueue_campaign

Cli = Callable[..., Any]
Table = Callable[..., Path]
NAME = "yaz daveti 🎉 İğ"


class Quiet:
    """Stands for a queue that nobody works at."""

    async def put(self, chunks: object) -> None:
        """Do nothing."""


@pytest.fixture
def ledger(dsn: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name a ledger in the environment that has one campaign of five messages, in chunks."""
    monkeypatch.setenv("MULTIWHATS_LEDGER", dsn)
    messages = [ButtonMessage(f"90500000000{n}", "x", ["y"]) for n in range(5)]

    async def fill() -> None:
        await enqueue_campaign(
            PostgresLedger(dsn),
            NAME,
            messages,
            queue=Quiet(),
            sender="908503080335",
            chunk_size=2,
        )

    anyio.run(fill)
    return dsn


def execute(dsn: str, text: str) -> None:
    """Change the database as no program does."""
    with psycopg.connect(dsn) as connection:
        connection.execute(text.encode())


def test_status_of_one(cli: Cli, ledger: str) -> None:
    """Counts in words, chunks left, and who has messages in hand."""
    execute(
        ledger,
        "WITH run AS (INSERT INTO multiwhats_run (campaign, worker, alive_until) SELECT id, "
        "'host:77', now() + interval '30 s' FROM multiwhats_campaign RETURNING id) "
        "UPDATE multiwhats_message SET owner = run.id, "
        "state = CASE position WHEN 0 THEN 'sending' ELSE 'claimed' END FROM run "
        "WHERE position < 3",
    )
    said = cli("campaign", "status", NAME)
    assert said.code == 0
    assert said.out.splitlines() == [
        f"{NAME}  running",
        "  pending               4",
        "  not sent              0",
        "  in flight             1",
        "  accepted              0",
        "  rejected              0",
        "  unknown               0",
        "  total                 5",
        "  credits               0",
        "  chunks left           3",
        "  host:77: 2 waiting · 1 on their way · heard of 30 s ago",
    ]


def test_status_of_all(cli: Cli, ledger: str) -> None:
    """A line each; an empty ledger says so."""
    execute(
        ledger,
        "INSERT INTO multiwhats_campaign (name) VALUES ('empty');"
        "INSERT INTO multiwhats_run (campaign, worker, alive_until) SELECT 2, 'a:1', now() + '1 h'",
    )
    said = cli("campaign", "status", "--ledger", ledger)
    assert said.out.splitlines() == [
        f"{NAME}  running · 5 pending · 3 chunks left",
        "empty  finished · no messages · 1 run",
    ]
    execute(
        ledger,
        "TRUNCATE multiwhats_message, multiwhats_campaign, multiwhats_run, multiwhats_chunk",
    )
    assert cli("campaign", "status").out == "no campaign yet\n"
    assert cli("campaign", "status", "--watch").out == "no campaign yet\n"


def test_status_for_machines(cli: Cli, ledger: str) -> None:
    """One object a line: the status as plain data."""
    told = [cli("campaign", "status", *name, "--json").out for name in ([], [NAME])]
    assert told[0] == told[1]
    status = json.loads(told[0])
    assert told[0].count("\n") == 1
    assert (status["campaign"], status["pending"], status["chunks"]) == (NAME, 5, 3)
    assert (status["state"], status["because"], status["runs"]) == ("running", None, [])


def test_pause_resume_cancel(cli: Cli, ledger: str) -> None:
    """Each says what it came to and what goes on from there; a paused one shows why and since."""
    said = cli("campaign", "pause", NAME, "--because", "yanlış\nmetin")
    assert said.code == 0
    first, command = said.err.splitlines()
    assert first.startswith(f"{NAME} is paused: nothing more of it is begun, on any machine")
    assert ": yanlış metin\n" in cli("campaign", "status", NAME).out
    assert "paused since " in cli("campaign", "status").out
    said = cli(*shlex.split(command)[1:])
    assert said.err == f"{NAME} goes on: running · 5 pending · 3 chunks left\n"
    execute(ledger, "UPDATE multiwhats_chunk SET is_done = true")
    said = cli("campaign", "resume", NAME)
    assert "begin its multiwhats bulk again" in said.err
    said = cli("campaign", "cancel", NAME)
    assert (said.code, "add --yes" in said.err) == (2, True)
    said = cli("campaign", "cancel", NAME, "--yes")
    assert (said.code, said.err) == (0, f"{NAME} is cancelled: 5 messages will never be sent\n")
    assert f"{NAME}  cancelled since " in cli("campaign", "status", NAME).out
    for verb in ("pause", "resume"):
        said = cli("campaign", verb, NAME)
        assert (said.code, "was cancelled, which is for good" in said.err) == (2, True)


@pytest.mark.parametrize("answer", ["y", "n"])
def test_cancel_asks(cli: Cli, ledger: str, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    """On a terminal it says how many messages will never be sent, and takes a no."""
    monkeypatch.setattr(module, "can_ask", lambda: True)
    said = cli("campaign", "cancel", NAME, stdin=answer.encode() + b"\n")
    assert said.err.startswith(f"5 messages of {NAME} will never be sent.\nCancel it? [y/N]: ")
    assert said.code == (0 if answer == "y" else 3)
    state = json.loads(cli("campaign", "status", NAME, "--json").out)["state"]
    assert state == ("cancelled" if answer == "y" else "running")


# --- watching ---------------------------------------------------------------------------------


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """Let a watch go on at once, doing one thing after the other where it would have waited."""
    steps: list[Callable[[], None]] = []

    async def step(seconds: float) -> None:
        assert seconds == 2.0
        steps.pop(0)()

    monkeypatch.setattr(module, "sleep", step)
    return steps


def test_watch_ends_where_the_campaign_does(
    cli: Cli, ledger: str, looks: list[Callable[[], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shows it again until nothing more happens; on a terminal in the same place."""
    cleared: list[int] = []
    monkeypatch.setattr(click, "clear", lambda: cleared.append(1))

    def half() -> None:
        execute(ledger, "UPDATE multiwhats_message SET state = 'accepted' WHERE position < 3")
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)

    looks += [half, lambda: execute(ledger, "UPDATE multiwhats_message SET state = 'accepted'")]
    said = cli("campaign", "status", NAME, "--watch")
    told = [line.split()[-1] for line in said.out.splitlines() if "accepted" in line]
    assert told == ["0", "3", "5"]
    assert f"{NAME}  finished\n" in said.out
    assert len(cleared) == 2


def test_ctrl_c_ends_a_watch(cli: Cli, ledger: str, looks: list[Callable[[], None]]) -> None:
    """Quietly: it is how one ends."""
    looks.append(lambda: os.kill(os.getpid(), signal.SIGINT))
    looks.append(lambda: None)
    said = cli("campaign", "status", NAME, "--watch", "--json")
    assert (said.code, said.err) == (0, "")
    assert json.loads(said.out.splitlines()[0])["pending"] == 5


def test_ctrl_c_without_a_watch_is_an_interruption(
    cli: Cli, ledger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As everywhere."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_follow", interrupted)
    said = cli("campaign", "status", NAME)
    assert (said.code, said.err.strip()) == (130, "multiwhats: interrupted")


def test_nobody_reads_any_more(program: Callable[..., Any], ledger: str) -> None:
    """A watch whose reader has gone ends, too."""
    process = program("campaign", "status", "--watch", "--json", env={"PYTHONUNBUFFERED": "1"})
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=30) == 0


# --- what cannot be ---------------------------------------------------------------------------


def test_one_line_for_what_cannot_be(cli: Cli, ledger: str, table: Table) -> None:
    """No such campaign, no sub-command, and a file, which has one process."""
    said = cli("campaign", "pause", "winter")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert f"no campaign 'winter'; it has '{NAME}'" in said.err
    said = cli("campaign")
    assert (said.code, "name one of status, pause, resume, cancel" in said.err) == (2, True)
    for verb in ("status", "pause", "resume", "cancel"):
        name = [] if verb == "status" else ["x"]
        said = cli("campaign", verb, *name, "--ledger", table(1))
        assert (said.code, said.err.count("\n")) == (2, 1)
        assert "belongs to one process: Ctrl-C stops its multiwhats bulk" in said.err


def test_no_ledger_is_named(cli: Cli) -> None:
    """One line says how."""
    said = cli("campaign", "status")
    assert (said.code, "no ledger: set MULTIWHATS_LEDGER, or give" in said.err) == (2, True)


def test_psycopg_is_missing(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says which extra brings it."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    said = cli("campaign", "status", "--ledger", "postgresql://u@h/db")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "multiwhats-async[postgres]" in said.err
