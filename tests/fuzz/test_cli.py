"""Nasty values for every option of every command: a documented exit code, and no traceback."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
from fuzz.values import CORPUS

from multiwhats_async.cli import COMMANDS, _exits

CODES = {value for name, value in vars(_exits).items() if name.isupper()} - {_exits.BUG}
"""What ``multiwhats --help`` documents, without 70: that one is a bug."""

TEXTS = [value for value in CORPUS if isinstance(value, str) and "\0" not in value]
"""A process takes no NUL in its arguments."""

WORDS = {
    ("send",): ["--to", "905374937766", "--message", "Hi", "--button", "Yes"],
    ("bulk",): ["in.csv"],
    ("check",): ["in.csv"],
}
"""What a command needs beside: so the others are read, and not only found missing."""

NOWHERE = ["--base-url", "http://example.com/"]
"""Refused when everything was read: nothing is sent in the clear."""

SERVES = {"sandbox", "worker", "demo"}
"""They run on where nothing is wrong: the others' options are theirs too."""


def options_of(command: click.Command, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], str]]:
    """Return every option of a command and of what is below it, with the words before it."""
    found = [
        (path, option.opts[0])
        for option in command.params
        if isinstance(option, click.Option) and not option.is_flag and not option.count
    ]
    for name, below in getattr(command, "commands", {}).items():
        found += options_of(below, (*path, name))
    return found


CASES = [
    pytest.param(path, option, id=" ".join((*path, option)))
    for name in COMMANDS
    if name not in SERVES
    for path, option in options_of(import_module(f"multiwhats_async.cli.{name}").command, (name,))
]


@pytest.mark.parametrize(("path", "option"), CASES)
def test_a_nasty_value(
    cli: Callable[..., Any],
    table: Callable[..., Path],
    no_account: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    path: tuple[str, ...],
    option: str,
) -> None:
    """One line on standard error, an exit code of the documented ones, and no whole number."""
    table()
    monkeypatch.chdir(tmp_path)
    words = [*path, *WORDS.get(path, [])]
    if path in (("send",), ("bulk",)):
        words += NOWHERE
    problems = {}
    for value in TEXTS:
        said = cli(*words, f"{option}={value}")
        if said.code not in CODES or "Traceback" in said.err or "905374937766" in said.err:
            problems[ascii(value)] = (said.code, said.err[:300])
    assert problems == {}
