"""From pushed bytes to a reply: exactly what is said, never a guess, nothing in them trusted."""

import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from replies.examples import CUSTOMER, LABELS, NOTHING, OURS, body, pushed
from sandbox.wire_examples import post
from vendor import RESPONSE

from multiwhats_async import ConfigurationError, InvalidReplyError
from multiwhats_async.replies import MAX_REPLY_BYTES, AssumedItemId, Reply, parse_reply
from multiwhats_async.sandbox import Emulator, Webhook

YES, NO = LABELS


def parsed(data: bytes, kind: str = "label", **options: Any) -> Reply:
    """Return the reply in some bytes."""
    reply = parse_reply(data, assumed_item_id=kind, **options)
    assert reply is not None
    return reply


@pytest.mark.parametrize(
    ("kind", "item"),
    [
        ("label", NO),
        ("index_from_0", 1),
        ("index_from_0", "1"),
        ("index_from_1", 2),
        ("index_from_1", "2"),
        (AssumedItemId.INDEX_FROM_0, 1),
    ],
)
@pytest.mark.parametrize("place", ["queue", "target", "both"])
def test_a_choice_is_read(kind: str, item: Any, place: str) -> None:
    """From the record, from its target or from both; label and index are always told."""
    reply = parsed(
        body(
            item if place != "target" else NOTHING,
            item if place != "queue" else NOTHING,
        ),
        kind,
    )
    assert (reply.label, reply.index, reply.buttons) == (NO, 1, (YES, NO))
    assert (reply.sender, reply.recipient) == (CUSTOMER, OURS)
    assert (reply.queue_id, reply.target_id) == (3664, 53687)
    assert reply.message == RESPONSE["message"]
    assert reply.record.status == "done"
    assert reply.record.raw is not None


def test_labels_that_look_like_numbers_are_not_guessed() -> None:
    """Buttons "1" and "2": what is meant by 1 is what was said of the id."""
    extra = {"buttons": ["2", "1"], "options": None, "selectedItemId": "1"}
    data = json.dumps(pushed(extra_data=extra)).encode()
    assert parsed(data, "label").index == 1
    assert parsed(data, "index_from_0").index == 1
    assert parsed(data, "index_from_1").index == 0


def test_a_record_without_a_choice_is_no_reply() -> None:
    """As one that tells of a delivery may be."""
    assert parse_reply(body(), assumed_item_id="label") is None
    bare = json.dumps({"id": 5}).encode()
    assert parse_reply(bare, assumed_item_id="label") is None


def test_the_target_has_the_buttons_and_text_where_the_record_has_none() -> None:
    """Both places are documented for both."""
    record = pushed(extra_data=None, id=None)
    record["targets"][0] |= {
        "message": "Hi",
        "extra_data": {"buttons": [YES, NO], "options": None, "selectedItemId": YES},
    }
    reply = parsed(json.dumps(record).encode())
    assert (reply.label, reply.message, reply.queue_id) == (YES, "Hi", 3664)


def test_of_many_targets_the_one_with_the_choice() -> None:
    """A message may have gone to several customers."""
    record = pushed()
    other = copy.deepcopy(record["targets"][0]) | {"target_identifier": "905300000001", "id": 5}
    other["extra_data"]["selectedItemId"] = NO
    record["targets"].append(other)
    reply = parsed(json.dumps(record).encode())
    assert (reply.sender, reply.target_id) == ("905300000001", 5)


TWO = copy.deepcopy(RESPONSE["targets"]) * 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no strict JSON"),
        (b"\xff", "no strict JSON"),
        (b"\xef\xbb\xbf{}", "no strict JSON"),
        (b"{", "no strict JSON"),
        (b'{"a": NaN}', "no strict JSON"),
        (b'{"id": 1, "id": 2}', "no strict JSON"),
        (b'{"id": ' + b"9" * 5_000 + b"}", "no strict JSON"),
        (b"[" * 100_000, "nested too deep"),
        (b" " * (MAX_REPLY_BYTES + 1), "over 1,000,000 bytes"),
        (b"[]", "no object but a list"),
        (b"null", "no object but null"),
        (b'"Yes"', "no object but a text"),
        (b"true", "no object but true or false"),
        (b"1.5", "no object but a number"),
        (body(YES, targets=[]), "0 targets"),
        (body(YES, targets="x"), "0 targets"),
        (body(YES, targets=TWO), "2 targets, and the choice stands at none"),
        (body(YES, NO), "different choices"),
        (body("yes"), "is none of the buttons"),
        (body(0), "is none of the buttons"),
        (body(True), "is true or false"),
        (body(1.5), "is a number, neither"),
        (body([YES]), "is a list"),
        (body(YES, from_identifier=None), "from_identifier is missing"),
        (body(YES, from_identifier="0537"), "begins with 0"),
        (body(YES, extra_data={"selectedItemId": YES}), "extra_data.buttons is missing"),
        (
            body(extra_data={"selectedItemId": YES, "buttons": [YES, YES]}),
            "is the text of several buttons",
        ),
        (
            json.dumps(
                pushed(targets=[t | {"extra_data": {"selectedItemId": YES}} for t in TWO])
            ).encode(),
            "2 targets have a choice",
        ),
    ],
)
def test_what_cannot_be_read(data: bytes, words: str) -> None:
    """One error, which says what is wrong."""
    with pytest.raises(InvalidReplyError, match=words):
        parse_reply(data, assumed_item_id="label")


