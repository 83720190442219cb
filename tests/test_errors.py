"""Errors carry data, pickle, and stand in one tree."""

import copy
import pickle

import pytest

import multiwhats_async
from multiwhats_async import (
    Certainty,
    InvalidMessageError,
    MultiWhatsError,
    NotSentError,
    OutcomeUnknownError,
    Problem,
    RateLimitedError,
    RejectedError,
    SendError,
)

PUBLIC = [getattr(multiwhats_async, name) for name in multiwhats_async.__all__]
SEND_ERRORS = [
    kind
    for kind in PUBLIC
    if isinstance(kind, type) and issubclass(kind, SendError) and kind is not SendError
]
FIELDS = {
    "attempts": 3,
    "status_code": 429,
    "recipient": "••••••••7766",
    "detail": "later",
    "cause": "ReadError",
    "retry_after": 2.5,
}


def test_every_public_error_has_the_one_base() -> None:
    """``except MultiWhatsError`` catches all that the package raises."""
    errors = [kind for kind in PUBLIC if isinstance(kind, type) and issubclass(kind, BaseException)]
    assert len(errors) == 18
    assert all(issubclass(kind, MultiWhatsError) for kind in errors)
    assert issubclass(InvalidMessageError, ValueError)


@pytest.mark.parametrize("kind", SEND_ERRORS)
def test_send_errors_pickle_and_copy_with_all_their_data(kind: type[SendError]) -> None:
    """They travel between processes whole."""
    error = kind("text", **FIELDS)  # type: ignore[arg-type]  # the fields by name
    for twin in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):  # noqa: S301  # our own bytes
        assert type(twin) is kind
        assert str(twin) == "text"
        assert twin.to_dict() == error.to_dict()
        assert twin.to_dict() == FIELDS | {
            "type": kind.__name__,
            "message": "text",
            "certainty": kind.certainty.value,
        }


def test_each_error_knows_its_certainty() -> None:
    """The tree and the certainties say the same."""
    assert NotSentError.certainty is Certainty.NOT_SENT
    assert OutcomeUnknownError.certainty is Certainty.UNKNOWN
    assert RateLimitedError.certainty is RejectedError.certainty is Certainty.REJECTED


def test_a_copy_with_changes_is_fresh() -> None:
    """What is raised to the user drags no frames of ours along."""
    try:
        raise NotSentError("text", attempts=1)
    except NotSentError as error:
        fresh = error.with_fields(attempts=2)
    assert fresh.attempts == 2
    assert fresh.__traceback__ is None


def test_an_invalid_message_lists_its_problems_and_its_place() -> None:
    """Both survive pickling."""
    problems = (Problem("to", "is empty"), Problem("message", "is empty"))
    error = InvalidMessageError(problems, index=4)
    assert str(error) == "message 4 of the input: to: is empty; message: is empty"
    twin = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes
    assert twin.to_dict()["problems"][1] == {"field": "message", "text": "is empty"}
    assert (twin.problems, twin.index, str(twin)) == (problems, 4, str(error))
