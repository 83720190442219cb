"""``multiwhats bulk`` against the sandbox, over a real socket."""

import csv
import io
import json
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from multiwhats_async.cli import _sending, bulk
from multiwhats_async.cli._screen import PlainScreen
from multiwhats_async.sandbox import Emulator, FaultPlan, SandboxServer


def test_all_accepted(
    cli: Callable[..., Any], sandbox: SandboxServer, table: Callable[..., Path]
) -> None:
    """A file is announced, sent and reported on standard error; exit code 0."""
    said = cli("bulk", table(25), "--yes")
    assert (said.code, said.out) == (0, "")
    where = sandbox.base_url.split("/")[2]
    assert said.err.startswith(
        f"25 messages from ••••••••0335 through {where}: about 25 credits (1 credit each"
    )
    assert "  accepted           25\n" in said.err
    assert "  total              25\n" in said.err
    assert "Not accepted" not in said.err
    assert sandbox.emulator.stats().accepted == 25


def test_rows_with_senders_of_their_own(
    cli: Callable[..., Any], sandbox: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a sender of the account the rows' own are used, and one row is one message."""
    monkeypatch.delenv("MULTIWHATS_FROM")
    path = tmp_path / "in.csv"
    path.write_text("from,to,message,buttons\n908503080335,905374937766,x,y\n")
    said = cli("bulk", path, "--yes")
    assert said.code == 0
    assert said.err.startswith("1 message through ")


def test_repeated_rows_are_skipped(
    cli: Callable[..., Any], sandbox: SandboxServer, tmp_path: Path
) -> None:
    """Rows that repeat another one are announced, skipped and no failure."""
    path = tmp_path / "in.csv"
    path.write_text("to,message,buttons\n" + "905374937766,x,y\n" * 3)
    said = cli("bulk", path, "--yes", "--rate", "1000")
    assert said.code == 0
    assert "Skipped, because they repeat another row: 2" in said.err
    assert sandbox.emulator.stats().accepted == 1


def test_standard_input_and_output(
    cli: Callable[..., Any], sandbox: SandboxServer, table: Callable[..., Path]
) -> None:
    """A dash reads the rows from standard input, another writes JSONL to standard output."""
    said = cli("bulk", "-", "--yes", "--out", "-", stdin=table(3).read_bytes())
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert said.code == 0
    assert sorted(row["line"] for row in rows) == [2, 3, 4]
    assert {row["certainty"] for row in rows} == {"accepted"}


def test_a_pipe_by_its_name(
    cli: Callable[..., Any], sandbox: SandboxServer, table: Callable[..., Path], tmp_path: Path
) -> None:
    """A named pipe is read once and checked as a whole all the same."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content = table(3).read_bytes()
    writer = threading.Thread(target=lambda: pipe.write_bytes(content))
    writer.start()
    said = cli("bulk", pipe, "--yes")
    writer.join()
    assert said.code == 0
    assert sandbox.emulator.stats().accepted == 3


def test_bad_rows_send_nothing(
    cli: Callable[..., Any], sandbox: SandboxServer, tmp_path: Path
) -> None:
    """One bad row keeps the whole file from being sent; it is named, exit code 3."""
    path = tmp_path / "in.csv"
    path.write_text("telefon,message,buttons\n905374937766,x,y\n05374937766,,y\n")
    said = cli("bulk", path, "--yes")
    assert said.code == 3
    assert said.err.splitlines() == [
        (
            "  line 3, telefon: '•••••••7766' begins with 0, so it has no country code: "
            "write the country code in place of the 0, such as 90 for Türkiye"
        ),
        "  line 3, message: is empty",
        f"multiwhats: nothing was sent: 1 of 2 rows of {path} need mending",
    ]
    assert sandbox.emulator.stats().requests == 0


def test_many_bad_rows_are_cut(
    cli: Callable[..., Any], sandbox: SandboxServer, tmp_path: Path
) -> None:
    """A long list of bad rows ends with a sign that there are more."""
    path = tmp_path / "in.csv"
    path.write_text("telefon,message,buttons\n" + "0537,x,y\n" * 99)
    said = cli("bulk", path, "--yes")
    assert said.err.splitlines()[-2:] == [
        "  …",
        f"multiwhats: nothing was sent: 99 of 99 rows of {path} need mending",
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "standard input: is empty"), (b"to,message,buttons\n", "has a header and no rows")],
)
def test_nothing_to_send(
    cli: Callable[..., Any], sandbox: SandboxServer, content: bytes, words: str
) -> None:
    """An input without rows is refused with exit code 3."""
    said = cli("bulk", "-", "--yes", stdin=content)
    assert said.code == 3
    assert words in said.err


def test_dry_run(cli: Callable[..., Any], table: Callable[..., Path]) -> None:
    """--dry-run checks the file without a key, and sends nothing."""
    said = cli("bulk", table(4), "--dry-run", "--from", "908503080335", "--encoding", "UTF8")
    assert said.code == 0
    assert said.err.startswith("4 messages from ••••••••0335 through api.multiwhats.app: about 4")


@pytest.mark.parametrize("name", ["missing.csv", ".", "nul\0.csv"])
def test_files_that_cannot_be_opened(
    cli: Callable[..., Any], no_account: None, tmp_path: Path, name: str
) -> None:
    """A file that is missing, a folder or no name is one line and exit code 2."""
    said = cli("bulk", f"{tmp_path}/{name}", "--yes")
    assert said.code == 2
    assert said.err.startswith("multiwhats: cannot read ")
    assert said.err.count("\n") == 1


def test_no_terminal_to_ask_on(
    cli: Callable[..., Any], no_account: None, table: Callable[..., Path]
) -> None:
    """Without a terminal and without --yes nothing is sent."""
    said = cli("bulk", table(3))
    assert said.code == 2
    assert "there is no terminal to ask on: add --yes to send, or --dry-run" in said.err


@pytest.fixture
def _asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "can_ask", lambda: True)


@pytest.mark.usefixtures("_asked")
@pytest.mark.parametrize(("answer", "code", "accepted"), [(b"y\n", 0, 3), (b"n\n", 3, 0)])
def test_the_question(
    cli: Callable[..., Any],
    sandbox: SandboxServer,
    table: Callable[..., Path],
    answer: bytes,
    code: int,
    accepted: int,
) -> None:
    """The answer decides whether anything is sent."""
    said = cli("bulk", table(3), stdin=answer)
    assert said.code == code
    assert "Send them? [y/N]: " in said.err
    assert ("Nothing was sent." in said.err) is (accepted == 0)
    assert sandbox.emulator.stats().accepted == accepted


@pytest.mark.usefixtures("_asked")
def test_no_answer(
    cli: Callable[..., Any], sandbox: SandboxServer, table: Callable[..., Path]
) -> None:
    """The end of the input at the question is an interruption."""
    said = cli("bulk", table(3))
    assert said.code == 130
    assert sandbox.emulator.stats().requests == 0


@pytest.mark.usefixtures("_asked")
def test_a_file_saved_while_the_question_stands(
    cli: Callable[..., Any],
    sandbox: SandboxServer,
    table: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A file that is saved after its check is not sent."""
    path = table(3)

    def confirm(text: str, *, err: bool) -> bool:
        with path.open("a") as file:
            file.write("905374937766,not checked,Evet,\n")
        return True

    monkeypatch.setattr(bulk.click, "confirm", confirm)
    said = cli("bulk", path)
    assert said.code == 3
    assert "was changed after its check" in said.err
    assert sandbox.emulator.stats().requests == 0


class _Rewriting(Emulator):
    """Cuts the input off while it is being sent."""

    path: Path

    def handle(self, request: Any) -> Any:
        with self.path.open("r+") as file:
            file.truncate(20_000)
        return super().handle(request)


def test_a_file_that_changes_while_it_is_sent(
    cli: Callable[..., Any], serve: Callable[[Emulator], SandboxServer], table: Callable[..., Path]
) -> None:
    """A row that is no longer what was checked stops the run, which is reported."""
    emulator = _Rewriting(magic_numbers=False)
    emulator.path = table(3000)
    serve(emulator)
    said = cli("bulk", emulator.path, "--yes", "--max-concurrency", "1", "--no-ledger")
    assert said.code == 1
    assert "The file was changed while it was being sent" in said.err


# --- results ----------------------------------------------------------------------------------


def test_results_as_csv(cli: Callable[..., Any], sandbox: SandboxServer, tmp_path: Path) -> None:
    """A .csv of results opens in Excel, and runs nothing there."""
    path, out = tmp_path / "in.csv", tmp_path / "out.csv"
    path.write_text(
        "key,to,message,buttons\n=k,905374937766,=1+1,+y\n-k,905374930422,@x,y\n", encoding="utf-8"
    )
    said = cli("bulk", path, "--yes", "--out", out)
    assert said.code == 1
    assert out.read_bytes().startswith(b"\xef\xbb\xbf")
    lines = out.read_text(encoding="utf-8-sig").splitlines()
    rows = sorted(csv.DictReader(lines), key=lambda row: row["line"])
    assert [row["message"] for row in rows] == ["'=1+1", "'@x"]
    assert [row["key"] for row in rows] == ["'=k", "'-k"]
    assert [row["certainty"] for row in rows] == ["accepted", "rejected"]
    assert [row["status_code"] for row in rows] == ["", "422"]
    assert "line 3: rejected: " in said.err
    assert "905374930422" not in said.err


def test_results_as_jsonl(
    cli: Callable[..., Any], sandbox: SandboxServer, table: Callable[..., Path], tmp_path: Path
) -> None:
    """A .jsonl of results has every outcome with its line."""
    out = tmp_path / "out.jsonl"
    assert cli("bulk", table(5), "--yes", "--out", out).code == 0
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert sorted(row["line"] for row in rows) == [2, 3, 4, 5, 6]
    assert "👋" in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("in.csv", "is the input itself"),
        ("there.jsonl", "is there already"),
        ("dangling.jsonl", "is there already"),
        ("results.txt", "end the name in .jsonl or .csv"),
        ("nowhere/out.csv", "cannot write --out"),
    ],
)
def test_results_that_cannot_be_written(
    cli: Callable[..., Any],
    sandbox: SandboxServer,
    table: Callable[..., Path],
    tmp_path: Path,
    name: str,
    words: str,
) -> None:
    """A name for the results that cannot be meant is refused before anything is sent."""
    (tmp_path / "there.jsonl").touch()
    (tmp_path / "dangling.jsonl").symlink_to(tmp_path / "gone")
    said = cli("bulk", table(3), "--yes", "--out", tmp_path / name)
    assert said.code == 2
    assert words in said.err
    assert sandbox.emulator.stats().requests == 0


