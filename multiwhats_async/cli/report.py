"""``multiwhats report``: what has become of a campaign, from its ledger."""

import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import Final

import anyio
import click

from .._certainty import Certainty
from .._secret import mask_number
from ..errors import NOT_TRIED
from ..ledger import PostgresLedger, SQLiteLedger
from ..ledger._figures import Figures, figures_of
from ..outcomes import Outcome, Summary
from ._campaigns import state_text
from ._exits import ALL_ACCEPTED
from ._html import MARK, error_cells, page, running_page
from ._ledger import existing_place
from ._place import Place
from ._report import UNKNOWN_NOTE, error_text
from ._results import STANDARD_OUTPUT, WriteResult, check_target, open_results
from ._screen import duration, write_out
from ._status import Status, running

SHOWN: Final = 10
"""Messages of each certainty that are listed; ``--out`` has them all."""

CERTAINTIES: Final = (
    Certainty.ACCEPTED,
    Certainty.REJECTED,
    Certainty.NOT_SENT,
    Certainty.UNKNOWN,
)
WIDTH: Final = 48
"""Characters of the bar of states."""

BAR: Final = {
    "accepted": ("green", "█"),
    "rejected": ("red", "▓"),
    "unknown": ("magenta", "▒"),
    "not_sent": ("yellow", "░"),
    "pending": ("bright_black", "·"),
}
LISTED: Final = (Certainty.UNKNOWN, Certainty.REJECTED, Certainty.NOT_SENT)
"""What a person asks for first."""


@click.command("report")
@click.argument("name", metavar="[LEDGER]", required=False)
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
@click.option(
    "--html", metavar="FILE", help="Write one page with pictures, for a browser or for paper."
)
def command(
    name: str | None, campaign: str | None, word: str | None, out: str | None, html: str | None
) -> int:
    """Show what has become of a campaign.

    LEDGER is where it is on record: a file, the file of messages that it belongs to, or
    postgresql://user@host/database; leave it out where MULTIWHATS_LEDGER names it. What a process
    that died had under way is shown as unknown. Of a campaign that is still being sent it shows how
    far it is.
    """
    place = existing_place(name)
    ledger = place.ledger()
    if out is not None:
        check_target(out)
    if html is not None:
        _check_page(Path(html))
    status = None if place.path is None else running(place.path)
    if status is not None and campaign in {None, status.campaign}:
        if out is not None or word is not None:
            raise click.UsageError(
                f"process {status.pid} is sending this campaign: --out and --certainty read its "
                "ledger, when the run has ended"
            )
        _tell_running(status, place, None if html is None else Path(html))
        return ALL_ACCEPTED
    certainty = None if word is None else Certainty(word)
    anyio.run(_report, ledger, place, campaign, certainty, out, html)
    return ALL_ACCEPTED


async def _report(
    ledger: SQLiteLedger | PostgresLedger,
    place: Place,
    campaign: str | None,
    certainty: Certainty | None,
    out: str | None,
    html: str | None,
) -> None:
    async with ledger:
        names = await ledger.campaigns() if campaign is None else (campaign,)
        summaries = [await ledger.summary(name) for name in names]
        option = "--out" if out is not None else "--html"
        if (out is not None or html is not None) and len(names) != 1:
            listed = ", ".join(names) or "none"
            raise click.UsageError(
                f"{option} writes one campaign: add --campaign; there are: {listed}"
            )
        if html is not None:
            _write_page(Path(html), page(await figures_of(ledger, names[0]), _now()))
        if out is not None:
            with open_results(out, place="row") as write:
                await _export(ledger.outcomes(names[0], certainty), write)
        if out == STANDARD_OUTPUT:
            return
        for summary in summaries:
            await _tell(ledger, place, summary)
            kinds = LISTED if certainty is None else (certainty,)
            for kind in kinds:
                await _list(ledger, summary, kind, is_whole=certainty is not None)
        if any(summary.unknown for summary in summaries):
            click.echo(UNKNOWN_NOTE, err=True)


