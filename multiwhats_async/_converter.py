"""The vendor's record, structured by cattrs: leniently, so that a paid result is never lost."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

import attrs
import cattrs

from .models import ExtraData, MessageReceipt, MessageTarget


def configure_converter(converter: cattrs.Converter) -> None:
    """Teach a converter the vendor's record: receipts, targets and their extra data.

    Structuring is lenient: a field that is missing is None; one of another type is None too,
    and its value is kept in ``extra``. Unstructuring gives the vendor's shape.
    """
    for model in (ExtraData, MessageTarget, MessageReceipt):
        converter.register_structure_hook(model, _lenient_hook(converter, model))
        converter.register_unstructure_hook(model, model.to_dict)


def make_converter() -> cattrs.Converter:
    """Return a new converter that knows the vendor's record."""
    converter = cattrs.Converter(detailed_validation=False)
    configure_converter(converter)
    return converter


class _Nothing:
    """No value is of this class."""


_AS_IT_IS: Final[dict[Any, type]] = {
    int | None: int,
    int | float | None: int,
    str | None: str,
}
"""The class of a value that needs no reading: most of a record's, and no bool is an int here."""

_WIRE_NAMES: Final = {"selected_item_id": "selectedItemId"}


def _lenient_hook(
    converter: cattrs.Converter, model: type[attrs.AttrsInstance]
) -> Callable[[Any, Any], Any]:
    """Build the hook that structures one model, field by field, keeping what does not fit."""
    fields = [field for field in attrs.fields(model) if field.name not in ("extra", "raw")]
    steps: list[tuple[str, str, type, Callable[[Any], Any]]] = [
        (
            field.name,
            str(_WIRE_NAMES.get(field.name, field.name)),
            _AS_IT_IS.get(field.type, _Nothing),
            _reader(converter, field.type),
        )
        for field in fields
    ]
    known = {wire for _, wire, _, _ in steps}
    keeps_raw = "raw" in attrs.fields_dict(model)

    def structure(record: Any, _: Any) -> Any:
        if not isinstance(record, Mapping):
            raise TypeError(f"{model.__name__} needs an object, not {type(record).__name__}")
        values: dict[str, Any] = {"raw": record} if keeps_raw else {}
        extra: dict[str, Any] = {}
        if not record.keys() <= known:
            extra = {name: value for name, value in record.items() if name not in known}
        for name, wire, kind, read in steps:
            value = record.get(wire)
            if value.__class__ is kind:
                values[name] = value
                continue
            if value is None or (wire == "file_url" and value == 0):
                continue  # documented: the number 0 says that there is no file
            try:
                values[name] = read(value)
            except (TypeError, ValueError, OverflowError):
                extra[wire] = value
        values["extra"] = extra
        return model(**values)

    return structure


def _reader(converter: cattrs.Converter, kind: Any) -> Callable[[Any], Any]:
    """Return the function that reads one field's value where it is not null."""
    nested = {model: partial(converter.structure, cl=model) for model in (ExtraData, MessageTarget)}
    readers: dict[Any, Callable[[Any], Any]] = {
        int | None: _to_int,
        int | float | None: _to_amount,
        str | None: _to_str,
        datetime | None: _to_time,
        tuple[str, ...] | None: _to_labels,
        ExtraData | None: nested[ExtraData],
        tuple[MessageTarget, ...]: lambda value: tuple(map(nested[MessageTarget], _to_list(value))),
        Any: lambda value: value,
    }
    return readers[kind]


def _to_int(value: object) -> int:
    """Read a whole number; one written as text counts too."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError("not a whole number")
    return int(value)


def _to_amount(value: object) -> int | float:
    """Read an amount of credits; one written as text counts too."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError("not a number")
    if isinstance(value, str):
        value = float(value)
    return int(value) if value == int(value) else value


def _to_str(value: object) -> str:
    """Read a text; a number that stands for one (an identifier) counts too."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError("not a text")
    return str(value)


def _to_time(value: object) -> datetime:
    """Read a time as the vendor writes it: ``2023-04-26 11:11:58``, without a zone."""
    if not isinstance(value, str):
        raise TypeError("not a time")
    return datetime.fromisoformat(value)


def _to_list(value: object) -> list[Any]:
    """Read a list."""
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _to_labels(value: object) -> tuple[str, ...]:
    """Read a list of texts."""
    labels = tuple(_to_list(value))
    if not all(isinstance(label, str) for label in labels):
        raise TypeError("not a list of texts")
    return labels
