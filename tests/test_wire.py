"""The documented wire, byte for byte, and what is made of answers that are not."""

import gzip
import json
import pickle
import zlib
from contextlib import suppress
from datetime import datetime
from typing import Any

import attrs
import cattrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from vendor import RECIPIENT, REQUEST, RESPONSE, SENDER, record_for

from multiwhats_async import (
    ButtonMessage,
    Certainty,
    ExtraData,
    MessageReceipt,
    MessageTarget,
    RateLimitedError,
    configure_converter,
    make_converter,
)
from multiwhats_async._converter import MOST_SHAPES, _Lenient, receipt_reader
from multiwhats_async._evidence import Answer, Failure, Silence
from multiwhats_async._wire import (
    MAX_BODY,
    Verdict,
    add_key,
    decode_body,
    encode_request,
    may_belong,
    read_result,
)
from multiwhats_async.retry import parse_retry_after

MESSAGE = ButtonMessage(REQUEST["to"], REQUEST["message"], REQUEST["buttons"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
)


def read(status: int, body: object = b"", **fields: Any) -> Verdict:
    """Return the verdict on an answer."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_result(Answer(status=status, body=data, **fields), MESSAGE)


def receipt_of(record: dict[str, Any]) -> MessageReceipt:
    """Return the receipt of an accepted record."""
    receipt = read(200, record).receipt
    assert receipt is not None
    return receipt


def test_the_request_is_the_documented_one_byte_for_byte() -> None:
    """Same fields, same order, same text: emoji and line breaks as they are."""
    body = encode_request(MESSAGE, SENDER)
    assert body == json.dumps(REQUEST, ensure_ascii=False, separators=(",", ":")).encode()
    assert "👍 Yes".encode() in body


def test_a_messages_own_sender_comes_first() -> None:
    """The client's number is only the default."""
    own = ButtonMessage(REQUEST["to"], "Hi", ["a"], "905300000000")
    assert json.loads(encode_request(own, SENDER))["from"] == "905300000000"


def test_the_key_can_stand_in_the_data() -> None:
    """Documented as the other place for it; signs that JSON escapes survive."""
    body = add_key(encode_request(MESSAGE, SENDER), 'k"\\y')
    assert json.loads(body) == REQUEST | {"apikey": 'k"\\y'}


def test_the_documented_response_round_trips() -> None:
    """Every field is read, and written again as it came, in its order."""
    receipt = receipt_of(RESPONSE)
    assert receipt.to_dict() == RESPONSE
    assert list(receipt.to_dict()) == list(RESPONSE)
    assert receipt.raw == RESPONSE
    assert receipt.extra == {}


def test_the_documented_response_has_its_types() -> None:
    """Times are naive, a file of 0 is none, nulls are None, labels keep their emoji."""
    receipt = receipt_of(RESPONSE)
    assert receipt.file_url is None
    assert receipt.created_at == datetime(2023, 4, 26, 11, 11, 58)  # noqa: DTZ001  # no zone is documented
    assert receipt.extra_data == ExtraData(buttons=("👍 Yes", "⛔ No"))
    assert receipt.message is not None
    assert receipt.message.startswith("Hi, dear guest 👤 \n\n")
    target = receipt.targets[0]
    assert (target.queue_id, target.target_identifier, target.message) == (3664, RECIPIENT, None)
    assert target.extra_data == ExtraData()


def test_the_choice_comes_as_selected_item_id() -> None:
    """The vendor writes ``selectedItemId``; its type is not documented, so it is kept."""
    record = record_for(RECIPIENT)
    record["targets"][0]["extra_data"]["selectedItemId"] = "👍 Yes"
    receipt = receipt_of(record)
    assert receipt.targets[0].extra_data == ExtraData(selected_item_id="👍 Yes")
    assert receipt.to_dict() == record


def test_unknown_fields_are_kept() -> None:
    """A field that the vendor adds tomorrow is there today."""
    record = record_for(RECIPIENT, new_field={"a": [1]})
    record["targets"][0]["new_too"] = 2
    receipt = receipt_of(record)
    assert receipt.extra == {"new_field": {"a": [1]}}
    assert receipt.targets[0].extra == {"new_too": 2}
    assert receipt.to_dict() == record


@pytest.mark.parametrize("field", sorted(RESPONSE))
def test_a_missing_field_still_gives_a_receipt(field: str) -> None:
    """A paid result is never lost to a parser."""
    record = {name: value for name, value in RESPONSE.items() if name != field}
    receipt = receipt_of(record)
    assert receipt.id == (None if field == "id" else 3664)
    assert receipt.raw == record


@pytest.mark.parametrize("field", sorted(set(RESPONSE) - {"targets"}))
@pytest.mark.parametrize("value", [None, [], {}, True, "x", -1, 1e400, "0000-00-00 00:00:00"])
def test_a_field_of_another_type_still_gives_a_receipt(field: str, value: object) -> None:
    """What cannot be read is None and stands in ``extra``; the rest is there."""
    receipt = receipt_of(RESPONSE | {field: value})
    assert receipt.targets[0].target_identifier == RECIPIENT
    if getattr(receipt, field) is None:
        shown = receipt.extra.get(field)
        assert shown == value or json.dumps(value) == "Infinity"


@pytest.mark.parametrize("value", [None, 7, "x", {}, [None], [[]]])
def test_targets_of_another_type_still_give_a_receipt(value: object) -> None:
    """The record says that it was accepted, also where its targets cannot be read."""
    receipt = receipt_of(RESPONSE | {"targets": value})
    assert receipt.targets == ()
    assert receipt.raw["targets"] == value


def test_labels_that_are_no_texts_are_kept_apart() -> None:
    """A label is a text; anything else is shown as it came."""
    receipt = receipt_of(RESPONSE | {"extra_data": {"buttons": ["a", 1]}})
    assert receipt.extra_data == ExtraData(extra={"buttons": ["a", 1]})


def lenient() -> _Lenient:
    """Return what structures receipts for a converter, with nothing remembered."""
    hook = make_converter().get_structure_hook(MessageReceipt)
    assert isinstance(hook, _Lenient)
    return hook


def test_numbers_written_as_text_and_texts_written_as_numbers_are_read() -> None:
    """PHP back ends write either."""
    record = record_for(RECIPIENT, id="3664", total_credit="1.50", from_identifier=908503080335)
    record["targets"][0]["target_identifier"] = 905374937766
    receipt = receipt_of(record)
    assert (receipt.id, receipt.total_credit) == (3664, 1.5)
    assert (receipt.from_identifier, receipt.targets[0].target_identifier) == (SENDER, RECIPIENT)
    assert receipt_of(record_for(RECIPIENT, file_url="https://x/y.png")).file_url


def test_a_users_own_converter_can_be_taught() -> None:
    """``configure_converter`` adds the record to a converter and changes nothing else of it."""
    converter = cattrs.Converter()
    configure_converter(converter)
    receipt = converter.structure(RESPONSE, MessageReceipt)
    assert converter.unstructure(receipt) == RESPONSE
    with pytest.raises(Exception, match="invalid literal"):
        converter.structure("x", int)
    target = make_converter().structure(RESPONSE["targets"][0], MessageTarget)
    assert target.status == "sent"


@pytest.mark.parametrize(
    ("status", "kind", "certainty"),
    [
        (400, "InvalidRequestError", "rejected"),
        (401, "AuthenticationError", "rejected"),
        (402, "InsufficientCreditError", "rejected"),
        (403, "AuthenticationError", "rejected"),
        (404, "InvalidRequestError", "rejected"),
        (408, "OutcomeUnknownError", "unknown"),
        (409, "OutcomeUnknownError", "unknown"),
        (413, "InvalidRequestError", "rejected"),
        (418, "InvalidRequestError", "rejected"),
        (422, "InvalidRequestError", "rejected"),
        (425, "RateLimitedError", "rejected"),
        (429, "RateLimitedError", "rejected"),
        (101, "OutcomeUnknownError", "unknown"),
        (302, "OutcomeUnknownError", "unknown"),
        (307, "OutcomeUnknownError", "unknown"),
        (500, "OutcomeUnknownError", "unknown"),
        (502, "OutcomeUnknownError", "unknown"),
        (503, "OutcomeUnknownError", "unknown"),
        (504, "OutcomeUnknownError", "unknown"),
        (599, "OutcomeUnknownError", "unknown"),
    ],
)
def test_each_status_has_its_meaning(status: int, kind: str, certainty: str) -> None:
    """The assumed meanings, as one table."""
    error = read(status, b"<html>").error
    assert error is not None
    assert (type(error).__name__, error.certainty.value, error.status_code) == (
        kind,
        certainty,
        status,
    )


def test_a_503_says_later_only_with_a_retry_after_that_can_be_read() -> None:
    """Without one it may have been processed."""
    assert type(read(503, retry_after="3").error).__name__ == "RateLimitedError"
    assert type(read(503, retry_after="soon").error).__name__ == "OutcomeUnknownError"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>ok</html>",
        b"null",
        b"[]",
        b"7",
        b'"sent"',
        b"{}",
        b'{"id": 1}',
        b'{"ok": true}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"id":' + b"9" * 5000 + b',"targets":[]}',
        json.dumps(RESPONSE).encode()[:-20],
    ],
)
def test_a_success_that_is_no_record_is_unknown(body: bytes) -> None:
    """2xx alone proves nothing: never guessed as accepted, never sent again."""
    verdict = read(200, body)
    assert verdict.certainty is Certainty.UNKNOWN
    assert verdict.error is not None
    assert verdict.error.status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"error": "no"},
        {"error": {"message": "no"}},
        {"errors": ["no"]},
        {"success": False, "message": "no"},
        {"status": "error", "id": 3},
        {"status": False},
    ],
)
def test_a_success_that_is_plainly_an_error_is_rejected(body: object) -> None:
    """Some servers answer 200 to everything; that this is how they say no is assumed."""
    assert read(200, body).certainty is Certainty.REJECTED


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf" + json.dumps(RESPONSE).encode(),
        json.dumps(RESPONSE).replace('"total_credit": 1', '"total_credit": NaN').encode(),
        json.dumps(RESPONSE).replace('"id": 3664', '"id": 1, "id": 3664').encode(),
        json.dumps(RESPONSE | {"error": None}).encode(),
        json.dumps({"targets": []}).encode(),
    ],
)
def test_a_record_in_odd_json_is_accepted(body: bytes) -> None:
    """A byte order mark, NaN, duplicate keys: the message went out, and we know it."""
    assert read(200, body).certainty is Certainty.ACCEPTED


