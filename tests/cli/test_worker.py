"""``multiwhats bulk --enqueue`` and ``multiwhats worker``: a campaign over many machines."""

import gc
import logging
import os
import re
import signal
import socket
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import psycopg
import pytest

from multiwhats_async import PostgresLedger, Summary
from multiwhats_async.cli._logging import logging_to_standard_error
from multiwhats_async.sandbox import Emulator

Cli = Callable[..., Any]
Program = Callable[..., Any]
Steer = Callable[..., Emulator]
Table = Callable[..., Path]
ENGINES = ("pgqueuer", "streaq")
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00 (INFO|WARNING) \S")


@pytest.fixture
def ledger(dsn: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name a ledger in the environment."""
    monkeypatch.setenv("MULTIWHATS_LEDGER", dsn)
    return dsn


@pytest.fixture
def redis(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name a Redis server in the environment."""
    monkeypatch.setenv("MULTIWHATS_REDIS", redis_url)
    return redis_url


def summary_of(dsn: str, campaign: str = "in.csv") -> Summary:
    """Return where a campaign stands."""
    return anyio.run(PostgresLedger(dsn).summary, campaign)


class Stops(logging.Handler):
    """Stops this process where something is logged."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self._words = words

    def emit(self, record: logging.LogRecord) -> None:
        """Look at a record."""
        if self._words in record.getMessage():
            stop_this_process()


def stop_this_process() -> None:
    """Do what a service manager does to a worker that runs in this process."""
    os.kill(os.getpid(), signal.SIGTERM)


# --- end to end -------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_a_file_is_handed_over_and_sent(
    cli: Cli,
    program: Program,
    steered: Steer,
    table: Table,
    ledger: str,
    redis: str,
    engine: str,
) -> None:
    """A worker that is stopped leaves the rest to the next one; nobody gets a message twice."""
    started: list[Any] = []
    emulator = steered(30, lambda: started[0].send_signal(signal.SIGTERM))
    path = table(250)
    said = cli("bulk", path, "--yes", "--enqueue", engine)
    assert said.code == 0
    assert f"250 messages from ••••••••0335 through the workers of {engine}: about" in said.err
    assert "On record in postgresql://postgres@/" in said.err
    assert f"Handed to the workers of {engine}: 250 messages in 2 chunks\n" in said.err
    assert said.err.endswith("To see how it goes on: multiwhats campaign status in.csv\n")
    assert "in.csv  running · 250 pending · 2 chunks left\n" in cli("campaign", "status").out
    assert emulator.stats().requests == 0
    process = program("worker", "--engine", engine, "--max-concurrency", "4")
    started.append(process)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "")
    lines = err.splitlines()
    assert all(map(LINE.match, lines)), err
    assert f"Serving postgresql://postgres@/{ledger.partition('@/')[2]} through" in lines[0]
    assert lines[0].endswith(f"through {engine}: 2 chunks at once")
    assert any(" accepted" in line for line in lines[1:-1])
    assert lines[-1].endswith("Stopped: what was under way has ended")
    assert not re.search(r"905\d{5}|Merhaba", err)
    before = summary_of(ledger)
    assert (before.unknown, before.in_flight) == (0, 0)
    assert 30 <= before.accepted < 250
    table(251)
    said = cli("bulk", path, "--yes", "--enqueue", engine)
    assert "Handed over before, or sent: 250 messages\n" in said.err
    assert f"Handed to the workers of {engine}: 1 message in 1 chunk\n" in said.err
    with psycopg.connect(ledger) as connection:  # as if some seconds had passed
        connection.execute("UPDATE multiwhats_chunk SET due_at = now()")
    emulator = steered(251 - before.accepted, stop_this_process)
    said = cli("worker", "--engine", engine, "--max-concurrency", "50", "--chunks-at-once", "3")
    assert said.code == 0
    assert "3 chunks at once" in said.err
    assert summary_of(ledger).accepted == 251
    assert emulator.stats().requests == 251 - before.accepted
    again = cli("bulk", path, "--yes", "--enqueue", engine)
    assert (again.code, "every message has its outcome" in again.err) == (0, True)


@pytest.mark.parametrize("form", ["shared", "local"])
def test_a_rate_and_the_health_of_a_worker(
    cli: Cli, steered: Steer, table: Table, ledger: str, form: str
) -> None:
    """The rate lies in the ledger's database, or in this process; the health says it is well."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    heard: list[str] = []

    def look() -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
            heard.append(answer.read().decode())
        stop_this_process()

    steered(8, look)
    assert cli("bulk", table(8), "--yes", "--enqueue", "pgqueuer", "--queue", "a queue").code == 0
    options = ("--rate", "200", "--jitter", "0.01", *(["--local-rate"] * (form == "local")))
    worker = ("worker", "--engine", "pgqueuer", "--queue", "a queue", *options)
    said = cli(*worker, "--health", f"127.0.0.1:{port}")
    assert (said.code, heard) == (0, ["ok\n"])
    words = "by itself" if form == "local" else "with all workers"
    assert f"200 messages a second {words}, /healthz and /metrics on port {port}" in said.err
    assert summary_of(ledger).accepted == 8
    with psycopg.connect(ledger) as connection:
        found = connection.execute("SELECT to_regclass('multiwhats_rate_slot')").fetchone()
    assert found is not None
    assert (found[0] is None) is (form == "local")


def test_a_key_that_is_refused_pauses_the_campaign(
    cli: Cli, steered: Steer, table: Table, ledger: str
) -> None:
    """For all workers; the status says why, and no key stands in what the worker says."""
    steered(0, stop_this_process, "401")
    stops = Stops("'in.csv' is paused for all")
    logging.getLogger("multiwhats_async").addHandler(stops)
    assert cli("bulk", table(3), "--yes", "--enqueue", "pgqueuer").code == 0
    try:
        said = cli("worker", "--engine", "pgqueuer", "--api-key", "K3Y-of-mine")
    finally:
        logging.getLogger("multiwhats_async").removeHandler(stops)
    assert said.code == 0
    assert "WARNING 'in.csv' is paused for all: " in said.err
    assert "K3Y-of-mine" not in said.err
    told = cli("campaign", "status", "in.csv").out
    assert re.search(r"in.csv  paused since .*: .*(401|key)", told)


# --- what is refused --------------------------------------------------------------------------


def test_options_that_make_no_sense_with_workers(
    cli: Cli, no_account: None, table: Table, ledger: str
) -> None:
    """Each is refused by its name, before anything is handed over."""
    path = table(3)
    for options in (
        ("--rate", "5"),
        ("--max-concurrency", "5"),
        ("--max-failures", "5"),
        ("--max-credits", "5"),
        ("--out", "a.csv"),
        ("--no-ledger",),
        ("--only-failed",),
        ("--resend-unknown",),
        ("--progress", "json"),
        ("--base-url", "http://127.0.0.1:9"),
        ("--api-key", "K"),
        ("--redis", "redis://h"),
    ):
        said = cli("bulk", path, "--yes", "--enqueue", "pgqueuer", *options)
        assert (said.code, said.err.count("\n")) == (2, 1)
        assert f"leave out {options[0]}" in said.err
    said = cli("bulk", path, "--yes", "--queue", "a", "--redis", "redis://u:pass@h")
    assert (said.code, "leave out --redis, --queue" in said.err) == (2, True)
    said = cli("bulk", path, "--yes", "--enqueue", "streaq")
    assert (said.code, "streaq needs to know its server: set MULTIWHATS_REDIS" in said.err) == (
        2,
        True,
    )
    for name in (("--ledger", path.with_name("a.ledger")), ()):
        source = ("bulk", path if name else "-", "--yes", "--enqueue", "pgqueuer", *name)
        said = cli(*source, *(() if name else ("--campaign", "x", "--ledger", "a.ledger")))
        assert (said.code, "--enqueue needs a ledger that machines share" in said.err) == (2, True)


def test_a_worker_that_cannot_be(
    cli: Cli, table: Table, ledger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line each: no key, half a rate, a place that is none, a server that is none."""
    worker = ("worker", "--engine", "pgqueuer")
    assert "no API key: set MULTIWHATS_API_KEY" in cli(*worker).err
    monkeypatch.setenv("MULTIWHATS_API_KEY", "K3Y")
    nowhere = "postgresql://u:s3cret@127.0.0.1:9/db"
    for options, words in (
        (("--local-rate",), "belong to a --rate"),
        (("--jitter", "1"), "belong to a --rate"),
        (("--health", "here"), "'here' is no HOST:PORT"),
        (("--ledger", "a.ledger"), "belongs to one process"),
        (("--ledger", nowhere), "cannot be reached"),
        (("--ledger", nowhere, "--rate", "5"), "could not be reached"),
    ):
        said = cli(*worker, *options)
        assert (said.code, said.err.count("\n")) == (2, 1), said.err
        assert words in said.err
        assert "s3cret" not in said.err


@pytest.mark.parametrize(
    ("engine", "package", "extra"),
    [
        ("pgqueuer", "pgqueuer", "pgqueuer"),
        ("streaq", "streaq", "streaq"),
        ("streaq", "coredis", "streaq"),
    ],
)
def test_an_extra_is_missing(  # noqa: PLR0917  # fixtures are arguments
    cli: Cli,
    no_account: None,
    table: Table,
    ledger: str,
    redis: str,
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
    package: str,
    extra: str,
) -> None:
    """Whoever hands over or works is told in one line which one brings it."""
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    for name in ENGINES:
        monkeypatch.delitem(sys.modules, f"multiwhats_async.integrations.{name}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    for argv in (
        ("bulk", table(1), "--yes", "--enqueue", engine),
        ("worker", "--engine", engine),
    ):
        said = cli(*argv)
        assert said.code == 2
        assert f"pip install 'multiwhats-async[{extra}]'" in said.err.splitlines()[-1]
        assert "Traceback" not in said.err


def test_a_file_that_changes_while_it_is_handed_over(
    cli: Cli, no_account: None, table: Table, ledger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it is handed over; and what another campaign's state forbids neither."""
    from multiwhats_async import LedgerError  # noqa: PLC0415  # loaded once the command is
    from multiwhats_async.cli import _handing  # noqa: PLC0415  # its name is patched
    from multiwhats_async.cli._reading import ChangedError  # noqa: PLC0415  # likewise

    for error, words in (
        (ChangedError("line 3"), "the file was changed after its check: line 3"),
        (LedgerError("disk full"), "disk full"),
    ):

        async def fail(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        monkeypatch.setattr(_handing, "enqueue_campaign", fail)
        said = cli("bulk", table(3), "--yes", "--enqueue", "pgqueuer")
        assert said.code == 3
        assert said.err.splitlines()[-1] == f"multiwhats: nothing was handed over: {words}"


@pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning")
def test_a_queue_that_cannot_be_reached(
    cli: Cli, no_account: None, table: Table, ledger: str, redis_server: Any
) -> None:
    """The messages are on record, and that is said: a worker puts them into the queue later."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"redis://:s3cret@127.0.0.1:{free.getsockname()[1]}"
        said = cli("bulk", table(3), "--yes", "--enqueue", "streaq", "--redis", url)
    assert said.code == 0
    assert "could not be put into the queue (ConnectionError)" in said.err
    assert "they are put there later" in said.err
    assert "s3cret" not in said.err
    assert summary_of(ledger).pending == 3
    gc.collect()  # coredis leaves the buffers of a connection open that never was: here, not later


# --- what is logged ---------------------------------------------------------------------------


def test_a_log_is_a_line_an_event(capsys: pytest.CaptureFixture[str]) -> None:
    """With its time; of an error its kind; no number, no key, no password; of others warnings."""
    ours, other = logging.getLogger("multiwhats_async"), logging.getLogger("other.engine")
    with logging_to_standard_error(["--api-key", "K3Y"]):
        ours.debug("not this")
        ours.info("to 905374937766\nwith K3Y at redis://u:pass@h")
        other.info("nor this")
        try:
            raise ValueError("a text")
        except ValueError:
            other.exception("it failed: %s", "x")
    ours.info("nor this, after it")
    err = capsys.readouterr().err
    first, second = err.splitlines()
    assert LINE.match(first)
    assert first.endswith(" INFO to ••••••••7766 with **** at redis://u@h")
    assert second.endswith(" ERROR other.engine: it failed: x: ValueError")
