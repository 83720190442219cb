"""Makes the files of ``files/``: run it to change one; the tests read what is committed.

Each is small, and as near as can be to what people send: exports of Excel in Turkish and English,
of hotel programs, of databases, and the accidents on the way.
"""

import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import openpyxl

FOLDER = Path(__file__).with_name("files")

TURKISH = (
    "TELEFON NUMARASI;MESAJ;DÜĞME 1;DÜĞME 2;İsim;Oda No\r\n"
    "905374937766;Merhaba {İsim}, {Oda_No} numaralı odanız hazır.;Evet;Hayır;Şule;101\r\n"
    "905374937767;Merhaba {İsim|misafirimiz};Evet;Hayır;;102\r\n"
)
ROW = "905374937766,Merhaba,Evet,Hayır\n"
HEAD = "to,message,button1,button2\n"
DAY = datetime(2026, 7, 1, tzinfo=UTC).replace(tzinfo=None)  # a workbook knows no time zones

TEXTS: dict[str, bytes] = {
    "cp1254.csv": TURKISH.encode("cp1254"),
    "bom.csv": TURKISH.encode("utf-8-sig"),
    "utf16.txt": TURKISH.replace(";", "\t").encode("utf-16"),
    "semicolons.csv": TURKISH.encode(),
    "tabs.tsv": b"phone number\ttext\tbutonlar\n+90 537 493 77 66\tHi, a;b|c\tYes|No\n",
    "bars.txt": b"gsm|mesaj|button1|button2\n905374937766|Hi|Yes|No\n",
    "sep.csv": b"sep=;\r\nto;message;buttons\r\n905374937766;Hi;Yes|No\r\n",
    "excel-leftovers.csv": (
        b"to;message;button1;;;\r\n905374937766;Hi;Yes;;;\r\n;;;;;\r\n;;;;;\r\n"
        b"905374937767;Hi;Yes;note;;\r\n905374937768;Hi;Yes;;;;;;\r\n;;;;;\r\n"
    ),
    "one-cell-too-many.csv": b"to,message,button1\n905374937766,Hi, Ada,Yes\n",
    "rounded.csv": b"to,message,button1\n9.05E+11,Hi,Yes\n9.05375E+11,Hi,Yes\n",
    "rounded-tr.csv": b"Telefon;Mesaj;Buton1\r\n9,05375E+11;Selam;Evet\r\n",
    "one-number-many-ways.csv": (
        "cep telefonu,message,button1\n905374937766,Hi,Yes\n+90 537 493 77 66,Hi,Yes\n"
        "0090-537-493-7766,Hi,Yes\n(+90) 537.493.77.66,Hi,Yes\n٩٠٥٣٧٤٩٣٧٧٦٦,Hi,Yes\n"
    ).encode(),
    "quoted-newlines.csv": (
        HEAD + '905374937766,"İyi günler,\r\n""Moda Otel""\n\nÖdeme bekliyor.",Evet,\n0537,x,y,\n'
    ).encode(),
    "blank-lines.csv": ("\n  \n" + HEAD + "\n\n" + ROW + "\n" + ROW + "\n\n").encode(),
    "only-header.csv": HEAD.encode(),
    "empty.csv": b"",
    "blank.csv": b"\xef\xbb\xbf\r\n \r\n",
    "missing-column.csv": b"Ad,Soyad,Mesaj,Buton1\nAda,L,Hi,Yes\n",
    "no-header.csv": ROW.encode(),
    "two-phones.csv": b"Telefon,Cep,Mesaj,Buton1\n902123456789,905374937766,Hi {Telefon},Yes\n",
    "own-names.csv": (
        "Misafir Telefonu;Notumuz;Onay;Ret;Misafir\n905374937766;Sayın {Misafir};Evet;Hayır;Ada\n"
    ).encode(),
    "guests.jsonl": (
        '{"to": "905374937766", "message": "{ad}, {gece} gece, {tutar|?} TL{not|}", '
        '"buttons": ["{ad} ✓", "Hayır"], "ad": "Ada", "gece": 3, "tutar": 12.5, "not": null}\n\n'
        '{"telefon": "905374937766", "mesaj": "Hi", "buton2": "No", "buton1": "Yes", "vip": true}\n'
    ).encode(),
    "bad.jsonl": (
        b'{"to": "905374937766", "message": "{vip}", "buttons": "Yes", "vip": true}\n'
        b'{"to": "905374937766", "message": "{who}", "buttons": "Yes"}\n'
        b'{"to": "905374937766", "message": "{a}", "buttons": "Yes", "a ": "1", " a": 2, "a": 3}\n'
        b'{"to": "905374937766", "message": "{to}", "buttons": "Yes"}\n'
        b'{"to": "905374937766", "message": "x", "buttons": "Yes", "button1": "Yes"}\n'
    ),
    "list.json": b'[\n  {"to": "905374937766", "message": "Hi", "buttons": ["Yes"]}\n]\n',
    "old.xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504),
    "nul.csv": HEAD.encode() + b"905374937766,H\x00i,Yes,No\n",
    "open-quote.csv": HEAD.encode() + b'905374937766,Hi,Yes,No\n905374937767,"Hi,Yes,No\n' * 2,
    "mixed-line-ends.csv": (
        b"to,message,button1\r\n905374937766,a,Yes\r905374937767,b,Yes\n0537,c,Yes\r\n"
    ),
    "mixed-line-ends-cp1254.csv": (
        b"to,message,button1\r\n905374937766,a,Yes\r905374937767,b,Yes\n905374937768,\xdeule,Yes\n"
    ),
    "emoji.csv": (HEAD + "905374937766,Hoş geldiniz 👋🏽 👨‍👩‍👧,👍 Evet,⛔ Hayır\n").encode(),
    "leading-zero.csv": HEAD.encode() + b"05374937766,Hi,Yes,No\n0537 493 77 66,Hi,Yes,No\n",
    "text-formulas.csv": (
        b'to;message;button1;from\r\n"=""905374937766""";="Hi";Yes;\'908503080335\r\n'
        b"'+905374937767;'tis;Yes;908503080335.0\r\n905374937768,00;=) Hi;Yes;\r\n"
    ),
    "fractions.csv": b"to;message;button1\n905374937766,5;Hi;Yes\n90537493.77;Hi;Yes\n",
    "errors.csv": (
        b"to,message,button1,key,Ad\n#N/A,Hi,Yes,,\n905374937766,#NAME?,Yes,,\n"
        b"905374937766,Hi {Ad},{Ad},,#REF!\n905374937766,Hi,#DIV/0!,,\n905374937766,Hi,Yes,#N/A,\n"
        b"########,#hashtag,Yes,,\n"
    ),
    "errors-tr.csv": "Alıcı;Metin;Düğmeler;Ad\n905374937766;{Ad};#AD?;#YOK\n".encode(),
    "formulas.csv": (
        b"to;message;button1;Ad\n=90&B2;Hi;Yes;\n905374937766;=A1&B1;Yes;\n"
        b'905374937766;Hi {Ad};Yes;=VLOOKUP(A1;B:C;2)\n905374937766;="Hi "&A1;Yes;\n'
        b"='Sheet 1'!A1;=D Hi = 5;Yes;\n"
    ),
    "invisible.csv": (
        "\u200bto\u00a0,message,button1\n\u202a+90\u00a0537\u202f493\u200b77\u200966\u202c,a,Yes\n"
        "\u2066'905374937767\u2069\u00a0,b,Yes\n\ufeff905374937768.0\u200f,c,Yes\n"
    ).encode(),
    "unknown-name.csv": (
        b"to,message,button1,First name,e-mail\n905374937766,Hi {first_name|you},Yes,Ada,\n"
        b"905374937766,Hi {First_name},{to},Ada,\n905374937766,{First_name} {e_mail|-},Yes,Ada,\n"
    ),
    "blank-name.csv": b"to,message,button1,ad\n905374937766,Hi {ad}!,{ad},Ada\n" * 1
    + b"905374937766,Hi {ad}!,{ad}, \n",
    "braces.csv": (
        b"to,message,button1\n905374937766,Hi :-},Yes\n905374937766,{{Hi}},Yes\n"
        b"905374937766,Hi {first name},{\n"
    ),
    "same-name-twice.csv": b"to,message,button1,Not,Not,\n905374937766,{Not},Yes,a,b\n"
    b"905374937766,Hi,Yes,a,b\n",
    "many-names.csv": b"to,message,button1,"
    + b",".join(b"a%d" % number for number in range(14))
    + b"\n905374937766,{b},Yes\n",
    "signs-in-names.csv": (
        "to,message,button1,Ad/Soyad,2. gece,%,प्रथम नाम\n"
        "905374937766,{Ad_Soyad} {_2_gece} {प्रथम_नाम},Yes,Ada,200,9,अदा\n"
    ).encode(),
    "values-with-braces.csv": b"to,message,buttons,ad\n905374937766,Hi {ad},{ad|you}|No,{x}\n"
    b"905374937767,Hi {ad|you},{ad|you}|No,\n",
    "bad-list.csv": b'to,message,buttons\n905374937766,x,"[Yes, No]"\n',
    "long-label.csv": HEAD.encode() + b"905374937766,Hi,Yes," + b"N" * 21 + b"\n",
    "long-name.csv": b"to,message,button1," + b"x" * 101 + b"\n905374937766,Hi,Yes,z\n",
    "cut.xlsx": b"PK\x03\x04\x14\x00\x00\x00",
}


