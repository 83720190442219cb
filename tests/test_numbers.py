"""Phone numbers: normalised to digits, or refused with the way out."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from multiwhats_async._numbers import (
    MAX_DIGITS,
    MIN_DIGITS,
    NumberError,
    country_code,
    normalise_number,
)


@pytest.mark.parametrize(
    "text",
    [
        "905374937766",
        "+90 537 493 77 66",
        "0090 537 493 77 66",
        "+90-537-493-77-66",
        "+90 (537) 493 77 66",
        " 90.537.493.77.66\n",
        "+90/537/4937766",
        "\u202a+90 537 493 77 66\u202c",
        "90\u00a0537\u200b4937766",
        "٩٠٥٣٧٤٩٣٧٧٦٦",
        "９０５３７４９３７７６６",
    ],
)
def test_usual_notations_become_the_same_digits(text: str) -> None:
    """Whatever a person or a spreadsheet writes around the digits is taken out."""
    assert normalise_number(text) == "905374937766"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("05374937766", "begins with 0"),
        ("+05374937766", "begins with 0"),
        ("0000905374937766", "begins with 0"),
        ("9.05E+11", "spreadsheet"),
        ("9,05e11", "spreadsheet"),
        ("905,374", "spreadsheet"),
        ("+44 (0)20 7946 0958", "without the (0)"),
        ("90537abc7766", "letters or signs"),
        ("905374937766²", "letters or signs"),
        ("+", "letters or signs"),
        ("", "empty"),
        (" -- ", "empty"),
        ("00", "empty"),
        ("905374", "fewer than 8"),
        ("9053749377661234", "more than the 15"),
        ("2105374937766", "no country code begins with 210"),
        ("999", "no country code begins with 999"),
    ],
)
def test_what_is_no_number_is_refused_with_the_reason(text: str, reason: str) -> None:
    """The error says why, in words a person can act on."""
    with pytest.raises(NumberError, match=reason.replace("(", r"\(").replace(")", r"\)")):
        normalise_number(text)


@pytest.mark.parametrize(
    ("digits", "code"),
    [("12025550123", "1"), ("905374937766", "90"), ("35312345678", "353"), ("", None)],
)
def test_the_country_code_is_found(digits: str, code: str | None) -> None:
    """Codes have one, two or three digits."""
    assert country_code(digits) == code


def test_the_shortest_numbering_plans_are_let_through() -> None:
    """Niue's and Tokelau's numbers have seven digits in all."""
    assert normalise_number("+683 4002") == "6834002"
    with pytest.raises(NumberError, match="only 7 digits"):
        normalise_number("5551234")


@given(st.text(max_size=40))
def test_any_text_gives_digits_or_a_reason(text: str) -> None:
    """No text whatever raises anything else, and what comes out is a number."""
    try:
        digits = normalise_number(text)
    except NumberError:
        return
    assert digits.isascii()
    assert digits.isdigit()
    assert 7 <= len(digits) <= MAX_DIGITS
    assert not digits.startswith("0")
    assert normalise_number(digits) == digits


@given(st.from_regex(r"90[1-9][0-9]{9}", fullmatch=True))
def test_a_refusal_never_holds_the_whole_number(digits: str) -> None:
    """An error may be logged, so it shows at most the first three digits."""
    with pytest.raises(NumberError) as caught:
        normalise_number("0" + digits)
    assert digits[:MIN_DIGITS] not in str(caught.value)


MARKS = st.text(alphabet=" -./()\u00a0\u200b\u202a\u202c\ufeff\u2011", max_size=3)
SCRIPTS = ["0123456789", "٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "०१२३४५६७८९", "０１２３４５６７８９"]  # digits


@given(st.data(), st.from_regex(r"[1-9][0-9]{7,14}", fullmatch=True).filter(country_code))
def test_every_notation_of_a_number_is_the_same_number(data: st.DataObject, digits: str) -> None:
    """Whatever stands before, between and behind its digits, and in whatever script they are."""
    script = data.draw(st.sampled_from(SCRIPTS))
    text = data.draw(st.sampled_from(["", "+", script[0] * 2]))
    for digit in digits:
        text += data.draw(MARKS) + script[int(digit)]
    text += data.draw(MARKS)
    assume(not re.search(r"\(\s*0\s*\)", text))  # (0) is refused by design
    assert normalise_number(text) == digits
