"""The report of a campaign as one page that needs nothing but itself. Pure: figures in, text out.

Every text is escaped, every number is masked, and the page's own policy lets nothing load or run.
"""

from collections.abc import Iterable
from datetime import datetime, tzinfo
from html import escape
from importlib.resources import files
from typing import Final

from .._certainty import Certainty
from .._secret import mask_number, masked
from ..ledger._figures import MOST_ATTEMPTS, Course, ErrorKind, Figures, Latency, Listed
from ..outcomes import Summary
from ._screen import duration, many

MARK: Final = '<meta name="generator" content="multiwhats report">'
"""How a page of ours is known: it alone is overwritten."""

STATES: Final = ("accepted", "rejected", "unknown", "not_sent", "pending")

_MEANINGS: Final = {
    "AuthenticationError": ("The server refused the key.", "Check the API key and its rights."),
    "InsufficientCreditError": ("The account had no credit left.", "Buy credit, then run again."),
    "InvalidRequestError": (
        "The server refused the message itself.",
        "Mend the rows, then run with --only-failed.",
    ),
    "RateLimitedError": (
        "The server asked for fewer messages at once.",
        "Run with --only-failed and a lower --rate.",
    ),
    "NotSentError": ("It did not reach the server.", "Run the same command again."),
    "OutcomeUnknownError": (
        "It may or may not have gone out.",
        "Look into the account before anything is sent again.",
    ),
}
_OTHER: Final = ("The server answered no.", "Ask the vendor, with what was said.")


def page(figures: Figures, at: datetime) -> str:
    """Return the page.

    Args:
        figures: The campaign.
        at: When the report is made; its time zone is that of the page.
    """
    name = _text(figures.summary.campaign)
    return _document(
        name,
        _head(figures, name, at),
        _numbers(figures.summary),
        _section("Over time", _course(figures.course, at.tzinfo)),
        _section("How long a message took", _latency(figures.latency)),
        _section("What was not accepted", _errors(figures.errors)),
        _section("Unknown: look them up", _unknown(figures)),
        _resolved(figures),
        _section("Attempts", _attempts(figures)),
    )


def running_page(summary: Summary, course: Course | None, told: str, at: datetime) -> str:
    """Return the page of a campaign that is still being sent.

    Args:
        summary: Its counts so far.
        course: Its outcomes over time, or None.
        told: How far it is, in words.
        at: When it was so; its time zone is that of the page.
    """
    name = _text(summary.campaign)
    return _document(
        name,
        f"<header><h1>{name}</h1>\n<p>Still being sent: {_text(told)}</p>\n{_as_of(at)}</header>",
        _numbers(summary),
        _section("Over time", _course(course, at.tzinfo)),
        _section(
            "Everything else",
            "<p>How long messages took, what was not accepted and why, stands in the ledger, which "
            "the run is writing. Make this page again when it has ended.</p>",
        ),
    )


def _document(name: str, *parts: str) -> str:
    style = files("multiwhats_async.cli").joinpath("report.css").read_text("utf-8")
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return "\n".join(
        (
            f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{MARK}',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{name}: report</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>",
            *parts,
            "</main>\n</body>\n</html>\n",
        )
    )


def _as_of(at: datetime) -> str:
    return f'<p class="soft">As of {at:%d %B %Y, %H:%M:%S} ({at:%Z})</p>'


def _text(value: object) -> str:
    """Return a text that is safe within the page, its numbers masked."""
    return escape(masked(str(value)))


def _section(title: str, body: str) -> str:
    return f"<section><h2>{title}</h2>\n{body}\n</section>"


def _time(seconds: float, zone: tzinfo | None) -> str:
    return f"{datetime.fromtimestamp(seconds, zone):%d %B %Y, %H:%M:%S}"


def _head(figures: Figures, name: str, at: datetime) -> str:
    begun, ended = figures.begun_at, figures.ended_at
    if begun is None or ended is None:
        when = f"On record since {_time(figures.created_at, at.tzinfo)}; no outcome yet"
    else:
        when = f"{_time(begun, at.tzinfo)}, for {duration(ended - begun)}"
    senders = ", ".join(mask_number(sender) for sender, _ in figures.senders) or "nobody yet"
    return (
        f"<header><h1>{name}</h1>\n<p>{when} · sent by {escape(senders)}</p>\n{_as_of(at)}</header>"
    )


def _numbers(summary: Summary) -> str:
    total = summary.total
    cards = [f"<div><b>{total:,}</b>total</div>"]
    parts: list[str] = []
    for state in STATES:
        count = getattr(summary, state)
        share = f"<small>{count / total:.1%}</small>" if total else ""
        label = state.replace("_", " ")
        cards.append(f'<div class="{state}"><b>{count:,}</b>{label}{share}</div>')
        if count:
            parts.append(f'<i class="{state}" style="flex-grow:{count}" title="{label}"></i>')
    cards.append(f"<div><b>{summary.credits:,}</b>credits</div>")
    return (
        f'<div class="cards">{"".join(cards)}</div>\n'
        f'<div class="bar" role="img" aria-label="Share of each state">{"".join(parts)}</div>'
    )


