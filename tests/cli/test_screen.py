"""What is shown: plain lines, the live view, and what the codes stand for."""

import io
import json
import os
import pty
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from multiwhats_async import AuthenticationError, ButtonMessage, InvalidRequestError, Progress
from multiwhats_async._certainty import Certainty
from multiwhats_async._secret import masked
from multiwhats_async._stopping import StopRules
from multiwhats_async.cli import _screen
from multiwhats_async.cli._live import LiveScreen
from multiwhats_async.cli._results import as_json, safe_cell
from multiwhats_async.cli._screen import Line, PlainScreen, duration, open_screen, progress_line
from multiwhats_async.cli._sending import code_of_stop
from multiwhats_async.outcomes import Outcome, StopReason
from multiwhats_async.sandbox import SandboxServer

HALF = Progress(
    accepted=590, rejected=2, unknown=3, credits=590, elapsed=1.5, total=1200, in_flight=5
)


def test_a_progress_line() -> None:
    """A line says how far the run is, what became of the messages, how fast, how long still."""
    assert progress_line(HALF) == (
        "595 of 1,200 (50%) · 590 accepted · 2 rejected · 3 unknown · 393 messages/s · 2 s left"
    )


def test_a_progress_line_with_a_pause_and_no_total() -> None:
    """Where nothing is sent the line says why; an unknown total is left out."""
    progress = Progress(
        accepted=1, elapsed=1, paused_for=2.5, paused_because="the server does not answer"
    )
    assert progress_line(progress) == (
        "1 done · 1 accepted · 1 messages/s · paused for 2.5 s: the server does not answer"
    )
    assert progress_line(Progress(total=0)) == "0 of 0 (100%) · 0 messages/s"
    retried = progress_line(Progress(accepted=1, retries=1_200, elapsed=1))
    assert retried == "1 done · 1 accepted · 1,200 retries · 1 messages/s"