def _tell_running(status: Status, place: Place, html: Path | None) -> None:
    """Print, or draw, how far a run is that another process goes on with."""
    summary = status.summary()
    told = _how_far(status)
    if html is not None:
        at = datetime.fromtimestamp(status.at).astimezone()
        _write_page(html, running_page(summary, status.over_time(), told, at))
    for line in _counts(summary, place):
        write_out(line)
    write_out(f"  still being sent by process {status.pid}: {told}")


def _how_far(status: Status) -> str:
    """Return how far a run is, in words."""
    progress = status.progress
    parts = [f"{progress['in_flight']:,} in flight"]
    if progress["skipped"]:
        parts.append(f"{progress['skipped']:,} skipped, as known from before")
    if progress["eta"] is not None:
        parts.append(f"{duration(progress['eta'])} left")
    if progress["paused_because"] is not None:
        parts.append(f"paused: {progress['paused_because']}")
    return " · ".join(parts)


def _now() -> datetime:
    return datetime.now().astimezone()


def _check_page(path: Path) -> None:
    """Refuse to overwrite what is no page of ours.

    Raises:
        click.UsageError: It is something else.
    """
    if not path.exists():
        return
    if path.is_file():
        with path.open("rb") as file:
            if MARK.encode() in file.read(1000):
                return
    raise click.UsageError(f"--html {path} is there already, and no report: give another name")


def _write_page(path: Path, text: str) -> None:
    """Write a page.

    Raises:
        click.UsageError: It cannot be written.
    """
    try:
        path.write_text(text, "utf-8", newline="\n")
    except OSError as error:
        raise click.UsageError(f"cannot write --html {path}: {error.strerror}") from None
    click.echo(f"The page is in {path}", err=True)


async def _export(outcomes: AsyncIterator[Outcome], write: WriteResult) -> None:
    async for outcome in outcomes:
        write(outcome.index + 1, outcome)


def _counts(summary: Summary, place: Place) -> Iterator[str]:
    """Yield the counts of a campaign."""
    yield f"{summary.campaign}  ({place})"
    rows = {
        "accepted": summary.accepted,
        "rejected": summary.rejected,
        "unknown": summary.unknown,
        "not sent": summary.not_sent,
        "pending": summary.pending,
        "total": summary.total,
        "credits": summary.credits,
    }
    if summary.in_flight:
        rows = {"in flight": summary.in_flight} | rows
    for label, count in rows.items():
        yield f"  {label:<9} {count:>11,}"


async def _tell(ledger: SQLiteLedger | PostgresLedger, place: Place, summary: Summary) -> None:
    """Print a campaign in figures."""
    for line in _counts(summary, place):
        write_out(line)
    if isinstance(ledger, PostgresLedger):
        write_out(f"  {state_text(await ledger.status(summary.campaign))}")
    if sys.stdout.isatty():
        write_out(_bar(summary))
    for line in _course(await figures_of(ledger, summary.campaign)):
        write_out(line)


def _bar(summary: Summary) -> str:
    """Return the share of each state as a bar; with ``NO_COLOR`` the shades tell them apart."""
    is_plain = bool(os.environ.get("NO_COLOR"))
    parts: list[str] = []
    for state, (colour, shade) in BAR.items():
        count = getattr(summary, state)
        cells = max(1, round(WIDTH * count / summary.total)) if count else 0
        parts.append(shade * cells if is_plain else click.style("█" * cells, fg=colour))
    return f"  {''.join(parts)}"


def _course(figures: Figures) -> Iterator[str]:
    """Yield how long a campaign took, and what went wrong by kind."""
    begun, ended = figures.begun_at, figures.ended_at
    if begun is not None and ended is not None:
        yield f"  duration  {duration(ended - begun):>11}"
    if figures.errors:
        yield "By kind:"
    for kind in figures.errors:
        what, count, means, way_out, _ = error_cells(kind)
        yield f"  {count} {what}: {means} {way_out}"


async def _list(
    ledger: SQLiteLedger | PostgresLedger, summary: Summary, certainty: Certainty, *, is_whole: bool
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
