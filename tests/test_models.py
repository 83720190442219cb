"""Messages are checked when they are built; records keep what the vendor sent."""

import itertools
import json
import pickle

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vendor import RECIPIENT, REQUEST, RESPONSE, SENDER, message

from multiwhats_async import (
    WHATSAPP_LIMITS,
    ButtonMessage,
    InvalidMessageError,
    MessageLimits,
    MessageReceipt,
    MessageTarget,
    make_converter,
)


def problems_of(*args: object, **kwargs: object) -> list[str]:
    """Return the problems of a message as texts."""
    with pytest.raises(InvalidMessageError) as caught:
        ButtonMessage(*args, **kwargs)  # type: ignore[arg-type]  # wrong on purpose
    return [str(problem) for problem in caught.value.problems]


def test_numbers_are_normalised() -> None:
    """A message holds digits, in whatever notation the number was given."""
    built = ButtonMessage("+90 537 493 77 66", "Hi", ["a"], "0090 850 308 03 35")
    assert (built.to, built.sender) == (RECIPIENT, SENDER)


def test_buttons_are_kept_as_a_tuple_in_their_order() -> None:
    """Any collection of texts will do, also one that can be read only once."""
    assert ButtonMessage(RECIPIENT, "Hi", iter(["b", "a"])).buttons == ("b", "a")


def test_every_problem_is_listed_at_once() -> None:
    """Nobody has to mend a message field by field."""
    found = problems_of("0537", " ", ["", "x" * 21, "y", "y"], 90, "")
    assert [problem.split(":")[0] for problem in found] == [
        "to",
        "sender",
        "message",
        "buttons",
        "buttons",
        "buttons",
        "buttons",
        "key",
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((905374937766, "Hi", ["a"]), "to: must be text such as '+90 537 493 77 66', not int"),
        ((RECIPIENT, None, ["a"]), "message: must be text, not NoneType"),
        ((RECIPIENT, "\ud83d", ["a"]), "message: holds half an emoji"),
        ((RECIPIENT, "x" * 1025, ["a"]), "message: has 1025 characters, more than WhatsApp's 1024"),
        ((RECIPIENT, "Hi", "Yes"), "buttons: must be a list of texts"),
        ((RECIPIENT, "Hi", b"Yes"), "buttons: must be a list of texts"),
        ((RECIPIENT, "Hi", {"a": 1}), "buttons: must be a list of texts"),
        ((RECIPIENT, "Hi", None), "buttons: must be a list of texts"),
        ((RECIPIENT, "Hi", []), "buttons: is empty"),
        ((RECIPIENT, "Hi", [1]), "buttons: button 1 must be text, not int"),
        ((RECIPIENT, "Hi", ["a", " "]), "buttons: button 2 is empty"),
        ((RECIPIENT, "Hi", ["\ud83d"]), "buttons: button 1 holds half an emoji"),
        ((RECIPIENT, "Hi", list("abcd")), "buttons: has 4 buttons, more than WhatsApp's 3"),
        ((RECIPIENT, "Hi", ["a", "a"]), "buttons: has 'a' twice"),
        ((RECIPIENT, "Hi", ["a"], None, 7), "key: must be text, not int"),
        ((RECIPIENT, "Hi", ["a"], None, "k" * 201), "key: must be UTF-8 text of 1 to 200"),
        ((RECIPIENT, "Hi", ["a"], None, "\ud83d"), "key: must be UTF-8 text of 1 to 200"),
    ],
)
def test_each_problem_names_the_field_and_the_way_out(
    arguments: tuple[object, ...], expected: str
) -> None:
    """One wrong thing gives one problem that says where and what."""
    (found,) = problems_of(*arguments)
    assert found.startswith(expected)


def test_the_number_in_a_problem_is_masked() -> None:
    """An error may be logged: of a number only the last four digits show."""
    (found,) = problems_of("05374937766", "Hi", ["a"])
    assert "•••••••7766" in found
    assert "0537493" not in found


def test_limits_can_be_switched_off_and_changed() -> None:
    """The limits are WhatsApp's and only assumed of MultiWhats, so a user may lift them."""
    labels = ["x" * 50] * 9
    assert ButtonMessage(RECIPIENT, "y" * 5000, labels, limits=None).buttons == tuple(labels)
    assert ButtonMessage(RECIPIENT, "Hi", list("abcd"), limits=MessageLimits(buttons=4))
    assert (WHATSAPP_LIMITS.text, WHATSAPP_LIMITS.buttons, WHATSAPP_LIMITS.label) == (1024, 3, 20)


def test_limits_are_no_part_of_what_a_message_is() -> None:
    """Two messages that say the same are equal, however they were checked."""
    assert message() == message(limits=None)
    assert hash(message()) == hash(message(limits=None))


def test_an_own_key_is_the_identity() -> None:
    """A user's key stands for the message, whatever it says."""
    assert message(key="order-7").identity(SENDER) == "order-7"