@pytest.mark.parametrize(
    ("seconds", "text"), [(7.6, "8 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_durations(seconds: float, text: str) -> None:
    """A time is written as people read it."""
    assert duration(seconds) == text


def test_plain_lines_come_at_their_times(capsys: pytest.CaptureFixture[str]) -> None:
    """Off a terminal there is a line only every so many seconds of the run."""
    with PlainScreen(every=10) as screen:
        for elapsed in (0, 9, 10, 11, 19, 25):
            screen.show(Progress(accepted=elapsed, elapsed=elapsed, total=100))
    assert [line.split()[0] for line in capsys.readouterr().err.splitlines()] == ["10", "25"]


def test_a_reader_that_is_gone_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody reads standard error the run goes on."""

    def broken(text: str, *, err: bool) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(_screen.click, "echo", broken)
    PlainScreen().say([Line("x")])


def test_the_live_view() -> None:
    """On a terminal there is a bar, the counts in colour, and why the run pauses."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, color_system="standard")
    paused = Progress(
        accepted=600, elapsed=2, total=1200, paused_for=1.2, paused_because="the server said later"
    )
    with LiveScreen(title="Sending", console=console) as screen:
        screen.tell("report", {})
        screen.say([Line("before")])
        screen.show(HALF)
        screen.show(paused)
        screen.show(Progress(accepted=7, elapsed=1, total=7))
        screen.show(Progress(accepted=7, elapsed=1, retries=12))
    text = out.getvalue()
    for words in (
        "before",
        "595 of 1,200 (50%)",
        "393/s, 2 s left",
        "in flight 5",
        "7 done",
        "retries 12",
    ):
        assert words in text
    assert "paused for 1.2 s: the server said later" in text
    assert "\x1b[32m" in text


def test_a_screen_for_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rich is for a terminal that can do it; everything else gets plain lines."""
    assert isinstance(open_screen(title="x"), PlainScreen)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(open_screen(title="x"), LiveScreen)
    assert isinstance(open_screen(title="x", plain=True), PlainScreen)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(open_screen(title="x"), PlainScreen)


@pytest.mark.parametrize("is_colourless", [True, False])
def test_on_a_real_terminal(program: Callable[..., Any], is_colourless: bool) -> None:
    """On a real terminal the demo draws a bar, in colour unless NO_COLOR is set."""
    ours, theirs = pty.openpty()
    env = {"TERM": "xterm", "COLUMNS": "100"} | ({"NO_COLOR": "1"} if is_colourless else {})
    process = program("demo", "--messages", "60", env=env, stderr_to=theirs)
    os.close(theirs)
    text = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # Linux says so when the other side is closed
            break
        if not chunk:
            break
        text += chunk
    os.close(ours)
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert "━".encode() in text
    assert (b"\x1b[32m" in text or b"\x1b[1;32m" in text) is not is_colourless


@pytest.mark.parametrize("value", ["=1", "+1", "-1", "@x", "\tx", "\rx"])
def test_cells_that_would_be_formulas(value: str) -> None:
    """A cell that a spreadsheet would run is made a text."""
    assert safe_cell(value) == "'" + value


def test_cells_that_are_harmless() -> None:
    """Other cells stay as they are; nothing is empty."""
    assert [safe_cell("a=1"), safe_cell(None), safe_cell(5)] == ["a=1", "", "5"]


@pytest.mark.parametrize(
    ("encoding", "text"), [("UTF-8", '"ğ"'), ("cp1252", '"\\u011f"'), (None, '"\\u011f"')]
)
def test_json_fits_its_target(encoding: str | None, text: str) -> None:
    """Where the target is not UTF-8 letters are escaped, and it is JSON all the same."""
    assert as_json("ğ", encoding=encoding) == text
    assert json.loads(text) == "ğ"


def _outcome(error: Any) -> Outcome:
    message = ButtonMessage("905374937766", "x", ["y"])
    return Outcome(message=message, key="k", certainty=Certainty.REJECTED, error=error)


@pytest.mark.parametrize(
    ("error", "times", "code"),
    [
        (AuthenticationError("no", status_code=401), 1, 4),
        (AuthenticationError("no", status_code=403), 3, 4),
        (InvalidRequestError("no", status_code=422), 20, None),
        (InvalidRequestError("no", cause="SSLCertVerificationError"), 1, 5),
    ],
)
def test_reasons_of_the_core_have_their_codes(error: Any, times: int, code: int | None) -> None:
    """Every reason for which the core stops a run has its exit code, or none."""
    rules = StopRules()
    reason = None
    for _ in range(times):
        reason = rules.judge(_outcome(error))
    assert reason is not None
    assert code_of_stop(reason.reason) == code


def test_no_stop_has_no_code() -> None:
    """A run that was not stopped is judged by its counts."""
    assert code_of_stop(None) is None
    assert code_of_stop(StopReason.SILENT) == 5
    assert code_of_stop(StopReason.CALLER) is None


def test_progress_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """One object a line, once a second of the run; notes, and the report at the end."""
    screen = open_screen(title="Sending", kind="json")
    with screen:
        for elapsed in (0.0, 0.5, 1.0, 1.2, 2.5):
            screen.show(Progress(total=10, accepted=3, elapsed=elapsed))
        screen.say([Line(""), Line("  Stopped: çok hata", "red")])
        screen.tell("report", {"accepted": 3, "exit_code": 0})
    written = capsys.readouterr()
    assert written.out == ""
    events = [json.loads(line) for line in written.err.splitlines()]
    assert [event["event"] for event in events] == ["progress"] * 3 + ["note", "report"]
    assert [event["elapsed"] for event in events[:3]] == [0.0, 1.0, 2.5]
    assert events[0]["queued"] == 7
    assert events[3:] == [
        {"event": "note", "text": "Stopped: çok hata"},
        {"event": "report", "accepted": 3, "exit_code": 0},
    ]


def test_a_run_as_json(
    cli: Callable[..., Any], sandbox: SandboxServer, table: Callable[..., Path]
) -> None:
    """Every line behind the preflight is JSON; the last one is the report with the exit code."""
    said = cli("bulk", table(3), "--yes", "--progress", "json")
    assert said.code == 0
    lines = said.err.splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("{"))
    events = [json.loads(line) for line in lines[first:]]
    assert (events[-1]["event"], events[-1]["accepted"]) == ("report", 3)
    assert events[-1]["exit_code"] == 0


def test_plain_lines_where_they_are_asked_for() -> None:
    """On a terminal too."""
    assert isinstance(open_screen(title="Sending", kind="plain"), PlainScreen)
    PlainScreen().tell("report", {})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no 905374937766 here", "no ••••••••7766 here"),
        ("+90 537 493 77 66", None),
        ("call +90 (537) 493-77-66 now", None),
        ("0537 493 77 66", None),
        ("537 493 77 66.", None),
        ("2026-11-25 08:27:21", "2026-11-25 08:27:21"),
        ("1 of 1,200 in 30 s, 20 30 40", "1 of 1,200 in 30 s, 20 30 40"),
        ("127.0.0.1:8787 answered 422", "127.0.0.1:8787 answered 422"),
    ],
)
def test_numbers_in_texts_of_others_are_masked(text: str, shown: str | None) -> None:
    """Written in groups or not; dates, counts and addresses are no numbers."""
    if shown is None:
        assert "537" not in masked(text)
        assert "493" not in masked(text)
    else:
        assert masked(text) == shown