def _numbers(book: Any) -> None:
    sheet = book.active
    sheet.append(["Telefon", "Mesaj", "Buton1", "Gece", "Tutar", "Oran", "Giriş", "Saat", "Vip"])
    text = "{Gece} gece, {Tutar} TL, {Oran|?}, {Giriş} {Saat} {Vip}"
    sheet.append([905374937766, text, "Evet", 3.0, 0.1 + 0.2, 1e21, DAY, time(14, 30), True])
    sheet.append([9.05374937767e11, text, "Evet", 3, 12.5, 5, DAY.replace(hour=9), DAY - DAY, "x"])
    sheet.append([None] * 9)
    sheet.append(
        ["905374937768", "a_x000D_\nb", "Evet", None, None, None, None, None, None, "note"]
    )
    sheet.append([5374937768.5, "x", "Evet"])


def _formulas(book: Any) -> None:
    sheet = book.active
    sheet.append(["to", "message", "button1", "button2", "ad"])
    sheet.append([905374937766, '="Hi "&E2', "Yes", None, "Ada"])
    sheet.append([905374937767, "Hi {ad}", "Yes", '="N"&"o"', "=A1"])
    sheet.append([905374937768, "Hi", "Yes", None, "=A1"])


def _errors(book: Any) -> None:
    sheet = book.active
    sheet.append(["to", "message", "buttons", "ad"])
    sheet.append([905374937766, "Hi {ad}", "Yes", "#N/A"])
    sheet.append(["#REF!", "Hi {name}", "Yes|{ad}", None])


