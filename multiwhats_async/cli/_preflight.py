"""What is said of a file before anything of it is sent."""

import textwrap
from collections.abc import Collection, Iterator, Mapping
from typing import Final

import click

from .._countries import CODES, NO_COUNTRY
from .._secret import mask_number
from ..models import ButtonMessage
from ._reading import Checked

COST_NOTE: Final = "1 credit each, as in the vendor's example"

MAIN_SHARE: Final = 0.9
"""Of a list that is meant for one country."""

FEW: Final = 0.05
"""The share below which another country in such a list looks like a mistake."""

MAX_COUNTRIES: Final = 8
"""That are named; the others are counted."""

MAX_LINES: Final = 8
"""Lines of a message that are shown."""

WIDTH: Final = 72
"""Columns of a message that is shown."""

COUNTRIES: Final = frozenset(part for country in CODES.values() for part in country.split("/"))


class Country(click.ParamType[str]):
    """A country in two letters, as ISO 3166 has them."""

    name = "country"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the country in capital letters, or refuse the value."""
        code = value.strip().upper()
        if code not in COUNTRIES:
            self.fail(f"{value!r} is no country: write two letters, such as TR", param, ctx)
        return code


expect_country = click.option(
    "--expect-country",
    "expected",
    type=Country(),
    multiple=True,
    metavar="CC",
    help="Refuse numbers of other countries, such as --expect-country TR; repeat it for more.",
)


def preflight_lines(checked: Checked) -> Iterator[str]:
    """Yield where the good rows of a file go, and how the first of them will look."""
    if checked.countries:
        suspicious = suspects(checked.countries)
        yield f"Countries: {_histogram(checked.countries, suspicious)}"
        if suspicious:
            main = next(iter(checked.countries))
            yield (
                f"  ⚠ Few numbers are not of {main}. A number without its country code looks like "
                f"another country's; --expect-country {main.partition('/')[0]} lists them."
            )
    for number, (line, message) in enumerate(checked.first):
        if not number:
            yield "As they will look:"
        yield from _shown(line, message)


def suspects(countries: Mapping[str, int]) -> Collection[str]:
    """Return the countries that look like mistakes: few, in a list that is meant for another one.

    Args:
        countries: How many numbers each has, the most first.
    """
    total = sum(countries.values())
    main = next(iter(countries.values()))
    if main < total * MAIN_SHARE:
        return {NO_COUNTRY} & countries.keys()
    return {
        country
        for country, count in countries.items()
        if count < total * FEW or country == NO_COUNTRY
    }


def _histogram(countries: Mapping[str, int], suspicious: Collection[str]) -> str:
    """Return the countries with their counts; those that look like mistakes are never left out."""
    named = [
        country
        for place, country in enumerate(countries)
        if place < MAX_COUNTRIES or country in suspicious
    ][: 2 * MAX_COUNTRIES]
    parts = [
        f"{country} {countries[country]:,}{' ⚠' if country in suspicious else ''}"
        for country in named
    ]
    rest = len(countries) - len(named)
    return " · ".join(parts) + (f" · {rest} more" if rest else "")


def _shown(line: int, message: ButtonMessage) -> Iterator[str]:
    """Yield one message as it will look."""
    yield f"  line {line:,}, to {mask_number(message.to)}"
    lines = [
        part
        for text in message.message.split("\n")
        for part in textwrap.wrap(text, WIDTH, drop_whitespace=False) or [""]
    ]
    if len(lines) > MAX_LINES:
        lines = [*lines[: MAX_LINES - 1], "…"]
    yield from (f"    │ {text}" for text in lines)
    yield f"    └ {'  '.join(f'[{label}]' for label in message.buttons)}"