class _Full(io.TextIOWrapper):
    """A disk that is full after a few lines."""

    room = 2

    def write(self, text: str) -> int:
        if not self.room:
            raise OSError(28, "No space left on device")
        self.room -= 1
        return len(text)


def test_results_that_can_no_longer_be_written(
    cli: Callable[..., Any],
    sandbox: SandboxServer,
    table: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the results can no longer be kept no more credits are spent."""
    path = table(500)
    monkeypatch.setattr(sys, "stdout", _Full(io.BytesIO(), encoding="utf-8"))
    said = cli("bulk", path, "--yes", "--out", "-", "--max-concurrency", "2")
    assert said.code == 1
    assert "The results are not complete: No space left on device" in said.err
    assert "Stopped: the results can no longer be written. Not sent: " in said.err
    assert sandbox.emulator.stats().accepted < 500


def test_a_full_disk_loses_no_word(
    sandbox: SandboxServer, table: Callable[..., Path], tmp_path: Path, program: Callable[..., Any]
) -> None:
    """What went out and could not be recorded is named, and the report is printed."""
    out = tmp_path / "results.jsonl"
    process = program(
        *("bulk", table(500), "--yes", "--out", out, "--max-concurrency", "4", "--no-ledger"),
        # Coverage would leave half a file behind, too.
        env=sandbox.env | {"MULTIWHATS_FROM": "908503080335", "COVERAGE_PROCESS_START": ""},
        preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "The results are not complete: File too large" in err
    assert "Stopped: the results can no longer be written" in err
    whole = [line for line in out.read_bytes().splitlines() if line.endswith(b"}")]
    unrecorded = err.count("was accepted")
    assert 1 <= unrecorded <= 12
    assert len(whole) + unrecorded == sandbox.emulator.stats().accepted


def test_one_key_for_two_messages_is_refused(cli: Callable[..., Any], tmp_path: Path) -> None:
    """The second would be skipped, and somebody would get nothing."""
    path = tmp_path / "in.csv"
    rows = ["promo,905300000001,Hi,Yes", "promo,905300000001,Hi,Yes", "promo,905300000002,Hi,Yes"]
    path.write_text("\n".join(["key,to,message,button1", *rows]), "utf-8")
    said = cli("bulk", path, "--yes", "--from", "908503080335", "--api-key", "K")
    assert said.code == 3
    assert "line 4, key: is the key of another message above" in said.err
    assert "1 of 3 rows" in said.err


def test_a_missing_sender_is_said_once(cli: Callable[..., Any], table: Callable[..., Path]) -> None:
    """It is no fault of the rows."""
    said = cli("bulk", table(5), "--yes", "--api-key", "K")
    assert said.code == 2
    assert said.err.count("no number to send from") == 1


# --- what stops a run -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "options", "code", "words"),
    [
        ("401", [], 4, "Stopped: the server refused the API key (401)"),
        ("402", [], 4, "Stopped: the account has no credit left (402)"),
        ("403", [], 4, "Stopped: the server answered 403 to 3 messages in a row"),
        ("422", [], 1, "Stopped: the server answered 422 to each of the first 20 messages"),
        ("disconnect_before", [], 5, "Stopped: none of the first 5 messages got an answer"),
        ("422@every:2", ["--max-failures", "3"], 1, "(max_failures=3)"),
        ("latency=0", ["--max-credits", "5"], 1, "max_credits=5"),
    ],
)
def test_stops(
    cli: Callable[..., Any],
    serve: Callable[[Emulator], SandboxServer],
    table: Callable[..., Path],
    fault: str,
    options: list[str],
    code: int,
    words: str,
) -> None:
    """A run that cannot succeed stops, says why and how many are left, with its exit code."""
    serve(Emulator(faults=FaultPlan([fault])))
    said = cli("bulk", table(60), "--yes", "--max-concurrency", "1", *options)
    assert said.code == code
    assert words in said.err
    assert "Not sent: " in said.err


def test_failures_are_listed_up_to_a_limit(
    cli: Callable[..., Any], serve: Callable[[Emulator], SandboxServer], table: Callable[..., Path]
) -> None:
    """The first messages that were not accepted are listed with their lines."""
    serve(Emulator(faults=FaultPlan(["disconnect_after@every:5,times:12"])))
    said = cli("bulk", table(100), "--yes")
    assert said.code == 1
    assert said.err.count(": unknown: ") == 10
    assert "  … and 2 more" in said.err
    assert "Unknown messages may or may not have gone out." in said.err


class _Interrupting(Emulator):
    """Sends signals to this process while it holds a request, each when the last was heeded."""

    signals: tuple[int, ...] = (signal.SIGINT,)
    heeded = threading.Semaphore(0)

    def handle(self, request: Any) -> Any:
        signals, self.signals = self.signals, ()
        for number in signals:
            os.kill(os.getpid(), number)
            assert self.heeded.acquire(timeout=10)
        return super().handle(request)


@pytest.fixture
def interrupting(monkeypatch: pytest.MonkeyPatch) -> _Interrupting:
    """An emulator that interrupts the program."""
    emulator = _Interrupting()
    emulator.heeded = threading.Semaphore(0)
    say = PlainScreen.say

    def heed(self: PlainScreen, lines: Any) -> None:
        say(self, lines)
        emulator.heeded.release()

    monkeypatch.setattr(PlainScreen, "say", heed)
    return emulator


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_once(
    cli: Callable[..., Any],
    serve: Callable[[Emulator], SandboxServer],
    table: Callable[..., Path],
    interrupting: _Interrupting,
    number: int,
) -> None:
    """One signal takes what is under way to its end, and stops: exit code 130."""
    interrupting.signals = (number,)
    serve(interrupting)
    said = cli("bulk", table(50), "--yes", "--max-concurrency", "1")
    assert said.code == 130
    assert "Stopping: what is under way (1 message) is taken to its end." in said.err
    assert "  accepted            1\n" in said.err
    assert "Stopped: interrupted. Not sent: 49." in said.err


def test_interrupted_twice(
    cli: Callable[..., Any],
    serve: Callable[[Emulator], SandboxServer],
    table: Callable[..., Path],
    interrupting: _Interrupting,
) -> None:
    """A second signal gives up what is under way: what was written is unknown."""
    interrupting.signals = (signal.SIGINT, signal.SIGINT)
    serve(interrupting)
    said = cli("bulk", table(50), "--yes", "--max-concurrency", "1")
    assert said.code == 130
    assert "Giving up 1 message: what was written is unknown." in said.err
    assert "  unknown             1\n" in said.err


class _Held(Emulator):
    """Holds its first request until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived = threading.Event()
        self.released = threading.Event()

    def handle(self, request: Any) -> Any:
        self.arrived.set()
        assert self.released.wait(30)
        return super().handle(request)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_real_process_drains(
    program: Callable[..., Any],
    serve: Callable[[Emulator], SandboxServer],
    table: Callable[..., Path],
    tmp_path: Path,
    number: int,
) -> None:
    """A process that gets one signal drains, writes every outcome, and exits with 130."""
    emulator = _Held()
    serve(emulator)
    out = tmp_path / "out.jsonl"
    process = program("bulk", table(20), "--yes", "--out", out)
    assert emulator.arrived.wait(30)
    process.send_signal(number)
    said = ""
    while "Stopping: " not in said:
        said += process.stderr.readline()
    emulator.released.set()
    _, rest = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Stopped: interrupted. Not sent: " in rest
    certainties = [json.loads(line)["certainty"] for line in out.read_text().splitlines()]
    assert len(certainties) == 20
    assert certainties.count("accepted") == emulator.stats().accepted >= 1
    assert set(certainties) == {"accepted", "not_sent"}


def test_a_real_process_gives_up(
    program: Callable[..., Any],
    serve: Callable[[Emulator], SandboxServer],
    table: Callable[..., Path],
) -> None:
    """A process that gets a second signal ends at once, though the server never answers."""
    emulator = _Held()
    serve(emulator)
    process = program("bulk", table(20), "--yes")
    assert emulator.arrived.wait(30)
    process.send_signal(signal.SIGINT)
    said = ""
    while "Stopping: " not in said:
        said += process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=30)
    emulator.released.set()
    assert process.returncode == 130
    assert "Giving up " in rest
    assert "Unknown messages may or may not have gone out." in rest


def test_where_signals_cannot_be_received(
    cli: Callable[..., Any],
    sandbox: SandboxServer,
    table: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On asyncio under Windows a run is sent all the same."""

    def refuse(*signals: int) -> None:
        raise NotImplementedError

    monkeypatch.setattr(anyio, "open_signal_receiver", refuse)
    assert cli("bulk", table(3), "--yes").code == 0


def test_can_ask_needs_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question needs a terminal to be read on and one to be answered on."""
    assert not bulk.can_ask()
    for stream in (sys.stdin, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    assert bulk.can_ask()


def test_a_result_without_a_stop_is_judged_by_its_counts() -> None:
    """Without any message the code is that of success."""
    assert _sending.code_of_error(None) == 0
