"""JSONL to records: one JSON object in each line."""

import json
from collections.abc import Iterator
from typing import Any, Final, NoReturn

from ._records import REQUIRED, BadCell, Record, field_of


def jsonl_records(lines: Iterator[str], *, skipped: int) -> Iterator[Record | BadCell]:
    """Yield the records of a file with one JSON object in each line.

    Args:
        lines: Its lines.
        skipped: How many lines stood before them.
    """
    for line, text in enumerate(lines, start=skipped + 1):
        if text.strip():
            yield _record(line, text)


def _record(line: int, text: str) -> Record | BadCell:
    try:
        data = _decode(text)
    except (ValueError, RecursionError) as error:
        why = "nested too deep" if isinstance(error, RecursionError) else _reason(error)
        return BadCell(line=line, column="", text=f"is no JSON object ({why})")
    if not isinstance(data, dict):
        return BadCell(line=line, column="", text="is no JSON object: write {…} in each line")
    values: dict[str, Any] = {}
    names: dict[str, str] = {}
    for name, value in data.items():
        field = field_of(name)
        if field in values:
            text = f"stands for the same as {names[field]}: keep one"
            return BadCell(line=line, column=name.strip(), text=text)
        if field is not None:
            values[field], names[field] = value, name.strip()
    missing = [how for field, how in REQUIRED.items() if field not in values]
    if missing:
        return BadCell(line=line, column="", text=f"has no field for {'; nor for '.join(missing)}")
    return Record(line=line, values=values, names=names)


def _reason(error: Exception) -> str:
    """Return why a text is no JSON, without the text."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}, at character {error.colno}"
    return str(error)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_decode: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse_constant).decode
