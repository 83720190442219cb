"""The program as a user runs it, and sandboxes for it to talk to."""

import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs
import pytest

from multiwhats_async.cli import run
from multiwhats_async.sandbox import (
    Emulator,
    FaultPlan,
    SandboxRequest,
    SandboxResponse,
    SandboxServer,
)


@attrs.frozen
class Said:
    """What the program came to: its exit code and what it wrote."""

    code: int
    out: str
    err: str


Cli = Callable[..., Said]
Serve = Callable[[Emulator], SandboxServer]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run the program in this process, with an optional standard input."""

    def call(*argv: str | Path, stdin: bytes = b"") -> Said:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        with pytest.raises(SystemExit) as exit_info:
            run([str(argument) for argument in argv])
        written = capsys.readouterr()
        assert isinstance(exit_info.value.code, int)
        return Said(exit_info.value.code, written.out, written.err)

    return call


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Serve an emulator on a real socket and point the environment at it."""
    with ExitStack() as stack:

        def start(emulator: Emulator) -> SandboxServer:
            server = stack.enter_context(SandboxServer(emulator, port=0))
            for name, value in server.env.items():
                monkeypatch.setenv(name, value)
            monkeypatch.setenv("MULTIWHATS_FROM", "908503080335")
            return server

        yield start


class Steered(Emulator):
    """A sandbox that leaves time, and in which something happens at a request."""

    def __init__(self, at: int, then: Callable[[], object], *faults: str) -> None:
        super().__init__(faults=FaultPlan(["latency=0.02", *faults]), magic_numbers=False)
        self._at = at
        self._then = then

    def handle(self, request: SandboxRequest) -> SandboxResponse:
        answer = super().handle(request)
        if self.stats().requests == self._at:
            thread = threading.Thread(target=self._then)  # the server's own has an event loop
            thread.start()
            thread.join()
        return answer


@pytest.fixture
def steered(serve: Serve) -> Callable[..., Emulator]:
    """Serve an emulator in which something happens at the request of a given number."""

    def start(at: int, then: Callable[[], object], *faults: str) -> Emulator:
        return serve(Steered(at, then, *faults)).emulator

    return start


@pytest.fixture
def sandbox(serve: Serve) -> SandboxServer:
    """Serve an emulator without faults."""
    return serve(Emulator())


@pytest.fixture
def no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name an account and a server that nobody may reach."""
    monkeypatch.setenv("MULTIWHATS_API_KEY", "K3Y-of-nobody")
    monkeypatch.setenv("MULTIWHATS_FROM", "908503080335")
    monkeypatch.setenv("MULTIWHATS_BASE_URL", "http://127.0.0.1:9/api/v1/")


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """Write a CSV file with so many good rows."""

    def write(rows: int = 3, *, name: str = "in.csv") -> Path:
        lines = ["to,message,button1,button2"]
        lines += [f"9050000{number:05d},Merhaba {number} 👋,Evet,Hayır" for number in range(rows)]
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def program() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start the program as a process of its own; whatever a test leaves running is ended."""
    started: list[subprocess.Popen[str]] = []

    def start(*argv: str | Path, **options: Any) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "multiwhats_async", *map(str, argv)]
        process = subprocess.Popen(  # noqa: S603  # our own program
            command,
            env={**os.environ, **options.pop("env", {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=options.pop("stderr_to", subprocess.PIPE),
            text=True,
            encoding="utf-8",
            **options,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with process:
            process.kill()