def test_an_answer_about_another_recipient_is_not_ours() -> None:
    """Bytes left over on a connection answer another request: unknown, and distrusted."""
    verdict = read(200, record_for("905300000000"))
    assert verdict.certainty is Certainty.UNKNOWN
    assert verdict.mismatch
    assert verdict.error is not None
    assert "another recipient" in str(verdict.error)
    for written in ("+90 537 493 77 66", "00" + RECIPIENT, RECIPIENT + "@c.us"):
        assert read(200, record_for(written)).certainty is Certainty.ACCEPTED


def test_a_lost_body_leaves_the_status_to_decide() -> None:
    """A refusal stands without its body; a success without its record is unknown."""
    lost = Failure(cause="ReadError", text="reset")
    refused = read_result(Answer(status=402, failure=lost), MESSAGE)
    accepted = read_result(Answer(status=200, failure=lost), MESSAGE)
    assert refused.certainty is Certainty.REJECTED
    assert accepted.certainty is Certainty.UNKNOWN
    assert accepted.error is not None
    assert (accepted.error.status_code, accepted.error.cause) == (200, "ReadError")
    assert read_result(Answer(status=200), MESSAGE).certainty is Certainty.UNKNOWN


@pytest.mark.parametrize("certainty", [Certainty.NOT_SENT, Certainty.UNKNOWN])
def test_silence_keeps_its_certainty_and_says_why(certainty: Certainty) -> None:
    """The error names the cause, and masks the number."""
    for text in ("", "refused"):
        failure = Failure(cause="ConnectError", text=text)
        error = read_result(Silence(failure=failure, certainty=certainty), MESSAGE).error
        assert error is not None
        assert error.certainty is certainty
        assert "ConnectError" in str(error)
        assert RECIPIENT not in str(error)
        assert error.detail == (text or None)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"message": "no credit"}', "no credit"),
        (b'{"error": {"message": "x\\ny"}}', "x y"),
        (b'{"error": {"code": 7}}', '{"error": {"code": 7}}'),
        (b"[1]", "[1]"),
        (b"<b>\x00 no\n</b>", "<b> no </b>"),
        (b"905374937766 is bad", "••••••••7766 is bad"),
        (b"x" * 5000, "x" * 299 + "…"),
        (b"", None),
    ],
)
def test_what_the_server_said_is_shown_in_one_clean_line(body: bytes, detail: str | None) -> None:
    """Cut, printable, without whole numbers."""
    error = read(422, body).error
    assert error is not None
    assert error.detail == detail


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()), st.integers(100, 599))
def test_no_answer_whatever_raises(body: bytes, status: int) -> None:
    """Whatever a server sends, a verdict comes out, and only a record is accepted."""
    verdict = read(status, body)
    assert (verdict.receipt is None) != (verdict.error is None)
    assert verdict.certainty is not Certainty.ACCEPTED or status // 100 == 2


