"""What a file of messages is read into: a record a row, or what stands in the way of one."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from .._secret import masked
from ._names import UnreadableError

__all__ = ["REQUIRED", "BadCell", "Record", "UnreadableError", "lacking"]

REQUIRED: Final = {
    "to": "the recipient: name one to (or phone, telefon, gsm, number, …)",
    "message": "the text: name one message",
    "buttons": "the buttons: name one buttons, or some button1, button2, button3",
}
"""What must be there, and how to name it."""

MAX_TOLD: Final = 12
"""Names that are listed where one is missing."""


@attrs.frozen(kw_only=True)
class BadCell:
    """One thing that is wrong with one row.

    Attributes:
        line: The line of the file that the row begins in, counted from 1.
        column: The column's name as the file has it, or "" for the row as a whole.
        text: What is wrong, the value, and the way out. Numbers are masked.
    """

    line: int
    column: str
    text: str

    def __str__(self) -> str:
        where = f"line {self.line}, {self.column}" if self.column else f"line {self.line}"
        return f"{where}: {self.text}"


@attrs.frozen(kw_only=True)
class Record:
    """One row, as it stands in the file.

    Attributes:
        line: The line of the file that it begins in, counted from 1.
        values: Its values by field: ``to``, ``message``, ``from``, ``key``, and either
            ``buttons`` or ``button1``, ``button2``, …
        names: The column's name as the file has it, by field; and by ``{variable}``.
        numbered: The fields of the single buttons, in the order of their numbers; else ().
        variables: Every other value, by the name that takes it into a text.
        unusable: Names that take nothing into a text, each with why.
        is_fixed: Whether all rows have the same variables, so that a name that is none of them is
            a slip, even where it has a fallback.
        letters: The column's letter in a workbook, by the same names; else empty.
    """

    line: int
    values: Mapping[str, Any] = attrs.field(repr=False)
    names: Mapping[str, str]
    numbered: tuple[str, ...] = ()
    variables: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    unusable: Mapping[str, str] = attrs.field(factory=dict[str, str])
    is_fixed: bool = False
    letters: Mapping[str, str] = attrs.field(factory=dict[str, str])

    def bad(self, field: str, text: str) -> BadCell:
        """Return what is wrong with one of its values."""
        column = self.names.get(field, field)
        if field in self.letters:
            column = f"{column} ({self.letters[field]}{self.line})"
        return BadCell(line=self.line, column=column, text=text)

    def why_not(self, variable: str) -> str | None:
        """Return why a name cannot take anything into a text, or None where it may be left out."""
        why = self.unusable.get(variable)
        if why is not None:
            return f"{{{variable}}} {why}"
        if not self.is_fixed:
            return None
        known = [f"{{{name}}}" for name in self.variables]
        more = ", …" if len(known) > MAX_TOLD else ""
        told = f"there are {', '.join(known[:MAX_TOLD])}{more}" if known else "there is none"
        return masked(f"{{{variable}}} names no column that a text may take: {told}")


def lacking(fields: Iterable[str], chosen: Mapping[str, str], kind: str) -> str | None:
    """Return what a file or object lacks, and how to name it; or None.

    Args:
        fields: What it has.
        chosen: The names that were chosen by hand, by field.
        kind: ``column`` or ``field``.
    """
    has = set(fields)
    if any(field.startswith("button") for field in has):
        has.add("buttons")
    lost = [f"{name!r} for {field}" for field, name in chosen.items() if field not in has]
    if not lost:
        lost = [f"for {how}" for field, how in REQUIRED.items() if field not in has]
    return f"has no {kind} {'; nor '.join(lost)}" if lost else None
