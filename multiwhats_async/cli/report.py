"""``multiwhats report``: what has become of a campaign, from its ledger."""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Final

import anyio
import click

from .._certainty import Certainty
from .._secret import mask_number
from ..errors import NOT_TRIED
from ..ledger import SQLiteLedger
from ..outcomes import Outcome, Summary
from ._exits import ALL_ACCEPTED
from ._ledger import existing_ledger
from ._report import UNKNOWN_NOTE, error_text
from ._results import STANDARD_OUTPUT, WriteResult, check_target, open_results
from ._screen import write_out

SHOWN: Final = 10
"""Messages of each certainty that are listed; ``--out`` has them all."""

CERTAINTIES: Final = (
    Certainty.ACCEPTED,
    Certainty.REJECTED,
    Certainty.NOT_SENT,
    Certainty.UNKNOWN,
)
LISTED: Final = (Certainty.UNKNOWN, Certainty.REJECTED, Certainty.NOT_SENT)
"""What a person asks for first."""


@click.command("report")
@click.argument("path", metavar="LEDGER")
@click.option("--campaign", metavar="NAME", help="Only this campaign.")
@click.option(
    "--certainty",
    "word",
    type=click.Choice([certainty.value for certainty in CERTAINTIES]),
    help="List or write only messages of which this is known.",
)
@click.option(
    "--out",
    metavar="FILE",
    help="Write the outcomes to a new file: .jsonl or .csv; - is JSONL on standard output.",
)
def command(path: str, campaign: str | None, word: str | None, out: str | None) -> int:
    """Show what has become of a campaign.

    LEDGER is the file in which it is on record, or the file of messages that it belongs to. What a
    process that died had under way is shown as unknown.
    """
    ledger = SQLiteLedger(existing_ledger(path))
    if out is not None:
        check_target(out)
    certainty = None if word is None else Certainty(word)
    anyio.run(_report, ledger, campaign, certainty, out)
    return ALL_ACCEPTED


async def _report(
    ledger: SQLiteLedger, campaign: str | None, certainty: Certainty | None, out: str | None
) -> None:
    async with ledger:
        names = await ledger.campaigns() if campaign is None else (campaign,)
        summaries = [await ledger.summary(name) for name in names]
        if out is not None and len(names) != 1:
            listed = ", ".join(names) or "none"
            raise click.UsageError(
                f"--out writes one campaign: add --campaign; there are: {listed}"
            )
        if out is not None:
            with open_results(out, place="row") as write:
                await _export(ledger.outcomes(names[0], certainty), write)
        if out == STANDARD_OUTPUT:
            return
        for summary in summaries:
            for line in _counts(summary, ledger.path):
                write_out(line)
            kinds = LISTED if certainty is None else (certainty,)
            for kind in kinds:
                await _list(ledger, summary, kind, is_whole=certainty is not None)
        if any(summary.unknown for summary in summaries):
            click.echo(UNKNOWN_NOTE, err=True)


async def _export(outcomes: AsyncIterator[Outcome], write: WriteResult) -> None:
    async for outcome in outcomes:
        write(outcome.index + 1, outcome)


def _counts(summary: Summary, path: Path | None) -> Iterator[str]:
    """Yield the counts of a campaign."""
    yield f"{summary.campaign}  ({path})"
    rows = {
        "accepted": summary.accepted,
        "rejected": summary.rejected,
        "unknown": summary.unknown,
        "not sent": summary.not_sent,
        "pending": summary.pending,
        "total": summary.total,
        "credits": summary.credits,
    }
    for label, count in rows.items():
        yield f"  {label:<9} {count:>11,}"


async def _list(
    ledger: SQLiteLedger, summary: Summary, certainty: Certainty, *, is_whole: bool
) -> None:
    """Print the first messages of a certainty, or all of them."""
    tried: int = getattr(summary, certainty.value)
    if not (tried or is_whole):
        return
    shown = 0
    async with aclosing(ledger.outcomes(summary.campaign, certainty)) as outcomes:
        async for outcome in outcomes:
            is_pending = outcome.error is not None and outcome.error.cause == NOT_TRIED
            if is_pending and not is_whole:
                continue  # there is nothing to be said of it
            if not shown:
                write_out(f"{certainty.value.replace('_', ' ').capitalize()}:")
            shown += 1
            write_out(f"  {_line(outcome)}")
            if shown == min(SHOWN, tried) and not is_whole:
                break
    if not is_whole and tried > shown:
        write_out(f"  … and {tried - shown:,} more: --certainty {certainty} lists them")


def _line(outcome: Outcome) -> str:
    """Return one message with what is known of it, its number masked."""
    said = outcome.note if outcome.error is None else error_text(outcome.error)
    where = f"row {outcome.index + 1}, {mask_number(outcome.message.to)}, key {outcome.key}"
    return f"{where}: {said}" if said else where
