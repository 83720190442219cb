"""Values that nobody should give, and somebody does."""

import decimal
import json
import math
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

CORPUS = json.loads((Path(__file__).parent / "corpus/values.json").read_text("utf-8"))
"""What JSON can write: found by hand, kept, and added to when something new is found."""


class NastyError(Exception):
    """What the nasty objects raise."""


def _raise(*_: object) -> NoReturn:
    raise NastyError("905374937766")


HOSTILE = ("repr", "str", "eq", "hash", "iter", "bool", "len", "fspath", "index", "float", "int")


def hostile(*names: str, base: type = object) -> type:
    """Return a type whose instances raise in these methods."""
    return type("Hostile", (base,), {f"__{name}__": _raise for name in names})


class Text(str):
    """A text that is no plain one."""

    __slots__ = ()


class Whole(int):
    """A whole number that is no plain one."""


def broken() -> Iterator[Any]:
    """Yield one thing, and raise."""
    yield "👍"
    raise NastyError("in the generator")


async def broken_later() -> AsyncIterator[Any]:
    """Yield one thing, and raise."""
    yield "👍"
    raise NastyError("in the generator")


def nasty() -> Iterator[tuple[str, Any]]:
    """Yield every value with a name for it; built anew each time, since some are used up."""
    for number, value in enumerate(CORPUS):
        yield f"corpus {number} {ascii(value)[:30]}", value
    yield "long text", "x" * 200_000
    yield "long emoji", "👨‍👩‍👧‍👦" * 2_000
    yield "many digits", "9" * 6_000
    yield "NaN", math.nan
    yield "inf", math.inf
    yield "-inf", -math.inf
    yield "huge int", 10**400
    yield "int beyond repr", 10**6_000
    yield "-huge int", -(10**400)
    yield "bytes", b"905374937766"
    yield "bytearray", bytearray(b"x")
    yield "memoryview", memoryview(b"x")
    yield "complex", 1j
    yield "Decimal", decimal.Decimal("1.5")
    yield "Decimal sNaN", decimal.Decimal("sNaN")
    yield "Fraction", Fraction(1, 3)
    yield "datetime", datetime(2026, 11, 27, tzinfo=UTC)
    yield "date", date(2026, 11, 27)
    yield "timedelta", timedelta(seconds=5)
    yield "set", {"👍"}
    yield "nested list", _nested()
    yield "str subclass", Text("905374937766")
    yield "int subclass", Whole(3)
    yield "class", object
    yield "function", _raise
    yield "object", object()
    yield "Ellipsis", ...
    yield "generator that raises", broken()
    yield "async generator that raises", broken_later()
    for name in HOSTILE:
        yield f"object with a raising __{name}__", hostile(name)()
    yield "object that raises in everything", hostile(*HOSTILE)()
    yield "int with a raising repr", hostile("repr", "str", base=int)(3)
    yield "str with a raising repr", hostile("repr", "str", base=str)("x")
    yield "list with a raising iter", hostile("iter", base=list)([1])


def written_in_json() -> Iterator[tuple[str, Any]]:
    """Yield what a vendor can write."""
    yield from ((f"corpus {number}", value) for number, value in enumerate(CORPUS))
    yield "long text", "x" * 200_000
    yield "NaN", math.nan
    yield "inf", math.inf
    yield "huge int", 10**400


def _nested() -> list[Any]:
    value: list[Any] = []
    for _ in range(5_000):
        value = [value]
    return value