REFUSALS = {*range(400, 500)} - {408, 409}


@given(
    st.binary() | JSON.map(lambda value: json.dumps(value).encode()) | st.none(),
    st.integers(100, 999),
    st.none() | st.integers().map(str) | st.text(),
    st.none() | st.text(),
)
def test_a_status_allows_only_what_is_documented(
    body: bytes | None, status: int, retry_after: str | None, date: str | None
) -> None:
    """A refusal is a 4xx, or says "later"; all that is neither that nor a success is unknown."""
    failure = Failure(cause="ReadError", text="lost") if body is None else None
    answer = Answer(status=status, body=body, retry_after=retry_after, date=date, failure=failure)
    verdict = read_result(answer, MESSAGE)
    if status // 100 == 2:
        assert verdict.certainty is not Certainty.NOT_SENT
        assert body is not None or verdict.certainty is Certainty.UNKNOWN
        return
    says_later = status == 503 and parse_retry_after(retry_after, date) is not None
    refused = status in REFUSALS or says_later
    assert verdict.certainty is (Certainty.REJECTED if refused else Certainty.UNKNOWN)
    assert isinstance(verdict.error, RateLimitedError) == (status in {429, 425} or says_later)


@given(st.text(), st.text(), st.sampled_from([Certainty.NOT_SENT, Certainty.UNKNOWN]))
def test_silence_is_told_as_it_was_weighed(cause: str, text: str, certainty: Certainty) -> None:
    """No error's name or text changes what the evidence says."""
    silence = Silence(failure=Failure(cause=cause, text=text), certainty=certainty)
    assert read_result(silence, MESSAGE).certainty is certainty


