"""Files to messages: what is read, what is refused, and how that is said."""

import io
import tracemalloc
from pathlib import Path

import pytest

from multiwhats_async import ButtonMessage
from multiwhats_async.cli import _lines
from multiwhats_async.cli._reading import ChangedError, Rows, check, read_records
from multiwhats_async.cli._records import UnreadableError

HEADER = "to,message,button1,button2\n"
ROW = "905374937766,Merhaba,Evet,Hayır\n"


def _file(text: str | bytes) -> io.BytesIO:
    return io.BytesIO(text.encode() if isinstance(text, str) else text)


def _messages(text: str | bytes, *, encoding: str = "utf-8-sig") -> list[ButtonMessage]:
    file = _file(text)
    checked = check(file, encoding=encoding, sender="908503080335")
    assert (checked.bad, checked.unreadable) == (0, None), checked
    rows = Rows(file, encoding=encoding, sender="908503080335", count=checked.good)
    messages = list(rows)
    assert len(messages) == len(rows)
    return messages


def _complaints(text: str | bytes, *, sender: str | None = "908503080335") -> list[str]:
    checked = check(_file(text), sender=sender)
    lines = [str(problem) for problem in checked.problems]
    return lines if checked.unreadable is None else [*lines, checked.unreadable]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_delimiters_line_ends_and_marks(delimiter: str, end: str, mark: str) -> None:
    """Every delimiter, line end and byte order mark that spreadsheets write is read."""
    text = mark + (HEADER + ROW).replace(",", delimiter).replace("\n", end)
    (message,) = _messages(text)
    expected = ButtonMessage("905374937766", "Merhaba", ["Evet", "Hayır"], key=message.key)
    assert message == expected


def test_the_delimiter_is_the_one_that_makes_sense_of_the_header() -> None:
    """A header with other signs in its names is split where its names are known."""
    text = 'to;"Ad, Soyad, Şehir";message;buttons\n905374937766;"x, y, z";Merhaba;Evet|Hayır\n'
    assert _messages(text)[0].buttons == ("Evet", "Hayır")


@pytest.mark.parametrize("first", ["sep=;\r\n", '"sep=;"\n', "SEP=;\n"])
def test_the_line_sep_of_excel(first: str) -> None:
    """Excel's line sep= names the delimiter, and counts as a line."""
    text = first + "gsm;message;buttons\n0537;x;y\n"
    assert _complaints(text)[0].startswith("line 3, gsm: ")
    assert _messages(text.replace("0537", "905374937766"))[0].message == "x"


@pytest.mark.parametrize("name", ["to", "Phone", "TELEFON", " gsm ", "number"])
def test_names_of_the_recipient(name: str) -> None:
    """The recipient's column may have any of its names, in capitals too."""
    assert _messages(f"{name},message,buttons\n905374937766,x,y\n")


def test_columns_sender_and_key() -> None:
    """From and key are taken where they are filled in; a row without a key gets one."""
    text = (
        "key,from,to,message,button 1,button_2\n"
        "a1,+90 850 308 03 35,905374937766,x,y,\n"
        ",,905374937766,x,y,z\n"
    )
    first, second = _messages(text)
    assert (first.key, first.sender, first.buttons) == ("a1", "908503080335", ("y",))
    assert (second.sender, second.buttons) == (None, ("y", "z"))
    assert second.key is not None
    assert "905374937766" not in second.key


def test_a_row_is_named_by_its_number_and_not_by_its_text() -> None:
    """A text that somebody mends is no other message; another message to the same number is."""
    row = "{to},{text},y,\n".format
    before = _messages(HEADER + row(to="905374937766", text="a") + row(to="905374937767", text="a"))
    after = _messages(
        HEADER
        + row(to="905374937766", text="A")
        + row(to="905374937767", text="a")
        + row(to="905374937767", text="b")
        + row(to="905374937767", text="a")
    )
    keys = [message.key for message in after]
    assert [message.key for message in before] == keys[:2]
    assert len({*keys}) == 3
    assert keys[1] == keys[3]


