"""Files of anybody's making: whatever stands in one, its rows are messages or named as bad."""

import csv
import io
import json
import zipfile
from typing import Any

import openpyxl
import pytest
from cli.sheets import FILES, SENDER
from hypothesis import given, settings
from hypothesis import strategies as st

from multiwhats_async import ButtonMessage
from multiwhats_async.cli._reading import Rows, check

calmly = settings(deadline=None)  # a busy machine is no failure
seldom = settings(calmly, max_examples=25)  # a workbook takes its time

HEADERS = st.sampled_from(
    [b"", b"to,message,buttons\n", b"to;message;button1\n", b"sep=;\nto;message;button1\n", b"{"]
)
CELLS = st.text(alphabet='abç9053,;|\t\n"={}[]#E+.👍\0\r\ufeff') | st.text()
FIELDS = ("to", "message", "button1", "button2", "from", "key", "name")


def _hold(data: bytes, *, encoding: str = "utf-8-sig") -> None:
    """Whatever the bytes are, what is wrong is told by its line, and the rest are messages."""
    file = io.BytesIO(data)
    checked = check(file, encoding=encoding, sender=SENDER)
    assert len(checked.problems) <= max(checked.bad, 0) * 20
    assert all(problem.line >= 1 and problem.text for problem in checked.problems)
    assert bool(checked.bad) == bool(checked.problems)
    if not checked.bad and checked.unreadable is None:
        rows = Rows(file, encoding=encoding, sender=SENDER, count=checked.good)
        assert len([*rows]) == checked.good


@calmly
@given(HEADERS, st.binary(max_size=300), st.sampled_from(["utf-8-sig", "cp1254", "utf-16"]))
def test_any_bytes(header: bytes, data: bytes, encoding: str) -> None:
    """Random bytes, with and without a header before them."""
    _hold(header + data, encoding=encoding)


@calmly
@given(
    st.lists(st.sampled_from(FIELDS) | CELLS, max_size=6),
    st.lists(st.lists(CELLS, max_size=6), max_size=4),
    st.sampled_from(",;\t|"),
)
def test_any_table(header: list[str], rows: list[list[str]], delimiter: str) -> None:
    """A well-formed table with anything in its cells."""
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows([header, *rows])
    _hold(out.getvalue().encode("utf-8", "replace"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | CELLS,
    lambda children: st.lists(children) | st.dictionaries(CELLS, children),
    max_leaves=5,
)


@calmly
@given(st.lists(st.dictionaries(st.sampled_from([*FIELDS, "buttons"]), JSON) | JSON, max_size=4))
def test_any_json_lines(values: list[Any]) -> None:
    """Well-formed JSON with anything in its fields."""
    _hold("\n".join(json.dumps(value) for value in values).encode())


@seldom
@given(st.data())
def test_any_damage_to_a_workbook(data: st.DataObject) -> None:
    """A workbook with some bytes of one of its parts changed, whose checksums fit again."""
    damaged = io.BytesIO()
    with (
        zipfile.ZipFile(FILES / "numbers.xlsx") as whole,
        zipfile.ZipFile(damaged, "w") as copy,
    ):
        hurt = data.draw(st.sampled_from(whole.namelist()))
        for name in whole.namelist():
            part = whole.read(name)
            if name == hurt:
                place = data.draw(st.integers(0, len(part)))
                part = part[:place] + data.draw(st.binary(max_size=20)) + part[place + 5 :]
            copy.writestr(name, part)
    _hold(damaged.getvalue())


# --- written and read -------------------------------------------------------------------------

ALPHABET = "abcçğıİ ,;|\t'\"👍٣9=#"  # Turkish
WORDS = st.text(alphabet=ALPHABET, max_size=12).map(lambda text: f"a{text}z")
LINES = st.lists(WORDS, min_size=1, max_size=3).map("\n".join)
MESSAGES = st.lists(
    st.builds(
        ButtonMessage,
        st.from_regex(r"90[1-9][0-9]{9}", fullmatch=True),
        LINES,
        st.lists(WORDS, min_size=1, max_size=3, unique_by=str.casefold),
        key=st.uuids().map(str),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda message: message.key,
)


def _table(messages: list[ButtonMessage]) -> list[list[str]]:
    rows = [
        [str(each.key), each.to, each.message, *each.buttons, *[""] * (3 - len(each.buttons))]
        for each in messages
    ]
    return [["key", "to", "message", "button1", "button2", "button3"], *rows]


def _as_csv(messages: list[ButtonMessage], delimiter: str) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows(_table(messages))
    return out.getvalue().encode()


def _as_jsonl(messages: list[ButtonMessage]) -> bytes:
    rows = [each.to_dict() | {"from": each.sender} for each in messages]
    for row in rows:
        del row["sender"]
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()


def _as_workbook(messages: list[ButtonMessage]) -> bytes:
    book = openpyxl.Workbook()
    for row in _table(messages):
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


WRITERS = {
    "comma": lambda messages: _as_csv(messages, ","),
    "semicolon": lambda messages: _as_csv(messages, ";"),
    "tab": lambda messages: _as_csv(messages, "\t"),
    "bar": lambda messages: _as_csv(messages, "|"),
    "jsonl": _as_jsonl,
    "xlsx": _as_workbook,
}


@pytest.mark.parametrize("kind", WRITERS)
@seldom
@given(messages=MESSAGES)
def test_what_is_written_is_read(kind: str, messages: list[ButtonMessage]) -> None:
    """A table of messages gives the same messages, in their order."""
    file = io.BytesIO(WRITERS[kind](messages))
    checked = check(file, sender=SENDER)
    assert (checked.problems, checked.unreadable) == ((), None)
    assert [*Rows(file, sender=SENDER, count=checked.good)] == messages
