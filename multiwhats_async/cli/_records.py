"""What a file of messages is read into: a record a row, or what stands in the way of one."""

from collections.abc import Mapping
from typing import Any, Final

import attrs

FIELDS: Final = {
    "to": "to",
    "phone": "to",
    "telefon": "to",
    "gsm": "to",
    "number": "to",
    "from": "from",
    "sender": "from",
    "message": "message",
    "buttons": "buttons",
    "key": "key",
}
"""The names that a column or JSON field may have, in small letters, and what they stand for."""

REQUIRED: Final = {
    "to": "the recipient: name one to (or phone, telefon, gsm, number)",
    "message": "the text: name one message",
    "buttons": "the buttons: name one buttons, or some button1, button2, button3",
}
"""What must be there, and how to name it."""


class UnreadableError(Exception):
    """The file, or what is left of it, cannot be read; says why, and the way out."""


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
        values: Its values under the names that stand on the right in :data:`FIELDS`.
        names: The column's name as the file has it, for each of these.
    """

    line: int
    values: Mapping[str, Any] = attrs.field(repr=False)
    names: Mapping[str, str]

    def bad(self, field: str, text: str) -> BadCell:
        """Return what is wrong with one of its values."""
        return BadCell(line=self.line, column=self.names.get(field, field), text=text)


def field_of(name: str) -> str | None:
    """Return what a column or JSON field of that name stands for, or None."""
    return FIELDS.get(name.strip().lower())
