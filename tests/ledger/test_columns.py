"""Messages and outcomes as columns, and back: each certainty, and what only a state tells."""

from typing import Any

import pytest
from runs import A, N, R, S, U
from vendor import RESPONSE, SENDER, message

from multiwhats_async import (
    Certainty,
    InvalidRequestError,
    MessageReceipt,
    NotSentError,
    Outcome,
    OutcomeUnknownError,
    RejectedError,
    make_converter,
)
from multiwhats_async._secret import mask_number
from multiwhats_async.errors import NOT_TRIED
from multiwhats_async.ledger._columns import (
    CERTAINTIES,
    PENDING,
    SENDING,
    STATES,
    error_text,
    message_columns,
    orphan_error,
    outcome_columns,
    read_doubt,
    read_error,
    read_message,
    read_outcome,
    resolved_error,
)

TO = message().to
MASKED = mask_number(TO)
RECEIPT: MessageReceipt = make_converter().structure(RESPONSE, MessageReceipt)
REFUSED = InvalidRequestError("no", attempts=2, status_code=422, recipient=MASKED, detail="why")


def row(state: str, **columns: Any) -> dict[str, Any]:
    """Return a message's row in a state."""
    stored = message_columns(message(), 7, SENDER)
    untold = {"receipt": None, "error": None, "note": None, "elapsed": 0.5}
    return stored | untold | {"attempts": 0, "unknown_attempts": 0, "state": state} | columns


def test_the_words_of_the_states() -> None:
    """They stand in files and databases, so they are the same for good."""
    assert STATES == {A: "accepted", R: "rejected", N: "pending", U: "unknown"}
    assert (PENDING, SENDING) == ("pending", "sending")
    assert CERTAINTIES == {
        "accepted": A, "rejected": R, "pending": N, "unknown": U, "sending": U
    }  # fmt: skip
    assert S not in STATES


@pytest.mark.parametrize("own", [None, "908500000000"])
@pytest.mark.parametrize("client", [None, SENDER])
@pytest.mark.parametrize("key", [None, "k-1"])
def test_a_message_comes_back_as_it_was(
    own: str | None, client: str | None, key: str | None
) -> None:
    """With the sender and the key that it had of its own, and none that it had not."""
    told = message(sender=own, key=key)
    columns = message_columns(told, 7, client)
    assert read_message(columns) == told
    assert columns["sender"] == (own or client or "")
    assert columns["has_own_sender"] is (own is not None)
    assert (columns["position"], columns["recipient"]) == (7, TO)
    assert columns["key"] == (told.digest(client) if key is None else key)
    assert columns["digest"] == (None if key is None else bytes.fromhex(told.digest(client)))
    assert "👍" in columns["buttons"]  # as it is, and not as escapes


@pytest.mark.parametrize("error", [None, REFUSED])
def test_the_columns_of_an_outcome(error: Any) -> None:
    """What it cost, how often it was tried, and the record as the vendor wrote it."""
    outcome = Outcome(
        message=message(),
        key="k",
        certainty=A if error is None else R,
        receipt=RECEIPT if error is None else None,
        error=error,
        attempts=3,
        unknown_attempts=1,
        elapsed=2.5,
    )
    columns = outcome_columns(outcome)
    state = columns["state"]
    stored = row(state, attempts=3, **{name: columns[name] for name in ("receipt", "error")})
    assert (columns["made"], columns["unknown_attempts"], columns["elapsed"]) == (3, 1, 2.5)
    assert (state, columns["credits"]) == (("accepted", 1.0) if error is None else ("rejected", 0))
    back = read_outcome(stored)
    assert back.receipt == outcome.receipt
    assert (back.error and back.error.to_dict()) == (error and error.to_dict())
    assert (columns["receipt"] is None, columns["error"] is None) == (error is not None, not error)


