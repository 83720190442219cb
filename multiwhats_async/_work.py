"""A message on its way, with what is known of it at any moment."""

import attrs

from ._certainty import Certainty
from ._evidence import Failure, Silence, weigh
from ._secret import mask_number
from ._wire import Verdict, read_result
from .abc import Claim, Flight
from .errors import NOT_TRIED, NotSentError
from .models import ButtonMessage


@attrs.define(kw_only=True, eq=False)
class Work:
    """A message on its way, with what is known of it at any moment."""

    message: ButtonMessage
    key: str
    sender: str
    body: bytes = attrs.field(repr=False)
    index: int
    began: float
    claim: Claim | None = None
    attempts: int = 0
    unknown_attempts: int = 0
    doubt: Verdict | None = None
    proposal: float = 0.0
    hold: float = 0.0
    throttled: bool = False
    flight: Flight | None = None
    _verdict: Verdict | None = None

    def __attrs_post_init__(self) -> None:
        """Begin with what earlier runs have left in doubt."""
        if self.claim is not None and self.claim.doubt is not None:
            self.doubt = Verdict(error=self.claim.doubt)

    @property
    def all_attempts(self) -> int:
        """How many attempts were begun, with those of earlier runs."""
        return self.attempts + (0 if self.claim is None else self.claim.attempts)

    @property
    def all_unknown_attempts(self) -> int:
        """How many of all attempts may have gone out."""
        return self.unknown_attempts + (0 if self.claim is None else self.claim.unknown_attempts)

    @property
    def verdict(self) -> Verdict:
        """What is known now: of the attempt under way, of the last one, or of none."""
        if self.flight is not None:
            self.verdict = _torn(self.flight, self.message)
        if self._verdict is not None:
            return self._verdict
        return _not_begun(self.message, "no attempt was made")

    @verdict.setter
    def verdict(self, verdict: Verdict) -> None:
        self.flight = None
        self._verdict = verdict
        if verdict.certainty is Certainty.UNKNOWN:
            self.unknown_attempts += 1
            self.doubt = verdict

    def in_flight(self, flight: Flight) -> None:
        """Note that an attempt is under way: until its verdict, its evidence decides."""
        self.flight = flight

    def give_up(self, why: str, *, cause: str = NOT_TRIED) -> None:
        """Note why no further attempt is made; what an earlier one came to stands."""
        if self._verdict is None:
            self._verdict = _not_begun(self.message, why, cause)


def _torn(flight: Flight, message: ButtonMessage) -> Verdict:
    """Return what is known of an attempt that was torn from outside."""
    result = flight.result
    if result is None:
        failure = Failure(cause="Cancelled", text="the attempt was ended before its answer came")
        result = Silence(failure=failure, certainty=weigh(flight.evidence, failure))
    return read_result(result, message)


def _not_begun(message: ButtonMessage, why: str, cause: str = NOT_TRIED) -> Verdict:
    """Return the verdict on a message that was never attempted."""
    recipient = mask_number(message.to)
    text = f"The message to {recipient} was not sent: {why}"
    return Verdict(error=NotSentError(text, recipient=recipient, cause=cause))
