"""Which country a number belongs to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiwhats_async._countries import CODES, NO_COUNTRY, country_of
from multiwhats_async._numbers import ONE_DIGIT_CODES, THREE_DIGIT_CODES, TWO_DIGIT_CODES


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("905374937766", "TR"),
        ("5374937766", "CU"),
        ("15551234567", "US/CA"),
        ("79161234567", "RU/KZ"),
        ("37255512345", "EE"),
        ("8816123456", NO_COUNTRY),
        ("9990000000", NO_COUNTRY),
        ("2", NO_COUNTRY),
        ("", NO_COUNTRY),
    ],
)
def test_a_number_belongs_to_a_country(number: str, country: str) -> None:
    """A Turkish number without its 90 is a Cuban one."""
    assert country_of(number) == country


def test_every_code_of_a_country_has_its_name() -> None:
    """What is taken for a number is of a country, or of one of the services of the whole world."""
    codes = ONE_DIGIT_CODES | TWO_DIGIT_CODES | THREE_DIGIT_CODES
    worldwide = {"800", "808", "870", "878", "881", "882", "883", "888", "979"}
    assert set(CODES) == codes - worldwide
    for country in CODES.values():
        assert all(len(part) == 2 and part.isupper() for part in country.split("/"))


@given(st.text(alphabet="0123456789", max_size=15))
def test_any_digits_have_an_answer(number: str) -> None:
    """A country of the table, or none."""
    assert country_of(number) in {*CODES.values(), NO_COUNTRY}