def test_a_row_is_read_whole() -> None:
    """Each column has its place in the outcome."""
    told = row("unknown", attempts=3, unknown_attempts=2, note="seen", key="k", position=9)
    back = read_outcome(told)
    assert (back.message, back.key, back.index, back.certainty) == (message(), "k", 9, U)
    assert (back.attempts, back.unknown_attempts, back.elapsed, back.note) == (3, 2, 0.5, "seen")


def test_an_accepted_message_without_its_record() -> None:
    """A person has found that out: there is neither a receipt nor an error."""
    back = read_outcome(row("accepted", error=error_text(REFUSED)))
    assert (back.certainty, back.receipt, back.error) == (A, None, None)


@pytest.mark.parametrize(
    ("state", "attempts", "kind", "words", "cause"),
    [
        ("pending", 0, NotSentError, "was not tried yet", NOT_TRIED),
        ("pending", 2, NotSentError, "was not sent yet", NOT_TRIED),
        ("sending", 2, OutcomeUnknownError, "is being sent", "Sending"),
    ],
)
def test_what_only_the_state_tells(
    state: str, attempts: int, kind: type, words: str, cause: str
) -> None:
    """An error of another certainty that stands there is an earlier one's, and says nothing."""
    for text in (None, error_text(REFUSED)):
        error = read_outcome(row(state, attempts=attempts, error=text)).error
        assert type(error) is kind
        assert str(error) == f"The message to {MASKED} {words}"
        assert (error.attempts, error.recipient, error.cause) == (attempts, MASKED, cause)  # type: ignore[union-attr]  # see above


def test_an_error_comes_back_whole() -> None:
    """Its kind, its words, and all its fields."""
    back = read_error(error_text(REFUSED), R)
    assert type(back) is InvalidRequestError
    assert back.to_dict() == REFUSED.to_dict()
    assert (error_text(None), read_error(None, R), read_error(error_text(REFUSED), U)) == (
        None, None, None
    )  # fmt: skip


@pytest.mark.parametrize("name", ["TeapotError", "LedgerError", "NOT_TRIED"])
@pytest.mark.parametrize(
    ("certainty", "kind"), [(R, RejectedError), (N, NotSentError), (U, OutcomeUnknownError)]
)
def test_an_error_of_another_version(name: str, certainty: Certainty, kind: type) -> None:
    """What is no error of a message any more, or not yet, is read by its certainty."""
    text = error_text(kind("no", attempts=1))
    assert text is not None
    back = read_error(text.replace(kind.__name__, name), certainty)
    assert (type(back), str(back)) == (kind, "no")


def test_a_doubt() -> None:
    """Only what may have gone out is in doubt: with what was said of it, or what its state says."""
    lost = OutcomeUnknownError("lost", cause="ReadError")
    for state in ("accepted", "rejected", "pending"):
        assert read_doubt(row(state, error=error_text(lost))) is None
    for state in ("unknown", "sending"):
        assert str(read_doubt(row(state, error=error_text(lost)))) == "lost"
    assert getattr(read_doubt(row("sending")), "cause", None) == "Sending"


def test_a_message_whose_run_has_ended() -> None:
    """It may have gone out; the number is masked."""
    error = orphan_error(row("sending", attempts=2))
    assert isinstance(error, OutcomeUnknownError)
    assert (error.attempts, error.recipient, error.cause) == (2, MASKED, "RunEnded")
    assert str(error).startswith(f"The run that was sending the message to {MASKED} ended")


@pytest.mark.parametrize(("certainty", "kind"), [(R, RejectedError), (N, NotSentError)])
@pytest.mark.parametrize("note", [None, "Ayşe has looked"])
def test_a_message_resolved_by_hand(certainty: Certainty, kind: type, note: str | None) -> None:
    """As what, and what is to be remembered of it."""
    error = resolved_error(certainty, TO, note)
    said = "" if note is None else f": {note}"
    assert type(error) is kind
    assert str(error) == f"The message to {MASKED} was resolved by hand as {certainty}{said}"
    assert (error.recipient, error.detail, error.cause) == (MASKED, note, "Resolved")  # type: ignore[union-attr]  # see above
    assert resolved_error(A, TO, note) is None
