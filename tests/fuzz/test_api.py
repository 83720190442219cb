"""Nasty values at every public door: a documented error before anything is sent, or it works."""

import enum
import inspect
import re
from typing import Any

import anyio
import attrs
import pytest
from fuzz.entries import ENTRIES, KEY, MODULES, Entry
from fuzz.values import NastyError
from vendor import Vendor

import multiwhats_async
from multiwhats_async import BulkRun, MultiWhatsError, SendError

pytestmark = pytest.mark.anyio

CASES = [
    pytest.param(entry, field, id=f"{name}-{number}-{field}")
    for name, entries in {**ENTRIES, "modules": MODULES}.items()
    for number, entry in enumerate(entries)
    for field in entry.good
]

ITERATED = re.compile("generator|__iter__|iter$|__fspath__|everything")
"""Values whose own code runs while they are read: what it raises is the caller's, and comes out."""

EXAMPLE = "+90 537 493 77 66"
"""The number that errors show as a pattern."""

RUNS_FOR_EVER = {"keep_reconciling"}
"""It makes passes until it is cancelled; each is a ``reconcile``."""


def is_told(value: Any) -> bool:
    """Tell whether a name stands for what the package tells, and is not told by a caller."""
    if not inspect.isclass(value):
        return not callable(value)
    if issubclass(value, (BaseException, enum.Enum, BulkRun)):
        return True
    return attrs.has(value) and not any(field.validator for field in attrs.fields(value))


def test_every_public_name_is_fuzzed() -> None:
    """A new name that takes something needs an entry of its own."""
    takes = {
        name for name in multiwhats_async.__all__ if not is_told(getattr(multiwhats_async, name))
    }
    takes |= {"ButtonMessage", "Chunk"}  # these check what they are given in code of their own
    assert takes - RUNS_FOR_EVER == set(ENTRIES)


@pytest.mark.parametrize("entry", [entry for group in ENTRIES.values() for entry in group])
async def test_the_arguments_that_are_spoilt_work(entry: Entry) -> None:
    """Else the fuzzing would only ever see one and the same error."""
    try:
        await called(entry, Vendor())
    except MultiWhatsError:
        assert entry.unreachable


async def called(entry: Entry, vendor: Vendor, **spoilt: Any) -> None:
    """Call what an entry names, with arguments that work but for those that are spoilt."""
    answer = entry.call(vendor, **entry.good | spoilt)
    if inspect.isawaitable(answer):
        await answer


async def problem_with(entry: Entry, field: str, name: str, value: Any) -> str | None:
    """Return what is wrong with how a value is taken, or None."""
    vendor = Vendor()
    try:
        with anyio.fail_after(5):
            await called(entry, vendor, **{field: value})
    except MultiWhatsError as error:
        return wrong_with(error, entry, field, sent=vendor.total)
    except NastyError:
        return None if ITERATED.search(name) else "its own error came out"
    except Exception as error:  # noqa: BLE001  # what must not come out is what is looked for
        return f"{type(error).__name__}: {str(error)[:100]}"
    finally:
        if inspect.isasyncgen(value):  # it is the caller's, and left where it stands
            await value.aclose()
    return None


def wrong_with(error: MultiWhatsError, entry: Entry, field: str, *, sent: int) -> str | None:
    """Return what is wrong with an error of ours, or None."""
    text = str(error).replace(EXAMPLE, "")
    is_of_sending = isinstance(error, SendError)
    names = entry.unreachable or entry.words.get(field, field).lower() in text.lower()
    wrongs = {
        "it was sent all the same": sent and not is_of_sending,
        f"an error of {len(text)} characters": len(text) > 2_000,
        "shows the key": KEY in text,
        "shows a number": "5374937766" in re.sub(r"[\s().+-]", "", text),
        f"does not name {field}": not names and not is_of_sending,
    }
    return next((f"{wrong}: {text[:200]}" for wrong, found in wrongs.items() if found), None)


@pytest.mark.parametrize(("entry", "field"), CASES)
async def test_a_nasty_value(entry: Entry, field: str) -> None:
    """The error is ours, names the field, shows neither key nor number, and nothing was sent."""
    problems = {
        name: problem
        for name, value in entry.values()
        if (problem := await problem_with(entry, field, name, value))
    }
    assert problems == {}