def _course(course: Course | None, zone: tzinfo | None) -> str:
    if course is None or not course.is_drawable:
        return "<p>Too little came in to draw its course: the outcomes have at most one moment.</p>"
    most = max(accepted + others for _, accepted, others in course.steps)
    bars = "".join(_step(step, most) for step in course.steps)
    form = "%d %b %H:%M" if course.width * course.length > 86400 else "%H:%M:%S"  # noqa: PLR2004  # a day
    ticks = "".join(
        f"<span>{datetime.fromtimestamp(second, zone):{form}}</span>" for second in _ticks(course)
    )
    return (
        f"<p>At most {most / course.width:,.1f} outcomes a second, counted in steps of "
        f"{course.width:g} s. Green: accepted; red: rejected or unknown.</p>\n"
        f'<svg viewBox="0 0 {course.length} 100" preserveAspectRatio="none" role="img" '
        f'aria-label="Outcomes over time">{bars}</svg>\n<div class="ticks">{ticks}</div>'
    )


def _step(step: tuple[int, int, int], most: int) -> str:
    place, accepted, others = step
    low, high = 100 * accepted / most, 100 * others / most
    return (
        f'<rect class="accepted" x="{place}" y="{100 - low:.2f}" width="1" height="{low:.2f}"/>'
        f'<rect class="rejected" x="{place}" y="{100 - low - high:.2f}" width="1" '
        f'height="{high:.2f}"/>'
    )


def _ticks(course: Course) -> Iterable[float]:
    """Yield five moments at equal distances, the first and the last at the ends."""
    return (course.start + course.width * course.length * part / 4 for part in range(5))


def _latency(latency: Latency | None) -> str:
    if latency is None:
        return "<p>No message has an answer that was accepted: there is nothing to measure.</p>"
    labels = ("half", "90 %", "99 %", "all")
    told = " · ".join(
        f"{label} within <b>{_seconds(value)}</b>"
        for label, value in zip(labels, latency.percentiles, strict=True)
    )
    most = max(count for _, _, count in latency.bins)
    bars = "".join(
        f'<rect class="accepted" x="{place + 0.05:.2f}" y="{100 - 100 * count / most:.2f}" '
        f'width="0.9" height="{100 * count / most:.2f}"/>'
        for place, (_, _, count) in enumerate(latency.bins)
    )
    marks = [latency.bins[0][0], *(high for _, high, _ in latency.bins)]
    labels_below = "".join(_mark(place, end, len(marks) - 1) for place, end in enumerate(marks))
    return (
        f"<p>{told}, from the first attempt to the answer, pauses included.</p>\n"
        f'<svg viewBox="0 0 {len(latency.bins)} 100" preserveAspectRatio="none" role="img" '
        f'aria-label="How long messages took">{bars}</svg>\n<div class="marks">{labels_below}</div>'
    )


def _mark(place: int, end: float, last: int) -> str:
    """Return the label below the end of a bin; of many the first, every third and the last."""
    is_shown = place in {0, last} or (place % 3 == 0 and place < last - 1)
    return f'<span style="left:{100 * place / last:.2f}%">{end:g} s</span>' if is_shown else ""


def _seconds(value: float) -> str:
    return f"{value:.3f} s" if value < 1 else f"{value:,.1f} s"


def _table(heads: tuple[str, ...], rows: Iterable[Iterable[object]], kind: str = "") -> str:
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "".join(f"<tr>{_cells(heads, row)}</tr>\n" for row in rows)
    return (
        f'<div class="wide {kind}"><table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody>'
        "</table></div>"
    )


def _cells(heads: tuple[str, ...], row: Iterable[object]) -> str:
    """Return the cells of a row; each has its heading with it, for a narrow screen."""
    cells = zip(heads, row, strict=True)
    return "".join(f'<td data-head="{head}">{_text(cell)}</td>' for head, cell in cells)


def _errors(errors: tuple[ErrorKind, ...]) -> str:
    if not errors:
        return "<p>Nothing that was tried has failed.</p>"
    heads = ("What", "How many", "What it means", "What to do", "What was said first")
    return _table(heads, map(error_cells, errors))


def error_cells(kind: ErrorKind) -> tuple[str, str, str, str, str]:
    """Return what a kind of errors is, how many, what it means, what to do, what was said."""
    told = [kind.certainty.value.replace("_", " ")]
    told += [str(part) for part in (kind.status_code, kind.cause) if part is not None]
    means, way_out = _MEANINGS.get(kind.error, _OTHER)
    return " · ".join(told), f"{kind.count:,}", means, way_out, kind.detail or "-"


def _unknown(figures: Figures) -> str:
    count = figures.summary.unknown
    if not count:
        return "<p>Of every message that was tried it is known what became of it.</p>"
    return (
        "<p>These may or may not have gone out, and are not sent again by themselves. Look each up "
        "in the account, then record it with multiwhats resolve; multiwhats report --certainty "
        "unknown lists the keys.</p>\n" + _list(figures.unknown, count)
    )


def _resolved(figures: Figures) -> str:
    count = figures.resolved_count
    return _section("Found out by hand", _list(figures.resolved, count)) if count else ""


def _list(listed: tuple[Listed, ...], count: int) -> str:
    rows = (
        (f"{each.row:,}", mask_number(each.recipient), _known(each.certainty), each.said or "-")
        for each in listed
    )
    more = count - len(listed)
    return _table(("Row", "Number", "State", "Why"), rows, "list") + (
        f"<p>… and {more:,} more.</p>" if more else ""
    )


def _known(certainty: Certainty) -> str:
    return certainty.value.replace("_", " ")


def _attempts(figures: Figures) -> str:
    rows = (
        (f"{number}{' or more' if number == MOST_ATTEMPTS else ''}", f"{count:,}")
        for number, count in figures.attempts
    )
    twice = f" {many(figures.doubtful, 'message')} may have arrived twice." * bool(figures.doubtful)
    return f"<p>Attempts beyond the first: {figures.retries:,}.{twice}</p>\n" + _table(
        ("Attempts", "Messages"), rows
    )
