"""What a report shows of a campaign, counted in its database: no list grows with the messages."""

import math
from bisect import bisect_right
from collections.abc import Iterable
from functools import partial
from itertools import pairwise
from typing import Any, Final

import attrs

from .._certainty import Certainty
from ..errors import SendError
from ..outcomes import Summary
from ._base import DatabaseLedger
from ._columns import CERTAINTIES, Row, read_error
from ._queries import find, summary_of
from ._statements import Session

RESOLVED: Final = "Resolved"
"""The ``cause`` of an error that a person has found."""

MOST_ATTEMPTS: Final = 6
"""Messages that took so many attempts or more are counted together."""

MOST_KINDS: Final = 40
"""Kinds of errors that are told apart; what is beyond counts as one more."""

MOST_SENDERS: Final = 5
MOST_LISTED: Final = 100
"""Unknown messages, and resolved ones, that are listed; the others are counted."""

MOST_STEPS: Final = 120
FEWEST_STEPS: Final = 12
MESSAGES_A_STEP: Final = 4
"""A course has as many steps as its messages can fill, between these bounds."""

WIDTHS: Final = (
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400),
)
"""Seconds of a step, such as people read them on a clock."""

SHARES: Final = (0.5, 0.9, 0.99, 1.0)
"""The percentiles that are told: half, nine of ten, 99 of 100, and all."""

FINE: Final = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
COARSE: Final = (1.0, 2.0, 5.0)
ROUGH: Final = (1.0,)
MOST_BINS: Final = 18
LEAST_SECONDS: Final = 0.001


@attrs.frozen(kw_only=True)
class Course:
    """How many outcomes came in over time.

    Attributes:
        start: When the first step begins, in seconds since 1970.
        width: Seconds of a step.
        steps: Of each step in which something came in: its number, counted from 0, how many
            messages were accepted, and how many were rejected or unknown.
    """

    start: float
    width: float
    steps: tuple[tuple[int, int, int], ...]

    @property
    def length(self) -> int:
        """How many steps there are, the empty ones among them."""
        return self.steps[-1][0] + 1

    @property
    def is_drawable(self) -> bool:
        """Whether there is more than one moment."""
        return len(self.steps) > 1


@attrs.frozen(kw_only=True)
class Latency:
    """How long accepted messages took, from the first attempt to the answer, pauses included.

    Attributes:
        percentiles: The seconds within which each of :data:`SHARES` was accepted.
        bins: Of each bin: its lower and its upper end in seconds, and the messages in it.
    """

    percentiles: tuple[float, ...]
    bins: tuple[tuple[float, float, int], ...]


@attrs.frozen(kw_only=True)
class ErrorKind:
    """Messages that failed in the same way.

    Attributes:
        certainty: What is known of them.
        error: The type of their error; "" where it stands for many kinds.
        status_code: The HTTP status that the server answered, or None.
        cause: The name of the lower layer's error, or None.
        count: How many they are.
        detail: What the first of them was told, or None.
    """

    certainty: Certainty
    error: str
    status_code: int | None
    cause: str | None
    count: int = 0
    detail: str | None = None


@attrs.frozen(kw_only=True)
class Listed:
    """One message of a list.

    Attributes:
        row: Its place in the input, counted from 1.
        recipient: Its whole number.
        certainty: What is known of it.
        said: Why, or what a person has noted; or None.
    """

    row: int
    recipient: str
    certainty: Certainty
    said: str | None


@attrs.frozen(kw_only=True)
class Figures:
    """A campaign in figures.

    Attributes:
        summary: How many messages are in which state.
        created_at: When it was made, in seconds since 1970.
        senders: The numbers that send, with how many messages; at most :data:`MOST_SENDERS`.
        begun_at: When the first attempt began of those that have an answer, or None.
        ended_at: When the last outcome came in, or None.
        course: Outcomes over time, or None where there is none.
        latency: How long accepted messages took, or None where there is none.
        attempts: How many messages took how many attempts.
        retries: Attempts beyond each message's first.
        doubtful: Accepted messages of which an earlier attempt may have gone out, too.
        errors: What was tried and not accepted, by kind, the most frequent first.
        unknown: The first unknown messages.
        resolved: The first messages that a person has resolved.
        resolved_count: How many those are in all.
    """

    summary: Summary
    created_at: float
    senders: tuple[tuple[str, int], ...]
    begun_at: float | None
    ended_at: float | None
    course: Course | None
    latency: Latency | None
    attempts: tuple[tuple[int, int], ...]
    retries: int
    doubtful: int
    errors: tuple[ErrorKind, ...]
    unknown: tuple[Listed, ...]
    resolved: tuple[Listed, ...]
    resolved_count: int


async def figures_of(ledger: DatabaseLedger, campaign: str) -> Figures:
    """Return the figures of a campaign.

    Raises:
        LedgerError: There is no such campaign, or the ledger cannot be read.
    """
    async with ledger._opened() as commits:  # noqa: SLF001  # one package
        return await commits.do(partial(_figures, campaign))