def test_buttons_in_the_order_of_their_numbers() -> None:
    """button10 comes after button2, wherever the columns stand."""
    text = "button2,button1,to,message\nb,a,905374937766,x\n"
    assert _messages(text)[0].buttons == ("a", "b")


@pytest.mark.parametrize("cell", ["Evet| Hayır ", '"[""Evet"", ""Hayır""]"'])
def test_buttons_in_one_cell(cell: str) -> None:
    """One cell holds all buttons, by bars or as a JSON list."""
    assert _messages(f"to,message,buttons\n905374937766,x,{cell}\n")[0].buttons == ("Evet", "Hayır")


def test_texts_keep_what_they_say() -> None:
    """Quotes, line breaks, delimiters and capitals survive; letters are composed (NFC)."""
    text = 'to,message,buttons\n905374937766,"İyi günler, ""Ayşe""\r\nŞişli g\u0306",Evet\n'
    assert _messages(text)[0].message == 'İyi günler, "Ayşe"\nŞişli ğ'


def test_rows_that_are_blank_or_short() -> None:
    """Blank rows are skipped; cells missing at the end are empty, as Excel leaves them out."""
    text = "\n\n" + HEADER + "\n,,,\n905374937766,Merhaba,Evet\n905374937766,Merhaba,Evet,,,\n"
    assert [message.buttons for message in _messages(text)] == [("Evet",), ("Evet",)]


def test_jsonl() -> None:
    """One object a line, with the same names as a table; what is unknown is left alone."""
    text = (
        '{"to": "905374937766", "message": "a\\nb", "buttons": ["Evet"], "city": "Muğla"}\n\n'
        '{"telefon": "905374937766", "message": "x", "buttons": "Evet|Hayır", "key": null}\n'
    )
    first, second = _messages(text)
    assert (first.message, second.buttons) == ("a\nb", ("Evet", "Hayır"))


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "line 2: is no JSON object (Expecting property name enclosed in double quotes"),
        ("[1]", "line 2: is no JSON object: write {…} in each line"),
        ('{"to": NaN}', "line 2: is no JSON object (NaN is no JSON)"),
        ('{"to": "1", "to": "2"}', "line 2: is no JSON object (a name stands twice)"),
        ('{"a": ' + "[" * 100_000, "line 2: is no JSON object (nested too deep)"),
        ('{"to": "1", "gsm": "2"}', "line 2, gsm: stands for the same as to: keep one"),
        ('{"to": "1"}', "line 2: has no field for the text: name one message; nor for"),
        (
            '{"to": 905374937766, "message": "x", "buttons": ["y"]}',
            "line 2, to: must be text such as '+90 537 493 77 66', not int",
        ),
        (
            '{"to": "905374937766", "message": 5, "buttons": 7}',
            "line 2, message: must be text, not int",
        ),
    ],
)
def test_jsonl_that_is_refused(line: str, complaint: str) -> None:
    """A line that is no message is named with what is wrong; the others are still checked."""
    good = '{"to": "905374937766", "message": "x", "buttons": ["y"]}\n'
    checked = check(_file(good + line + "\n" + good), sender="908503080335")
    assert (checked.good, checked.bad) == (2, 1)
    assert str(checked.problems[0]).startswith(complaint)


