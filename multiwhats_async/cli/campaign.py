"""``multiwhats campaign``: campaigns that many machines send, seen and steered from any of them."""

import json
import shlex
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

import anyio
import click
from anyio import sleep

from ..campaigns import CampaignStatus
from ..ledger import PostgresLedger
from ._campaigns import is_finished, line_of, lines_of
from ._exits import ALL_ACCEPTED, NOTHING_SENT
from ._place import Place, ledger_option, shared_ledger
from ._screen import can_ask, many, write_out

WATCH_SECONDS: Final = 2.0

COMMANDS: Final = ("status", "pause", "resume", "cancel")

name_argument: Final[Callable[[Any], Any]] = click.argument("name", metavar="NAME")
because_option: Final[Callable[[Any], Any]] = click.option(
    "--because", metavar="TEXT", help="Why; shown to everybody who asks."
)


@click.group("campaign", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """See, pause, resume or cancel a campaign of many machines.

    A campaign has the name of its file, unless --campaign gave it another. Its ledger stands in
    PostgreSQL: name it in MULTIWHATS_LEDGER, where no list of processes shows its password.
    """
    if context.invoked_subcommand is None:
        raise click.UsageError(
            f"no command: name one of {', '.join(COMMANDS)}, or see multiwhats campaign --help"
        )


@command.command("status")
@click.argument("name", metavar="[NAME]", required=False)
@ledger_option
@click.option("--json", "is_json", is_flag=True, help="One JSON object a campaign, each in a line.")
@click.option(
    "--watch",
    "is_watch",
    is_flag=True,
    help=f"Again every {WATCH_SECONDS:g} s, until it is finished, or until Ctrl-C.",
)
def status_command(
    name: str | None, ledger_name: str | None, *, is_json: bool, is_watch: bool
) -> int:
    """Show where a campaign stands, over all machines.

    Without NAME it shows every campaign of the ledger, each in a line.
    """
    _, ledger = shared_ledger(ledger_name)

    def show(found: Sequence[CampaignStatus]) -> bool:
        if is_json:
            lines = [json.dumps(status.to_dict(), ensure_ascii=False) for status in found]
        elif name is None:
            lines = [line_of(status) for status in found] or ["no campaign yet"]
        else:
            lines = [*lines_of(found[0])]
        if is_watch and not is_json and sys.stdout.isatty():
            click.clear()
        return write_out("\n".join(lines))

    try:
        anyio.run(_follow, ledger, name, show, is_watch)
    except KeyboardInterrupt:
        if not is_watch:
            raise
    return ALL_ACCEPTED


async def _follow(
    ledger: PostgresLedger,
    name: str | None,
    show: Callable[[Sequence[CampaignStatus]], bool],
    is_watch: bool,  # noqa: FBT001  # anyio.run() passes no names
) -> None:
    """Show where campaigns stand, once or as long as anything goes on."""
    async with ledger:
        while True:
            names = await ledger.campaigns() if name is None else (name,)
            found = [await ledger.status(each) for each in names]
            is_read = show(found)
            if not (is_watch and is_read) or all(map(is_finished, found)):
                return
            await sleep(WATCH_SECONDS)


@command.command("pause")
@name_argument
@ledger_option
@because_option
def pause_command(name: str, ledger_name: str | None, because: str | None) -> int:
    """Hold a campaign on all machines, until it is resumed.

    No message of it is begun meanwhile. What is under way is taken to its end.
    """
    place, ledger = shared_ledger(ledger_name)
    anyio.run(ledger.pause, name, because)
    _say(f"{name} is paused: nothing more of it is begun, on any machine. To go on:")
    _say(f"  {_resume(name, place)}")
    return ALL_ACCEPTED


@command.command("resume")
@name_argument
@ledger_option
def resume_command(name: str, ledger_name: str | None) -> int:
    """Let a paused campaign go on.

    Workers go on by themselves; a multiwhats bulk that was stopped is to be begun again.
    """
    _, ledger = shared_ledger(ledger_name)
    status = anyio.run(_after, ledger, name, ledger.resume(name))
    _say(f"{name} goes on: {line_of(status).removeprefix(name).strip()}")
    if status.summary.to_send and not status.chunks:
        _say("Nothing of it was handed to workers: begin its multiwhats bulk again.")
    return ALL_ACCEPTED


@command.command("cancel")
@name_argument
@ledger_option
@because_option
@click.option("--yes", "is_confirmed", is_flag=True, help="Do not ask.")
def cancel_command(
    name: str, ledger_name: str | None, because: str | None, *, is_confirmed: bool
) -> int:
    """Send nothing more of a campaign, for good.

    What is under way is taken to its end. What was not sent stays on record as not sent.
    """
    _, ledger = shared_ledger(ledger_name)
    if not is_confirmed and not can_ask():
        raise click.UsageError("there is no terminal to ask on: add --yes to cancel it")
    left = anyio.run(ledger.status, name).summary.to_send
    if not is_confirmed:
        _say(f"{many(left, 'message')} of {name} will never be sent.")
        if not click.confirm("Cancel it?", err=True):
            _say("Nothing was changed.")
            return NOTHING_SENT
    left = anyio.run(_after, ledger, name, ledger.cancel(name, because)).summary.to_send
    _say(f"{name} is cancelled: {many(left, 'message')} will never be sent")
    return ALL_ACCEPTED


async def _after(
    ledger: PostgresLedger, name: str, change: Coroutine[Any, Any, None]
) -> CampaignStatus:
    """Return where a campaign stands once it is changed."""
    await change
    return await ledger.status(name)


def _resume(name: str, place: Place) -> str:
    return shlex.join(["multiwhats", "campaign", "resume", name, *place.words()])


def _say(text: str) -> None:
    click.echo(text, err=True)
