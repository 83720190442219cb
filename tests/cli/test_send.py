"""``multiwhats send`` against the sandbox, over a real socket."""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest

from multiwhats_async.cli import send
from multiwhats_async.cli._screen import PlainScreen
from multiwhats_async.models import MessageReceipt
from multiwhats_async.sandbox import Emulator, FaultPlan, SandboxServer

ARGUMENTS = ["send", "--to", "+90 537 493 77 66", "--button", "👍 Yes", "--button", "⛔ No"]


def test_accepted(cli: Callable[..., Any], sandbox: SandboxServer) -> None:
    """The vendor's record is printed with the number masked, the exit code is 0."""
    said = cli(*ARGUMENTS, "--message", "Hi 👤")
    assert (said.code, said.err) == (0, "")
    assert said.out == "Accepted: message 3664 to ••••••••7766, status done, 1 credit\n"
    (message,) = sandbox.emulator.messages
    assert (message.sender, message.recipient) == ("908503080335", "905374937766")
    assert (message.text, message.buttons) == ("Hi 👤", ("👍 Yes", "⛔ No"))


def test_a_typed_backslash_stays(cli: Callable[..., Any], sandbox: SandboxServer) -> None:
    r"""A literal \n on the command line is not made a line break."""
    cli(*ARGUMENTS, "--message", r"a\nb")
    assert sandbox.emulator.messages[0].text == r"a\nb"


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_the_text_from_standard_input(
    cli: Callable[..., Any], sandbox: SandboxServer, end: str
) -> None:
    """A dash reads the text from standard input, without its last line end."""
    said = cli(*ARGUMENTS, "--message", "-", stdin=f"İyi günler\nŞişli{end}".encode())
    assert said.code == 0
    assert sandbox.emulator.messages[0].text == "İyi günler\nŞişli"


def test_standard_input_that_is_not_utf8(cli: Callable[..., Any], sandbox: SandboxServer) -> None:
    """Standard input in another encoding is refused, not guessed."""
    said = cli(*ARGUMENTS, "--message", "-", stdin="Şişli".encode("cp1254"))
    assert (said.code, said.err) == (2, "multiwhats: --message -: standard input is not UTF-8\n")


def test_json_has_the_whole_outcome(cli: Callable[..., Any], sandbox: SandboxServer) -> None:
    """--json prints the outcome in the shape of a line of bulk --out."""
    said = cli(*ARGUMENTS, "--message", "Hi 👤", "--json", "--api-key-in", "json")
    data = json.loads(said.out)
    assert (said.code, data["certainty"], data["receipt"]["id"]) == (0, "accepted", 3664)
    assert "👤" in said.out


@pytest.mark.parametrize(
    ("fault", "code", "word"),
    [
        ("401", 4, "rejected"),
        ("402", 4, "rejected"),
        ("422", 1, "rejected"),
        ("disconnect_after", 1, "unknown"),
    ],
)
def test_not_accepted(
    cli: Callable[..., Any],
    serve: Callable[[Emulator], SandboxServer],
    fault: str,
    code: int,
    word: str,
) -> None:
    """What is not accepted is one line on standard error, and its exit code."""
    serve(Emulator(faults=FaultPlan([fault])))
    said = cli(*ARGUMENTS, "--message", "Hi", "--json")
    assert said.code == code
    assert said.err.startswith(f"multiwhats: {word}: ")
    assert said.err.count("\n") == 1
    assert "905374937766" not in said.err
    assert json.loads(said.out)["certainty"] == word


def test_a_closed_port(cli: Callable[..., Any], no_account: None) -> None:
    """A server that is not there is said, and nothing was sent."""
    said = cli(*ARGUMENTS, "--message", "Hi")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("multiwhats: not sent: The message to ••••••••7766 did not reach")


def test_an_invalid_message(cli: Callable[..., Any], sandbox: SandboxServer) -> None:
    """Every problem of a message is said at once; nothing is sent, exit code 3."""
    said = cli("send", "--to", "0537 493 77 66", "--message", "", "--button", "x" * 21)
    assert said.code == 3
    for words in ("begins with 0", "message: is empty", "more than WhatsApp's 20: shorten it"):
        assert words in said.err
    assert "limits=None" not in said.err
    assert sandbox.emulator.stats().requests == 0


