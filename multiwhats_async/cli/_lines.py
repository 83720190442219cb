"""Bytes to lines of text, strictly: an encoding is never guessed."""

import codecs
import io
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO, Final

from ._records import UnreadableError

DEFAULT_ENCODING: Final = "utf-8-sig"
"""UTF-8, with or without a byte order mark."""

MAX_LINE: Final = 1_000_000
"""Characters. Ours: a thousand times WhatsApp's longest text. It keeps a file that is no text from
being taken into memory as one line."""

_MAGIC: Final = (
    (b"PK\x03\x04", "is an Excel workbook or a ZIP file: save it as 'CSV UTF-8'"),
    (b"\xd0\xcf\x11\xe0", "is an old Excel workbook: save it as 'CSV UTF-8'"),
)
_UTF16: Final = "is UTF-16: save it as 'CSV UTF-8', or give --encoding utf-16"
_UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_lines(file: BinaryIO, *, encoding: str) -> Iterator[str]:
    r"""Yield the lines of a file from its beginning, each with its end (\n, \r\n or \r).

    Raises:
        UnreadableError: It is no text in that encoding.
    """
    _refuse_other_formats(file, encoding)
    text = io.TextIOWrapper(file, encoding=encoding, errors="strict", newline="")
    is_undecodable = False
    try:
        yield from _checked_lines(text)
    except UnicodeError:
        is_undecodable = True
    finally:
        with suppress(ValueError):  # closed already, where somebody stopped in the middle
            text.detach()  # the file stays open: it is read twice
    if is_undecodable:
        raise UnreadableError(_encoding_problem(file, encoding))


def _refuse_other_formats(file: BinaryIO, encoding: str) -> None:
    file.seek(0)
    start = file.read(4)
    file.seek(0)
    for magic, problem in _MAGIC:
        if start.startswith(magic):
            raise UnreadableError(problem)
    if encoding == DEFAULT_ENCODING and start.startswith(_UTF16_MARKS):
        raise UnreadableError(_UTF16)


def _checked_lines(text: io.TextIOWrapper) -> Iterator[str]:
    number = 0
    while line := text.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise UnreadableError(
                f"line {number} has more than {MAX_LINE:,} characters: is this a file of messages?"
            )
        if "\0" in line:
            raise UnreadableError(
                f"line {number} holds a NUL character: this is no text, or in another encoding"
            )
        yield line


def _encoding_problem(file: BinaryIO, encoding: str) -> str:
    """Say which line cannot be decoded. The decoder reads ahead, so it is looked for anew."""
    number = _undecodable_line(file, encoding)
    where = "it" if number is None else f"line {number}"
    if encoding == DEFAULT_ENCODING:
        return (
            f"{where} is not UTF-8: save the file as 'CSV UTF-8', "
            "or name its encoding, such as --encoding cp1254 for Turkish Windows"
        )
    return f"{where} is not {encoding}: give --encoding its right name, or save it as 'CSV UTF-8'"


def _undecodable_line(file: BinaryIO, encoding: str) -> int | None:
    """Return the first line that cannot be decoded, or None where lines end in other bytes."""
    if "\n".encode(encoding)[-1:] != b"\n" or "16" in encoding or "32" in encoding:
        return None
    file.seek(0)
    lines = enumerate(file, start=1)
    return next((number for number, line in lines if not _decodes(line, encoding)), None)


def _decodes(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeError:
        return False
    return True
