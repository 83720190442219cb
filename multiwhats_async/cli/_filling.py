"""The texts of a row, with its values filled in."""

from functools import lru_cache
from typing import Final

from .._secret import masked
from ..errors import TemplateError
from ..templates import Template
from ._cells import CellError, cell_text
from ._records import BadCell, Record

_KEPT: Final = 32
"""Texts that are kept as they were parsed: a column mostly repeats a few."""

_template: Final = lru_cache(maxsize=_KEPT)(Template)


def filled(text: str, record: Record, field: str) -> str | list[BadCell]:
    """Return a text with the values of its row filled in, or everything that is wrong with it.

    Spaces around a value are no part of it. What is filled in is not read a second time.

    Args:
        text: The text, such as ``Merhaba {ad|misafirimiz}``.
        record: The row.
        field: The field that the text stands in, such as ``message`` or ``button1``.
    """
    try:
        text = cell_text(text)
    except CellError as error:
        return [record.bad(field, str(error))]
    if "{" not in text and "}" not in text:
        return text
    problems: list[BadCell] = []
    values: dict[str, str] = {}
    try:
        template = _template(text)
        for name in template.variables:
            value = record.variables.get(name)
            if value is not None:
                try:
                    values[name] = cell_text(value).strip()
                except CellError as error:
                    problems.append(record.bad(f"{{{name}}}", str(error)))
                continue
            why = record.why_not(name)
            if why is not None:
                problems.append(record.bad(field, why))
        return problems or template.render(values)
    except TemplateError as error:
        return [record.bad(field, masked(str(error)))]
