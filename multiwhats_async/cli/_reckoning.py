"""Two counts of one run, the client's and the sandbox's, and whether they agree."""

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Final

import attrs

from .._certainty import Certainty
from ..sandbox import SandboxStats
from ..sandbox.faults import DISCONNECT_AFTER, REFUSE
from ._report import speed
from ._screen import WORDS, Line
from ._sending import Sent

_DROPPED: Final = {REFUSE: "reset at accept", DISCONNECT_AFTER: "cut after accept"}


@attrs.frozen(kw_only=True)
class Reckoning:
    """What both sides counted.

    Attributes:
        sent: What the client says.
        stats: What the sandbox counted.
        at_sandbox: By what the client says of them, how many messages the sandbox did accept.
        refused: Attempts that provably did not reach it, and were safe to make again.
    """

    sent: Sent
    stats: SandboxStats
    at_sandbox: Mapping[Certainty, int]
    refused: int = 0

    @property
    def adds_up(self) -> bool:
        """Whether nothing is wrong."""
        return not any(True for _ in self.wrong())

    def wrong(self) -> Iterator[str]:
        """Yield what does not add up."""
        report, stats, there = self.sent.report, self.stats, self.at_sandbox
        if report.total != self.sent.expected:
            yield f"{self.sent.expected:,} messages were given, {report.total:,} have an outcome"
        if there[Certainty.ACCEPTED] != report.accepted:
            yield (
                f"of {report.accepted:,} accepted messages "
                f"the sandbox has {there[Certainty.ACCEPTED]:,}"
            )
        for certainty in (Certainty.REJECTED, Certainty.NOT_SENT):
            if there[certainty]:
                yield f"{there[certainty]:,} messages said to be {certainty} did go out"
        if report.accepted + there[Certainty.UNKNOWN] != stats.accepted:
            yield f"the sandbox accepted {stats.accepted:,} messages"
        if report.credits + there[Certainty.UNKNOWN] != stats.credits:
            yield f"the client counts {report.credits:,} credits, the sandbox {stats.credits:,}"
        if stats.sent_twice:
            yield f"{stats.sent_twice:,} messages were sent twice"


def reckoning_lines(reckoning: Reckoning) -> Iterator[Line]:
    """Yield the two counts side by side, and how they agree."""
    sent, stats = reckoning.sent, reckoning.stats
    report = sent.report
    ours = [(word.replace("_", " "), getattr(report, word)) for word in WORDS]
    ours += [
        ("total", report.total),
        ("credits", report.credits),
        ("attempts", sent.attempts),
        ("retries", report.retries),
        ("refused", reckoning.refused),
    ]
    theirs = [
        ("requests read", stats.requests),
        ("accepted", stats.accepted),
        ("credits", stats.credits),
        ("recipients", stats.recipients),
        ("sent twice", stats.sent_twice),
        *((f"answered {status}", count) for status, count in stats.by_status.items()),
        *((_DROPPED.get(kind, kind), count) for kind, count in stats.dropped.items()),
    ]
    yield Line("")
    yield Line(f"  {'The client says':<24}{'The sandbox counted'}", "bold")
    left = [f"{label:<9}{count:>8,}" for label, count in ours]
    right = [f"{label:<17}{count:>7,}" for label, count in theirs]
    for one, other in zip_longest(left, right, fillvalue=""):
        yield Line(f"  {one:<24}{other}".rstrip())
    yield Line("")
    yield Line(f"  {speed(sent)}")
    yield from _verdict(reckoning)


def _verdict(reckoning: Reckoning) -> Iterator[Line]:
    report, stats = reckoning.sent.report, reckoning.stats
    if report.stopped is not None:
        yield Line(f"  Stopped: {report.stopped}.", "yellow")
    wrong = list(reckoning.wrong())
    for text in wrong:
        yield Line(f"  Does not add up: {text}.", "bold red")
    if wrong:
        return
    out = reckoning.at_sandbox[Certainty.UNKNOWN]
    yield Line(
        f"  It adds up: {report.accepted:,} accepted + {out:,} unknown that did go out "
        f"= {stats.accepted:,} at the sandbox.",
        "bold green",
    )
    if out != report.unknown:
        yield Line(f"  The other {report.unknown - out:,} unknown did not go out.", "green")
    yield Line("  Nobody got a message twice.", "bold green")