@pytest.mark.parametrize(
    ("row", "complaints"),
    [
        ("0537 493 77 66,x,y,", ["line 2, to: '••••••••••7 66' begins with 0, so it has no"]),
        ("9.05E+11,x,y,", ["line 2, to: '••••E+11' is a number that the spreadsheet has rounded"]),
        ("905374937766,,,", ["line 2, message: is empty", "line 2, button1: is empty: a button"]),
        ("905374937766,x,y,y", ["line 2, button1: has 'y' twice"]),
        (
            f"905374937766,x,{'y' * 21},",
            [f"line 2, button1: button 1 {'y' * 21!r} has 21 characters, more than WhatsApp's 20"],
        ),
        ("905374937766,a,b,c,d", ["line 2: has 5 cells, the header has 4: is a text that holds"]),
    ],
)
def test_rows_that_are_refused(row: str, complaints: list[str]) -> None:
    """A bad row is named by line and column, its number masked, with the way out."""
    said = _complaints(HEADER + row + "\n" + ROW)
    assert len(said) == len(complaints)
    for line, start in zip(said, complaints, strict=True):
        assert line.startswith(start)
        assert "limits=None" not in line
        assert "9377" not in line


def test_a_long_value_is_cut() -> None:
    """What is said of a cell stays a line, however long its value is."""
    (line,) = _complaints(HEADER + f"905374937766,x,{'y' * 5000},\n")
    assert len(line) < 400
    assert line.endswith("…")


def test_a_list_of_buttons_that_is_none() -> None:
    """A cell that begins as a JSON list must be one."""
    said = _complaints('to,message,buttons\n905374937766,x,"[Evet, Hayır]"\n')
    assert said == [
        'line 2, buttons: begins with [ but is no JSON list: write ["Yes", "No"], or Yes|No'
    ]


def test_an_empty_cell_of_buttons() -> None:
    """An empty cell is no button."""
    assert _complaints("to,message,buttons\n905374937766,x,\n")[0].startswith(
        "line 2, buttons: is empty"
    )


def test_no_number_to_send_from() -> None:
    """Without a number to send from every row that names none is refused."""
    said = _complaints("to,message,buttons,from\n905374937766,x,y,\n", sender=None)
    assert said == ["line 2, from: no number to send from: give --from, or fill in the column from"]
    (said,) = _complaints("to,message,buttons,from\n905374937766,x,y,05371\n", sender=None)
    assert said.startswith("line 2, from: '•5371' begins with 0")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty: its first line must be a header"),
        (b"\n \n", "is empty: its first line must be a header"),
        (b"\xef\xbb\xbf", "is empty: its first line must be a header"),
        (b'[{"to": 1}]', "is a JSON list: write one object in each line (JSONL)"),
        (b"sep=x\nto\n", "sep=x is none of , ; tab and |"),
        (b"sep=;", "has no column for the recipient"),
        (b"name,message\n", "has no column for the recipient: name one to (or phone, telefon"),
        (b"to,phone,message,buttons\n", "has two columns for the same: to (column 1) and phone"),
        (b"to,message,button1,Button 1\n", "has two columns for the same: button1 (column 3)"),
        (b"to,message,button1,buttons\n", "has a column buttons and a column button1: keep one"),
        (b"905374937766,Merhaba,Evet\n", "Its first line has: ••••••••7766, Merhaba, Evet"),
        (
            HEADER.encode() + b"905374937766,\xdeehir,Evet,\n",
            "line 2 is not UTF-8 (byte 0xDE at position 14): save",
        ),
        ((HEADER + ROW).encode("utf-16"), "is UTF-16: save it as 'CSV UTF-8', or give --encoding"),
        (b"PK\x03\x04\x14\x00", "is a ZIP file, or a workbook that is damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "is an old Excel workbook"),
        (HEADER.encode() + b"9\x005\n", "line 2 holds a NUL character"),
        (
            HEADER.encode() + b'905374937766,"x,y,z\n',
            "the row that begins in line 2 cannot be read",
        ),
        (HEADER.encode() + b'9,"a"b,c,d\n', "the row that begins in line 2 cannot be read"),
    ],
)
def test_files_that_cannot_be_read(content: bytes, words: str) -> None:
    """A file that cannot be read for sure is refused, with the line and the way out."""
    assert words in _complaints(content)[-1]


