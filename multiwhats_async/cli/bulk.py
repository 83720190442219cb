"""``multiwhats bulk``: a file of messages, checked as a whole and then sent."""

import os
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO, Final
from urllib.parse import urlsplit

import anyio
import attrs
import click

from .._secret import mask_number
from .._settings import BASE_URL
from ..client import AsyncMultiWhats
from ..outcomes import Summary
from ._exits import ALL_ACCEPTED, NOTHING_SENT, SOME_FAILED
from ._failure import NothingSentError
from ._ledger import Record, record_of, same_command, told_counts
from ._opening import encoding_option, name_of, opened
from ._options import Account, account_of, account_options, columns_option
from ._preflight import COST_NOTE, expect_country, preflight_lines
from ._reading import Checked, Rows, check
from ._report import report_lines
from ._results import STANDARD_OUTPUT, check_target, next_target, open_results
from ._screen import AUTO, KINDS, Screen, many, open_screen
from ._sending import Sent, send_all
from ._status import StatusScreen

_NO_RECORD: Final = (
    "No record is kept of what is no file: "
    "to go on after a stop, give --ledger FILE and --campaign NAME"
)


@click.command("bulk")
@click.argument("path", metavar="FILE")
@account_options
@click.option(
    "--max-concurrency", type=click.IntRange(min=1), metavar="N", help="The most messages at once."
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Messages a second for each sender.",
)
@click.option(
    "--max-failures",
    type=click.IntRange(min=1),
    metavar="N",
    help="Stop after so many messages that were not accepted.",
)
@click.option(
    "--max-credits",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Stop before the cost can come above this.",
)
@click.option(
    "--out",
    metavar="FILE",
    help="Write every outcome to a new file: .jsonl or .csv; - is JSONL on standard output.",
)
@click.option(
    "--ledger",
    "ledger_path",
    metavar="FILE",
    help="Where the campaign is on record. [default: FILE.ledger, beside the input]",
)
@click.option("--no-ledger", is_flag=True, help="Keep no record: what is stopped cannot go on.")
@click.option(
    "--campaign", metavar="NAME", help="Its name in the ledger. [default: the input's name]"
)
@click.option(
    "--resend-unknown",
    is_flag=True,
    help="Send those again that may have gone out. They may arrive twice.",
)
@click.option(
    "--only-failed", is_flag=True, help="Send only what was refused, or tried and not sent."
)
@encoding_option
@expect_country
@click.option(
    "--progress",
    "screen_kind",
    type=click.Choice(KINDS),
    default=AUTO,
    show_default=True,
    help="How the run is shown, on standard error.",
)
@columns_option
@click.option("--yes", "is_confirmed", is_flag=True, help="Do not ask.")
@click.option("--dry-run", "is_dry", is_flag=True, help="Check the file, and send nothing.")
def command(  # noqa: PLR0913  # one argument an option
    path: str,
    out: str | None,
    encoding: str,
    columns: dict[str, str],
    expected: tuple[str, ...],
    ledger_path: str | None,
    campaign: str | None,
    *,
    no_ledger: bool,
    resend_unknown: bool,
    only_failed: bool,
    is_confirmed: bool,
    is_dry: bool,
    max_concurrency: int | None,
    rate: float | None,
    max_failures: int | None,
    max_credits: float | None,
    screen_kind: str,
    **account: str,
) -> int:
    """Send a file of messages.

    FILE is CSV, JSONL or XLSX; - is standard input. Its columns are to, message and buttons
    (separated by | or a JSON list) or button1, button2, button3; from and key may be added. Every
    other column is a variable: {name} or {name|fallback} in the message or a button takes its
    value. Every row is checked before the first credit is spent.

    Every message is on record in FILE.ledger before it is sent, and so is its outcome: after a
    stop, a crash or a power cut the same command goes on with what is still to be sent. What may
    have gone out is not sent again by itself.

    Ctrl-C takes what is under way to its end and stops; a second one gives it up.
    """
    record = record_of(
        path,
        ledger_path,
        campaign,
        no_ledger=no_ledger,
        resend_unknown=resend_unknown,
        only_failed=only_failed,
    )
    plan = _Plan(
        account=account_of(**account),
        encoding=encoding,
        columns=columns,
        out=out,
        record=record,
        screen_kind=screen_kind,
        limits={
            "max_concurrency": max_concurrency,
            "rate": rate,
            "max_failures": max_failures,
            "max_credits": max_credits,
        },
    )
    client = None if is_dry else plan.account.client()
    if client is not None and not is_confirmed and not _can_ask():
        raise click.UsageError("there is no terminal to ask on: add --yes to send, or --dry-run")
    with opened(path) as file:
        plan = plan.with_target(file)
        stamp = _stamp(file)
        checked = check(
            file,
            encoding=encoding,
            sender=plan.account.sender,
            columns=columns,
            expected=expected,
        )
        if checked.lacks_sender:
            raise click.UsageError(
                "no number to send from: give --from, set MULTIWHATS_FROM, or add a column from"
            )
        _refuse_bad(checked, path)
        standing = plan.standing(file, checked)
        fresh = plan.announce(checked, standing)
        if record is None and not no_ledger:
            click.echo(_NO_RECORD, err=True)
        if standing is not None and not fresh:
            return _tell_nothing_is_left(standing, only_failed=only_failed)
        if client is None:
            return ALL_ACCEPTED
        if not is_confirmed and not click.confirm("Send them?", err=True):
            click.echo("Nothing was sent.", err=True)
            return NOTHING_SENT
        if _stamp(file) != stamp:
            raise NothingSentError(f"nothing was sent: {path} was changed after its check")
        return plan.carry_out(client, file, checked)