def _figures(campaign: str, db: Session) -> Figures:
    db.freeze()  # others may be sending it
    told = {"campaign": find(campaign, db)}
    times = _one(db, "figures_times", told)
    errors, unknown = _errors(db.stream("figures_errors", told))
    attempts = db.execute("figures_attempts", told | {"most": MOST_ATTEMPTS}).fetchall()
    listed = told | {"count": MOST_LISTED}
    resolved = db.execute("figures_resolved", listed).fetchall()
    senders = db.execute("figures_senders", told | {"count": MOST_SENDERS})
    return Figures(
        summary=summary_of(campaign, _one(db, "summary", told)),
        created_at=times["created_at"],
        senders=tuple((row["sender"], row["messages"]) for row in senders),
        begun_at=times["begun_at"],
        ended_at=times["ended_at"],
        course=_course(db, told, times),
        latency=_latency(db, told, times),
        attempts=tuple((row["attempts"], row["messages"]) for row in attempts),
        retries=sum(row["retries"] for row in attempts),
        doubtful=sum(row["doubtful"] for row in attempts),
        errors=errors,
        unknown=unknown,
        resolved=tuple(_listed(row, CERTAINTIES[row["state"]], row["note"]) for row in resolved),
        resolved_count=resolved[0]["messages"] if resolved else 0,
    )


def _one(db: Session, name: str, told: dict[str, Any]) -> Row:
    row: Row = db.execute(name, told).fetchone()
    return row


def _listed(row: Row, certainty: Certainty, said: str | None) -> Listed:
    return Listed(
        row=row["position"] + 1, recipient=row["recipient"], certainty=certainty, said=said
    )


# --- over time --------------------------------------------------------------------------------


def step_width(seconds: float, messages: int) -> float:
    """Return how long a step of a course is, in seconds.

    Args:
        seconds: How long it lasted.
        messages: How many outcomes came in.
    """
    steps = min(MOST_STEPS, max(FEWEST_STEPS, messages // MESSAGES_A_STEP))
    least = seconds / steps
    return next((width for width in WIDTHS if width >= least), math.ceil(least / 86400) * 86400)


def _course(db: Session, told: dict[str, Any], times: Row) -> Course | None:
    if not times["answered"]:
        return None
    begun = times["begun_at"]
    width = step_width(times["ended_at"] - begun, times["answered"])
    start = begun // width * width
    rows = db.execute("figures_course", told | {"start": start, "width": width})
    steps = tuple((row["step"], row["accepted"], row["others"]) for row in rows)
    return Course(start=start, width=width, steps=steps)


def _latency(db: Session, told: dict[str, Any], times: Row) -> Latency | None:
    count = times["accepted"]
    if not count:
        return None
    edges = bin_edges(times["quickest"], times["slowest"])
    ranks = [math.ceil(share * count) for share in SHARES]
    percentiles: list[float] = []
    bins = [0] * (len(edges) - 1)
    for rank, row in enumerate(db.stream("figures_latency", told), start=1):
        elapsed = row["elapsed"]
        bins[min(len(bins), max(1, bisect_right(edges, elapsed))) - 1] += 1
        percentiles += [elapsed] * ranks.count(rank)
    ends = pairwise(edges)
    return Latency(
        percentiles=tuple(percentiles),
        bins=tuple((low, high, held) for (low, high), held in zip(ends, bins, strict=True)),
    )


def bin_edges(quickest: float, slowest: float) -> list[float]:
    """Return the ends of the bins of a histogram: round numbers, each a little above the last."""
    low, high = max(quickest, LEAST_SECONDS), max(slowest, LEAST_SECONDS)
    found = (_edges(series, low, high) for series in (FINE, COARSE))
    return next((edges for edges in found if len(edges) <= MOST_BINS + 1), _edges(ROUGH, low, high))


def _edges(series: tuple[float, ...], low: float, high: float) -> list[float]:
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    ends = [float(f"{step:g}e{decade}") for decade in decades for step in series]
    first = bisect_right(ends, low) - 1
    last = bisect_right(ends, high)
    return ends[first : last + 1]


# --- errors -----------------------------------------------------------------------------------


def _errors(rows: Iterable[Row]) -> tuple[tuple[ErrorKind, ...], tuple[Listed, ...]]:
    """Count errors by kind, and list the first unknown messages."""
    kinds: dict[tuple[Any, ...], ErrorKind] = {}
    unknown: list[Listed] = []
    for row in rows:
        certainty = CERTAINTIES[row["state"]]
        error = read_error(row["error"], certainty)
        if certainty is Certainty.UNKNOWN and len(unknown) < MOST_LISTED:
            unknown.append(_listed(row, certainty, None if error is None else str(error)))
        if error is not None and error.cause != RESOLVED:
            _count(kinds, certainty, error)
    found = sorted(kinds.values(), key=lambda kind: -kind.count)
    return tuple(found), tuple(unknown)


def _count(kinds: dict[tuple[Any, ...], ErrorKind], certainty: Certainty, error: SendError) -> None:
    key: tuple[Any, ...] = (certainty, type(error).__name__, error.status_code, error.cause)
    kind = kinds.get(key)
    if kind is None and len(kinds) >= MOST_KINDS:
        key = (certainty,)
        kind = kinds.get(key) or ErrorKind(
            certainty=certainty, error="", status_code=None, cause=None
        )
    elif kind is None:
        kind = ErrorKind(
            certainty=certainty,
            error=key[1],
            status_code=error.status_code,
            cause=error.cause,
            detail=error.detail,
        )
    kinds[key] = attrs.evolve(kind, count=kind.count + 1)
