"""JSON from a server, read with the fast decoder and without it: the same of the same bytes."""

import json
import math
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from multiwhats_async import _json
from multiwhats_async._json import load_json, quick_decoder


@pytest.fixture(params=[True, False], ids=["with msgspec", "without"])
def has_msgspec(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[bool]:
    """Run a test as where the extra is installed, and as where it is not."""
    has_it: bool = request.param
    if not has_it:
        monkeypatch.setitem(sys.modules, "msgspec.json", None)
    quick_decoder.cache_clear()
    yield has_it
    quick_decoder.cache_clear()


def test_the_extra_is_used_where_it_is_there(has_msgspec: bool) -> None:
    """And nothing is missed where it is not."""
    assert (quick_decoder() is not None) is has_msgspec
    assert load_json(b'{"a": [1, 2.5, "\\u011f", null]}') == {"a": [1, 2.5, "\u011f", None]}


@pytest.mark.usefixtures("has_msgspec")
@pytest.mark.parametrize("around", [(" ", ""), ("\r\n", "\t"), ("\ufeff", "\n")])
def test_json_may_have_space_around_it(around: tuple[str, str]) -> None:
    """PHP writes what stands outside of its marks; that is no reason to doubt the record."""
    assert load_json(f'{around[0]}{{"id":1}}{around[1]}'.encode()) == {"id": 1}


@pytest.mark.usefixtures("has_msgspec")
@pytest.mark.parametrize("behind", ["x", "X", " x", "{}", "\x0b", "\u00a0"])
def test_json_with_anything_else_behind_it_is_none(behind: str) -> None:
    """Half of two answers is not taken for one."""
    with pytest.raises(ValueError, match="Extra data"):
        load_json(f'{{"id":1}}{behind}'.encode())


@pytest.mark.usefixtures("has_msgspec")
def test_json_errors_are_value_errors_only() -> None:
    """Depth is a ValueError too, so nobody forgets the RecursionError."""
    with pytest.raises(ValueError, match="too deeply"):
        load_json(b"[" * 100_000)


@pytest.mark.usefixtures("has_msgspec")
def test_what_only_the_standard_library_takes() -> None:
    """It is taken all the same: a record is not lost for what one decoder makes of it."""
    assert load_json(b'[NaN, -Infinity, "\\ud83d"]') == [None, None, "\ud83d"]
    assert load_json(b"1e400") == math.inf
    whole = 2**64
    assert load_json(b"[%d, %d]" % (whole, -whole)) == [whole, -whole]


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def outcome_of(body: bytes) -> Any:
    """Return what is read, told apart by type too, or that it is refused."""
    try:
        return repr(load_json(body))
    except ValueError:
        return ValueError


@given(JSON, st.booleans(), st.integers(0, 60), st.sampled_from(b'\x00"[]{},:-+.0e \\\xff'))
@example({"a": 10**400}, False, 0, 0)
@example([-0.0, 5e-324, 1.7976931348623157e308], True, 60, 32)
def test_the_same_of_the_same_bytes(value: Any, ascii: bool, place: int, spoilt: int) -> None:  # noqa: A002  # as json has it
    """Of JSON of any kind, and of JSON with one byte that is wrong."""
    written = json.dumps(value, ensure_ascii=ascii).encode("utf-8", "surrogatepass")
    damaged = written[:place] + bytes([spoilt]) + written[place + 1 :]
    for body in (written, damaged):
        quickly = outcome_of(body)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_json, "quick_decoder", lambda: None)
            assert outcome_of(body) == quickly