@attrs.frozen(kw_only=True)
class _Plan:
    """What was asked for."""

    account: Account
    encoding: str
    columns: Mapping[str, str]
    out: str | None
    record: Record | None
    screen_kind: str
    limits: dict[str, Any]

    def with_target(self, file: BinaryIO) -> "_Plan":
        """Return the plan with a name for its results that is free."""
        if self.out is None:
            return self
        out = self.out
        if self.record is not None and os.path.lexists(self.record.path):
            out = next_target(out)  # the run before has written there, with the same command
        check_target(out, file)
        if out != self.out:
            click.echo(f"{self.out} is there: the results of this run go to {out}", err=True)
        return attrs.evolve(self, out=out)

    def standing(self, file: BinaryIO, checked: Checked) -> Summary | None:
        """Return where the messages stand in their ledger, or None where they are new to it."""
        if self.record is None:
            return None
        return self.record.standing(iter(self._rows(file, checked)), self.account.sender)

    def announce(self, checked: Checked, standing: Summary | None) -> int:
        """Say what is about to be sent, and what it costs; return how many messages that is."""
        account, record = self.account, self.record
        fresh = checked.to_send
        if record is not None and standing is not None:
            fresh = record.to_send(standing)
            if standing.total > standing.pending:
                told = told_counts(standing)
                click.echo(f"The campaign {record.campaign} goes on: {told}", err=True)
            if not fresh:
                return 0
        url = account.base_url or os.environ.get("MULTIWHATS_BASE_URL") or BASE_URL
        by = "" if account.sender is None else f" from {mask_number(account.sender)}"
        click.echo(
            f"{many(fresh, 'message')}{by} through {urlsplit(url).netloc}: "
            f"about {many(fresh, 'credit')} ({COST_NOTE})",
            err=True,
        )
        for line in preflight_lines(checked):
            click.echo(line, err=True)
        if checked.repeated:
            skipped = f"{checked.repeated:,}"
            click.echo(f"Skipped, because they repeat another row: {skipped}", err=True)
        return fresh

    def carry_out(self, client: AsyncMultiWhats, file: BinaryIO, checked: Checked) -> int:
        """Send what was checked; return the exit code."""
        # Results on a terminal would be drawn over.
        is_shared = self.out == STANDARD_OUTPUT and sys.stdout.isatty()
        screen = open_screen(title="Sending", plain=is_shared, kind=self.screen_kind)
        if self.record is not None:
            click.echo(f"On record in {self.record.path}", err=True)
        return self._report(
            anyio.run(self._send, client, self._rows(file, checked), screen), screen
        )

    def _report(self, sent: Sent, screen: Screen) -> int:
        """Print what a run came to; return the exit code."""
        if self.record is not None:
            sent.ledger = str(self.record.path)
            sent.same_command = same_command(click.get_current_context().obj or ())
        screen.say(report_lines(sent))
        screen.tell("report", sent.report.to_dict() | {"exit_code": sent.exit_code})
        return sent.exit_code

    async def _send(self, client: AsyncMultiWhats, rows: Rows, screen: Screen) -> Sent:
        if self.record is not None:
            screen = StatusScreen(screen, self.record.path, self.record.campaign)
        options = self.limits | ({} if self.record is None else self.record.options())
        with open_results(self.out) as write, screen:
            async with client:
                return await send_all(client, rows, screen=screen, on_outcome=write, **options)

    def _rows(self, file: BinaryIO, checked: Checked) -> Rows:
        return Rows(
            file,
            encoding=self.encoding,
            sender=self.account.sender,
            count=checked.good,
            columns=self.columns,
        )


def _tell_nothing_is_left(standing: Summary, *, only_failed: bool) -> int:
    """Say that there is nothing to send, and how to send it anew; return the exit code."""
    if only_failed:
        text = "no message was refused, or tried and not sent"
    else:
        text = (
            "every message has its outcome. "
            "To send all of them anew, name a new campaign: --campaign NAME"
        )
    click.echo(f"Nothing was sent: {text}", err=True)
    return ALL_ACCEPTED if standing.accepted == standing.total else SOME_FAILED


def _stamp(file: BinaryIO) -> tuple[int, int]:
    """Return what changes when somebody saves the file while the question is on the screen."""
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns


def _can_ask() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _refuse_bad(checked: Checked, path: str) -> None:
    """List what is wrong with the input, if anything is.

    Raises:
        NothingSentError: Something is.
    """
    name = name_of(path)
    for problem in checked.problems:
        click.echo(f"  {problem}", err=True)
    if checked.bad > len({problem.line for problem in checked.problems}):
        click.echo("  …", err=True)
    if checked.unreadable is not None:
        raise NothingSentError(f"nothing was sent: {name}: {checked.unreadable}")
    if checked.bad:
        total = checked.good + checked.bad
        raise NothingSentError(
            f"nothing was sent: {checked.bad:,} of {total:,} rows of {name} need mending"
        )
    if not checked.good:
        raise NothingSentError(f"nothing was sent: {name} has a header and no rows")
