"""``multiwhats check``: look at a file of messages, and send nothing."""

from typing import Final

import click

from ._exits import ALL_ACCEPTED, NOTHING_SENT
from ._opening import encoding_option, name_of, opened
from ._options import NUMBER, columns_option
from ._preflight import COST_NOTE, expect_country, preflight_lines
from ._reading import Checked, check
from ._screen import many, write_out

UNNAMED: Final = "10000000000"
"""Stands for the sender where nobody has said which one: the file is what is looked at."""


@click.command("check")
@click.argument("path", metavar="FILE")
@click.option(
    "--from",
    "sender",
    type=NUMBER,
    envvar="MULTIWHATS_FROM",
    help="The number that will send. [env: MULTIWHATS_FROM]",
)
@encoding_option
@columns_option
@expect_country
def command(
    path: str,
    sender: str | None,
    encoding: str,
    columns: dict[str, str],
    expected: tuple[str, ...],
) -> int:
    """Look at a file of messages, and send nothing.

    FILE is what bulk takes; - is standard input. Says which rows need mending and how, which
    countries the numbers belong to, how the first messages will look, and what they cost. Needs
    no account.
    """
    with opened(path) as file:
        checked = check(
            file,
            encoding=encoding,
            sender=sender or UNNAMED,
            columns=columns,
            expected=expected,
        )
    write_out(f"{name_of(path)}: {_counts(checked)}")
    for problem in checked.problems:
        write_out(f"  {problem}")
    if checked.bad > len({problem.line for problem in checked.problems}):
        write_out("  …")
    if checked.unreadable is not None:
        write_out(f"  {checked.unreadable}")
    for line in preflight_lines(checked):
        write_out(line)
    if checked.good:
        write_out(f"Cost: about {many(checked.to_send, 'credit')} ({COST_NOTE})")
    is_whole = checked.good and not checked.bad and checked.unreadable is None
    return ALL_ACCEPTED if is_whole else NOTHING_SENT


def _counts(checked: Checked) -> str:
    """Return how many rows there are of each kind."""
    parts = [f"{checked.good:,} can be sent"]
    if checked.bad:
        parts.append(f"{checked.bad:,} need mending")
    if checked.repeated:
        parts.append(f"{checked.repeated:,} repeat another one and are skipped")
    return f"{many(checked.good + checked.bad, 'row')}: {', '.join(parts)}"
