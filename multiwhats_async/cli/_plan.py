"""What ``multiwhats bulk`` was asked for: where it stands, what it costs, and the run itself."""

import shlex
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO

import anyio
import attrs
import click

from .._secret import mask_number
from ..client import AsyncMultiWhats
from ..ledger._shared import CANCELLED
from ..outcomes import StopReason, Summary
from ._ledger import Record, lacks_password, same_command, told_counts
from ._options import Account
from ._preflight import COST_NOTE, preflight_lines
from ._reading import Checked, Rows
from ._report import report_lines
from ._results import STANDARD_OUTPUT, check_target, next_target, open_results
from ._screen import Screen, many, open_screen
from ._sending import Sent, send_all
from ._status import StatusScreen


@attrs.frozen(kw_only=True)
class Plan:
    """What was asked for.

    Attributes:
        account: Who sends.
        encoding: Of the input.
        columns: Its columns that were named by hand.
        out: Where the results go, or None.
        record: Where the campaign is on record, or None.
        through: What takes the messages to their recipients, as it is called.
        screen_kind: How the run is shown.
        limits: Further options of the run.
    """

    account: Account
    encoding: str
    columns: Mapping[str, str]
    out: str | None
    record: Record | None
    through: str
    screen_kind: str
    limits: dict[str, Any]

    def with_target(self, file: BinaryIO) -> "Plan":
        """Return the plan with a name for its results that is free."""
        if self.out is None:
            return self
        out = self.out
        if self.record is not None and self.record.is_begun:
            out = next_target(out)  # the run before has written there, with the same command
        check_target(out, file)
        if out != self.out:
            click.echo(f"{self.out} is there: the results of this run go to {out}", err=True)
        return attrs.evolve(self, out=out)

    def standing(self, file: BinaryIO, checked: Checked) -> Summary | None:
        """Return where the messages stand in their ledger, or None where they are new to it."""
        if self.record is None:
            return None
        return self.record.standing(iter(self.rows(file, checked)), self.account.sender)

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
        by = "" if account.sender is None else f" from {mask_number(account.sender)}"
        click.echo(
            f"{many(fresh, 'message')}{by} through {self.through}: "
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
            click.echo(f"On record in {self.record.place}", err=True)
        return self._report(anyio.run(self._send, client, self.rows(file, checked), screen), screen)

    def _report(self, sent: Sent, screen: Screen) -> int:
        """Print what a run came to; return the exit code."""
        if self.record is not None:
            _tell_ways_on(sent, self.record)
        screen.say(report_lines(sent))
        screen.tell("report", sent.report.to_dict() | {"exit_code": sent.exit_code})
        return sent.exit_code

    async def _send(self, client: AsyncMultiWhats, rows: Rows, screen: Screen) -> Sent:
        if self.record is not None and self.record.place.path is not None:
            screen = StatusScreen(screen, self.record.place.path, self.record.campaign)
        options = self.limits | ({} if self.record is None else self.record.options())
        with open_results(self.out) as write, screen:
            async with client:
                return await send_all(client, rows, screen=screen, on_outcome=write, **options)

    def rows(self, file: BinaryIO, checked: Checked) -> Rows:
        """Return the messages of the input that was checked."""
        return Rows(
            file,
            encoding=self.encoding,
            sender=self.account.sender,
            count=checked.good,
            columns=self.columns,
        )


def _tell_ways_on(sent: Sent, record: Record) -> None:
    """Note how to look at a run, and how to go on with what it has not sent."""
    place, report = record.place, sent.report
    sent.report_words = shlex.join(record.words_of_report())
    sent.is_shared = place.dsn is not None
    if report.stopped_by is StopReason.CAMPAIGN:
        if CANCELLED in str(report.stopped):
            return
        words = ["multiwhats", "campaign", "resume", record.campaign, *place.words()]
        sent.ways_on.append(shlex.join(words))
    arguments: list[str] = click.get_current_context().obj or []
    sent.ways_on.append(same_command(arguments))
    if lacks_password(arguments):
        sent.note = "(the password is left out: set PGPASSWORD, or MULTIWHATS_LEDGER to the whole)"
