"""A message on its way: what is known of it at any moment, in this run and in earlier ones."""

from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from vendor import message

from multiwhats_async import Certainty, NotSentError, OutcomeUnknownError
from multiwhats_async._evidence import Answer, Evidence, Failure, Silence
from multiwhats_async._secret import mask_number
from multiwhats_async._wire import Verdict
from multiwhats_async._work import Work
from multiwhats_async.errors import NOT_TRIED
from multiwhats_async.models import MessageReceipt

DOUBT = Verdict(error=OutcomeUnknownError("no answer"))
REFUSED = Verdict(error=NotSentError("refused", cause="ConnectError"))
ACCEPTED = Verdict(receipt=MessageReceipt())


def work(**fields: Any) -> Work:
    """Return a message that was not tried yet."""
    return Work(
        message=message(), key="k", sender="s", body=b"secret", index=0, began=0.0, **fields
    )


def claim(**fields: Any) -> Any:
    """Return what a ledger knows of it."""
    return SimpleNamespace(**{"attempts": 0, "unknown_attempts": 0, "doubt": None} | fields)


def flight(*, is_written: bool, result: Any = None) -> Any:
    """Return an attempt under way."""
    evidence = Evidence()
    evidence.traced = True
    if is_written:
        evidence.begin_writing()
    return SimpleNamespace(evidence=evidence, result=result)


def test_before_any_attempt() -> None:
    """It was not sent, and says so with the number masked; there is nothing to doubt."""
    begun = work()
    error = begun.verdict.error
    assert isinstance(error, NotSentError)
    masked = mask_number(begun.message.to)
    assert str(error) == f"The message to {masked} was not sent: no attempt was made"
    assert (error.cause, error.recipient) == (NOT_TRIED, masked)
    assert (begun.all_attempts, begun.all_unknown_attempts, begun.doubt) == (0, 0, None)
    assert (begun.proposal, begun.hold, begun.throttled) == (0.0, 0.0, False)


def test_the_body_is_in_no_repr() -> None:
    """A log of it would show the text to be sent."""
    assert "secret" not in repr(work())


def test_two_of_the_same_fields_are_two() -> None:
    """Each borrows a place of its own."""
    first = work()
    assert first != attrs.evolve(first)
    assert len({first, attrs.evolve(first)}) == 2


@pytest.mark.parametrize("is_written", [True, False])
def test_an_attempt_that_is_torn(is_written: bool) -> None:
    """Its evidence decides, until it has a result."""
    begun = work()
    begun.in_flight(flight(is_written=is_written))
    error = begun.verdict.error
    expected = Certainty.UNKNOWN if is_written else Certainty.NOT_SENT
    assert error is not None
    assert (error.certainty, error.cause) == (expected, "Cancelled")
    assert (begun.flight, begun.unknown_attempts) == (None, int(is_written))
    assert (begun.doubt is not None) is is_written
    assert begun.verdict.error is error  # asked again, it is no second attempt
    assert begun.unknown_attempts == int(is_written)


def test_an_attempt_with_a_result() -> None:
    """What the exchange has left on the flight counts, though nobody has fetched it."""
    silence = Silence(failure=Failure(cause="ConnectError", text=""), certainty=Certainty.NOT_SENT)
    for result, certainty in (
        (silence, Certainty.NOT_SENT),
        (Answer(status=422), Certainty.REJECTED),
    ):
        begun = work()
        begun.in_flight(flight(is_written=True, result=result))
        assert begun.verdict.certainty is certainty
        assert begun.unknown_attempts == 0


def test_a_verdict_ends_the_flight() -> None:
    """From then on it is what is known; a doubt is kept beside later verdicts, and counted."""
    begun = work()
    for verdict, unknown in ((REFUSED, 0), (DOUBT, 1), (REFUSED, 1), (DOUBT, 2), (ACCEPTED, 2)):
        begun.in_flight(flight(is_written=True))
        begun.verdict = verdict
        assert (begun.flight, begun.unknown_attempts) == (None, unknown)
        assert begun.verdict is verdict
        assert begun.doubt is (DOUBT if unknown else None)


def test_what_earlier_runs_have_left() -> None:
    """Their attempts are added, and their doubt is this one's."""
    error = OutcomeUnknownError("killed")
    begun = work(claim=claim(attempts=3, unknown_attempts=2, doubt=error))
    assert begun.doubt is not None
    assert (begun.doubt.error, begun.verdict.certainty) == (error, Certainty.NOT_SENT)
    begun.attempts = 4
    begun.verdict = DOUBT
    assert (begun.all_attempts, begun.all_unknown_attempts) == (7, 3)
    assert work(claim=claim(attempts=1)).doubt is None


def test_giving_up() -> None:
    """Says why it was not sent; what an attempt came to is not overwritten."""
    begun = work()
    begun.give_up("no slot", cause="RateError")
    error = begun.verdict.error
    assert error is not None
    assert str(error).endswith("was not sent: no slot")
    assert (error.cause, error.certainty) == ("RateError", Certainty.NOT_SENT)
    begun.give_up("another reason")
    assert begun.verdict.error is error
    begun = work()
    begun.give_up("stopped")
    assert (begun.verdict.error and begun.verdict.error.cause) == NOT_TRIED
    begun = work()
    begun.verdict = REFUSED
    begun.give_up("stopped")
    assert begun.verdict is REFUSED