@given(st.binary(), st.none() | st.sampled_from(["gzip", "deflate", "identity"]) | st.text())
def test_any_encoding_of_any_bytes_is_undone_or_refused(body: bytes, encoding: str | None) -> None:
    """Nothing but a ValueError, and never more than the cap."""
    with suppress(ValueError):
        assert len(decode_body(body, encoding)) <= max(MAX_BODY, len(body))


@given(st.binary(max_size=2_000), st.sampled_from(["gzip", "deflate"]))
def test_what_is_packed_is_unpacked(body: bytes, encoding: str) -> None:
    """Every body comes back as it was."""
    packed = gzip.compress(body) if encoding == "gzip" else zlib.compress(body)
    assert decode_body(packed, encoding) == body


@pytest.mark.parametrize(
    ("status", "body", "may"),
    [
        (200, json.dumps(RESPONSE).encode(), True),
        (200, json.dumps(record_for("905550001122")).encode(), False),
        (200, b"", False),
        (422, b"{}", True),
        (429, b"", True),
        (302, b"", False),
        (500, b"", False),
    ],
)
def test_what_a_connection_may_be_kept_after(status: int, body: bytes, may: bool) -> None:
    """A record that names the recipient, and a refusal; after all else the next answer may lie."""
    assert may_belong(status, body, encode_request(MESSAGE, SENDER)) is may
    assert not may_belong(200, body, b"{}")


