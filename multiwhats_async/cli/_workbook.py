"""XLSX workbooks to rows of texts, through openpyxl, which is an extra of its own."""

import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, BinaryIO, Final

from ._cells import UNCOMPUTED
from ._names import UnreadableError

MAX_BYTES: Final = 1_000_000_000
"""Bytes, once unpacked. Ours: a small file may unpack to more than any memory holds."""

MAX_ROWS: Final = 1_048_576
"""Excel's own limit."""

_AT_ONCE: Final = 500
"""Rows that are taken from openpyxl in one go."""

_BLOCK: Final = 1 << 20
_MAGIC: Final = b"PK\x03\x04"
_PARTS: Final = ("[Content_Types].xml", "xl/workbook.xml")
_FORMULA: Final = re.compile(rb"<(?:\w+:)?f[\s/>]")
_FORMULA_LENGTH: Final = 64
"""Bytes of one block that are looked at again with the next, for what stands across both."""

_TEXT_OF_FORMULA: Final = "str"
"""ECMA-376 part 1, 18.18.11: the type of a cell with a formula whose value is a text."""

_SAVE_AGAIN: Final = "open it in a spreadsheet and save it again, or save it as 'CSV UTF-8'"


def is_workbook(file: BinaryIO) -> bool:
    """Tell whether a file is an XLSX workbook."""
    file.seek(0)
    if file.read(len(_MAGIC)) != _MAGIC:
        return False
    try:
        with zipfile.ZipFile(file) as archive:
            return set(_PARTS) <= set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return False


def workbook_rows(file: BinaryIO) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a workbook's first sheet that is not hidden, each with its number.

    Numbers become their digits, dates ISO 8601. A cell that shows an error becomes its text, one
    whose formula has no value :data:`UNCOMPUTED`.

    Args:
        file: The workbook.

    Raises:
        UnreadableError: It is too large, damaged, or that sheet is empty.
        ModuleNotFoundError: openpyxl is not installed.
    """
    import openpyxl  # noqa: PLC0415  # an extra: only whoever has a workbook needs it

    has_formulas = _looked_over(file)
    is_empty = True
    with closing(_Sheet(openpyxl, file, values=True)) as sheet:
        if has_formulas:
            with closing(_Sheet(openpyxl, file, values=False)) as formulas:
                both = map(_with_formulas, sheet.rows(values_only=False), formulas.rows())
                for number, row in enumerate(both, start=1):
                    is_empty = is_empty and not any(row)
                    yield number, row
        else:
            for number, cells in enumerate(sheet.rows(), start=1):
                row = [_text(cell) for cell in cells]
                is_empty = is_empty and not any(row)
                yield number, row
        if is_empty:
            raise UnreadableError(sheet.emptiness)


def _looked_over(file: BinaryIO) -> bool:
    """Refuse what unpacks to too much; tell whether there is a formula anywhere."""
    with zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
        size = sum(part.file_size for part in parts)
        if size > MAX_BYTES:
            raise UnreadableError(
                f"is a workbook of {size:,} bytes once unpacked, more than {MAX_BYTES:,}: "
                "save it as 'CSV UTF-8'"
            )
        sheets = (part for part in parts if part.filename.endswith(".xml"))
        try:
            return any(_has_formula(archive, sheet) for sheet in sheets)
        except Exception as error:  # noqa: BLE001  # see _Sheet.rows
            raise _damaged(error) from None


def _has_formula(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> bool:
    with archive.open(part) as xml:
        rest = b""
        while block := xml.read(_BLOCK):
            if _FORMULA.search(rest + block):
                return True
            rest = block[-_FORMULA_LENGTH:]
    return False


class _Sheet:
    """One reading of a workbook's first sheet that is not hidden.

    Args:
        openpyxl: The library.
        file: The workbook.
        values: Whether a formula's value is read, or the formula.
    """

    def __init__(self, openpyxl: Any, file: BinaryIO, *, values: bool) -> None:
        file.seek(0)
        try:
            with warnings.catch_warnings(action="ignore"):  # of styles and drawings
                self._book = openpyxl.load_workbook(
                    file, read_only=True, data_only=values, keep_links=False
                )
            sheets = self._book.worksheets
            shown = [sheet for sheet in sheets if sheet.sheet_state == "visible"] or sheets
            self._sheet = shown[0]
        except Exception as error:  # noqa: BLE001  # see rows
            raise _damaged(error) from None
        others = ", ".join(repr(sheet.title) for sheet in shown[1:])
        self.emptiness = f"is a workbook whose first sheet, {self._sheet.title!r}, is empty" + (
            f": move the sheet with the messages ({others}) to the first place"
            if others
            else ": its first row must be a header such as to, message, button1"
        )

    def rows(self, *, values_only: bool = True) -> Iterator[tuple[Any, ...]]:
        """Yield the values of each row, or its cells, as many as it has.

        Raises:
            UnreadableError: The workbook is damaged.
        """
        self._sheet.reset_dimensions()  # some programs write wrong ones
        rows = self._sheet.iter_rows(values_only=values_only)
        count = 0
        while True:
            try:
                with warnings.catch_warnings(action="ignore"):  # of dates before 1900
                    chunk = list(islice(rows, _AT_ONCE))
            # A library that reads XML of anybody's making trips in any way at all over what is
            # damaged; whichever it is, the file is what is wrong.
            except Exception as error:  # noqa: BLE001  # as said above
                raise _damaged(error) from None
            count += len(chunk)
            if count > MAX_ROWS:
                raise UnreadableError(
                    f"is a workbook of more than {MAX_ROWS:,} rows: {_SAVE_AGAIN}"
                )
            if not chunk:
                return
            yield from chunk

    def close(self) -> None:
        """Free what the library holds; the file stays open."""
        self._book.close()


def _with_formulas(cells: tuple[Any, ...], formulas: tuple[Any, ...]) -> list[str]:
    """Return the texts of a row in which a formula may be without its value.

    A formula whose value is the empty text has one; that openpyxl shows by the cell's type alone.
    """
    return [
        UNCOMPUTED
        if cell.value is None and formula is not None and cell.data_type != _TEXT_OF_FORMULA
        else _text(cell.value)
        for cell, formula in zip(cells, formulas, strict=True)
    ]


def _damaged(error: Exception) -> UnreadableError:
    return UnreadableError(f"is a damaged workbook ({type(error).__name__}): {_SAVE_AGAIN}")


def _text(value: Any) -> str:
    """Return what a cell says, as text."""
    if value is None:
        return ""
    if isinstance(value, str):
        # How Excel writes a carriage return.
        return value.replace("_x000D_", "\r") if "_x000D_" in value else value
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        # 15 digits are what Excel shows of a number; the others are rounding.
        text = format(Decimal(f"{value:.15g}"), "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    return _time_text(value)


def _time_text(value: Any) -> str:
    """Return a date, a time or both in ISO 8601, without what is zero."""
    if isinstance(value, datetime):
        value = (value + timedelta(seconds=0.5)).replace(microsecond=0)
        day, hour = value.date().isoformat(), value.time()
        return f"{day} {_time_text(hour)}" if hour != time() else day
    if isinstance(value, time):
        return value.isoformat(timespec="seconds" if value.second else "minutes")
    return str(value)  # a span of time, or a date alone
