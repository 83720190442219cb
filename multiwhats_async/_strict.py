"""Strict where the JSON documents leave it open: for what comes from outside."""

import json
from typing import Any, Final, NoReturn


def decode_json(data: bytes) -> Any:
    """Return what JSON in UTF-8 holds.

    Raises:
        ValueError: It is no UTF-8 or begins with a byte order mark, is no JSON, has a name twice
            in one object, a ``NaN`` or ``Infinity``, or a number of thousands of digits.
        RecursionError: It is nested too deep.
    """
    return decode_text(data.decode())


def decode_text(text: str) -> Any:
    """Return what JSON in a text holds; raises as :func:`decode_json` does."""
    return _decode(text)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


_decode: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse_constant).decode
