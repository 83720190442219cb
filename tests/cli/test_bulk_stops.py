"""What stops ``multiwhats bulk``: limits, signals, a person."""

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from multiwhats_async.cli import _sending
from multiwhats_async.cli._screen import PlainScreen
from multiwhats_async.sandbox import Emulator, FaultPlan, SandboxServer


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


def test_a_result_without_a_stop_is_judged_by_its_counts() -> None:
    """Without any message the code is that of success."""
    assert _sending.code_of_error(None) == 0
