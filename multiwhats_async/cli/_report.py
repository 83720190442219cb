"""What is said at the end of a run: counts that add up, and what was not accepted."""

from collections.abc import Iterator, Mapping
from typing import Final

from .._certainty import Certainty
from ..errors import SendError
from ..outcomes import Outcome
from ._screen import WORDS, Line
from ._sending import Sent

_BEFORE: Final = "known from before"

UNKNOWN_NOTE: Final = (
    "Unknown messages may or may not have gone out. They are not sent again by themselves: "
    "look into the account before you do."
)


def report_lines(sent: Sent) -> Iterator[Line]:
    """Yield the report of a run."""
    report = sent.report
    yield Line("")
    rows = [(word.replace("_", " "), getattr(report, word), style) for word, style in WORDS.items()]
    rows.append(("total", report.total, "bold"))
    rows.append(("credits", report.credits, ""))
    rows.append(("retries", report.retries, ""))
    for label, count, style in rows:
        yield Line(f"  {label:<9} {count:>11,}", style if count else "")
    yield Line(f"  {speed(sent)}")
    yield from _ending(sent)


def speed(sent: Sent) -> str:
    """Return how long a run took, and how fast it was."""
    report = sent.report
    return f"{report.messages_per_second:,.0f} messages a second, in {report.elapsed:.1f} s"


def _ending(sent: Sent) -> Iterator[Line]:
    """Yield what has to be said beyond the counts."""
    report = sent.report
    if sent.failures:
        yield Line("")
        yield Line("Not accepted:", "bold")
        for line, outcome in sent.failures:
            yield Line(f"  line {line}: {failure_text(outcome)}")
        more = sent.failed - len(sent.failures)
        if more:
            yield Line(f"  … and {more:,} more")
    if sent.earlier:
        why = "known from before, or in the hands of others" if sent.is_shared else _BEFORE
        yield Line(f"Skipped, as {why}: {_earlier(sent.earlier)}.", "cyan")
    if report.unknown or sent.earlier[Certainty.UNKNOWN]:
        yield Line(UNKNOWN_NOTE, "magenta")
        if sent.report_words is not None:
            yield Line(f"  multiwhats report {sent.report_words} --certainty unknown")
    left = sent.expected - report.total + report.not_sent
    if report.stopped is not None:
        yield Line(f"Stopped: {report.stopped}. Not sent: {left:,}.", "yellow")
    for problem in sent.problems:
        yield Line(problem, "red")
    if left and sent.ways_on:
        yield Line("To go on with what was not sent:", "bold")
        yield from (Line(f"  {text}") for text in (*sent.ways_on, sent.note) if text)


def _earlier(counts: Mapping[Certainty, int]) -> str:
    """Return what was known before, in the order of the certainties."""
    return ", ".join(
        f"{counts[certainty]:,} {certainty.value.replace('_', ' ')}"
        for certainty in Certainty
        if certainty in counts
    )


def failure_text(outcome: Outcome) -> str:
    """Return what became of a message that was not accepted, with its number masked."""
    error = outcome.error
    return f"{outcome.certainty.value.replace('_', ' ')}: {error and error_text(error)}"


def error_text(error: SendError) -> str:
    """Return what an error says in one line."""
    return " ".join(str(error).split())