@given(JSON, st.sampled_from(sorted(RESPONSE)))
def test_any_value_in_any_field_of_a_record_is_survived(value: Any, field: str) -> None:
    """The reader of records never raises, and keeps the record as it came."""
    receipt = make_converter().structure(RESPONSE | {field: value}, MessageReceipt)
    assert receipt.raw[field] is value


def test_a_record_must_be_an_object() -> None:
    """Asked to structure anything else, the converter says so."""
    with pytest.raises(TypeError, match="needs an object, not list"):
        make_converter().structure([], MessageReceipt)


@pytest.mark.parametrize("name", ["gzip", "x-gzip", "GZIP ", "deflate"])
def test_an_encoding_that_was_not_asked_for_is_undone(name: str) -> None:
    """A cache on the way may compress all the same; the paid result is not lost."""
    packed = zlib.compress(b"record") if name == "deflate" else gzip.compress(b"record")
    assert decode_body(packed, name) == b"record"
    assert decode_body(b"record", None) == decode_body(b"record", "identity") == b"record"


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (gzip.compress(b"0" * (MAX_BODY + 1)), "gzip"),
        (gzip.compress(b"record")[:-9], "gzip"),
        (b"record", "gzip"),
        (b"record", "br"),
    ],
    ids=["bomb", "cut", "no gzip", "unknown"],
)
def test_a_bomb_a_cut_or_an_unknown_encoding_is_refused(body: bytes, name: str) -> None:
    """A kilobyte must not become a gigabyte."""
    with pytest.raises(ValueError, match=r"gzip|encoding"):
        decode_body(body, name)


@given(
    st.dictionaries(
        st.sampled_from([*RESPONSE, "new_field"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.just("2023-04-26")
        | st.lists(st.just(RESPONSE["targets"][0]) | st.integers(), max_size=2)
        | st.just(RESPONSE["extra_data"]),
        max_size=6,
    )
)
@example({"targets": None})
def test_a_record_of_a_known_shape_is_read_as_any_other(changes: dict[str, Any]) -> None:
    """The second of two that look alike takes a shorter way to the same receipt."""
    whole = lenient()
    record = RESPONSE | changes
    first, second = whole(record, None), whole(record, None)
    assert repr(first) == repr(second) == repr(whole._one_by_one(record))
    assert repr((first.extra, first.raw)) == repr((second.extra, second.raw))
    assert repr(receipt_reader()(record)) == repr(first)


def test_what_is_filled_in_plainly_is_frozen_all_the_same() -> None:
    """A record that is read the short way is of the public classes, equal to any, and fixed."""
    read, record = receipt_reader(), json.loads(json.dumps(RESPONSE))
    slowly, quickly = read(record), read(record)
    assert quickly == slowly
    assert hash(quickly) == hash(slowly)
    assert pickle.loads(pickle.dumps(quickly)) == slowly  # noqa: S301  # our own bytes
    target, data = quickly.targets[0], quickly.extra_data
    assert data is not None
    models = (MessageReceipt, MessageTarget, ExtraData)
    assert tuple(map(type, (quickly, target, data))) == models
    for part in (quickly, target, data):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            part.extra = {}
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            del part.extra


def test_what_a_user_has_taught_of_a_part_holds_within_the_record() -> None:
    """Whoever teaches a converter another way with a model finds it in each record, at any time."""
    converter = make_converter()
    converter.structure(RESPONSE, MessageReceipt)
    converter.register_structure_hook(ExtraData, lambda _, __: ExtraData(options="own"))
    receipt = converter.structure(RESPONSE, MessageReceipt)
    assert receipt.extra_data == receipt.targets[0].extra_data == ExtraData(options="own")


def test_of_many_shapes_some_are_remembered() -> None:
    """A server that invents new ones fills no memory, and loses no record."""
    whole = lenient()
    names = [name for name in RESPONSE if name.endswith("_count")]
    for number in range(4 ** len(names)):
        told = [(1, "1", None, 1.0)[number // 4**place % 4] for place in range(len(names))]
        receipt = whole(RESPONSE | dict(zip(names, told, strict=True)), None)
        assert receipt.sent_count in (1, None)
    assert len(whole._shapes) == MOST_SHAPES