def _empty_first(book: Any) -> None:
    book.active.title = "Sayfa1"
    book.create_sheet("Misafirler").append(["to", "message", "button1"])
    book.create_sheet("Fiyatlar")


def _all_empty(book: Any) -> None:
    book.active.title = "Sayfa1"


def _hidden_first(book: Any) -> None:
    book.active.append(["a list", "of choices"])
    book.active.sheet_state = "hidden"
    sheet = book.create_sheet("Guests")
    sheet.append([])
    sheet.append(["to", "message", "button1"])
    sheet.append(["+90 537 493 77 66", "Hi", "Yes"])
    book.active = 1


def _title_above(book: Any) -> None:
    book.active.append(["Moda Otel 905374937766"])
    book.active.append(["to", "message", "button1"])


def _chart_only(book: Any) -> None:
    book.create_chartsheet("Chart")
    book.remove(book.worksheets[0])


WORKBOOKS: dict[str, Callable[[Any], None]] = {
    "numbers.xlsx": _numbers,
    "formulas-without-values.xlsx": _formulas,
    "errors.xlsx": _errors,
    "first-sheet-empty.xlsx": _empty_first,
    "all-empty.xlsx": _all_empty,
    "first-sheet-hidden.xlsx": _hidden_first,
    "title-above.xlsx": _title_above,
    "chart-only.xlsx": _chart_only,
}


def made(fill: Callable[[Any], None]) -> bytes:
    """Return a workbook."""
    book = openpyxl.Workbook()
    fill(book)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def changed(workbook: bytes, part: str, old: bytes, new: bytes) -> bytes:
    """Return a workbook with something in one of its parts replaced."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as source, zipfile.ZipFile(out, "w") as target:
        for info in source.infolist():
            content = source.read(info)
            if info.filename == part:
                assert old in content, content
                content = content.replace(old, new)
            target.writestr(info, content, compress_type=zipfile.ZIP_DEFLATED)
    return out.getvalue()


def main() -> None:
    """Write all files."""
    for name, content in TEXTS.items():
        (FOLDER / name).write_bytes(content)
    for name, fill in WORKBOOKS.items():
        (FOLDER / name).write_bytes(made(fill))
    sheet = "xl/worksheets/sheet1.xml"
    formulas = made(_formulas)
    with_values = formulas
    for formula, value in ((b'"Hi "&amp;E2', b"Hi Ada"), (b'"N"&amp;"o"', b"No"), (b"A1", b"Ali")):
        for empty in (b"<v />", b"<v></v>", b"<v/>"):
            old = b"<f>" + formula + b"</f>" + empty
            with zipfile.ZipFile(io.BytesIO(with_values)) as archive:
                is_there = old in archive.read(sheet)
            if is_there:
                new = b"<f>" + formula + b"</f><v>" + value + b"</v>"
                with_values = changed(with_values, sheet, old, new)
    for cell in (b"B2", b"D3", b"E3", b"E4"):
        with_values = changed(
            with_values, sheet, b'r="' + cell + b'"', b'r="' + cell + b'" t="str"'
        )
    (FOLDER / "formulas.xlsx").write_bytes(with_values)
    (FOLDER / "damaged.xlsx").write_bytes(changed(formulas, sheet, b"</row>", b"</rov>"))
    broken = changed(made(_title_above), "xl/workbook.xml", b"</sheets>", b"</sheet>")
    (FOLDER / "damaged-book.xlsx").write_bytes(broken)
    with zipfile.ZipFile(FOLDER / "photos.zip", "w") as archive:
        archive.writestr("photos/1.jpg", b"\xff\xd8")


if __name__ == "__main__":
    main()
