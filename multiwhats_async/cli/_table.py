"""Tables to records: the header, its delimiter, and the rows below it."""

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Final

import attrs

from .._secret import masked
from ._names import Naming, numbered_of, plain, variable_of
from ._records import BadCell, Record, UnreadableError, lacking

DELIMITERS: Final = ",;\t|"
"""Comma; semicolon, which Excel writes where the comma is the decimal mark; tab; bar."""

_SEP_LINE: Final = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_LONGEST_SHOWN: Final = 30
"""Characters of a column's name that are shown."""

_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@attrs.frozen(kw_only=True)
class Columns:
    """Where a table has what.

    Attributes:
        places: The place of each field's column, counted from 0.
        variables: The place of each variable's column.
        names: The name of each field's column as the file has it; and of each ``{variable}``'s.
        numbered: ``button1``, ``button2``, … in the order of their numbers, where there are some.
        unusable: Names that take nothing into a text, each with why.
        width: How many columns there are.
        letters: In a workbook, the letters of the same columns as ``names``; else empty.
    """

    places: Mapping[str, int]
    variables: Mapping[str, int]
    names: Mapping[str, str]
    numbered: tuple[str, ...]
    unusable: Mapping[str, str]
    width: int
    letters: Mapping[str, str]


def table_records(
    lines: Iterator[str], *, skipped: int, naming: Naming
) -> Iterator[Record | BadCell]:
    """Yield the records of a table in a text file.

    Args:
        lines: Its lines, the first of them not blank.
        skipped: How many lines stood before them.
        naming: Which column stands for what.

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
        delimiter = _delimiter(first, naming)
    reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
    return row_records(_rows(reader, lambda: reader.line_num + skipped), naming=naming)


def row_records(
    rows: Iterator[tuple[int, list[str]]], *, naming: Naming, is_sheet: bool = False
) -> Iterator[Record | BadCell]:
    """Yield the records of rows of cells, the first of which that is not blank is the header.

    Args:
        rows: The rows, each with its number.
        naming: Which column stands for what.
        is_sheet: Whether they are those of a workbook.

    Raises:
        UnreadableError: The header cannot be used.
    """
    columns: Columns | None = None
    for line, cells in rows:
        if not any(cell.strip() for cell in cells):  # Excel leaves rows of delimiters behind
            continue
        if columns is None:
            columns = _columns(cells, naming, is_sheet=is_sheet)
        else:
            yield _record(line, cells, columns)
    if columns is None:
        _columns([], naming, is_sheet=is_sheet)


def letters_of(place: int) -> str:
    """Return the letters by which a workbook names a column, for its place counted from 0."""
    letters = ""
    place += 1
    while place:
        place, letter = divmod(place - 1, len(_LETTERS))
        letters = _LETTERS[letter] + letters
    return letters


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


def _delimiter(header: str, naming: Naming) -> str:
    """Return the delimiter by which most of the header's names make sense."""

    def score(delimiter: str) -> tuple[int, int]:
        cells = next(csv.reader([header], delimiter=delimiter))
        return sum(bool(naming.fields_of(cell)) for cell in cells), len(cells)

    return max(DELIMITERS, key=score)


def _columns(header: list[str], naming: Naming, *, is_sheet: bool) -> Columns:
    """Return where the header has what, or say what it lacks."""
    names = [plain(name) for name in header]
    places: dict[str, int] = {}
    variables: dict[str, int] = {}
    unusable: dict[str, str] = {}
    for place, name in enumerate(names):
        fields = naming.fields_of(name)
        variable = variable_of(name)
        for field in fields:
            taken = places.setdefault(field, place)
            if taken != place:
                raise UnreadableError(
                    f"has two columns for the same: {names[taken]} (column {taken + 1}) and "
                    f"{name} (column {place + 1}): keep one, or choose: --column {field}=NAME"
                )
        if fields:
            unusable[variable] = f"is the column for {fields[0]}, which no text takes"
        elif variable in variables:
            other = names[variables.pop(variable)]
            unusable[variable] = f"stands for two columns, {other!r} and {name!r}: rename one"
        elif variable and variable not in unusable:
            variables[variable] = place
    _refuse_missing(places, names, naming)
    numbered = numbered_of(places)
    if numbered and "buttons" in places:
        raise UnreadableError(
            f"has a column {names[places['buttons']]} and a column {names[places[numbered[0]]]}: "
            "keep one way"
        )
    named = places | {f"{{{variable}}}": place for variable, place in variables.items()}
    if numbered:
        named["buttons"] = places[numbered[0]]
    return Columns(
        places=places,
        variables=variables,
        names={field: names[place] for field, place in named.items()},
        numbered=numbered,
        unusable=unusable,
        width=len(header),
        letters={field: letters_of(place) for field, place in named.items()} if is_sheet else {},
    )


def _refuse_missing(places: Mapping[str, int], names: list[str], naming: Naming) -> None:
    lost = lacking(places, naming.chosen, "column")
    if lost is None:
        return
    shown = ", ".join(masked(name[:_LONGEST_SHOWN]) or "(empty)" for name in names)
    raise UnreadableError(f"{lost}. Its first line has: {shown}")


def _record(line: int, cells: list[str], columns: Columns) -> Record | BadCell:
    if any(cells[columns.width :]) and not columns.letters:  # beside a sheet's table stand notes
        return BadCell(
            line=line,
            column="",
            text=f"has {len(cells)} cells, the header has {columns.width}: "
            "is a text that holds the delimiter not quoted?",
        )
    cells += [""] * (columns.width - len(cells))  # Excel leaves out what is empty at the end
    return Record(
        line=line,
        values={field: cells[place] for field, place in columns.places.items()},
        names=columns.names,
        numbered=columns.numbered,
        variables={name: cells[place] for name, place in columns.variables.items()},
        unusable=columns.unusable,
        is_fixed=True,
        letters=columns.letters,
    )
