"""What the sandbox keeps outlives it, in a file."""

import logging
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sandbox.wire_examples import post

from multiwhats_async.sandbox import DeliveryAttempt, Emulator, SandboxJournal
from multiwhats_async.sandbox.emulator import utc_now

HOOK = "http://127.0.0.1:1/replies"


def sandbox(path: Path, **options: object) -> tuple[Emulator, SandboxJournal]:
    """Return an emulator that keeps a file."""
    journal = SandboxJournal(path)
    return Emulator(journal=journal, webhook=HOOK, **options), journal  # type: ignore[arg-type]  # options by name


def test_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Messages, taps, deliveries and their attempts are there again, and no id comes twice."""
    path = tmp_path / "sandbox.db"
    first, journal = sandbox(path)
    for _ in range(3):
        post(first, message="İyi günler 👋")
    first.tap(3664, index=0)
    first.tap(3665, index=1)
    assert first.store.take_delivery() is not None
    first.store.note_attempt(1, DeliveryAttempt(utc_now(), 0.2, 200, None, "ok"))
    journal.close()

    second, journal = sandbox(path)
    assert second.messages == first.messages
    assert [one.request for one in second.messages] == [one.request for one in first.messages]
    assert second.messages[0].response == first.messages[0].response
    assert second.store.deliveries == first.store.deliveries
    assert second.store.delivery(1).body == first.store.delivery(1).body
    assert len(second.store.conversations()) == 1
    second.store.take_up()
    waiting = second.store.take_delivery()
    assert waiting is not None
    assert (waiting.id, second.store.take_delivery()) == (2, None)
    post(second)
    assert second.messages[-1].id == 3667
    assert second.tap(3667, index=0)[1][0].id == 3
    journal.close()


def test_what_is_forgotten_is_forgotten_in_the_file(tmp_path: Path) -> None:
    """It is as bounded as the memory; a smaller limit holds for an older file."""
    path = tmp_path / "sandbox.db"
    for keep, numbers in ((3, [3666, 3667, 3668]), (2, [3667, 3668])):
        emulator, journal = sandbox(path, keep=keep)
        if keep == 3:
            for _ in range(5):
                post(emulator)
        journal.close()
        reader = sqlite3.connect(path)
        kept = [number for (number,) in reader.execute("SELECT id FROM message ORDER BY id")]
        reader.close()
        assert kept == numbers
    emulator, journal = sandbox(path)
    emulator.tap(3668, index=0)
    emulator.reset()
    journal.close()
    emulator, journal = sandbox(path)
    assert (emulator.messages, emulator.store.deliveries) == ((), [])
    journal.close()


def test_one_sandbox_a_file(tmp_path: Path) -> None:
    """A second one is told so."""
    path = tmp_path / "sandbox.db"
    _, journal = sandbox(path)
    with pytest.raises(ValueError, match="in use by another sandbox"):
        SandboxJournal(path)
    journal.close()


def test_a_file_of_something_else(tmp_path: Path) -> None:
    """It is left as it is."""
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE mine (x)")
    other.close()
    with pytest.raises(ValueError, match="is a database of something else"):
        SandboxJournal(path)
    text = tmp_path / "notes.txt"
    text.write_text("Not a database, but some notes of mine. " * 100, "utf-8")
    before = text.read_bytes()
    with pytest.raises(ValueError, match="cannot be used: file is not a database"):
        SandboxJournal(text)
    assert text.read_bytes() == before
    with pytest.raises(OSError, match="cannot open"):
        SandboxJournal(tmp_path / "missing" / "sandbox.db")


def test_a_file_that_cannot_be_written_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The sandbox goes on in memory, and says so once."""
    emulator, journal = sandbox(tmp_path / "sandbox.db")
    journal._database.execute("PRAGMA query_only = ON")
    with caplog.at_level(logging.WARNING, "multiwhats_async"):
        assert [post(emulator), post(emulator)] == [200, 200]
    assert len(emulator.messages) == 2
    assert [record.getMessage() for record in caplog.records] == [
        "The sandbox's file cannot be written: attempt to write a readonly database"
    ]
    journal.close()


def test_it_survives_the_process(tmp_path: Path) -> None:
    """A sandbox that is killed has lost nothing that it had answered."""
    path = tmp_path / "sandbox.db"
    program = (
        "import os, sys\n"
        "from sandbox.wire_examples import post\n"
        "from multiwhats_async.sandbox import Emulator, SandboxJournal\n"
        "emulator = Emulator(journal=SandboxJournal(sys.argv[1]))\n"
        "assert {post(emulator) for _ in range(20)} == {200}\n"
        "os.kill(os.getpid(), 9)\n"
    )
    env = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    env["PYTHONPATH"] = str(Path(__file__).parent.parent)
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program, str(path)], env=env, check=False, timeout=60
    )
    assert done.returncode == -signal.SIGKILL
    emulator, journal = sandbox(path)
    assert len(emulator.messages) == 20
    journal.close()
