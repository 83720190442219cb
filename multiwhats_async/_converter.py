"""The vendor's record, structured by cattrs: leniently, so that a paid result is never lost."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache, partial
from operator import itemgetter
from typing import Any, Final

import attrs
import cattrs

from .errors import ConfigurationError
from .models import ExtraData, MessageReceipt, MessageTarget

Read = Callable[[Any], Any]


def configure_converter(converter: cattrs.Converter) -> None:
    """Teach a converter the vendor's record: receipts, targets and their extra data.

    Structuring is lenient: a field that is missing is None; one of another type is None too,
    and its value is kept in ``extra``. Unstructuring gives the vendor's shape.

    Raises:
        ConfigurationError: It is no converter.
    """
    if not isinstance(converter, cattrs.BaseConverter):  # pyright: ignore[reportUnnecessaryIsInstance]  # a user's
        raise ConfigurationError(
            f"converter must be a cattrs.Converter, not {type(converter).__name__}"
        )
    # Models within go through the converter: its owner may have taught it another way with them.
    within: dict[Any, Read] = {
        model: partial(converter.structure, cl=model) for model in (ExtraData, MessageTarget)
    }
    for model in (ExtraData, MessageTarget, MessageReceipt):
        converter.register_structure_hook(model, _Lenient(model, within))
        converter.register_unstructure_hook(model, model.to_dict)


def make_converter() -> cattrs.Converter:
    """Return a new converter that knows the vendor's record."""
    converter = cattrs.Converter(detailed_validation=False)
    configure_converter(converter)
    return converter


def receipt_reader() -> Callable[[Any], MessageReceipt]:
    """Return what structures a record as a converter does, without asking one at every step."""
    within: dict[Any, Read] = {}
    for model in (ExtraData, MessageTarget):
        within[model] = _Lenient(model, within).__call__
    return _Lenient(MessageReceipt, within).__call__


_WIRE_NAMES: Final = {"selected_item_id": "selectedItemId"}

_AS_IT_COMES: Final[Mapping[Any, type]] = {
    int | None: int,
    int | float | None: int,
    str | None: str,
}
"""By a field's type: the type of a value that needs no reading."""

MOST_SHAPES: Final = 64
"""Shapes of one model that are remembered: a server that invents new ones fills no memory."""


class _Lenient:
    """Structures one model, keeping what does not fit.

    Records look alike. For one whose types were seen before, it is known which few of its fields
    need reading; any other is taken field by field.

    Args:
        model: The model.
        within: By the models within: what structures them.
    """

    def __init__(self, model: type[attrs.AttrsInstance], within: Mapping[Any, Read]) -> None:
        fields = [field for field in attrs.fields(model) if field.name not in ("extra", "raw")]
        self._model = model
        self._draft = _draft_of(model)
        self._keeps_raw = "raw" in attrs.fields_dict(model)
        self._names = tuple(field.name for field in fields)
        self._defaults = tuple(field.default for field in fields)
        self._kinds = tuple(_AS_IT_COMES.get(field.type) for field in fields)
        self._reads = {
            str(_WIRE_NAMES.get(field.name, field.name)): _reader(field.type, within)
            for field in fields
        }
        self._places = {wire: place for place, wire in enumerate(self._reads)}
        self._size = len(self._reads)
        self._values_of = itemgetter(*self._reads)
        self._shapes: dict[tuple[type, ...], tuple[tuple[int, Read], ...]] = {}

    def __call__(self, record: Any, _: Any = None) -> Any:
        """Structure a record."""
        if record.__class__ is not dict or len(record) != self._size:
            return self._one_by_one(record)
        try:
            values = self._values_of(record)
            shape = tuple(map(type, values))
            plan = self._shapes.get(shape)
            if plan is None:
                self._remember(shape, values)
                return self._one_by_one(record)
            told = [*values]
            for place, read in plan:
                told[place] = read(told[place])
        except (KeyError, TypeError, ValueError, OverflowError):  # missing, or not to be read
            return self._one_by_one(record)
        whole = self._draft(*told, {}, record) if self._keeps_raw else self._draft(*told, {})
        whole.__class__ = self._model
        return whole

    def _remember(self, shape: tuple[type, ...], values: tuple[Any, ...]) -> None:
        """Note which fields of such a record need reading, and how."""
        if len(self._shapes) >= MOST_SHAPES:
            return
        plan: list[tuple[int, Read]] = []
        for place, (wire, read) in enumerate(self._reads.items()):
            value, default = values[place], self._defaults[place]
            if value is None and default is not None:
                plan.append((place, partial(_instead, default)))
            elif wire == "file_url" and type(value) is int:
                plan.append((place, _no_file))
            elif read is _to_time and type(value) is str:
                plan.append((place, datetime.fromisoformat))
            elif value is not None and type(value) is not self._kinds[place]:
                plan.append((place, read))
        self._shapes[shape] = tuple(plan)

    def _one_by_one(self, record: Any) -> Any:
        """Structure a record of whatever shape."""
        if not isinstance(record, Mapping):
            kind = type(record).__name__
            raise TypeError(f"{self._model.__name__} needs an object, not {kind}")
        extra: dict[str, Any] = {}
        told: dict[str, Any] = {"extra": extra}
        if self._keeps_raw:
            told["raw"] = record
        for wire, value in record.items():
            if wire not in self._places:
                extra[wire] = value
            elif not (value is None or (wire == "file_url" and value == 0)):
                # Documented: the number 0 says that there is no file.
                try:
                    told[self._names[self._places[wire]]] = self._reads[wire](value)
                except (TypeError, ValueError, OverflowError):
                    extra[wire] = value
        return self._model(**told)


@cache
def _draft_of(model: type[attrs.AttrsInstance]) -> Callable[..., Any]:
    """Return a class of the same make whose objects are filled in plainly, field by field.

    A frozen class sets each of its fields by a call, which takes longer than all the reading.
    What is filled in as a draft is made an object of the model itself, before anybody sees it.
    """
    plainly = {"__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    fields = {name: attrs.field() for name in attrs.fields_dict(model)}
    return attrs.make_class(
        f"Draft{model.__name__}", fields, (model,), plainly, slots=True, eq=False, repr=False
    )


def _instead(default: Any, _: object) -> Any:
    return default


def _no_file(value: int) -> None:
    if value != 0:
        raise ValueError("not the number that says that there is no file")


def _reader(kind: Any, within: Mapping[Any, Read]) -> Read:
    """Return the function that reads one field's value where it is not null."""
    readers: dict[Any, Read] = {
        int | None: _to_int,
        int | float | None: _to_amount,
        str | None: _to_str,
        datetime | None: _to_time,
        tuple[str, ...] | None: _to_labels,
        tuple[MessageTarget, ...]: lambda value: tuple(map(within[MessageTarget], _to_list(value))),
        Any: lambda value: value,
    }
    return within[ExtraData] if kind == ExtraData | None else readers[kind]


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
    "".join(labels)  # refuses whatever is no text
    return labels
