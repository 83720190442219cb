"""``multiwhats bulk`` with a record of its campaign."""

import shlex
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from cli.ledgers import ledger_of, summary_of

from multiwhats_async import AsyncMultiWhats, ButtonMessage, MemoryLedger, SQLiteLedger
from multiwhats_async.cli._failure import explain
from multiwhats_async.cli._ledger import same_command
from multiwhats_async.cli._reading import ChangedError
from multiwhats_async.cli._screen import PlainScreen
from multiwhats_async.cli._sending import send_all
from multiwhats_async.sandbox import (
    Emulator,
    FaultPlan,
    SandboxRequest,
    SandboxResponse,
    SandboxServer,
)

Cli = Callable[..., Any]
Serve = Callable[[Emulator], SandboxServer]
Table = Callable[..., Path]
ROWS = 400


class Watched(Emulator):
    """A sandbox that leaves time for a blow, and says when it may fall."""

    def __init__(self) -> None:
        super().__init__(faults=FaultPlan(["latency=0.05"]), magic_numbers=False)
        self._reached = threading.Event()
        self._awaited = 0
        self._free = threading.Event()
        self._free.set()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Answer nothing meanwhile."""
        self._free.clear()
        try:
            yield
        finally:
            self._free.set()

    def handle(self, request: SandboxRequest) -> SandboxResponse:
        assert self._free.wait(timeout=60)
        answer = super().handle(request)
        if self.stats().requests >= self._awaited > 0:
            self._reached.set()
        return answer

    def wait_for(self, requests: int) -> None:
        """Wait until so many requests were read."""
        self._awaited = requests
        assert self._reached.wait(timeout=60)


@pytest.fixture
def slow(serve: Serve) -> Watched:
    """Serve a sandbox that leaves time for a blow."""
    watched = Watched()
    serve(watched)
    return watched


# --- the same command again -------------------------------------------------------------------


def test_the_same_command_again_sends_nothing(
    cli: Cli, sandbox: SandboxServer, table: Table
) -> None:
    """The ledger stands beside the file; a new name sends all of it anew."""
    path = table(25)
    said = cli("bulk", path, "--yes")
    assert f"On record in {ledger_of(path)}\n" in said.err
    assert ledger_of(path).exists()
    again = cli("bulk", path)  # nothing to be sent, nothing to be asked
    assert again.code == 2
    again = cli("bulk", path, "--yes")
    assert (again.code, again.out) == (0, "")
    assert again.err == (
        "The campaign in.csv goes on: 25 accepted\n"
        "Nothing was sent: every message has its outcome. "
        "To send all of them anew, name a new campaign: --campaign NAME\n"
    )
    assert sandbox.emulator.stats().accepted == 25
    assert cli("bulk", path, "--yes", "--campaign", "once more").code == 0
    assert sandbox.emulator.stats().accepted == 50


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_drains_and_the_printed_command_goes_on(
    slow: Watched, table: Table, program: Callable[..., Any], number: signal.Signals
) -> None:
    """Nothing is unknown after it, and nobody gets a message twice."""
    path = table(ROWS)
    options = ("--yes", "--rate", "300", "--out", path.with_name("ğ out.csv"))
    process = program("bulk", path, *options, "--api-key", "K3Y-of-mine")
    slow.wait_for(20)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    told = err[err.index("To go on with what was not sent:\n") :].splitlines()[1].strip()
    assert told == shlex.join(["multiwhats", "bulk", str(path), *map(str, options)])
    assert "K3Y-of-mine" not in err
    summary = summary_of(path)
    assert summary.unknown == 0
    assert 20 <= summary.accepted == ROWS - summary.pending < ROWS
    process = program(*shlex.split(told)[1:])
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert f"The campaign in.csv goes on: {summary.accepted:,} accepted," in err
    assert f"Skipped, as known from before: {summary.accepted:,} accepted." in err
    assert "ğ out.csv is there: the results of this run go to " in err
    assert path.with_name("ğ out-2.csv").exists()
    stats = slow.stats()
    assert (stats.accepted, stats.sent_twice) == (ROWS, 0)


def test_kill_9_and_the_same_command_again(
    slow: Watched, table: Table, program: Callable[..., Any]
) -> None:
    """What was under way is unknown; it is said, not sent, and no success."""
    path = table(ROWS)
    options = ("bulk", path, "--yes", "--max-concurrency", "10")
    # Whoever is killed leaves half a file of coverage behind.
    process = program(*options, env={"COVERAGE_PROCESS_START": ""})
    slow.wait_for(50)
    process.kill()
    process.communicate(timeout=60)
    unknown = summary_of(path).unknown
    assert 0 < unknown <= 10
    process = program(*options)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f" {unknown:,} unknown" in err
    assert "multiwhats report " in err
    stats = slow.stats()
    assert stats.sent_twice == 0
    assert ROWS - unknown <= stats.accepted <= ROWS
    last = program(*options)
    assert "Nothing was sent: every message has its outcome" in last.communicate(timeout=60)[1]
    assert last.returncode == 1


def test_a_mended_text_is_refused(cli: Cli, sandbox: SandboxServer, table: Table) -> None:
    """Those who have the old one would get the new one too; the way out is a new campaign."""
    path = table(3)
    assert cli("bulk", path, "--yes").code == 0
    path.write_text(path.read_text("utf-8").replace("Merhaba", "Merhabalar"), "utf-8")
    said = cli("bulk", path, "--yes")
    assert said.code == 3
    assert said.err.startswith("multiwhats: nothing was sent: The campaign has other messages")
    assert "text was 'Merhaba 0 👋', is now 'Merhabalar 0 👋'" in said.err
    assert sandbox.emulator.stats().accepted == 3
    assert cli("bulk", path, "--yes", "--campaign", "mended").code == 0
    assert summary_of(path).total == 3


def test_rows_that_are_added_are_sent(cli: Cli, sandbox: SandboxServer, table: Table) -> None:
    """And only those; --dry-run says so before."""
    path = table(3)
    assert cli("bulk", path, "--yes").code == 0
    table(5)
    dry = cli("bulk", path, "--dry-run")
    assert "goes on: 3 accepted, 2 pending\n2 messages from" in dry.err
    assert summary_of(path).total == 3
    assert cli("bulk", path, "--yes").code == 0
    assert (sandbox.emulator.stats().accepted, summary_of(path).accepted) == (5, 5)


def test_a_refused_row_is_no_success_the_second_time(cli: Cli, serve: Serve, table: Table) -> None:
    """Skipped, because it was refused before: still exit code 1; only_failed tries it once more."""
    server = serve(Emulator(faults=FaultPlan(["422@nth:2"]), magic_numbers=False))
    path = table(3)
    options = ("bulk", path, "--yes", "--max-concurrency", "1")
    assert cli(*options).code == 1
    table(4)
    said = cli(*options)
    assert said.code == 1
    assert "Skipped, as known from before: 2 accepted, 1 rejected." in said.err
    assert cli(*options, "--resend-unknown").code == 1
    assert "goes on" not in cli(*options, "--campaign", "new", "--dry-run").err
    assert "new" not in cli("report", path).out
    said = cli(*options, "--only-failed")
    assert said.code == 0
    assert server.emulator.stats().accepted == 4
    again = cli(*options, "--only-failed")
    assert again.code == 0
    assert "Nothing was sent: no message was refused, or tried and not sent" in again.err


def test_the_command_that_goes_on_holds_no_key() -> None:
    """However it was given."""
    words = ["bulk", "a b.csv", "--api-key", "K3Y", "--yes", "--api-key=K3Y", "--rate", "5"]
    assert same_command(words) == "multiwhats bulk 'a b.csv' --yes --rate 5"


def test_a_file_that_changes_before_it_is_on_record(sandbox: SandboxServer) -> None:
    """Nothing of it is sent, and that is said."""

    class Changed:
        def __len__(self) -> int:
            return 2

        def __iter__(self) -> Iterator[ButtonMessage]:
            yield ButtonMessage("905374937766", "x", ["y"])
            raise ChangedError("line 3")

        def line_of(self, index: int) -> int:
            return index

    async def send() -> None:
        client = AsyncMultiWhats("K", sender="908503080335", base_url=sandbox.base_url)
        options = {"ledger": MemoryLedger(), "campaign": "spring"}
        async with client:
            await send_all(
                client, Changed(), screen=PlainScreen(), on_outcome=lambda *_: None, **options
            )

    with pytest.raises(ExceptionGroup) as caught:
        anyio.run(send)
    text, code = explain(caught.value, is_bug=70)
    assert (text, code) == (
        "nothing was sent: the file was changed after its check: line 3",
        3,
    )
    assert sandbox.emulator.stats().requests == 0


def test_unknown_messages_without_a_record(cli: Cli, serve: Serve, table: Table) -> None:
    """Are told as before; there is no ledger to look into."""
    serve(Emulator(faults=FaultPlan(["disconnect_after@nth:2"]), magic_numbers=False))
    said = cli("bulk", table(5), "--yes", "--no-ledger")
    assert "Unknown messages may or may not have gone out" in said.err
    assert "multiwhats report" not in said.err


# --- where it is kept -------------------------------------------------------------------------


def test_no_ledger_keeps_no_record(cli: Cli, sandbox: SandboxServer, table: Table) -> None:
    """Then the same command sends everything again."""
    path = table(3)
    for _ in range(2):
        said = cli("bulk", path, "--yes", "--no-ledger")
        assert said.code == 0
        assert "On record" not in said.err
    assert not ledger_of(path).exists()
    assert sandbox.emulator.stats().accepted == 6


@pytest.mark.parametrize(
    "options",
    [
        ("--ledger", "a.db"),
        ("--campaign", "spring"),
        ("--resend-unknown",),
        ("--only-failed",),
    ],
)
def test_no_ledger_goes_with_no_other_option_of_it(
    cli: Cli, no_account: None, table: Table, options: tuple[str, ...]
) -> None:
    """One of the two is a slip."""
    said = cli("bulk", table(3), "--yes", "--no-ledger", *options)
    assert said.code == 2
    assert "--no-ledger keeps no record" in said.err


def test_a_pipe_has_no_name(cli: Cli, sandbox: SandboxServer, table: Table, tmp_path: Path) -> None:
    """Without one there is no record, unless both names are given."""
    content = table(3).read_bytes()
    ledger = tmp_path / "pipe.ledger"
    said = cli("bulk", "-", "--yes", stdin=content)
    assert said.code == 0
    assert "No record is kept of what is no file: to go on after a stop, give" in said.err
    for half in (("--ledger", ledger), ("--campaign", "spring"), ("--only-failed",)):
        said = cli("bulk", "-", "--yes", *half, stdin=content)
        assert said.code == 2
        assert "give both --ledger FILE and --campaign NAME" in said.err
    both = ("--ledger", ledger, "--campaign", "spring")
    for _ in range(2):
        assert cli("bulk", "-", "--yes", *both, stdin=content).code == 0
    assert sandbox.emulator.stats().accepted == 6


def test_one_ledger_for_several_files(cli: Cli, sandbox: SandboxServer, table: Table) -> None:
    """Each is a campaign of its own name."""
    ledger = table(1).with_name("all.ledger")
    for name, rows in (("a.csv", 2), ("b.csv", 3)):
        assert cli("bulk", table(rows, name=name), "--yes", "--ledger", ledger).code == 0
    said = cli("report", ledger)
    assert [line.split("  ")[0] for line in said.out.splitlines() if "(" in line] == [
        "a.csv",
        "b.csv",
    ]
    assert sandbox.emulator.stats().accepted == 5


def test_a_ledger_that_cannot_be_used_sends_nothing(
    cli: Cli, sandbox: SandboxServer, table: Table
) -> None:
    """In a folder that is not there, or another program's."""
    path = table(3)
    for ledger, words in (
        (path.parent / "no" / "a.db", "cannot be made: the folder"),
        (path, "is no ledger, and was left as it is"),
    ):
        said = cli("bulk", path, "--yes", "--ledger", ledger)
        assert (said.code, said.err.count("multiwhats: nothing was sent: ")) == (3, 1)
        assert words in said.err
    assert sandbox.emulator.stats().requests == 0


