"""When a run stops by itself: one outcome after the other, and where each rule turns."""

from typing import Any

import pytest
from vendor import message

from multiwhats_async import (
    AuthenticationError,
    Certainty,
    InsufficientCreditError,
    InvalidRequestError,
    NotSentError,
    Outcome,
    OutcomeUnknownError,
    SendError,
)
from multiwhats_async._stopping import (
    FORBIDDEN_IN_A_ROW,
    SAME_REFUSAL_FROM_THE_START,
    Stop,
    StopRules,
)
from multiwhats_async.errors import NOT_TRIED
from multiwhats_async.outcomes import StopReason

OK = None
SILENT = OutcomeUnknownError("no answer", cause="ReadTimeout")
REFUSED = NotSentError("refused", cause="ConnectError")
NEVER = NotSentError("stopped", cause=NOT_TRIED)
BROKEN = OutcomeUnknownError("500", status_code=500)


def forbidden(status: int = 403) -> SendError:
    """Return what the server answers to a key without rights."""
    return AuthenticationError("no", status_code=status)


def bad(status: int = 422) -> SendError:
    """Return a refusal of one message."""
    return InvalidRequestError("no", status_code=status)


def outcome(error: SendError | None, **fields: Any) -> Outcome:
    """Return an outcome with an error, or an accepted one."""
    certainty = Certainty.ACCEPTED if error is None else error.certainty
    return Outcome(message=message(), key="k", **{"certainty": certainty, "error": error} | fields)


def judged(rules: StopRules, *errors: SendError | None) -> list[Stop | None]:
    """Return what the rules say after each of some outcomes."""
    return [rules.judge(outcome(error)) for error in errors]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (forbidden(401), StopReason.AUTHENTICATION),
        (InsufficientCreditError("no", status_code=402), StopReason.CREDIT),
        (NotSentError("no", cause="SSLCertVerificationError"), StopReason.CERTIFICATE),
        (forbidden(), None),
        (bad(), None),
        (REFUSED, None),
        (SILENT, None),
        (OK, None),
    ],
)
def test_one_outcome(error: SendError | None, reason: StopReason | None) -> None:
    """What concerns the account or the server stops at once; nothing else does."""
    (stop,) = judged(StopRules(), error)
    assert (stop and stop.reason) == reason


def test_the_last_word_of_the_server_counts() -> None:
    """Where an earlier doubt stands as the outcome, what came last says how the account is."""
    stop = StopRules().judge(outcome(SILENT, last_error=forbidden(401)))
    assert stop is not None
    assert stop.reason is StopReason.AUTHENTICATION


def test_403_in_a_row() -> None:
    """Three stop; anything between them begins the row anew."""
    assert FORBIDDEN_IN_A_ROW == 3
    row = [forbidden()] * 2
    assert judged(StopRules(), OK, *row, OK, *row, bad(), *row, SILENT, *row) == [None] * 12
    *before, stop = judged(StopRules(), OK, *row, forbidden())
    assert (before, stop and stop.reason) == ([None] * 3, StopReason.AUTHENTICATION)
    assert stop is not None
    assert stop.text == "the server answered 403 to 3 messages in a row"


def test_skipped_messages_say_nothing() -> None:
    """They break no row and count as no failure."""
    rules = StopRules(max_failures=5)
    skipped = outcome(None, certainty=Certainty.SKIPPED)
    found = [
        rules.judge(skipped if error is OK else outcome(error))
        for error in (forbidden(), OK, forbidden(), OK, forbidden())
    ]
    assert [stop and stop.reason for stop in found] == [None] * 4 + [StopReason.AUTHENTICATION]


def test_the_same_refusal_from_the_start() -> None:
    """Twenty of a kind stop the run; the text says of which."""
    assert SAME_REFUSAL_FROM_THE_START == 20
    *before, stop = judged(StopRules(), *[bad()] * 20)
    assert before == [None] * 19
    assert stop == Stop(
        StopReason.REFUSED, "the server answered 422 to each of the first 20 messages"
    )


@pytest.mark.parametrize("other", [OK, bad(400), SILENT], ids=["accepted", "400", "silent"])
@pytest.mark.parametrize("place", [0, 1, 19])
def test_another_answer_before_the_twentieth(other: SendError | None, place: int) -> None:
    """Then the refusals concern messages, however many follow."""
    errors = [bad()] * 60
    errors[place : place + 1] = [other]  # type: ignore[list-item]  # or None
    assert judged(StopRules(), *errors) == [None] * 60


def test_a_silent_start() -> None:
    """So many without any answer stop the run, and none of it counts once one has come."""
    *before, stop = judged(StopRules(silent_start=3), SILENT, REFUSED, SILENT)
    assert (before, stop and stop.reason) == ([None] * 2, StopReason.UNREACHABLE)
    for answered in (OK, bad(), BROKEN):
        errors = (SILENT, SILENT, answered, SILENT, SILENT, SILENT)
        assert judged(StopRules(silent_start=3), *errors) == [None] * 6


def test_a_message_never_tried_is_no_silence() -> None:
    """It says nothing of the server, neither good nor bad."""
    errors = (SILENT, NEVER, NEVER, SILENT, SILENT)
    found = judged(StopRules(silent_start=3), *errors)
    assert [stop is not None for stop in found] == [False] * 4 + [True]
    assert found[-1] is not None
    assert found[-1].text == "none of the first 3 messages got an answer from the server"


def test_silence_has_no_limit_by_itself() -> None:
    """Without one given, the breaker alone judges it."""
    assert judged(StopRules(), *[SILENT] * 50) == [None] * 50


def test_max_failures() -> None:
    """Whatever was not accepted counts, and is told with the limit."""
    *before, stop = judged(StopRules(max_failures=3), bad(), OK, SILENT, OK, REFUSED)
    assert before == [None] * 4
    assert stop == Stop(StopReason.MAX_FAILURES, "3 messages failed (max_failures=3)")


def test_the_most_telling_reason_comes_first() -> None:
    """A refused key says more than a count that was reached with it."""
    (stop,) = judged(StopRules(max_failures=1), forbidden(401))
    assert stop is not None
    assert stop.reason is StopReason.AUTHENTICATION