def test_a_line_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is one endless line is not taken into memory."""
    monkeypatch.setattr(_lines, "MAX_LINE", 1000)
    assert "line 2 has more than 1,000 characters" in _complaints(HEADER + "9" * 2000)[-1]


@pytest.mark.parametrize("encoding", ["cp1254", "utf-16", "utf-16-le", "iso8859-9"])
def test_a_named_encoding(encoding: str) -> None:
    """An encoding that the user names is used."""
    messages = _messages((HEADER + ROW).encode(encoding), encoding=encoding)
    assert messages[0].buttons == ("Evet", "Hayır")


@pytest.mark.parametrize(
    ("encoding", "content", "words"),
    [
        ("cp1254", b"to\n\x8d", "line 2 is not cp1254 (byte 0x8D at position 1): give"),
        ("utf-16", b"t", "it is not utf-16"),
        ("utf-16-le", b"t\x00\x00\xdc\x00", "it is not utf-16-le"),
        ("utf-8-sig", "to\rş".encode("cp1254"), "line 2 is not UTF-8 (byte 0xFE at position 1)"),
    ],
)
def test_a_wrong_encoding(encoding: str, content: bytes, words: str) -> None:
    """A wrong encoding is said with the line, where lines can be told apart."""
    checked = check(_file(content), encoding=encoding, sender=None)
    assert checked.unreadable is not None
    assert words in checked.unreadable


def test_repeated_rows_are_counted() -> None:
    """Rows that say the same to the same number, or share a key, are counted."""
    text = "key,to,message,buttons\n" + ",905374937766,x,y\n" * 3 + "k,905374937766,z,y\n" * 2
    checked = check(_file(text), sender="908503080335")
    assert (checked.good, checked.repeated) == (5, 3)


def test_only_the_first_problems_are_kept() -> None:
    """A file that is wrong throughout is counted, and listed up to a limit."""
    checked = check(_file(HEADER + "0537,x,y,\n" * 200), sender="908503080335")
    assert (checked.bad, len(checked.problems)) == (200, 50)


@pytest.mark.parametrize("later", [HEADER + "0537,x,y,\n", HEADER + "9,\x00", ""])
def test_a_file_that_changed_after_its_check(later: str) -> None:
    """A row that was good and no longer is stops the second pass."""
    rows = Rows(_file(later), sender="908503080335", count=1)
    with pytest.raises(ChangedError):
        list(rows)


def test_lines_of_messages() -> None:
    """Each message knows the line that it began in."""
    rows = Rows(_file(HEADER + '905374937766,"a\nb",y,\n' + ROW), sender="90850", count=2)
    list(rows)
    assert [rows.line_of(0), rows.line_of(1)] == [2, 4]


def test_the_file_stays_open_for_the_second_pass() -> None:
    """Reading to the end, or not to the end, leaves the file open."""
    file = _file(HEADER + ROW * 2)
    next(read_records(file))
    assert len(list(read_records(file))) == 2
    with pytest.raises(UnreadableError):
        list(read_records(_file("")))


def test_a_file_may_be_closed_under_its_reader() -> None:
    """Whoever stops reading in the middle does not hear of it."""
    file = _file(HEADER + ROW * 2)
    records = read_records(file)
    next(records)
    file.close()
    records.close()  # type: ignore[attr-defined]  # it is a generator
    assert list(records) == []


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Twenty thousand rows are checked and read in a megabyte or two."""
    path = tmp_path / "many.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write(HEADER)
        file.writelines(
            f"9053{number:08d},Merhaba 👋 Ayşe,Evet,Hayır\n" for number in range(20_000)
        )
    tracemalloc.start()
    try:
        with path.open("rb") as source:
            checked = check(source, sender="908503080335")
            rows = Rows(source, sender="908503080335", count=checked.good)
            for index, _ in enumerate(rows):
                rows.line_of(index)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert checked.good == 20_000
    assert peak < 2_000_000