def test_a_ledger_in_use_sends_nothing(
    slow: Watched, table: Table, program: Callable[..., Any]
) -> None:
    """A second process is told who has it; the first goes on."""
    path = table(ROWS)
    first = program("bulk", path, "--yes")
    slow.wait_for(5)
    with slow.held():  # else the first might be through
        second = program("bulk", path, "--yes")
        _, err = second.communicate(timeout=60)
    assert second.returncode == 3
    assert f"is in use by process {first.pid}" in err
    first.communicate(timeout=60)
    assert first.returncode == 0
    assert slow.stats().accepted == ROWS


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 300 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)]
    if subprocess.run(command, check=False, capture_output=True).returncode:  # noqa: S603  # our own
        pytest.skip("a disk that is full needs the right to mount a small one")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)  # noqa: S603, S607  # likewise


def test_a_full_disk(
    cli: Cli, sandbox: SandboxServer, table: Table, small_disk: Path, monkeypatch: Any
) -> None:
    """Too small for the messages: none is sent. Too small for the outcomes: it stops in time."""
    ledger = small_disk / "a.ledger"
    said = cli("bulk", table(2000), "--yes", "--ledger", ledger)
    assert said.code == 3
    assert "nothing was sent: " in said.err
    assert "the disk is full. Free some space" in said.err
    assert sandbox.emulator.stats().requests == 0
    for file in small_disk.iterdir():
        file.unlink()
    path = table(ROWS)
    said = cli("bulk", path, "--yes", "--ledger", ledger, "--max-concurrency", "4")
    assert said.code == 1
    assert "Stopped, because nothing more can be recorded: The ledger" in said.err
    assert "To go on with what was not sent:" in said.err
    stats = sandbox.emulator.stats()
    assert 0 < stats.accepted < ROWS
    subprocess.run(  # noqa: S603  # our own
        ["mount", "-o", "remount,size=9m", str(small_disk)],  # noqa: S607  # likewise
        check=True,
    )
    said = cli("bulk", path, "--yes", "--ledger", ledger)
    summary = anyio.run(SQLiteLedger(ledger).summary, "in.csv")
    assert (summary.total, summary.to_send) == (ROWS, 0)
    assert summary.unknown <= 4
    stats = sandbox.emulator.stats()
    assert stats.sent_twice == 0
    assert ROWS - summary.unknown <= stats.accepted <= ROWS
    assert said.code == (1 if summary.unknown else 0)


def test_the_key_of_the_api_is_in_no_ledger(
    cli: Cli, sandbox: SandboxServer, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no part of a message."""
    path = table(5)
    monkeypatch.setenv("MULTIWHATS_API_KEY", "K3Y-of-mine-and-nobody-else")
    assert cli("bulk", path, "--yes").code == 0
    assert b"K3Y-of-mine" not in ledger_of(path).read_bytes()
