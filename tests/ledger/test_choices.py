"""Which messages a run may send, and how an input is told that is not the campaign's."""

from typing import Any

import pytest
from vendor import SENDER, message

from multiwhats_async._secret import mask_number
from multiwhats_async.ledger._campaign import LONGEST_SHOWN, SHOWN, Choice, changes_text
from multiwhats_async.ledger._columns import message_columns


@pytest.mark.parametrize("is_tried", [False, True])
@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ({}, {"pending"}),
        ({"resend_unknown": True}, {"pending", "unknown"}),
        ({"only_failed": True}, {"rejected"}),
        ({"only_failed": True, "resend_unknown": True}, {"rejected", "unknown"}),
    ],
    ids=["pending", "unknown too", "failed", "failed and unknown"],
)
def test_what_a_choice_allows(choice: dict[str, bool], sent: set[str], *, is_tried: bool) -> None:
    """What was tried and provably not sent has failed; what is accepted or being sent is never."""
    if is_tried:
        sent = sent | {"pending"}
    states = {"pending", "sending", "accepted", "rejected", "unknown"}
    chosen = Choice(**choice)
    assert {state for state in states if chosen.allows(state, is_tried=is_tried) is True} == sent
    assert not any(chosen.allows(state, is_tried=is_tried) for state in states - sent)


def rows(count: int, **changes: Any) -> list[dict[str, Any]]:
    """Return columns of messages with keys, from position 5 on."""
    told = [message(number, key=f"k{number}", **changes) for number in range(count)]
    return [message_columns(each, 5 + place, SENDER) for place, each in enumerate(told)]


def told(count: int, **changes: Any) -> str:
    """Return what is said of so many messages of which something is changed."""
    was = [
        old | {"position": new["position"]}
        for old, new in zip(rows(count), rows(count), strict=True)
    ]
    return changes_text(was, rows(count, **changes))


def test_each_difference_is_told_by_name() -> None:
    """With what was and what is; numbers are masked, and what is the same is not told."""
    text = told(1, message="other")
    assert "'k0' (message 5 of the input): text was 'Merhaba 👤', is now 'other'. Restore" in text
    text = told(1, buttons=["A"])
    assert "input): buttons was '👍', '⛔', is now 'A'. Restore" in text
    old, new = mask_number(SENDER), mask_number("905550001122")
    text = told(1, sender="905550001122")
    assert f"input): sender was {old}, is now {new}. Restore" in text
    text = told(1, to="905550001122", message="other")
    assert f"is now 'other', recipient was {mask_number(message().to)}, is now {new}. R" in text
    assert "input): is not the same message. Restore" in told(1)


@pytest.mark.parametrize("count", [1, SHOWN, SHOWN + 1, SHOWN + 4])
def test_the_first_are_shown_and_the_others_counted(count: int) -> None:
    """Three are enough to see what it is about."""
    text = told(count, message="other")
    assert SHOWN == 3
    assert text.count("(message ") == min(count, SHOWN)
    assert text.count("; ") == min(count, SHOWN) - 1 + (count > SHOWN)
    assert ("; and" in text) is (count > SHOWN)
    if count > SHOWN:
        assert f"; and {count - SHOWN} more. Restore" in text


def test_a_change_further_on_is_told_with_its_own_place() -> None:
    """Not with that of the first of the block."""
    new = rows(4, message="other")
    assert "'k2' (message 7 of the input)" in changes_text([rows(4)[2]], new)


@pytest.mark.parametrize("length", [LONGEST_SHOWN, LONGEST_SHOWN + 1])
def test_a_long_text_is_cut(length: int) -> None:
    """Up to sixty characters it is shown whole; else with a mark in the place of the last."""
    assert LONGEST_SHOWN == 60
    text = "x" * length if length == LONGEST_SHOWN else "x" * (LONGEST_SHOWN - 1) + "…"
    assert f"is now '{text}'. Restore" in told(1, message="x" * length)
