"""XLSX workbooks: values, formulas, damage, and the extra that reads them."""

import io
import re
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

import openpyxl
import pytest
from cli.sheets import ERROR, FILES, NO_VALUE, SENDER, as_texts

from multiwhats_async.cli import _workbook
from multiwhats_async.cli._reading import Rows, check


def test_cells_of_a_workbook_as_text() -> None:
    """Numbers are their digits, dates ISO 8601; notes beside the table are left alone."""
    with (FILES / "numbers.xlsx").open("rb") as file:
        shown = list(_shown_until_bad(file))
    assert shown == [
        "905374937766: 3 gece, 0.3 TL, 1000000000000000000000, 2026-07-01 14:30 TRUE [Evet]",
        "905374937767: 3 gece, 12.5 TL, 5, 2026-07-01 09:00 0:00:00 x [Evet]",
        "905374937768: a\nb [Evet]",
    ]


def _shown_until_bad(file: Any) -> Iterator[str]:
    shown = as_texts(Rows(file, sender=SENDER, count=4))
    for _ in range(3):
        yield next(shown)


def _workbook_of(*rows: list[Any], sheets: int = 1) -> io.BytesIO:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for _ in range(sheets - 1):
        book.create_sheet()
    out = io.BytesIO()
    book.save(out)
    return out


def _told(file: io.BytesIO) -> str | None:
    return check(file, sender=SENDER).unreadable


HEADER = ["to", "message", "buttons"]


GUEST = ["905374937766", "Hi", "Yes"]


def test_a_workbook_that_unpacks_to_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """A workbook that would fill the memory, or has more rows than Excel knows, is refused."""
    file = _workbook_of(HEADER, GUEST)
    with monkeypatch.context() as patch:
        patch.setattr(_workbook, "MAX_BYTES", 1000)
        assert re.match(r"is a workbook of [\d,]+ bytes once unpacked, more", _told(file) or "")
    monkeypatch.setattr(_workbook, "MAX_ROWS", 1)
    assert (_told(file) or "").startswith("is a workbook of more than 1 rows")


def test_a_workbook_with_a_damaged_part() -> None:
    """A part that does not unpack is said to be damaged, whatever the reason."""
    content = bytearray(_workbook_of(HEADER, GUEST).getvalue())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        start = archive.getinfo("xl/worksheets/sheet1.xml").header_offset
    content[start + 60 : start + 90] = bytes(30)
    assert (_told(io.BytesIO(content)) or "").startswith("is a damaged workbook (")


def test_a_file_that_is_no_longer_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive that cannot be listed is no workbook."""
    assert not _workbook.is_workbook(io.BytesIO(b"PK\x03\x04" + bytes(100)))


def test_formulas_are_found_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A formula is found wherever the blocks of the file end."""
    file = _workbook_of(HEADER, ["905374937766", "=A1", "Yes"])
    for block in (16, 17, 19):
        monkeypatch.setattr(_workbook, "_BLOCK", block)
        (problem,) = check(file, sender=SENDER).problems
        assert str(problem).startswith(f"line 2, message (B2): {NO_VALUE}")


def test_a_formula_whose_value_is_the_empty_text() -> None:
    """IF(…, "", …) is how a sheet leaves a cell blank: that is a value."""
    file = _workbook_of([*HEADER, "ad"], ["905374937766", "Hi {ad|you}", "Yes", '=IF(1,"",2)'])
    content = io.BytesIO()
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(content, "w") as target:
        for info in source.infolist():
            target.writestr(info, source.read(info).replace(b'<c r="D2"', b'<c r="D2" t="str"'))
    (shown,) = as_texts(Rows(content, sender=SENDER, count=1))
    assert shown == "905374937766: Hi you [Yes]"


def test_all_sheets_hidden() -> None:
    """Where every sheet is hidden the first one is read."""
    file = _workbook_of(HEADER, GUEST)
    content = io.BytesIO()
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(content, "w") as target:
        for info in source.infolist():
            part = source.read(info).replace(b'state="visible"', b'state="hidden"')
            target.writestr(info, part)
    assert check(content, sender=SENDER).good == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (7.0, "7"),
        (1.0e-7, "0.0000001"),
        (False, "FALSE"),
        (datetime(2026, 7, 1, 9, 5, 59, 999_999, tzinfo=UTC), "2026-07-01 09:06"),
        (datetime(2026, 7, 1, 9, 5, 7, tzinfo=UTC), "2026-07-01 09:05:07"),
        (time(9, 5, 7), "09:05:07"),
        (timedelta(hours=30), "1 day, 6:00:00"),
    ],
)
def test_values_of_a_workbook(value: object, text: str) -> None:
    """Every kind of value has one form as text."""
    assert _workbook._text(value) == text


def test_a_date_before_all_dates() -> None:
    """A cell whose date cannot be is an error of the sheet, and no warning on the screen."""
    file = _workbook_of([*HEADER, "day"], ["905374937766", "{day}", "Yes", datetime(2026, 7, 1)])  # noqa: DTZ001  # a cell has no zone
    content = io.BytesIO()
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(content, "w") as target:
        for info in source.infolist():
            part = source.read(info).replace(b"<v>46204</v>", b"<v>99999999999</v>")
            target.writestr(info, part)
    (problem,) = check(content, sender=SENDER).problems
    assert str(problem).startswith(f"line 2, day (D2): is #VALUE!{ERROR}")


def test_without_openpyxl(monkeypatch: pytest.MonkeyPatch) -> None:
    """A workbook without the extra says which to install; a text file needs none."""
    file = _workbook_of(HEADER, GUEST)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(ModuleNotFoundError, match="openpyxl"):
        check(file, sender=SENDER)
    assert check(io.BytesIO(b"to,message,buttons\n905374937766,Hi,Yes\n"), sender=SENDER).good == 1


def test_the_second_reading_of_a_workbook_finds_it_open() -> None:
    """A workbook is read twice from one open file, also where the first stops in the middle."""
    file = _workbook_of(HEADER, GUEST, ["905374937767", "=A1", "Yes"], sheets=2)
    rows = Rows(file, sender=SENDER, count=1)
    assert next(iter(rows)).to == "905374937766"
    assert not file.closed
    assert check(file, sender=SENDER).good == 1


def test_without_the_extra_on_the_command_line(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has a workbook and no openpyxl is told what to install."""
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    said = cli("bulk", FILES / "numbers.xlsx", "--dry-run")
    assert said.code == 2
    assert "openpyxl is not installed: pip install 'multiwhats-async[xlsx]'" in said.err
