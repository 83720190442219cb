"""Bytes to lines of text, strictly: an encoding is never guessed."""

import codecs
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO, Final

from ._names import UnreadableError

DEFAULT_ENCODING: Final = "utf-8-sig"
"""UTF-8, with or without a byte order mark."""

MAX_LINE: Final = 1_000_000
"""Characters. Ours: a thousand times WhatsApp's longest text. It keeps a file that is no text from
being taken into memory as one line."""

_BLOCK: Final = 1 << 16
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_MAGIC: Final = (
    (
        b"PK\x03\x04",
        "is a ZIP file, or a workbook that is damaged or no .xlsx: save it as 'CSV UTF-8'",
    ),
    (
        b"\xd0\xcf\x11\xe0",
        "is an old Excel workbook, or one with a password: save it as 'CSV UTF-8' or plain .xlsx",
    ),
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
    """Say what cannot be decoded. The decoder reads ahead, so it is looked for anew."""
    place = None if _has_other_line_ends(encoding) else _undecodable_byte(file, encoding)
    where, byte = "it", ""
    if place is not None:
        line, position, value = place
        where, byte = f"line {line}", f" (byte 0x{value:02X} at position {position})"
    if encoding == DEFAULT_ENCODING:
        return (
            f"{where} is not UTF-8{byte}: save the file as 'CSV UTF-8', "
            "or name its encoding, such as --encoding cp1254 for Turkish Windows"
        )
    return (
        f"{where} is not {encoding}{byte}: give --encoding its right name, "
        "or save it as 'CSV UTF-8'"
    )


def _has_other_line_ends(encoding: str) -> bool:
    """Tell whether lines end in other bytes than those of ASCII."""
    return "\n".encode(encoding)[-1:] != b"\n" or "16" in encoding or "32" in encoding


def _undecodable_byte(file: BinaryIO, encoding: str) -> tuple[int, int, int] | None:
    """Return the first byte that cannot be decoded: its line, its place in it, and itself.

    Both are counted from 1. Or None, where all can be decoded by now.
    """
    # With the mark left in, so that places are those of the file.
    decoder = codecs.getincrementaldecoder("utf-8" if encoding == DEFAULT_ENCODING else encoding)()
    file.seek(0)
    line, line_start, read = 1, 0, 0
    is_after_cr = False
    while True:
        block = file.read(_BLOCK)
        pending = decoder.getstate()[0]
        end = None
        try:
            decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            end = error.start - len(pending)
        if is_after_cr and block.startswith(b"\n"):
            line -= 1  # it is the second half of an end that is counted
        for found in _LINE_END.finditer(block[: None if end is None else max(end, 0)]):
            line += 1
            line_start = read + found.end()
        if end is not None:
            return line, read + end - line_start + 1, (pending + block)[end + len(pending)]
        if not block:
            return None
        read += len(block)
        is_after_cr = block.endswith(b"\r")
