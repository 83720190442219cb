"""The file that a command is given, open so that it can be read twice."""

import codecs
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from typing import BinaryIO, Final

import click

from ._lines import DEFAULT_ENCODING

STANDARD_INPUT: Final = "-"


def _encoding(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    """Return the name of a text encoding that Python knows."""
    try:
        "".encode(value)
    except (LookupError, ValueError):
        raise click.BadParameter(f"{value!r} is no encoding that Python knows") from None
    # A byte order mark is no part of the text.
    return DEFAULT_ENCODING if codecs.lookup(value).name == "utf-8" else value


encoding_option = click.option(
    "--encoding",
    callback=_encoding,
    default=DEFAULT_ENCODING,
    metavar="NAME",
    help="Of a FILE that is not UTF-8, such as cp1254.",
)


def name_of(path: str) -> str:
    """Return how an input is called."""
    return "standard input" if path == STANDARD_INPUT else click.format_filename(path)


@contextmanager
def opened(path: str) -> Generator[BinaryIO]:
    """Open the input so that it can be read twice, and see that nobody writes it meanwhile."""
    if path == STANDARD_INPUT:
        with _spooled(sys.stdin.buffer) as spool:
            yield spool
        return
    try:
        file = open(path, "rb")  # noqa: PTH123, SIM115  # closed below
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        why = getattr(error, "strerror", None) or error
        raise click.UsageError(f"cannot read {click.format_filename(path)}: {why}") from None
    with file:
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            yield file
            return
        with _spooled(file) as spool:  # a pipe, such as <(…) in a shell
            yield spool


@contextmanager
def _spooled(source: BinaryIO) -> Generator[BinaryIO]:
    """Copy what can be read once into a file without a name; it is gone when it is closed."""
    with tempfile.TemporaryFile() as spool:
        shutil.copyfileobj(source, spool)
        spool.flush()
        yield spool
