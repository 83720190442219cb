"""CSV to records: the header, its delimiter, and the rows below it."""

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Final

import attrs

from ._failure import masked
from ._records import REQUIRED, BadCell, Record, UnreadableError, field_of

DELIMITERS: Final = ",;\t|"
"""Comma; semicolon, which Excel writes where the comma is the decimal mark; tab; bar."""

_SEP_LINE: Final = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_BUTTON: Final = re.compile(r"button[ _]?([1-9][0-9]?)")
_LONGEST_NAME: Final = 30
"""Characters of a column's name that are shown."""


@attrs.frozen(kw_only=True)
class Columns:
    """Where a table has what.

    Attributes:
        places: The place of each field's column, counted from 0.
        names: The name of each field's column, as the file has it.
        buttons: The places of ``button1``, ``button2``, … in the order of their numbers.
        width: How many columns there are.
    """

    places: Mapping[str, int]
    names: Mapping[str, str]
    buttons: tuple[int, ...]
    width: int


def table_records(lines: Iterator[str], *, skipped: int) -> Iterator[Record | BadCell]:
    """Yield the records of a table.

    Args:
        lines: Its lines, the first of them not blank.
        skipped: How many lines stood before them.

    Raises:
        UnreadableError: The header cannot be used, or a quote is open to the end.
    """
    delimiter = None
    first = next(lines)
    named = _SEP_LINE.fullmatch(first)
    if named:
        skipped += 1
        delimiter = named[1]
        first = next(lines, "")
        if delimiter not in DELIMITERS:
            raise UnreadableError(f"sep={delimiter} is none of , ; tab and |")
    if delimiter is None:
        delimiter = _delimiter(first)
    reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
    columns: Columns | None = None
    for line, cells in _rows(reader, lambda: reader.line_num + skipped):
        if columns is None:
            columns = _columns(cells)
        elif any(cell.strip() for cell in cells):  # Excel leaves rows of delimiters behind
            yield _record(line, cells, columns)


def _rows(
    reader: Iterator[list[str]], lines_read: Callable[[], int]
) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows, each with the line that it begins in."""
    while True:
        line = lines_read() + 1
        try:
            yield line, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise UnreadableError(
                f"the row that begins in line {line} cannot be read ({error}): "
                'is a quote missing, or not doubled ("")? What follows it was not checked'
            ) from None


def _delimiter(header: str) -> str:
    """Return the delimiter by which most of the header's names make sense."""

    def score(delimiter: str) -> tuple[int, int]:
        cells = next(csv.reader([header], delimiter=delimiter))
        return sum(_is_known(cell) for cell in cells), len(cells)

    return max(DELIMITERS, key=score)


def _is_known(name: str) -> bool:
    return field_of(name) is not None or _BUTTON.fullmatch(name.strip().lower()) is not None


def _columns(header: list[str]) -> Columns:
    """Return where the header has what, or say what it lacks."""
    names = [name.strip() for name in header]
    places: dict[str, int] = {}
    buttons: dict[int, int] = {}
    for place, name in enumerate(names):
        numbered = _BUTTON.fullmatch(name.lower())
        field = field_of(name)
        if numbered:
            taken = buttons.setdefault(int(numbered[1]), place)
        elif field is not None:
            taken = places.setdefault(field, place)
        else:
            continue
        if taken != place:
            raise UnreadableError(
                f"has two columns for the same: {names[taken]} (column {taken + 1}) and "
                f"{name} (column {place + 1}): keep one"
            )
    if buttons and "buttons" in places:
        raise UnreadableError(
            f"has a column buttons and a column {names[min(buttons.values())]}: keep one way"
        )
    if buttons:
        places["buttons"] = buttons[min(buttons)]
    _refuse_missing(places, names)
    return Columns(
        places=places,
        names={field: names[place] for field, place in places.items()},
        buttons=tuple(buttons[number] for number in sorted(buttons)),
        width=len(header),
    )


def _refuse_missing(places: Mapping[str, int], names: list[str]) -> None:
    missing = [how for field, how in REQUIRED.items() if field not in places]
    if missing:
        shown = ", ".join(masked(name[:_LONGEST_NAME]) or "(empty)" for name in names)
        raise UnreadableError(
            f"has no column for {'; nor for '.join(missing)}. Its first line has: {shown}"
        )


def _record(line: int, cells: list[str], columns: Columns) -> Record | BadCell:
    if any(cells[columns.width :]):
        return BadCell(
            line=line,
            column="",
            text=f"has {len(cells)} cells, the header has {columns.width}: "
            "is a text that holds the delimiter not quoted?",
        )
    cells += [""] * (columns.width - len(cells))  # Excel leaves out what is empty at the end
    values: dict[str, object] = {field: cells[place] for field, place in columns.places.items()}
    if columns.buttons:
        texts = [cells[place] for place in columns.buttons]
        values["buttons"] = [text for text in texts if text.strip()]
    return Record(line=line, values=values, names=columns.names)
