"""The reference of the command line, from what click knows of it.

PYTHONPATH=tests python -m pages.commands docs/reference/cli.md
"""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from multiwhats_async.cli import COMMANDS, group

COMMAND: Final = "PYTHONPATH=tests python -m pages.commands docs/reference/cli.md"

HEAD: Final = f"""# The command line

`multiwhats COMMAND --help` says the same. How the commands go together:
[from a spreadsheet to a thousand guests](../howto/bulk.md). What a file may look like:
[columns, names, workbooks](../howto/spreadsheets.md). What can be set once for all:
[the environment](environment.md).

This page is made from the program; to make it anew:

```sh
{COMMAND}
```
"""


def page() -> str:
    """Return the page as Markdown."""
    context = click.Context(group, info_name="multiwhats")
    parts = [HEAD.strip(), *_told(group, context)]
    for name in COMMANDS:
        command = group.get_command(context, name)
        assert command is not None
        parts += _command(command, context, name, level=2)
    return "\n\n".join(parts) + "\n"


def _command(
    command: click.Command, parent: click.Context, name: str, *, level: int
) -> Iterator[str]:
    context = click.Context(command, parent=parent, info_name=name)
    yield f"{'#' * level} {context.command_path}"
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```text\n{context.command_path} {usage}\n```"
    yield from _told(command, context)
    rows = [_row(option, context) for option in command.params if isinstance(option, click.Option)]
    if rows:
        yield "\n".join(["| option | meaning |", "| --- | --- |", *rows])
    if isinstance(command, click.Group):
        for under in command.list_commands(context):
            found = command.get_command(context, under)
            assert found is not None
            yield from _command(found, context, under, level=level + 1)


def _told(command: click.Command, context: click.Context) -> Iterator[str]:
    """Yield a command's help, paragraph by paragraph; what is not to be wrapped is fenced."""
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith("\b\n"):
            yield f"```text\n{paragraph[2:]}\n```"
        else:
            yield paragraph


def _row(option: click.Option, context: click.Context) -> str:
    """Return an option as a row of the table."""
    record = option.get_help_record(context)
    assert record is not None
    name, meaning = (" ".join(part.split()).replace("|", "\\|") for part in record)
    return f"| `{name}` | {meaning} |"


def main() -> None:
    """Write the page to the file that is named."""
    Path(sys.argv[1]).write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
