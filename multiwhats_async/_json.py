"""JSON from a server that cannot be trusted to write it well.

The standard library reads all of it. Where ``msgspec`` is installed, an extra, that is asked first:
whatever it takes it reads as the standard library does, whole numbers of any size too, in a third
of the time; whatever it refuses is read here as if it were not there. ``orjson`` would not do: it
turns whole numbers of more than 64 bits into floats.
"""

import codecs
import json
from collections.abc import Callable
from functools import cache
from typing import Any, Final

_decoder: Final = json.JSONDecoder(parse_constant=lambda _: None)
_SPACE: Final = " \t\n\r"


def load_json(body: bytes) -> Any:
    """Read JSON.

    A byte order mark is passed over, NaN and Infinity are None, of a duplicate key the last
    counts.

    Raises:
        ValueError: It is no JSON, or nested or long beyond reason.
    """
    quickly = quick_decoder()
    if quickly is not None:
        try:
            return quickly(body)
        except (ValueError, RecursionError):
            pass  # what it has against it, and whether that counts, is said below
    try:
        text = body.removeprefix(codecs.BOM_UTF8).decode().strip(_SPACE)
        value, end = _decoder.raw_decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if end != len(text):
        raise json.JSONDecodeError("Extra data", text, end)
    return value


@cache
def quick_decoder() -> Callable[[bytes], Any] | None:
    """Return what reads JSON quickly, or None where it is not installed."""
    try:
        from msgspec.json import Decoder  # noqa: PLC0415  # an extra, and not needed to start
    except ModuleNotFoundError:
        return None
    return Decoder().decode
