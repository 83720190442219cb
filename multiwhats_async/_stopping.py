"""When a bulk run stops by itself: rules that look at one outcome after the other."""

from collections.abc import Iterator
from typing import Final

import attrs

from ._certainty import Certainty
from .errors import NOT_TRIED, InsufficientCreditError, RejectedError, SendError
from .outcomes import Outcome, StopReason

FORBIDDEN_IN_A_ROW: Final = 3
"""A single 403 may concern one recipient; three in a row concern the account."""

SAME_REFUSAL_FROM_THE_START: Final = 20
"""Where the first twenty messages all get the same 4xx, so will the rest."""

_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403


@attrs.frozen
class Stop:
    """Why a run stops: for a program, and for a person."""

    reason: StopReason
    text: str


class StopRules:
    """Looks at the outcomes of a run and says why it must stop.

    Args:
        max_failures: Stop after so many messages that were not accepted; None is no limit.
        silent_start: Stop when so many messages from the start got no answer at all; None is
            no limit. Later silence is the breaker's concern.
    """

    def __init__(self, *, max_failures: int | None = None, silent_start: int | None = None) -> None:
        self._max_failures = max_failures
        self._silent_start = silent_start
        self._silent = 0
        self._failures = 0
        self._forbidden = 0
        self._refusals = 0
        self._refused_with: int | None = None
        self._from_the_start = True

    def judge(self, outcome: Outcome) -> Stop | None:
        """Take one outcome; return why the run must stop, or None."""
        if outcome.certainty is Certainty.ACCEPTED:
            self._forbidden = 0
            self._from_the_start = False
            self._silent_start = None  # it answers
            return None
        error = outcome.last_error or outcome.error  # what the server says now
        if error is None:  # it was skipped
            return None
        status = error.status_code if isinstance(error, RejectedError) else None
        self._forbidden = self._forbidden + 1 if status == _FORBIDDEN else 0
        self._note_refusal(status)
        self._note_silence(error)
        self._failures += 1
        return next(self._reasons(error, status), None)

    def _reasons(self, error: SendError, status: int | None) -> Iterator[Stop]:
        """Yield every reason to stop, the most telling first."""
        if status == _UNAUTHORIZED:
            yield Stop(StopReason.AUTHENTICATION, "the server refused the API key (401)")
        if isinstance(error, InsufficientCreditError):
            yield Stop(StopReason.CREDIT, "the account has no credit left (402)")
        if error.cause == "SSLCertVerificationError":
            yield Stop(StopReason.CERTIFICATE, "the server's certificate was refused")
        if self._forbidden >= FORBIDDEN_IN_A_ROW:
            text = f"the server answered 403 to {FORBIDDEN_IN_A_ROW} messages in a row"
            yield Stop(StopReason.AUTHENTICATION, text)
        if self._silent_start is not None and self._silent >= self._silent_start:
            text = f"none of the first {self._silent} messages got an answer from the server"
            yield Stop(StopReason.UNREACHABLE, text)
        if self._from_the_start and self._refusals >= SAME_REFUSAL_FROM_THE_START:
            text = f"the server answered {status} to each of the first {self._refusals} messages"
            yield Stop(StopReason.REFUSED, text)
        if self._max_failures is not None and self._failures >= self._max_failures:
            text = f"{self._failures} messages failed (max_failures={self._max_failures})"
            yield Stop(StopReason.MAX_FAILURES, text)

    def _note_refusal(self, status: int | None) -> None:
        """Count the refusals of one kind that began with the run."""
        if status is None or self._refused_with not in (None, status):
            self._from_the_start = False
        self._refused_with = status
        self._refusals += 1

    def _note_silence(self, error: SendError) -> None:
        """Count the messages without any answer that began with the run."""
        if error.status_code is None:
            self._silent += error.cause != NOT_TRIED  # one never tried says nothing
        else:
            self._silent_start = None  # it answers
