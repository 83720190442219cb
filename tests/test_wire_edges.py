"""The edges of a verdict: the first and the last of everything that it depends on."""

import gzip
import json
from typing import Any

import pytest
from test_wire import MESSAGE, read

from multiwhats_async import Certainty
from multiwhats_async._evidence import Answer, Failure, Silence
from multiwhats_async._wire import (
    ENDPOINT,
    MAX_BODY,
    MAX_DETAIL,
    Verdict,
    decode_body,
    encode_request,
    is_error,
    is_record,
    may_belong,
    read_result,
)

DOUBT = "The server answered 200 for the message to ••••••••7766 (it may have gone out): "


def test_what_is_documented_and_what_is_ours() -> None:
    """The endpoint is the vendor's; the limits are those that the documentation names."""
    assert ENDPOINT == "basic/whatsapp/send-dynamic"
    assert (MAX_BODY, MAX_DETAIL) == (1_000_000, 300)
    assert Verdict().mismatch is False


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (199, "OutcomeUnknownError"),
        (300, "OutcomeUnknownError"),
        (399, "OutcomeUnknownError"),
        (499, "InvalidRequestError"),
        (599, "OutcomeUnknownError"),
    ],
)
def test_a_record_with_a_status_that_is_no_success(status: int, kind: str) -> None:
    """A record in the body makes no success of it."""
    verdict = read(status, {"id": 1, "targets": []})
    assert type(verdict.error).__name__ == kind
    assert verdict.receipt is None


@pytest.mark.parametrize("status", [200, 299])
def test_every_success_with_a_record_is_one(status: int) -> None:
    """From the first to the last."""
    assert read(status, {"id": 1, "targets": []}).certainty is Certainty.ACCEPTED


@pytest.mark.parametrize(
    "mark",
    [
        "total_credit",
        "queue_type",
        "message_type",
        "from_identifier",
        "target_count",
        "social_media_account_id",
    ],
)
def test_an_id_and_one_field_of_the_record_make_a_record(mark: str) -> None:
    """Either alone does not: other JSON has an id as well."""
    assert is_record({"id": 1, mark: 1}) is True
    assert is_record({mark: 1}) is False
    assert is_record({"id": 1}) is False


def test_targets_alone_make_a_record_and_nothing_else_does() -> None:
    """A record is an object, and says yes or no, never something between."""
    assert is_record({"targets": []}) is True
    for value in (None, [], "targets", 1):
        assert is_record(value) is False
        assert is_error(value) is False


@pytest.mark.parametrize(
    "fields",
    [
        {"error": "x"},
        {"errors": ["x"]},
        {"success": False},
        {"status": False},
        {"status": "error"},
        {"status": "fail"},
        {"status": "failed"},
    ],
)
def test_each_way_to_say_error(fields: dict[str, Any]) -> None:
    """It is one, unless it is a queue record with targets that has such a field."""
    assert is_error(fields)
    assert is_error(fields | {"id": 1})
    assert is_error(fields | {"targets": [{}]})
    assert is_error(fields | {"id": 1, "targets": [{}]}) is False
    assert is_record(fields | {"id": 1, "targets": [{}]})


@pytest.mark.parametrize(
    ("certainty", "text"),
    [
        (
            Certainty.NOT_SENT,
            "The message to ••••••••7766 did not reach the server (ReadError: gone)",
        ),
        (
            Certainty.UNKNOWN,
            "No answer for the message to ••••••••7766 (ReadError: gone): it may have gone out",
        ),
    ],
)
def test_silence_in_words(certainty: Certainty, text: str) -> None:
    """The cause and what it said, where it said anything."""
    said = Silence(failure=Failure(cause="ReadError", text=" gone\n"), certainty=certainty)
    error = read_result(said, MESSAGE).error
    assert error is not None
    assert (str(error), error.detail, error.cause) == (text, "gone", "ReadError")
    mute = Silence(failure=Failure(cause="ReadError", text=""), certainty=certainty)
    error = read_result(mute, MESSAGE).error
    assert error is not None
    assert (str(error), error.detail) == (text.replace(": gone", ""), None)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (Answer(status=422), "The server answered 422 for the message to ••••••••7766"),
        (
            Answer(status=500, body=b"oops"),
            "The server answered 500 for the message to ••••••••7766 (it may have gone out): oops",
        ),
        (
            Answer(status=200),
            f"{DOUBT}the record was lost: ",
        ),
        (
            Answer(status=200, body=b""),
            f"{DOUBT}the answer is no JSON: (empty)",
        ),
    ],
)
def test_an_answer_in_words(answer: Answer, text: str) -> None:
    """With the doubt where there is one, and what the server said where it said anything."""
    assert str(read_result(answer, MESSAGE).error) == text