@pytest.mark.parametrize(
    "change",
    [{"to": "905300000001"}, {"message": "x"}, {"buttons": ["👍⛔"]}, {"sender": "905300000002"}],
)
def test_the_digest_tells_apart_what_differs(change: dict[str, object]) -> None:
    """Sender, recipient, text and buttons all count."""
    assert message(**change).identity(SENDER) != message().identity(SENDER)


def test_the_digest_is_the_same_for_the_same_message() -> None:
    """It does not matter whether the sender stands in the message or in the client."""
    assert message(sender=SENDER).identity() == message().identity(SENDER)
    assert message().identity() == message().identity()


def test_evolving_a_message_checks_it_again() -> None:
    """No way leads around the checks."""
    assert attrs.evolve(message(), message="x").message == "x"
    with pytest.raises(InvalidMessageError, match="is empty"):
        attrs.evolve(message(), message="")


def test_messages_are_frozen_and_pickle() -> None:
    """They travel between processes and cannot change on the way."""
    assert pickle.loads(pickle.dumps(message())) == message()  # noqa: S301  # our own bytes
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        message().to = "x"  # type: ignore[misc]  # wrong on purpose


def test_reprs_mask_the_numbers() -> None:
    """A repr ends in logs."""
    shown = repr(
        (
            message(sender=SENDER),
            MessageReceipt(from_identifier=SENDER, raw={"from_identifier": SENDER}),
            MessageTarget(target_identifier=RECIPIENT, extra={"x": RECIPIENT}),
        )
    )
    assert SENDER not in shown
    assert RECIPIENT not in shown
    assert "0335" in shown


def test_a_message_as_plain_data() -> None:
    """``to_dict`` gives what JSON can hold, numbers whole: it is the user's own data."""
    assert message(key="k").to_dict() == {
        "to": "905300000000",
        "message": "Merhaba 👤",
        "buttons": ["👍", "⛔"],
        "sender": None,
        "key": "k",
    }


def test_an_empty_receipt_still_has_the_vendors_shape() -> None:
    """Every documented field is there, null where nothing is known."""
    data = MessageReceipt().to_dict()
    assert data["targets"] == []
    assert data["extra_data"] is None
    assert data["file_url"] == 0
    assert MessageTarget().to_dict()["extra_data"] is None


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children) | st.sets(st.text()),
    max_leaves=5,
)


def test_an_endless_iterator_of_buttons_is_refused() -> None:
    """It ends in an error, not in a hang."""
    (found,) = problems_of(RECIPIENT, "Hi", map(str, itertools.count()), limits=None)
    assert found == "buttons: has more than 100 buttons"
    (found,) = problems_of(
        RECIPIENT, "Hi", list(map(str, range(101))), limits=MessageLimits(buttons=200)
    )
    assert found == "buttons: has more than 100 buttons"


@given(ANYTHING)
def test_any_object_as_any_field_gives_only_the_documented_error(value: object) -> None:
    """Bad input never raises anything but an InvalidMessageError."""
    for field in ("to", "message", "buttons", "sender", "key"):
        arguments = {"to": REQUEST["to"], "message": "Hi", "buttons": ["a"]} | {field: value}
        try:
            ButtonMessage(**arguments)  # type: ignore[arg-type]  # wrong on purpose
        except InvalidMessageError as error:
            assert field in {problem.field for problem in error.problems}  # noqa: PT017  # both ways are right


DIGITS = st.from_regex(r"90[1-9][0-9]{9}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30).map(lambda text: f"a{text}")


@given(
    st.builds(
        ButtonMessage,
        DIGITS,
        TEXTS,
        st.lists(st.sampled_from("abcdef"), min_size=1, max_size=3, unique=True),
        st.none() | DIGITS,
        st.none() | st.uuids().map(str),
    )
)
def test_a_message_comes_back_from_its_plain_data(built: ButtonMessage) -> None:
    """From JSON and from a pickle it is the same message, with the same identity."""
    plain = json.loads(json.dumps(built.to_dict()))
    for twin in (ButtonMessage(**plain), pickle.loads(pickle.dumps(built))):  # noqa: S301  # ours
        assert twin == built
        assert twin.identity(SENDER) == built.identity(SENDER)


@given(st.dictionaries(st.sampled_from(sorted(RESPONSE)), st.none() | st.integers() | st.text()))
def test_a_receipt_comes_back_from_its_plain_data(changes: dict[str, object]) -> None:
    """Whatever the vendor has left out or written, a record read is a record that can be kept."""
    receipt = make_converter().structure(RESPONSE | changes, MessageReceipt)
    assert pickle.loads(pickle.dumps(receipt)) == receipt  # noqa: S301  # our own bytes
    plain = json.loads(json.dumps(receipt.to_dict()))
    twin = make_converter().structure(plain, MessageReceipt)
    assert twin.to_dict() == receipt.to_dict()
