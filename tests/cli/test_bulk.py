"""``multiwhats bulk`` against the sandbox, over a real socket."""

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from multiwhats_async.cli import bulk
from multiwhats_async.sandbox import Emulator, SandboxServer


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


def test_can_ask_needs_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question needs a terminal to be read on and one to be answered on."""
    assert not bulk.can_ask()
    for stream in (sys.stdin, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    assert bulk.can_ask()


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
