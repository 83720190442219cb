"""What is said at the end of a run: counts that add up, and what was not accepted."""

from collections.abc import Iterator

from ..errors import SendError
from ..outcomes import Outcome
from ._screen import WORDS, Line
from ._sending import Sent

UNKNOWN_NOTE = (
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
    rows.append(("retries", sent.retries, ""))
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
    if report.unknown:
        yield Line(UNKNOWN_NOTE, "magenta")
    if report.stopped is not None:
        left = sent.expected - report.total + report.not_sent
        yield Line(f"Stopped: {report.stopped}. Not sent: {left:,}.", "yellow")
    for problem in sent.problems:
        yield Line(problem, "red")


def failure_text(outcome: Outcome) -> str:
    """Return what became of a message that was not accepted, with its number masked."""
    error = outcome.error
    return f"{outcome.certainty.value.replace('_', ' ')}: {error and error_text(error)}"


def error_text(error: SendError) -> str:
    """Return what an error says in one line."""
    return " ".join(str(error).split())