def test_no_sender(
    cli: Callable[..., Any], sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a number to send from nothing is sent."""
    monkeypatch.delenv("MULTIWHATS_FROM")
    said = cli(*ARGUMENTS, "--message", "Hi")
    assert said.code == 2
    assert "no number to send from: give --from" in said.err


def test_no_key(
    cli: Callable[..., Any], sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a key the line says where to put one, and how to try without an account."""
    monkeypatch.delenv("MULTIWHATS_API_KEY")
    said = cli(*ARGUMENTS, "--message", "Hi")
    assert said.code == 2
    assert "no API key: set MULTIWHATS_API_KEY" in said.err
    assert cli(*ARGUMENTS, "--message", "Hi", "--api-key", "other").code == 0


def test_a_foreign_host_without_tls(cli: Callable[..., Any], sandbox: SandboxServer) -> None:
    """The key is not sent in the clear to another machine."""
    said = cli(*ARGUMENTS, "--message", "Hi", "--base-url", "http://example.com/api/v1/")
    assert said.code == 2
    assert "https://" in said.err


def test_a_record_that_lacks_fields() -> None:
    """A record without id, status and cost is still a receipt."""
    text = send._receipt_text(MessageReceipt(), to="905374937766")
    assert text == "Accepted: message (no id) to ••••••••7766"


class _Interrupting(Emulator):
    """Sends Ctrl-C to the program twice, once it holds a request that it never answers."""

    def __init__(self) -> None:
        super().__init__(faults=FaultPlan(["timeout"]))
        self.heeded = threading.Semaphore(0)

    def handle(self, request: Any) -> Any:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            assert self.heeded.acquire(timeout=10)
        return super().handle(request)


def test_interrupted(
    cli: Callable[..., Any],
    serve: Callable[[Emulator], SandboxServer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second Ctrl-C gives up waiting: what was written is unknown, exit code 130."""
    emulator = _Interrupting()
    say = PlainScreen.say

    def heed(self: PlainScreen, lines: Any) -> None:
        say(self, lines)
        emulator.heeded.release()

    monkeypatch.setattr(PlainScreen, "say", heed)
    serve(emulator)
    said = cli(*ARGUMENTS, "--message", "Hi")
    assert said.code == 130
    assert [line.split(":")[0] for line in said.err.splitlines()] == [
        "Stopping",
        "Giving up 1 message",
        "multiwhats",
    ]
    assert "multiwhats: unknown: " in said.err


def test_where_signals_cannot_be_received(
    cli: Callable[..., Any], sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On asyncio under Windows the message goes out all the same."""

    def refuse(*signals: int) -> nullcontext[None]:
        raise NotImplementedError

    monkeypatch.setattr(anyio, "open_signal_receiver", refuse)
    assert cli(*ARGUMENTS, "--message", "Hi").code == 0


def test_a_closed_pipe_is_no_error(
    program: Callable[..., Any], sandbox: SandboxServer, tmp_path: Path
) -> None:
    """Where nobody reads standard output the program stays quiet and keeps its exit code."""
    process = program(*ARGUMENTS, "--message", "Hi")
    process.stdout.close()
    assert process.wait(30) == 0
    assert process.stderr.read() == ""
    process.stdin.close()
    process.stderr.close()


def test_a_broken_pipe_in_this_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A broken pipe is answered by throwing the rest of the output away."""
    from multiwhats_async.cli import _screen  # noqa: PLC0415  # only here

    def broken(text: str) -> None:
        raise BrokenPipeError

    with (tmp_path / "out").open("w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(_screen.click, "echo", broken)
        _screen.write_out("x")
        assert os.fstat(out.fileno()).st_rdev == Path(os.devnull).stat().st_rdev


def test_an_answer_that_cannot_be_printed_is_no_failure(
    cli: Callable[..., Any], sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message went out: whoever reads the exit code must not send it again."""
    full = open("/dev/full", "w", encoding="utf-8")  # noqa: PTH123, SIM115  # closing fails too
    monkeypatch.setattr(sys, "stdout", full)
    monkeypatch.setattr(os, "dup2", lambda *_: None)
    said = cli("send", "--to", "905374937766", "--message", "Hi", "--button", "Yes")
    with suppress(OSError):
        full.close()
    assert said.code == 0
    assert "could not print the answer: No space left on device" in said.err
    assert sandbox.emulator.stats().accepted == 1
