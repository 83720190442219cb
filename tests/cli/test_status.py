"""A campaign that is still being sent, as another process sees it."""

import json
import os
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from multiwhats_async import Progress
from multiwhats_async.cli._screen import Line, PlainScreen
from multiwhats_async.cli._status import (
    EVERY_SECONDS,
    Status,
    StatusScreen,
    running,
    status_of,
)
from multiwhats_async.cli.report import _how_far
from multiwhats_async.ledger._figures import MOST_STEPS
from multiwhats_async.sandbox import Emulator, SandboxRequest, SandboxServer

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere nothing tells which process has a file locked"
)


class Slow(Emulator):
    """A sandbox that answers some messages, and then waits until it may go on."""

    def __init__(self, answered: int) -> None:
        super().__init__(magic_numbers=False)
        self.answered = answered
        self.go_on = threading.Event()
        self.waits = threading.Event()

    def handle(self, request: SandboxRequest) -> Any:
        """Answer, or wait."""
        self.answered -= 1
        if self.answered < 0:
            self.waits.set()
            assert self.go_on.wait(60)
        return super().handle(request)


@pytest.fixture
def slow() -> Iterator[tuple[Slow, SandboxServer]]:
    """Serve a sandbox that waits behind its fifth message."""
    emulator = Slow(5)
    with SandboxServer(emulator, port=0) as server:
        yield emulator, server
        emulator.go_on.set()


def sending(program: Callable[..., Any], server: SandboxServer, path: Path) -> Any:
    """Start a bulk run, one message at a time, that tells where it stands."""
    env = server.env | {"MULTIWHATS_FROM": "908503080335"}
    command = ("bulk", path, "--yes", "--max-concurrency", "1", "--progress", "json")
    process = program(*command, env=env)
    # The file is written as often as an event is told, and not in the same moment: behind the third
    # event that tells of all five, the file does too.
    heard = 0
    while heard < 3:
        told = process.stderr.readline()
        assert told
        is_progress = told.startswith('{"event": "progress"')
        heard += is_progress and json.loads(told)["accepted"] >= 5
    return process


def test_a_run_that_goes_on(
    cli: Callable[..., Any],
    program: Callable[..., Any],
    table: Callable[..., Path],
    slow: tuple[Slow, SandboxServer],
    tmp_path: Path,
) -> None:
    """Its counts, how far it is, and a page; what needs the ledger waits until it has ended."""
    emulator, server = slow
    path = table(20)
    process = sending(program, server, path)
    page = tmp_path / "report.html"
    said = cli("report", path, "--html", page)
    assert said.code == 0
    assert "  accepted            5\n" in said.out
    assert "  total              20\n" in said.out
    assert f"still being sent by process {process.pid}: 1 in flight" in said.out
    assert cli("report", path).out.count("5\n") == said.out.count("5\n")
    html = page.read_text("utf-8")
    assert "Still being sent: 1 in flight" in html
    assert "Make this page again when it has ended" in html
    HTMLParser().feed(html)
    for options in (("--out", "-"), ("--certainty", "unknown")):
        said = cli("report", path, *options)
        assert said.code == 2
        assert f"process {process.pid} is sending this campaign" in said.err
    other = cli("report", path, "--campaign", "another")
    assert "is in use by process" in other.err
    emulator.go_on.set()
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert not status_of(Path(f"{path}.ledger")).exists()
    said = cli("report", path)
    assert "still being sent" not in said.out
    assert "  accepted           20\n" in said.out


def test_what_a_killed_run_leaves_is_not_believed(
    cli: Callable[..., Any],
    program: Callable[..., Any],
    table: Callable[..., Path],
    slow: tuple[Slow, SandboxServer],
) -> None:
    """Its ledger is free, and is read."""
    _, server = slow
    path = table(20)
    process = sending(program, server, path)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    ledger = Path(f"{path}.ledger")
    assert status_of(ledger).exists()
    assert running(ledger) is None
    said = cli("report", path)
    assert said.code == 0
    assert "still being sent" not in said.out
    assert "  unknown             1\n" in said.out


CAMPAIGN = "Yılbaşı <b>"


def screen_of(tmp_path: Path) -> StatusScreen:
    """Return a screen that tells in a file."""
    return StatusScreen(PlainScreen(), tmp_path / "x.ledger", CAMPAIGN, clock=lambda: 100.0)


def told(tmp_path: Path) -> dict[str, Any]:
    """Return what stands in the file."""
    found: dict[str, Any] = json.loads(status_of(tmp_path / "x.ledger").read_text("utf-8"))
    return found


def test_it_is_told_once_a_second(tmp_path: Path) -> None:
    """Whole, for its owner alone, and gone in the end."""
    with screen_of(tmp_path) as screen:
        for elapsed, accepted in ((0.0, 0), (0.5, 3), (1.0, 4), (1.5, 5)):
            screen.show(Progress(total=10, accepted=accepted, elapsed=elapsed))
        screen.say([Line("")])
        screen.tell("report", {})
        assert told(tmp_path) == {
            "pid": os.getpid(),
            "at": 100.0,
            "campaign": CAMPAIGN,
            "progress": Progress(total=10, accepted=4, elapsed=1.0).to_dict(),
            "width": EVERY_SECONDS,
            "course": [[3, 0], [1, 0]],
        }
        assert stat.S_IMODE(status_of(tmp_path / "x.ledger").stat().st_mode) == 0o600
    assert [*tmp_path.iterdir()] == []


def test_a_long_run_has_wider_steps(tmp_path: Path) -> None:
    """No more of them than a page has room for, and none of the messages is lost."""
    with screen_of(tmp_path) as screen:
        for second in range(5 * MOST_STEPS):
            screen.show(
                Progress(total=9_999, accepted=second, rejected=second, elapsed=float(second))
            )
        found = told(tmp_path)
    assert len(found["course"]) <= MOST_STEPS
    assert found["width"] == 8 * EVERY_SECONDS
    last = 5 * MOST_STEPS - 1
    assert [*map(sum, zip(*found["course"], strict=True))] == [last, last]


def test_how_far_a_run_is() -> None:
    """In words: what is under way, what was known before, what is left, why it waits."""
    progress = Progress(
        total=1_200, accepted=300, skipped=300, in_flight=7, elapsed=30.0, paused_because="429"
    )
    for now, words in (
        (progress, "7 in flight · 300 skipped, as known from before · 30 s left · paused: 429"),
        (Progress(in_flight=1), "1 in flight"),
    ):
        status = Status(
            pid=1, at=0.0, campaign="x", progress=now.to_dict(), width=1.0, course=((0, 0),)
        )
        assert _how_far(status) == words
        assert status.over_time() is None


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    """The run goes on; nobody is told."""
    screen = StatusScreen(PlainScreen(), tmp_path / "missing" / "x.ledger", CAMPAIGN)
    with screen:
        screen.show(Progress(total=1, elapsed=0.0))
    assert running(tmp_path / "missing" / "x.ledger") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"pid": "x"}',
        b'{"pid": 1, "at": []}',
        b'{"pid": 1, "at": 1, "campaign": "x", "progress": 5}',
    ],
)
def test_a_file_that_is_none(content: bytes, tmp_path: Path) -> None:
    """It is taken for no run."""
    status_of(tmp_path / "x.ledger").write_bytes(content)
    assert running(tmp_path / "x.ledger") is None
