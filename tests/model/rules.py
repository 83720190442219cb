"""What may be true of a message: a small model of a campaign, without a client, a clock or I/O."""

from collections.abc import Sequence
from typing import Final

import attrs
from runs import A, N, R, U

from multiwhats_async import Certainty, Summary

VERDICTS: Final = {
    "ok": A,
    "no": R,
    "later": R,
    "later, in 7 s": R,
    "later, in an hour": R,
    "refused": N,
    "lost": U,
    "hang": U,
    "500": U,
    "no record": U,
    "of a stranger": U,
    "no credit": R,
}
"""What is known of a message after an attempt that the server met in such a way."""

LATER: Final = frozenset(kind for kind in VERDICTS if kind.startswith("later"))
AGAIN: Final = LATER | {"refused"}
"""What proves that nothing was processed: the only reasons to send again."""

FINAL: Final = frozenset({A, R, U})
ATTEMPTS: Final = 4
THROTTLED_ATTEMPTS: Final = 5


@attrs.define
class Known:
    """What a campaign knows of one message.

    Attributes:
        certainty: What is known of it.
        attempts: How many attempts were begun.
        credits: What it cost, as far as the vendor has said.
        processed: How often the server has processed it, or may have.
        resends: How many runs were told to send it though it may have gone out, or was refused.
    """

    certainty: Certainty = N
    attempts: int = 0
    credits: int = 0
    processed: int = 0
    resends: int = 0


@attrs.frozen
class Choice:
    """Which messages a run was told to send beyond those that are not sent."""

    resend_unknown: bool = False
    only_failed: bool = False

    def takes(self, known: Known) -> bool:
        """Tell whether a run may send a message."""
        if known.certainty is U:
            return self.resend_unknown
        if known.certainty is R:
            return self.only_failed
        return known.certainty is N and (known.attempts > 0 or not self.only_failed)


def course(script: Sequence[str]) -> Sequence[str]:
    """Return how the server meets a message of a run that nothing stops; it is well at the end."""
    met: list[str] = []
    for kind in (*script, "ok"):
        met.append(kind)
        limit = THROTTLED_ATTEMPTS if kind in LATER else ATTEMPTS
        if kind not in AGAIN or len(met) >= limit:
            break
    return met


def allowed(before: Certainty, met: Sequence[str], *, torn: bool) -> frozenset[Certainty]:
    """Return what may be said of a message after a run.

    Args:
        before: What was known of it.
        met: How the server met its attempts in this run.
        torn: Whether the last of them may have been ended before its answer.
    """
    if not met:  # one that was refused before was not sent by this run
        return frozenset({before, N} if before is R else {before})
    verdicts = {VERDICTS[met[-1]]} | ({U} if torn else set())
    if before is U:  # no later attempt undoes that an earlier one may have gone out
        return frozenset(A if verdict is A else U for verdict in verdicts)
    return frozenset(verdicts)


def summary(name: str, campaign: dict[int, Known]) -> Summary:
    """Return what a ledger must count."""
    known = campaign.values()
    return Summary(
        campaign=name,
        pending=sum(each.certainty is N and not each.attempts for each in known),
        not_sent=sum(each.certainty is N and each.attempts > 0 for each in known),
        accepted=sum(each.certainty is A for each in known),
        rejected=sum(each.certainty is R for each in known),
        unknown=sum(each.certainty is U for each in known),
        credits=sum(each.credits for each in known),
    )
