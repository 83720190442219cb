"""JSONL to records: one JSON object in each line."""

import json
from collections.abc import Iterator
from typing import Any

from .._strict import decode_text
from ._names import Naming, numbered_of, variable_of
from ._records import BadCell, Record, lacking


def jsonl_records(
    lines: Iterator[str], *, skipped: int, naming: Naming
) -> Iterator[Record | BadCell]:
    """Yield the records of a file with one JSON object in each line.

    Args:
        lines: Its lines.
        skipped: How many lines stood before them.
        naming: Which field stands for what.
    """
    for line, text in enumerate(lines, start=skipped + 1):
        if text.strip():
            yield _record(line, text, naming)


def _record(line: int, text: str, naming: Naming) -> Record | BadCell:
    try:
        data = decode_text(text)
    except (ValueError, RecursionError) as error:
        why = "nested too deep" if isinstance(error, RecursionError) else _reason(error)
        return BadCell(line=line, column="", text=f"is no JSON object ({why})")
    if not isinstance(data, dict):
        return BadCell(line=line, column="", text="is no JSON object: write {…} in each line")
    values: dict[str, Any] = {}
    names: dict[str, str] = {}
    variables: dict[str, str] = {}
    unusable: dict[str, str] = {}
    for name, value in data.items():
        fields = naming.fields_of(name)
        for field in fields:
            if field in values:
                text = f"stands for the same as {names[field]}: keep one"
                return BadCell(line=line, column=name.strip(), text=text)
            values[field], names[field] = value, name.strip()
        if fields:
            unusable[variable_of(name)] = f"is the field for {fields[0]}, which no text takes"
        else:
            _add_variable(variable_of(name), value, variables, unusable)
    problem = lacking(values, naming.chosen, "field")
    numbered = numbered_of(values)
    if numbered and "buttons" in values:
        problem = f"has a field {names['buttons']} and a field {names[numbered[0]]}: keep one way"
    if problem is not None:
        return BadCell(line=line, column="", text=problem)
    if numbered:
        names["buttons"] = names[numbered[0]]
    return Record(
        line=line,
        values=values,
        names=names,
        numbered=numbered,
        variables=variables,
        unusable=unusable,
    )


def _add_variable(
    name: str, value: object, variables: dict[str, str], unusable: dict[str, str]
) -> None:
    """Note the value of a field that stands for none of the message's own."""
    if name in unusable:
        return
    if name in variables:
        del variables[name]
        unusable[name] = "stands for two fields: rename one"
    elif isinstance(value, str):
        variables[name] = value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        variables[name] = str(value)
    elif value is not None:
        unusable[name] = "is neither a text nor a number"


def _reason(error: Exception) -> str:
    """Return why a text is no JSON, without the text."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}, at character {error.colno}"
    return str(error)