@pytest.mark.parametrize(
    ("kind", "item", "words"),
    [
        ("index_from_0", 2, "outside 0 to 1"),
        ("index_from_0", -1, "outside 0 to 1"),
        ("index_from_1", 0, "outside 1 to 2"),
        ("index_from_1", 3, "outside 1 to 2"),
        ("index_from_0", YES, "no whole number"),
        ("index_from_0", "-1", "no whole number"),
        ("index_from_0", "١", "no whole number"),
        ("index_from_0", "1" * 4_000, "no whole number"),
        ("index_from_0", 10**4_000, "a huge number"),
    ],
)
def test_an_index_that_is_none(kind: str, item: Any, words: str) -> None:
    """The error names what was assumed, and where to change it."""
    with pytest.raises(InvalidReplyError, match=words) as caught:
        parse_reply(body(item), assumed_item_id=kind)
    assert "assumed_item_id" in str(caught.value)
    assert len(str(caught.value)) < 250


def test_errors_hold_neither_numbers_nor_texts() -> None:
    """They go to logs."""
    texts = []
    for data in (
        body(YES, from_identifier="05374937766"),
        body("x" * 9_000),
        body(YES, NO),
        body("call +905374937766"),
    ):
        with pytest.raises(InvalidReplyError) as caught:
            parse_reply(data, assumed_item_id="label")
        texts.append(str(caught.value))
    assert "•••••••7766" in texts[0]
    assert "'call +••••••••7766' is none of the buttons" in texts[3]
    assert not any("537493" in text or "dear guest" in text for text in texts)
    assert all(len(text) < 250 for text in texts)


def test_what_is_assumed_is_one_of_three() -> None:
    """Another word is refused with the three."""
    with pytest.raises(ConfigurationError, match="label, index_from_0, index_from_1, not 'guess'"):
        parse_reply(body(YES), assumed_item_id="guess")


def test_a_payload_of_another_shape() -> None:
    """``adapt`` leads to the record, to a reply, or says that it is none."""
    record = pushed(YES)
    wrapped = json.dumps({"event": "reply", "data": record}).encode()
    reply = parsed(wrapped, adapt=lambda data: data["data"])
    assert reply.label == YES
    assert parsed(b"[]", adapt=lambda _: reply) is reply
    assert parse_reply(b"[]", assumed_item_id="label", adapt=lambda _: None) is None
    with pytest.raises(InvalidReplyError, match=r"failed on this payload \(KeyError\)") as caught:
        parsed(b"{}", adapt=lambda data: data["data"])
    assert isinstance(caught.value.__cause__, KeyError)
    for other, words in (([], "a list"), ({YES}, "of type set")):
        with pytest.raises(InvalidReplyError, match=f"no object but {words}"):
            parsed(b"{}", adapt=lambda _, other=other: other)


def test_a_reply_is_data() -> None:
    """It pickles, goes to JSON, and shows no whole number."""
    reply = parsed(body(YES))
    assert pickle.loads(pickle.dumps(reply)) == reply  # noqa: S301 - our own bytes
    assert json.loads(json.dumps(reply.to_dict()))["record"] == pushed(YES)
    assert CUSTOMER not in repr(reply)
    assert OURS not in repr(reply)
    assert "••••••••7766" in repr(reply)


def test_the_key_is_the_taps() -> None:
    """The same for every delivery of it; another for another tap, customer or message."""
    keys = {
        parsed(data).key
        for data in (
            body(YES),
            body(NO),
            body(YES, id=7),
            body(YES, created_at="2023-04-26 11:11:59"),
            body(YES, from_identifier="905300000001"),
        )
    }
    assert len(keys) == 5
    assert parsed(body(YES)).key == parsed(body(NOTHING, YES, updated_at="2024-01-01 00:00:00")).key


@pytest.mark.parametrize("kind", AssumedItemId)
def test_the_sandbox_pushes_what_is_read_here(kind: AssumedItemId) -> None:
    """Whichever content of the id is assumed on both sides."""
    emulator = Emulator(webhook=Webhook("http://127.0.0.1:1/", kind))
    assert post(emulator) == 200
    (delivery,) = emulator.tap(3664, index=1)[1]
    reply = parsed(json.dumps(delivery.body).encode(), kind)
    assert (reply.label, reply.index, reply.queue_id) == (NO, 1, 3664)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_do_anything_else(data: bytes) -> None:
    """A reply, none, or the one error."""
    try:
        reply = parse_reply(data, assumed_item_id="label")
    except InvalidReplyError:
        return
    assert reply is None


@given(
    st.sampled_from(["extra_data", "targets", "id", "from_identifier", "message", "created_at"]),
    JSON,
    st.sampled_from(list(AssumedItemId)),
)
def test_no_field_does_anything_else(field: str, value: Any, kind: AssumedItemId) -> None:
    """Whatever stands in the documented fields."""
    try:
        reply = parse_reply(body(YES, **{field: value}), assumed_item_id=kind)
    except InvalidReplyError:
        return
    assert reply is None or reply.label == YES


@given(st.dictionaries(st.sampled_from(["buttons", "selectedItemId", "options"]), JSON))
def test_no_extra_data_does_anything_else(extra: Any) -> None:
    """Whatever stands beside the choice."""
    record = pushed(YES)
    record["targets"][0]["extra_data"] = extra
    try:
        reply = parse_reply(json.dumps(record).encode(), assumed_item_id="label")
    except InvalidReplyError:
        return
    assert reply is not None
    assert reply.label == YES
