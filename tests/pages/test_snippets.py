"""What a page shows in a block is held to something: nothing there may rot.

Programs in Python are files that run (tests/test_docs.py). Here: commands name options and files
that are there, those with ``sandbox … exec`` are run as they stand, and what they print is what the
page says they print. What no test can run has its reason beside it: ``<!-- not run here: … -->``.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import pytest
from pages import site

from multiwhats_async.cli import group

BLOCK = re.compile(
    r"(?:^<!-- (?P<note>[^\n]+) -->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```",
    re.DOTALL | re.MULTILINE,
)
NOT_OURS = {
    ".": "a shell's own",
    "cd": "a shell's own",
    "export": "a shell's own",
    "eval": "a shell's own",
    "curl": "the addresses are those of the sandbox and of an example, which have tests",
    "pip": "the extras are held by test_house.py",
    "python3": "it makes a venv",
    "hypercorn": "run in tests/integrations/test_web_servers.py",
    "nox": "it runs these tests",
    "pre-commit": "of the group dev",
}
"""Commands that are not looked into, with the reason."""


class Block(NamedTuple):
    """A block of code, and where it stands."""

    page: str
    note: str
    language: str
    code: str
    following: "str | None" = None
    """The code of a block of text behind it, with no heading in between."""


def blocks() -> Iterator[Block]:
    """Yield every block of the documentation."""
    files = {*site.sources().values(), *(file for file in site.FRONT if file.exists())}
    for file in sorted(files):
        text = file.read_text("utf-8")
        found = list(BLOCK.finditer(text))
        for place, match in enumerate(found):
            after = found[place + 1] if place + 1 < len(found) else None
            told = (
                after
                and after["language"] == "text"
                and "\n#" not in text[match.end() : after.start()]
            )
            yield Block(
                str(file.relative_to(site.ROOT)),
                match["note"] or "",
                match["language"],
                match["code"],
                after["code"] if after and told else None,
            )


def commands(block: Block) -> Iterator[list[str]]:
    """Yield the commands of a block of shell, word by word, without what is set before them."""
    for line in block.code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words:
            end = next((n for n, word in enumerate(words) if word in ("&&", "|")), len(words))
            command, words = words[:end], words[end + 1 :]
            while command and re.match(r"[A-Z_]+=", command[0]):
                command.pop(0)
            if command:
                yield [Path(command[0]).name or command[0], *command[1:]]


def options_are_known(words: list[str], command: click.Command, context: click.Context) -> None:
    """Parse the words of a command as click does, and those of its sub-command.

    Raises:
        click.UsageError: An option is none, or lacks its value.
    """
    _, rest, _ = command.make_parser(context).parse_args(words)
    if isinstance(command, click.Group) and rest:
        under = command.get_command(context, rest[0])
        if under is None:
            raise click.UsageError(f"no command {rest[0]!r}", context)
        options_are_known(rest[1:], under, click.Context(under, parent=context, info_name=rest[0]))


def wrong(words: list[str]) -> str | None:
    """Return what is wrong with a command, or None."""
    name, *rest = words
    if name == "multiwhats":
        try:
            options_are_known(rest, group, click.Context(group, info_name=name))
        except click.UsageError as error:
            return error.format_message()
    elif name == "uvicorn":
        module, _, attribute = next(word for word in rest if ":" in word).partition(":")
        source = (site.DOCS / "examples" / f"{module}.py").read_text("utf-8")
        if not re.search(rf"^(def {attribute}\(|{attribute} = )", source, re.MULTILINE):
            return f"{module} has no {attribute}"
    elif name == "python":
        missing = [
            word
            for word in rest
            if re.search(r"/|\.py$|\.md$", word)
            and not any((folder / word).exists() for folder in (site.ROOT, site.DOCS / "examples"))
        ]
        if missing or (rest[0] == "-m" and not is_module(rest[1])):
            return f"there is no {missing or rest[1]}"
    elif name not in NOT_OURS:
        return f"{name} is not known here"
    return None


def is_module(name: str) -> bool:
    """Tell whether a module can be run: one of the tests, or one that is installed."""
    path = site.ROOT / "tests" / Path(*name.split(".")).with_suffix(".py")
    return path.exists() or name == "pytest"


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("multiwhats bulk guests.csv --dry-run", None),
        ("multiwhats bulk guests.csv --dryrun", "No such option"),
        ("multiwhats sandbox --port 1 exec -- anything --at all", None),
        ("multiwhats campaign status guests.csv --watsh", "No such option"),
        ("multiwhats send --to", "requires an argument"),
        ("multiwhats gone", "no command 'gone'"),
        ("uvicorn hotel_menu:gone --app-dir docs/examples", "has no gone"),
        ("python tests/benchmarks/gone.py", "there is no"),
        ("python -m gone.gone", "there is no gone.gone"),
        ("rm guests.csv", "rm is not known here"),
    ],
)
def test_a_wrong_command_is_told(command: str, why: str | None) -> None:
    """An option that was renamed, a file that was moved."""
    said = wrong(shlex.split(command))
    assert (said is None) if why is None else (said is not None and why in said)


def test_every_command_of_a_page_can_be_given() -> None:
    """Each option of ours is one, each file and each application is there."""
    given = [
        (block.page, words)
        for block in blocks()
        if block.language == "sh" and not block.note.startswith("not run here: ")
        for words in commands(block)
    ]
    assert sum(1 for _, words in given if words[0] == "multiwhats") > 40
    assert [(page, words, said) for page, words in given if (said := wrong(words))] == []


def test_every_block_is_held_to_something() -> None:
    """By its language; what is not has its reason beside it."""
    held = {"python", "toml", "sh", "text", "pyi"}  # pyi: of pages that are made from the code
    told = [(block.page, block.language) for block in blocks() if block.language not in held]
    with_reason = [
        (block.page, block.language)
        for block in blocks()
        if block.note.startswith("not run here: ") and block.language not in held
    ]
    assert told == with_reason
    assert {block.page for block in blocks() if block.language == "pyi"} <= {
        f"docs/reference/api/{path.name}" for path in (site.DOCS / "reference" / "api").iterdir()
    }


def shown_runs() -> dict[str, Block]:
    """Return the blocks that run an example in a sandbox of its own, by what they run."""
    found = [block for block in blocks() if " exec -- python docs/examples/" in block.code]
    return {block.code.rpartition("/")[2].strip(): block for block in found}


@pytest.mark.parametrize("name", shown_runs())
def test_a_command_prints_what_its_page_says(name: str, tmp_path: Path) -> None:
    """Word for word, in a folder with nothing in it but the examples."""
    block = shown_runs()[name]
    assert block.following
    (tmp_path / "docs").symlink_to(site.DOCS)
    (words,) = commands(block)
    words[0:1] = [sys.executable, "-m", "multiwhats_async"]
    words[words.index("python")] = sys.executable
    done = subprocess.run(  # noqa: S603  # our own program and example
        words, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    lines = [*done.stdout.splitlines(), *done.stderr.splitlines()]
    assert [line for line in block.following.splitlines() if line not in lines] == []
