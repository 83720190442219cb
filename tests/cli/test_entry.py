"""The entry: commands, exit codes, and one line for whatever goes wrong."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import click
import pytest

import multiwhats_async
from multiwhats_async import ConfigurationError, InvalidMessageError, Problem
from multiwhats_async import cli as entry
from multiwhats_async.cli import _failure


def test_version(cli: Callable[..., Any]) -> None:
    """--version prints the version on standard output."""
    said = cli("--version")
    assert (said.code, said.out) == (0, f"multiwhats {multiwhats_async.__version__}\n")


def test_help_names_every_command(cli: Callable[..., Any]) -> None:
    """--help lists each command with the first line of its own help."""
    said = cli("--help")
    assert said.code == 0
    for name, line in entry.COMMANDS.items():
        assert f"{name:<9} {line}" in said.out
        assert line in cli(name, "--help").out


def test_shells_can_complete_the_commands() -> None:
    """The list that shells complete from has every command."""
    assert entry.group.list_commands(click.Context(entry.group)) == list(entry.COMMANDS)


def test_the_entry_imports_click_and_little_else() -> None:
    """What --help needs imports no HTTP client, no rich and no sandbox."""
    code = (
        "import sys\n"
        "from multiwhats_async.cli import run\n"
        "try:\n"
        "    run(['--help'])\n"
        "finally:\n"
        "    heavy = {'httpx', 'rich', 'attrs', 'anyio', 'starlette', 'asyncio'}\n"
        "    print('HEAVY', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "HEAVY []" in done.stdout


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (
            [],
            (
                "no command: name one of send, bulk, check, report, resolve, campaign, worker, "
                "contract, config, demo, sandbox"
            ),
        ),
        (["sned"], "No such command 'sned'"),
        (["--colour"], "No such option"),
        (["send", "--to", "905374937766"], "Missing option '--message'"),
        (["send", "--api-key-in", "header"], "'header' is not one of"),
        (["send", "--from", "0537 493 77 66"], "begins with 0"),
        (["bulk"], "Missing argument 'FILE'"),
        (["bulk", "x.csv", "--max-failures", "0"], "0 is not in the range"),
        (["bulk", "x.csv", "--encoding", "klingon"], "'klingon' is no encoding"),
        (["bulk", "x.csv", "--encoding", "hex"], "'hex' is no encoding"),
        (["demo", "--messages", "9999"], "9999 is not in the range"),
        (["sandbox", "--port", "99999"], "99999 is not in the range"),
    ],
)
def test_bad_usage_is_one_line(cli: Callable[..., Any], argv: list[str], words: str) -> None:
    """Bad usage is one line on standard error and exit code 2."""
    said = cli(*argv)
    assert said.code == 2
    assert said.out == ""
    assert said.err.startswith("multiwhats: ")
    assert said.err.count("\n") == 1
    assert words in said.err
    assert "493" not in said.err


def _raising(error: BaseException) -> click.Command:
    def fail() -> None:
        raise error

    return click.Command("send", callback=fail)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Any]) -> Callable[..., object]:
    """Run a command that raises an error."""

    def call(error: BaseException, *argv: str) -> object:
        monkeypatch.setattr(
            entry._LazyGroup, "get_command", lambda self, ctx, cmd_name: _raising(error)
        )
        return cli("send", *argv)

    return call


def _missing(name: str) -> ModuleNotFoundError:
    return ModuleNotFoundError(f"No module named {name!r}", name=name)


def _chained() -> ImportError:
    error = ImportError("SandboxServer needs uvicorn")
    error.__cause__ = _missing("uvicorn")
    return error


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ConfigurationError("base_url is no URL"), 2, "base_url is no URL"),
        (
            ExceptionGroup("tasks", [ConfigurationError("rate must be above 0")]),
            2,
            "rate must be above 0",
        ),
        (
            InvalidMessageError([Problem("message", "is empty")]),
            3,
            "nothing was sent: message: is empty",
        ),
        (_missing("rich"), 2, "rich is not installed: pip install 'multiwhats-async[cli]'"),
        (_chained(), 2, "uvicorn is not installed: pip install 'multiwhats-async[sandbox]'"),
        (
            _missing("numpy.linalg"),
            70,
            (
                "unexpected ModuleNotFoundError: No module named 'numpy.linalg': this is a bug, "
                "please report it (MULTIWHATS_DEBUG=1 shows where)"
            ),
        ),
        (
            TypeError("two\nlines about 905374937766"),
            70,
            (
                "unexpected TypeError: two lines about ••••••••7766: this is a bug, please report "
                "it (MULTIWHATS_DEBUG=1 shows where)"
            ),
        ),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_no_traceback_reaches_a_user(
    failing: Callable[..., Any], error: BaseException, code: int, line: str
) -> None:
    """Whatever is raised becomes one line and its exit code."""
    said = failing(error)
    assert said.code == code
    assert said.err.strip() == f"multiwhats: {line}"


def test_debug_shows_the_traceback(
    failing: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """MULTIWHATS_DEBUG=1 adds the traceback, the line and the exit code stay."""
    monkeypatch.setenv("MULTIWHATS_DEBUG", "1")
    said = failing(TypeError("odd"))
    assert said.code == 70
    assert said.err.startswith("Traceback (most recent call last):")
    assert "multiwhats: unexpected TypeError: odd" in said.err


@pytest.mark.parametrize("form", [["--api-key", "S3cret"], ["--api-key=S3cret"], []])
def test_the_key_is_taken_out_of_every_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, form: list[str]
) -> None:
    """No line shows the key, wherever the program got it from."""
    if not form:
        monkeypatch.setenv("MULTIWHATS_API_KEY", "S3cret")
    _failure.complain("no host in http://x?apikey=S3cret", ["send", *form, "--to", "1"])
    assert capsys.readouterr().err == "multiwhats: no host in http://x?apikey=****\n"


def test_a_closed_standard_error_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody reads standard error, complaining raises nothing."""

    def broken(*args: object, **options: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(click, "echo", broken)
    _failure.complain("anything")


def test_run_takes_the_arguments_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without arguments run() takes those of the process."""
    monkeypatch.setattr(sys, "argv", ["multiwhats", "--version"])
    with pytest.raises(SystemExit) as exit_info:
        entry.run()
    assert exit_info.value.code == 0


def test_as_a_module(program: Callable[..., Any]) -> None:
    """Python -m multiwhats_async is the same program."""
    process = program("--version")
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, f"multiwhats {multiwhats_async.__version__}\n", "")
