"""Results as JSONL or CSV, one row an outcome. The numbers stand in them whole."""

import csv
import json
import os
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, count
from pathlib import Path
from typing import Any, BinaryIO, Final, TextIO

import click

from ..outcomes import Outcome

STANDARD_OUTPUT: Final = "-"
COLUMNS: Final = (
    "certainty",
    "to",
    "from",
    "message",
    "buttons",
    "key",
    "attempts",
    "elapsed",
    "credits",
    "id",
    "status_code",
    "error",
    "earlier",
    "note",
)
WriteResult = Callable[[int, Outcome], None]

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet runs as a formula (OWASP, CSV Injection)."""

_JSONL: Final = (".jsonl", ".ndjson")
_CSV: Final = ".csv"


def next_target(path: str) -> str:
    """Return a name for results that is not taken: ``out.csv``, ``out-2.csv``, ``out-3.csv``."""
    target = Path(path)
    names = (str(target.with_stem(f"{target.stem}-{number}")) for number in count(2))
    return next(name for name in chain([path], names) if not os.path.lexists(name))


def check_target(path: str, source: BinaryIO | None = None) -> None:
    """Refuse a name for the results that cannot be meant.

    Args:
        path: The file to write, or ``-``.
        source: The open input, or None.

    Raises:
        click.UsageError: It is the input, is there already, or has no known ending.
    """
    if path == STANDARD_OUTPUT:
        return
    if Path(path).suffix.lower() not in (*_JSONL, _CSV):
        raise click.UsageError(f"--out {path}: end the name in .jsonl or .csv, or give - for JSONL")
    if not os.path.lexists(path):
        return
    if (
        source
        and Path(path).exists()
        and os.path.samestat(Path(path).stat(), os.fstat(source.fileno()))
    ):
        raise click.UsageError(f"--out {path} is the input itself: give another name")
    raise click.UsageError(
        f"--out {path} is there already, and may be the only record of a run: give another name"
    )


@contextmanager
def open_results(path: str | None, *, place: str = "line") -> Generator[WriteResult]:
    """Open the file for the results; what is handed over is on its way to the disk at once.

    Args:
        path: The file, by its ending JSONL or CSV; ``-`` is JSONL on standard output; None
            writes nothing.
        place: What the number is that comes with each outcome: the name of the first column.

    Raises:
        click.UsageError: It cannot be written.
    """
    if path is None:
        yield lambda _line, _outcome: None
    elif path == STANDARD_OUTPUT:
        yield _jsonl(sys.stdout, place)
    else:
        try:
            # The mark at the beginning is how Excel knows UTF-8.
            is_csv = Path(path).suffix.lower() == _CSV
            encoding = "utf-8-sig" if is_csv else "utf-8"
            file = open(path, "x", buffering=1, encoding=encoding, newline="")  # noqa: PTH123, SIM115  # closed below
        except OSError as error:
            raise click.UsageError(f"cannot write --out {path}: {error.strerror}") from None
        try:
            yield _csv(file, place) if is_csv else _jsonl(file, place)
        finally:
            # Every line was flushed when it was written: what cannot be written was said then.
            with suppress(OSError):
                file.close()


def as_json(data: Any, *, encoding: str | None) -> str:
    """Return data as one line of JSON that its target can hold.

    Args:
        data: Plain data.
        encoding: The target's encoding; where it is not UTF-8, letters beyond ASCII are escaped.
    """
    is_utf8 = (encoding or "").lower().replace("-", "").startswith("utf8")
    return json.dumps(data, ensure_ascii=not is_utf8, separators=(",", ":"))


def safe_cell(value: object) -> str:
    """Return a value as a cell that no spreadsheet runs as a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _jsonl(file: TextIO, place: str) -> WriteResult:
    def write(number: int, outcome: Outcome) -> None:
        file.write(as_json({place: number, **outcome.to_dict()}, encoding=file.encoding) + "\n")
        file.flush()

    return write


def _csv(file: TextIO, place: str) -> WriteResult:
    writer = csv.writer(file)
    writer.writerow((place, *COLUMNS))

    def write(number: int, outcome: Outcome) -> None:
        writer.writerow([number, *map(safe_cell, _cells(outcome))])
        file.flush()

    return write


def _cells(outcome: Outcome) -> Iterator[object]:
    """Yield the values of a row, in the order of :data:`COLUMNS`."""
    message, receipt, error = outcome.message, outcome.receipt, outcome.error
    yield outcome.certainty.value
    yield message.to
    yield message.sender
    yield message.message
    yield json.dumps(message.buttons, ensure_ascii=False)
    yield outcome.key
    yield outcome.attempts
    yield f"{outcome.elapsed:.3f}"
    yield outcome.credits
    yield receipt and receipt.id
    yield error and error.status_code
    yield error
    yield outcome.earlier
    yield outcome.note
