"""What a spreadsheet does to the values of its cells: mended where nothing is lost, else told."""

import re
from typing import Final

from .._secret import mask_number, masked
from ._names import trimmed

UNCOMPUTED: Final = "#FORMULA!"
"""Ours: stands in a cell whose formula has no value."""

_EXCEL: Final = (
    "#N/A #NAME? #REF! #VALUE! #DIV/0! #NULL! #NUM! #SPILL! #CALC! #FIELD! #BLOCKED! #UNKNOWN! "
    "#CONNECT! #GETTING_DATA"
)
_TURKISH_EXCEL: Final = "#YOK #AD? #BAŞV! #DEĞER! #SAYI/0! #BOŞ! #SAYI! #TAŞMA! #HESAPLAMA! #ALAN!"
_ERRORS: Final = frozenset(f"{_EXCEL} {_TURKISH_EXCEL} #MACRO?".split())
_CODE: Final = re.compile(r"(?:Err:|#ERR)\d{3}!?|#{3,}")
_SUSPECT: Final = re.compile(r"\s*(?:[=#]|Err:)")
_QUOTED: Final = re.compile(r'="((?:[^"]|"")*)"')
_FORMULA: Final = re.compile(
    r"""=[-+(\s]*(?:
        [^\W\d][\w.]*\(                          # CONCATENATE(
      | (?:'[^']+'|[\w.]+)!\$?[A-Z]              # Sheet1!A
      | \$?[A-Z]{1,3}\$?[1-9]\d*(?:\s*[-+*/&:^)=<>;,]|\s*$)   # A1 or A1&
      | "[^"]*"\s*&                              # "Hi "&
      | \d[\d.,]*\s*[-+*/&^]\s*\$?[A-Z]{1,3}\$?[1-9]  # 90&B2
    )""",
    re.VERBOSE,
)
_ROUNDED: Final = re.compile(r"[-+]?\d(?:[.,]\d*)?[eE]\+?\d{1,3}")
_FRACTION: Final = re.compile(r"(\+?\d{8,15})[.,](\d{1,2})")
_POINT_ZERO: Final = re.compile(r"(\+?\d[\d\s]{7,})[.,]0")
_SURE_DIGITS: Final = 11
"""Digits before a mark after which two more are a fraction, and no part of the number. A single
one always is: nobody writes a number so."""


class CellError(ValueError):
    """A spreadsheet has put something else in the place of a value; says what, and the way out."""


def cell_text(text: str) -> str:
    """Return what a cell says.

    Raises:
        CellError: It holds an error or a formula in place of a value.
    """
    if not _SUSPECT.match(text):
        return text
    bare = trimmed(text)
    if bare == UNCOMPUTED:
        raise CellError(
            "is a formula whose value is not in the file: open the file in a spreadsheet and "
            "save it again, or paste the column as values"
        )
    if bare in _ERRORS or _CODE.fullmatch(bare):
        raise CellError(
            f"is {bare}, which is an error of the spreadsheet and no value: mend its formula, "
            "or enter the value itself"
        )
    quoted = _QUOTED.fullmatch(bare)
    if quoted:  # how some programs keep Excel from making a number of a text
        return quoted[1].replace('""', '"')
    if _FORMULA.match(bare):
        raise CellError(
            f"{masked(bare)!r} is a formula and not its value: "
            "copy the column and paste it as values"
        )
    return text


def cell_number(text: str) -> str:
    """Return the phone number that a cell says, in whatever notation.

    Raises:
        CellError: The spreadsheet has put something else in its place.
    """
    if text.isdecimal():
        return text
    text = trimmed(cell_text(trimmed(text)))
    text = trimmed(text.removeprefix("'"))  # how one tells Excel that a text follows
    if _ROUNDED.fullmatch(text):
        raise CellError(
            f"{mask_number(text)!r} is a number that the spreadsheet has rounded, its last digits "
            "are lost: format the column as text and paste the numbers again"
        )
    whole = _POINT_ZERO.fullmatch(text)
    if whole:
        return whole[1]
    fraction = _FRACTION.fullmatch(text)
    if fraction is None:
        return text
    digits, rest = fraction.groups()
    if len(rest) > 1 and len(digits.removeprefix("+")) < _SURE_DIGITS:
        return text
    if rest.strip("0"):
        raise CellError(
            f"{mask_number(text)!r} is a number with a fraction: enter the phone number as text"
        )
    return digits
