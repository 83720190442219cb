"""Files as people send them: what is read of each, or what its sender is told."""

import io
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from cli.sheets import ERROR, FILES, LOST, NO_VALUE, SENDER, as_texts

from multiwhats_async.cli import _lines, _names
from multiwhats_async.cli._reading import Rows, check
from multiwhats_async.cli._records import UnreadableError

AS_VALUES = "is a formula and not its value: copy the column and paste it as values"
TURKISH = (
    "905374937766: Merhaba Şule, 101 numaralı odanız hazır. [Evet, Hayır]",
    "905374937767: Merhaba misafirimiz [Evet, Hayır]",
)
HI = "905374937766: Hi [Yes]"
HI_NO = "905374937766: Hi [Yes, No]"


@attrs.frozen
class Case:
    """A file, what is read of it, and what is said of it.

    Attributes:
        name: The file.
        messages: The messages, or None where some row is bad or the file cannot be read.
        said: The beginning of each thing that is said, in their order.
        good: How many rows are good, where some are not.
        repeated: How many repeat another.
    """

    name: str
    messages: tuple[str, ...] | None = None
    said: tuple[str, ...] = ()
    good: int = 0
    repeated: int = 0
    encoding: str = "utf-8-sig"
    columns: Mapping[str, str] = attrs.field(factory=dict)


