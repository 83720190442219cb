"""One row to its message, or to everything that is wrong with it."""

import json
import re
import unicodedata
from typing import Any, Final

import attrs

from ..errors import InvalidMessageError
from ..models import ButtonMessage
from ._cells import CellError, cell_number, cell_text
from ._failure import for_the_command_line
from ._filling import filled
from ._records import BadCell, Record

NO_SENDER: Final = "no number to send from: give --from, or fill in the column from"

LONGEST_TEXT: Final = 300
"""Characters of what is said about one cell; the value that it quotes may be long."""


_BARS: Final = re.compile(r"\{[^{}]*\}|\|")
"""A bar between buttons, or all of ``{name|fallback}``, whose bar is none."""

_NUMBERED: Final = re.compile(r"button (\d+) ")
_GOOD_NUMBER: Final = "905300000000"
_GOOD_TEXT: Final = "-"
"""Stand in the place of what is known to be wrong, while the rest of the row is looked at."""


def build(record: Record | BadCell, *, sender: str | None) -> ButtonMessage | list[BadCell]:
    """Return the message of a record, or everything that is wrong with it."""
    if isinstance(record, BadCell):
        return [record]
    values = record.values
    problems: list[BadCell] = []
    to = _number(record, "to", problems)
    text = _filled(values["message"], record, "message", problems)
    buttons, fields = _buttons(record, problems)
    own_sender = _number(record, "from", problems) or None
    if own_sender is None and sender is None:
        problems.append(record.bad("from", NO_SENDER))
    try:
        message = ButtonMessage(to, text, buttons, own_sender, _key(record, problems))
    except InvalidMessageError as error:
        for problem in error.problems:
            field = "from" if problem.field == "sender" else problem.field
            numbered = _NUMBERED.match(problem.text)
            if field == "buttons" and numbered and int(numbered[1]) <= len(fields):
                field = fields[int(numbered[1]) - 1]
            problems.append(record.bad(field, _cut(for_the_command_line(problem.text))))
    else:
        if not problems:
            return message
    return list(dict.fromkeys(problems))  # one value may be wrong in two places


def _number(record: Record, field: str, problems: list[BadCell]) -> Any:
    """Return a number of a record as the spreadsheet's user wrote it, noting what is wrong."""
    value = record.values.get(field)
    if not isinstance(value, str):
        return value
    try:
        return cell_number(value)
    except CellError as error:
        problems.append(record.bad(field, _cut(str(error))))
        return _GOOD_NUMBER


def _key(record: Record, problems: list[BadCell]) -> Any:
    """Return the key of a record or None, noting what is wrong."""
    value = record.values.get("key") or None
    if not isinstance(value, str):
        return value
    try:
        return cell_text(value)
    except CellError as error:
        problems.append(record.bad("key", _cut(str(error))))
        return None


def _filled(value: Any, record: Record, field: str, problems: list[BadCell]) -> Any:
    """Return a text of a record with its values filled in, noting what is wrong."""
    if not isinstance(value, str):
        return value
    text = filled(value, record, field)
    if isinstance(text, str):
        return _text(text)
    problems += [attrs.evolve(bad, text=_cut(bad.text)) for bad in text]
    return _GOOD_TEXT


def _buttons(record: Record, problems: list[BadCell]) -> tuple[Any, list[str]]:
    """Return the buttons of a record and the field of each, noting what is wrong."""
    if record.numbered:
        fields = [field for field in record.numbered if not _is_blank(record.values[field])]
        value: Any = [record.values[field] for field in fields]
    else:
        value = record.values["buttons"]
        if isinstance(value, str):
            value = _button_list(value, record, problems)
        if not isinstance(value, list):
            return value, []
        fields = ["buttons"] * len(value)
    before = len(problems)
    labels = [
        _filled(label, record, field, problems) for label, field in zip(value, fields, strict=True)
    ]
    # What is wrong is said already: no two stand-ins are to look like the same label twice.
    return (labels if len(problems) == before else [_GOOD_TEXT]), fields


def _button_list(cell: str, record: Record, problems: list[BadCell]) -> Any:
    """Return the buttons that one cell holds, noting what is wrong."""
    try:
        text = cell_text(cell).strip()
    except CellError as error:
        problems.append(record.bad("buttons", _cut(str(error))))
        return [_GOOD_TEXT]
    if not text.startswith("["):
        return _parts(text) if text else []
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        problem = 'begins with [ but is no JSON list: write ["Yes", "No"], or Yes|No'
        problems.append(record.bad("buttons", problem))
        return [_GOOD_TEXT]


def _parts(text: str) -> list[str]:
    """Return what stands between the bars of a text."""
    bars = [found.start() for found in _BARS.finditer(text) if found[0] == "|"]
    starts = [0, *(bar + 1 for bar in bars)]
    return [text[start:end].strip() for start, end in zip(starts, [*bars, None], strict=True)]


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _text(value: str) -> str:
    """Return a text as WhatsApp is to get it.

    NFC, because a letter such as ğ typed on a Mac may come as two characters, which count twice
    against WhatsApp's limits. Line ends become the documented line feed.
    """
    return unicodedata.normalize("NFC", value).replace("\r\n", "\n").replace("\r", "\n")


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
