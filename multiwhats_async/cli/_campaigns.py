"""Where a campaign of many machines stands, in words."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from ..campaigns import CampaignState, CampaignStatus, RunStatus
from ._ledger import told_counts
from ._screen import duration, many

ROWS: Final = ("pending", "not_sent", "in_flight", "accepted", "rejected", "unknown")
"""The counts of a summary in the order in which a message goes through them."""


def is_finished(status: CampaignStatus) -> bool:
    """Tell whether nothing more happens to a campaign by itself."""
    summary = status.summary
    may_go_on = summary.to_send and status.state is not CampaignState.CANCELLED
    return not (may_go_on or summary.in_flight)


def state_text(status: CampaignStatus) -> str:
    """Return whether a campaign may be sent; where not, since when and why."""
    state = status.state
    if state is CampaignState.RUNNING:
        return "finished" if is_finished(status) else str(state)
    because = f": {' '.join(status.because.split())}" if status.because else ""
    since = datetime.fromtimestamp(status.since).astimezone()
    return f"{state} since {since:%d %B %Y, %H:%M:%S}{because}"


def line_of(status: CampaignStatus) -> str:
    """Return where a campaign stands as one line."""
    parts = [state_text(status), told_counts(status.summary) or "no messages"]
    if status.chunks:
        parts.append(f"{many(status.chunks, 'chunk')} left")
    if status.runs:
        parts.append(many(len(status.runs), "run"))
    return f"{status.summary.campaign}  {' · '.join(parts)}"


def lines_of(status: CampaignStatus) -> Iterator[str]:
    """Yield where a campaign stands, whole."""
    summary = status.summary
    yield f"{summary.campaign}  {state_text(status)}"
    for name in ROWS:
        yield _row(name.replace("_", " "), getattr(summary, name))
    yield _row("total", summary.total)
    yield _row("credits", summary.credits)
    yield _row("chunks left", status.chunks)
    yield from map(_run, status.runs)


def _row(label: str, count: float) -> str:
    return f"  {label:<11} {count:>11,}"


def _run(run: RunStatus) -> str:
    """Return what a run has in hand."""
    parts = [f"{run.claimed:,} waiting", f"{run.sending:,} on their way"]
    parts.append(f"heard of {duration(run.silent_for)} ago")
    return f"  {run.worker}: {' · '.join(parts)}"