CASES = [
    # Encodings
    Case("cp1254.csv", said=("line 1 is not UTF-8 (byte 0xDC at position 25): save the file as",)),
    Case("cp1254.csv", TURKISH, encoding="cp1254"),
    Case("bom.csv", TURKISH),
    Case("utf16.txt", said=("is UTF-16: save it as 'CSV UTF-8', or give --encoding utf-16",)),
    Case("utf16.txt", TURKISH, encoding="utf-16"),
    Case("nul.csv", said=("line 2 holds a NUL character: this is no text",)),
    Case("mixed-line-ends-cp1254.csv", said=("line 4 is not UTF-8 (byte 0xDE at position 14)",)),
    # Delimiters, quotes and lines
    Case("semicolons.csv", TURKISH),
    Case("tabs.tsv", ("905374937766: Hi, a;b|c [Yes, No]",)),
    Case("bars.txt", (HI_NO,)),
    Case("sep.csv", (HI_NO,)),
    Case(
        "excel-leftovers.csv",
        (HI, "905374937767: Hi [Yes]", "905374937768: Hi [Yes]"),
    ),
    Case("one-cell-too-many.csv", said=("line 2: has 4 cells, the header has 3: is a text",)),
    Case("quoted-newlines.csv", said=("line 6, to: '••••' begins with 0",), good=1),
    Case("blank-lines.csv", ("905374937766: Merhaba [Evet, Hayır]",) * 2, repeated=1),
    Case("open-quote.csv", said=("the row that begins in line 3 cannot be read",), good=1),
    Case("mixed-line-ends.csv", said=("line 4, to: '••••' begins with 0",), good=2),
    Case("emoji.csv", ("905374937766: Hoş geldiniz 👋🏽 👨‍👩‍👧 [👍 Evet, ⛔ Hayır]",)),
    # Headers
    Case("only-header.csv", ()),
    Case("empty.csv", said=("is empty: its first line must be a header",)),
    Case("blank.csv", said=("is empty: its first line must be a header",)),
    Case(
        "missing-column.csv",
        said=(
            (
                "has no column for the recipient: name one to (or phone, telefon, gsm, number, …). "
                "Its first line has: Ad, Soyad, Mesaj, Buton1"
            ),
        ),
    ),
    Case(
        "no-header.csv",
        said=(
            (
                "has no column for the recipient: name one to (or phone, telefon, gsm, number, …); "
                "nor for the text: name one message; nor for the buttons: name one buttons, or "
                "some button1, button2, button3. Its first line has: ••••••••7766, Merhaba, Evet"
            ),
        ),
    ),
    Case(
        "two-phones.csv",
        said=("has two columns for the same: Telefon (column 1) and Cep (column 2): keep one, or",),
    ),
    Case("two-phones.csv", ("905374937766: Hi 902123456789 [Yes]",), columns={"to": "Cep"}),
    Case("own-names.csv", said=("has no column for the recipient",)),
    Case(
        "own-names.csv",
        ("905374937766: Sayın Ada [Evet, Hayır]",),
        columns={
            "to": " Misafir Telefonu",
            "message": "Notumuz",
            "button1": "Onay",
            "button2": "Ret",
        },
    ),
    Case(
        "own-names.csv",
        said=("has no column 'Telefon' for to. Its first line has: Misafir T",),
        columns={"to": "Telefon", "message": "Notumuz"},
    ),
    Case(
        "semicolons.csv",
        said=("'phone' is no field to choose a column for: take one of to, from, message",),
        columns={"phone": "Telefon"},
    ),
    Case("signs-in-names.csv", ("905374937766: Ada 200 अदा [Yes]",)),
    Case("long-name.csv", (HI,)),
    # Numbers
    Case("one-number-many-ways.csv", (HI,) * 5, repeated=4),
    Case(
        "leading-zero.csv",
        said=("line 2, to: '•••••••7766' begins with 0", "line 3, to: '••••••••••7 66' begins w"),
    ),
    Case(
        "rounded.csv", said=(f"line 2, to: '••••E+11' {LOST}", f"line 3, to: '•••••••E+11' {LOST}")
    ),
    Case("rounded-tr.csv", said=(f"line 2, Telefon: '•••••••E+11' {LOST}",)),
    Case(
        "invisible.csv", ("905374937766: a [Yes]", "905374937767: b [Yes]", "905374937768: c [Yes]")
    ),
    Case(
        "text-formulas.csv",
        (
            "908503080335 > 905374937766: Hi [Yes]",
            "908503080335 > 905374937767: 'tis [Yes]",
            "905374937768: =) Hi [Yes]",
        ),
    ),
    Case(
        "fractions.csv",
        said=("line 2, to: '••••••••••66,5' is a number with a fraction: enter",),
        good=1,
    ),
    # What a spreadsheet leaves in the place of a value
    Case(
        "errors.csv",
        said=(
            f"line 2, to: is #N/A{ERROR}",
            f"line 3, message: is #NAME?{ERROR}",
            f"line 4, Ad: is #REF!{ERROR}",
            f"line 5, button1: is #DIV/0!{ERROR}",
            f"line 6, key: is #N/A{ERROR}",
            f"line 7, to: is ########{ERROR}",
        ),
    ),
    Case(
        "errors-tr.csv", said=(f"line 2, Ad: is #YOK{ERROR}", f"line 2, Düğmeler: is #AD?{ERROR}")
    ),
    Case(
        "formulas.csv",
        said=(
            f"line 2, to: '=90&B2' {AS_VALUES}",
            f"line 3, message: '=A1&B1' {AS_VALUES}",
            "line 4: has 6 cells, the header has 4",
            f"line 5, message: '=\"Hi \"&A1' {AS_VALUES}",
            f"line 6, to: \"='Sheet 1'!A1\" {AS_VALUES}",
        ),
    ),
    # Texts with names in them
    Case(
        "unknown-name.csv",
        said=(
            (
                "line 2, message: {first_name} names no column that a text may take: "
                "there are {First_name}, {e_mail}"
            ),
            "line 3, button1: {to} is the column for to, which no text takes",
        ),
        good=1,
    ),
    Case(
        "blank-name.csv",
        said=("line 3, message: no value for {ad}: give one", "line 3, button1: no value for {ad}"),
        good=1,
    ),
    Case(
        "braces.csv",
        said=(
            "line 2, message: '}' at character 6 stands alone: write }} for the brace itself",
            "line 4, message: '{first name}' at character 4 is no name",
            "line 4, button1: '{' at character 1 stands alone: write {{ for the brace itself",
        ),
        good=1,
    ),
    Case(
        "same-name-twice.csv",
        said=("line 2, message: {Not} stands for two columns, 'Not' and 'Not': rename one",),
        good=1,
    ),
    Case("many-names.csv", said=("line 2, message: {b} names no column that a text may take: th",)),
    Case(
        "values-with-braces.csv",
        ("905374937766: Hi {x} [{x}, No]", "905374937767: Hi you [you, No]"),
    ),
    Case("bad-list.csv", said=("line 2, buttons: begins with [ but is no JSON list",)),
    Case("long-label.csv", said=("line 2, button2: button 2 'NNNNNNNNNNNNNNNNNNNNN' has 21",)),
    # JSON
    Case(
        "guests.jsonl",
        ("905374937766: Ada, 3 gece, 12.5 TL [Ada ✓, Hayır]", HI_NO),
    ),
    Case(
        "guests.jsonl",
        said=("line 1: has no field 'telefon' for to",),
        good=1,
        columns={"to": "telefon"},
    ),
    Case(
        "bad.jsonl",
        said=(
            "line 1, message: {vip} is neither a text nor a number",
            "line 2, message: no value for {who}: give one",
            "line 3, message: {a} stands for two fields: rename one",
            "line 4, message: {to} is the field for to, which no text takes",
            "line 5: has a field buttons and a field button1: keep one way",
        ),
    ),
    Case("list.json", said=("is a JSON list: write one object in each line (JSONL)",)),
    # Workbooks
    Case(
        "numbers.xlsx",
        said=("line 6, Telefon (A6): '••••••••68.5' is a number with a fraction: enter",),
        good=3,
    ),
    Case(
        "formulas.xlsx",
        (
            "905374937766: Hi Ada [Yes]",
            "905374937767: Hi Ali [Yes, No]",
            "905374937768: Hi [Yes]",
        ),
    ),
    Case(
        "formulas-without-values.xlsx",
        said=(
            f"line 2, message (B2): {NO_VALUE}",
            f"line 3, ad (E3): {NO_VALUE}",
            f"line 3, button2 (D3): {NO_VALUE}",
        ),
        good=1,
    ),
    Case(
        "errors.xlsx",
        said=(
            f"line 2, ad (D2): is #N/A{ERROR}",
            f"line 3, to (A3): is #REF!{ERROR}",
            "line 3, message (B3): {name} names no column that a text may take: there are {ad}",
            "line 3, buttons (C3): no value for {ad}: give one",
        ),
    ),
    Case(
        "first-sheet-empty.xlsx",
        said=(
            (
                "is a workbook whose first sheet, 'Sayfa1', is empty: move the sheet with the "
                "messages ('Misafirler', 'Fiyatlar') to the first place"
            ),
        ),
    ),
    Case(
        "all-empty.xlsx",
        said=("is a workbook whose first sheet, 'Sayfa1', is empty: its first row must be a head",),
    ),
    Case("first-sheet-hidden.xlsx", (HI,)),
    Case("title-above.xlsx", said=("has no column for the recipient",)),
    Case("damaged.xlsx", said=("is a damaged workbook (ParseError): open it in a spreadsheet",)),
    Case("damaged-book.xlsx", said=("is a damaged workbook (ParseError): open it in a spread",)),
    Case("chart-only.xlsx", said=("is a damaged workbook (",)),
    Case("cut.xlsx", said=("is a ZIP file, or a workbook that is damaged or no .xlsx",)),
    Case("photos.zip", said=("is a ZIP file, or a workbook that is damaged or no .xlsx",)),
    Case("old.xls", said=("is an old Excel workbook, or one with a password: save it as",)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}-{len(case.columns)}")
def test_a_file_as_people_send_it(case: Case) -> None:
    """Every file is read whole, or its sender is told line, column, reason and way out."""
    with (FILES / case.name).open("rb") as file:
        checked = check(file, encoding=case.encoding, sender=SENDER, columns=case.columns)
        said = [str(problem) for problem in checked.problems]
        said += [] if checked.unreadable is None else [checked.unreadable]
        assert len(said) == len(case.said), said
        for line, start in zip(said, case.said, strict=True):
            assert line.startswith(start)
            assert "9377" not in line
        good = case.good if case.messages is None else len(case.messages)
        assert (checked.good, checked.repeated) == (good, case.repeated)
        if case.messages is not None:
            rows = Rows(
                file,
                encoding=case.encoding,
                sender=SENDER,
                count=checked.good,
                columns=case.columns,
            )
            assert tuple(as_texts(rows)) == case.messages


def test_every_file_has_its_case() -> None:
    """No file lies here untested, and there are more than 25."""
    there = {path.name for path in FILES.iterdir() if not path.name.startswith(".")}
    assert there == {case.name for case in CASES}
    assert len(there) > 25


@pytest.mark.parametrize(
    "name",
    ["TELEFON NUMARASI", "telefon numarası", "Telefon_Numarasi", "Alıcı", "ALICI", "Tel.", "to:"],
)
def test_names_in_capitals_and_without_dots(name: str) -> None:
    """The dotless i and the dotted İ stand in no name's way, nor do signs."""
    assert _names.field_of(name) == "to"
    assert _names.field_of("GÖNDEREN") == _names.field_of("gonderen") == "from"
    assert _names.field_of("DÜĞME 2") == _names.field_of("buton_2") == "button2"
    assert _names.field_of("İsim") is None
    assert _names.field_of("id") is None


def test_choosing_buttons_by_hand() -> None:
    """One button that is chosen by hand leaves the others to texts; a field is left to none."""
    content = io.BytesIO(b"to,message,button1,onay,text\n905374937766,Hi {button1},a,b,c\n")
    columns = {"button1": "onay", "message": "message", "key": "onay"}
    rows = Rows(content, sender=SENDER, count=1, columns=columns)
    assert [(message.message, message.buttons, message.key) for message in rows] == [
        ("Hi a", ("b",), "b")
    ]


def test_a_message_must_be_a_text_in_each_place() -> None:
    """Labels of a JSON list that are no texts, and a key that is none, are named."""
    line = b'{"to": "905374937766", "message": "x", "button1": 5, "button2": null, "key": 7}\n'
    checked = check(io.BytesIO(line), sender=SENDER)
    assert [str(problem) for problem in checked.problems] == [
        "line 1, button1: button 1 must be text, not int",
        "line 1, key: must be text, not int",
    ]


def test_a_name_that_stands_for_three_fields() -> None:
    """A third field of the same name does not come in where two were refused."""
    line = b'{"to":"905374937766","message":"{a}","buttons":"x","a":"1"," a":"2","a ":"3"}\n'
    checked = check(io.BytesIO(line), sender=SENDER)
    assert [str(problem) for problem in checked.problems] == [
        "line 1, message: {a} stands for two fields: rename one"
    ]
    table = b"to,message,buttons,a,a ,A,a\n905374937766,{a},x,1,2,3,4\n"
    (problem,) = check(io.BytesIO(table), sender=SENDER).problems
    assert "{a} stands for two columns" in problem.text


@pytest.mark.parametrize("block", [1, 2, 3, 7, 1 << 16])
@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"to\r\n\r\xffa", (3, 1, 0xFF)),
        (b"to\r\na\nb\xc5", (3, 2, 0xC5)),
        (b"\xef\xbb\xbfto\xc5a", (1, 6, 0xC5)),
        ("şşş".encode() + b"\n\xc5\n", (2, 1, 0xC5)),
        ("şşş".encode(), None),
    ],
)
def test_the_byte_that_is_no_text(
    content: bytes, place: tuple[int, int, int] | None, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Line, position and byte are right however the file falls into blocks."""
    monkeypatch.setattr(_lines, "_BLOCK", block)
    assert _lines._undecodable_byte(io.BytesIO(content), "utf-8-sig") == place


def test_a_field_that_nobody_knows() -> None:
    """A choice for a field that is none is refused with those that are."""
    with pytest.raises(UnreadableError, match="'number' is no field to choose a column for"):
        _names.Naming({"number": "x"})


def test_columns_chosen_on_the_command_line(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--column`` chooses a column for a field, once for each."""
    monkeypatch.setenv("MULTIWHATS_FROM", SENDER)
    chosen = ["--column", "to = Misafir Telefonu", "--column", "message=Notumuz"]
    said = cli("bulk", FILES / "own-names.csv", "--dry-run", *chosen, "--column", "button1=Onay")
    assert (said.code, "1 message from" in said.err) == (0, True)


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        (["to"], "'to' is no FIELD=NAME, such as to='Misafir Telefonu'"),
        (["to= "], "'to= ' is no FIELD=NAME"),
        (["to=a", "to=b"], "to has two columns, 'a' and 'b'"),
        (["phone=a"], "'phone' is no field to choose a column for"),
    ],
)
def test_choices_of_columns_that_are_none(pairs: list[str], words: str, cli: Any) -> None:
    """A choice that cannot be read is refused before the file is."""
    said = cli("bulk", "-", "--dry-run", *(part for pair in pairs for part in ("--column", pair)))
    assert said.code == 2
    assert words in " ".join(said.err.split())


def test_a_hundred_megabytes(tmp_path: Path) -> None:
    """A file of 100 MB with a template in each row is checked in memory that stays small."""
    path = tmp_path / "large.csv"
    text = "Merhaba {ad}, " + "ğ" * 480
    with path.open("w", encoding="utf-8") as file:
        file.write("to,message,button1,ad,note\n")
        rest = "x" * 9_000
        file.writelines(
            f'9053{number:08d},"{text}",Evet,Ada{number},{rest}\n' for number in range(10_000)
        )
    assert path.stat().st_size > 100_000_000
    tracemalloc.start()
    try:
        with path.open("rb") as source:
            checked = check(source, sender=SENDER)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (checked.good, checked.unreadable) == (10_000, None)
    assert peak < 5_000_000