def test_a_number_in_the_record_is_compared_by_its_digits() -> None:
    """Spaces, a plus or zeros before the country code make no other recipient."""
    for written in ("+90 537 493 77 66", "00905374937766", "905374937766"):
        record = {"id": 1, "targets": [{"target_identifier": written}]}
        assert read(200, record).certainty is Certainty.ACCEPTED
    others = [{"target_identifier": "905374937767"}, {"target_identifier": "905374937766"}]
    assert read(200, {"id": 1, "targets": others}).certainty is Certainty.ACCEPTED
    assert read(200, {"id": 1, "targets": others[:1]}).mismatch is True
    assert read(200, {"id": 1, "targets": [{}]}).certainty is Certainty.ACCEPTED


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"message": "m", "error": "e", "detail": "d", "errors": "s"}, "m"),
        ({"error": "e", "detail": "d", "errors": "s"}, "e"),
        ({"detail": "d", "errors": "s"}, "d"),
        ({"errors": "s"}, "s"),
        ({"error": {"message": "deep", "code": 1}}, "deep"),
        ({"message": "", "error": "e"}, "e"),
        ({"other": "o"}, '{"other": "o"}'),
        (["message"], '["message"]'),
    ],
)
def test_which_of_an_errors_words_are_shown(body: object, detail: str) -> None:
    """The first that there is, in the order in which they tell most."""
    error = read(422, body).error
    assert error is not None
    assert error.detail == detail


@pytest.mark.parametrize(("length", "shown"), [(300, 300), (301, 300), (5_000, 300)])
def test_a_long_text_is_cut_where_it_becomes_too_long(length: int, shown: int) -> None:
    """Exactly the most that is shown stays whole."""
    error = read(422, {"message": "x" * length}).error
    assert error is not None
    assert error.detail is not None
    assert len(error.detail) == shown
    assert error.detail.endswith("…") is (length > shown)


@pytest.mark.parametrize(("digits", "masked"), [(6, False), (7, True), (15, True)])
def test_from_how_many_digits_on_a_number_is_masked(digits: int, *, masked: bool) -> None:
    """An order's number stays, a phone's does not."""
    number = "1234567890123456"[:digits]
    error = read(422, {"message": f"no {number}."}).error
    assert error is not None
    assert (number not in str(error)) is masked


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", " GZIP ", "deflate"])
def test_the_most_that_an_encoding_may_grow_to(encoding: str) -> None:
    """Exactly the cap is read; one byte more is refused."""
    assert len(decode_body(gzip.compress(bytes(MAX_BODY)), encoding)) == MAX_BODY
    with pytest.raises(ValueError, match="more than 1000000 bytes"):
        decode_body(gzip.compress(bytes(MAX_BODY + 1)), encoding)


@pytest.mark.parametrize("encoding", [None, "", "identity", " Identity "])
def test_no_encoding_leaves_the_bytes(encoding: str | None) -> None:
    """Whatever the header says of it."""
    assert decode_body(b"as it is", encoding) == b"as it is"


def test_a_retry_after_is_told_with_the_error() -> None:
    """Of any status: who reads the error may heed it."""
    for status in (422, 429, 503):
        error = read(status, {}, retry_after="7").error
        assert error is not None
        assert error.retry_after == 7
        assert error.status_code == status
    assert json.loads(json.dumps(error.to_dict()))["retry_after"] == 7


@pytest.mark.parametrize(
    ("status", "named", "unnamed"),
    [
        (199, False, False),
        (200, True, False),
        (299, True, False),
        (300, False, False),
        (399, False, False),
        (400, True, True),
        (499, True, True),
        (500, False, False),
    ],
)
def test_which_answers_leave_their_connection_in_use(
    status: int, *, named: bool, unnamed: bool
) -> None:
    """A refusal names nobody; a success has to name the recipient; of all else nothing is known."""
    request = encode_request(MESSAGE, "908503080335")
    assert may_belong(status, b'{"x": "' + MESSAGE.to.encode() + b'"}', request) is named
    assert may_belong(status, b"{}", request) is unnamed
