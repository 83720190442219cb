"""A file to messages, checked as a whole before the first credit is spent.

Two passes: :func:`check` looks at every row and keeps only counts and the first bad rows;
:class:`Rows` then gives the messages one by one. Memory does not grow with the file, but for two
digests a row by which repeated rows are counted, and 8 bytes for its line.
"""

from array import array
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from typing import BinaryIO, Final

import attrs

from .._countries import NO_COUNTRY, country_of
from .._keys import RowKeys, SeenKeys
from ..models import ButtonMessage
from ._building import NO_SENDER, build
from ._jsonl import jsonl_records
from ._lines import DEFAULT_ENCODING, read_lines
from ._names import Naming
from ._records import BadCell, Record, UnreadableError
from ._table import row_records, table_records
from ._workbook import is_workbook, workbook_rows

MAX_SHOWN: Final = 50
"""Bad cells that are kept to be listed; the others are counted."""

MAX_FIRST: Final = 3
"""Messages that are kept to be shown as they will look."""


@attrs.frozen(kw_only=True)
class Checked:
    """What the first pass found.

    Attributes:
        good: Rows that can be sent.
        bad: Rows that cannot.
        repeated: Good rows that say the same to the same number as one before, or have its key.
        problems: The first things that are wrong.
        unreadable: What keeps the rest of the file from being read, or None.
        countries: How many good rows go to each country, the most first.
        first: The first good rows, each with its line.
    """

    good: int = 0
    bad: int = 0
    repeated: int = 0
    problems: tuple[BadCell, ...] = ()
    unreadable: str | None = None
    countries: Mapping[str, int] = attrs.field(factory=dict)
    first: tuple[tuple[int, ButtonMessage], ...] = ()

    @property
    def to_send(self) -> int:
        """Messages that a run of all of them sends."""
        return self.good - self.repeated

    @property
    def lacks_sender(self) -> bool:
        """Whether all that is wrong is that nobody said which number sends."""
        return bool(self.problems) and all(NO_SENDER in bad.text for bad in self.problems)


NO_COLUMNS: Final[Mapping[str, str]] = {}
"""No column is chosen by hand: their names say what they stand for."""


class ChangedError(Exception):
    """The file is not what it was when it was checked."""


def read_records(
    file: BinaryIO,
    *,
    encoding: str = DEFAULT_ENCODING,
    columns: Mapping[str, str] = NO_COLUMNS,
) -> Iterator[Record | BadCell]:
    """Yield the records of a file from its beginning, and what stands in the way of one.

    Args:
        file: A file that can be read anew.
        encoding: How its characters are encoded, where it is no workbook.
        columns: The names of columns that are chosen by hand, by field.

    Raises:
        UnreadableError: The file, or what is left of it, cannot be read.
    """
    naming = Naming(columns)
    if is_workbook(file):
        yield from row_records(workbook_rows(file), naming=naming, is_sheet=True)
        return
    lines = read_lines(file, encoding=encoding)
    for skipped, line in enumerate(lines):
        if line.strip():
            whole = chain([line], lines)
            start = line.lstrip()[0]
            if start == "[":
                raise UnreadableError("is a JSON list: write one object in each line (JSONL)")
            read = jsonl_records if start == "{" else table_records
            yield from read(whole, skipped=skipped, naming=naming)
            return
    raise UnreadableError("is empty: its first line must be a header such as to,message,button1")


def check(
    file: BinaryIO,
    *,
    encoding: str = DEFAULT_ENCODING,
    sender: str | None,
    columns: Mapping[str, str] = NO_COLUMNS,
    expected: Collection[str] = (),
) -> Checked:
    """Look at every row of a file; but for the first ones nothing is kept of the good ones.

    Args:
        file: A file that can be read anew.
        encoding: How its characters are encoded, where it is no workbook.
        sender: The number that sends where a row names none.
        columns: The names of columns that are chosen by hand, by field.
        expected: The countries that numbers may belong to, in two letters; none for any.
    """
    good = bad = repeated = 0
    problems: list[BadCell] = []
    countries: Counter[str] = Counter()
    first: list[tuple[int, ButtonMessage]] = []
    unreadable: str | None = None
    seen, contents = SeenKeys(), SeenKeys()
    try:
        for record, built in _read(file, encoding=encoding, sender=sender, columns=columns):
            if isinstance(built, ButtonMessage):
                country = country_of(built.to)
                if expected and not set(country.split("/")).intersection(expected):
                    bad += 1
                    problems += [_foreign(record, country, expected)][: MAX_SHOWN - len(problems)]
                    continue
                is_new = contents.add(_content(built, sender))
                if seen.add(built.identity(sender)):
                    first += [(record.line, built)][: MAX_FIRST - len(first)]
                elif is_new:
                    bad += 1
                    text = "is the key of another message above: give each message its own"
                    bad_key = BadCell(line=record.line, column="key", text=text)
                    problems += [bad_key][: MAX_SHOWN - len(problems)]
                    continue
                else:
                    repeated += 1
                good += 1
                countries[country] += 1
            else:
                bad += 1
                problems += built[: MAX_SHOWN - len(problems)]
    except UnreadableError as error:
        unreadable = str(error)
    finally:
        seen.close()
        contents.close()
    return Checked(
        good=good,
        bad=bad,
        repeated=repeated,
        problems=tuple(problems),
        unreadable=unreadable,
        countries=dict(countries.most_common()),
        first=tuple(first),
    )


def _foreign(record: Record | BadCell, country: str, expected: Collection[str]) -> BadCell:
    """Return what is wrong with a number of another country."""
    text = (
        f"is a number of {'no country' if country == NO_COUNTRY else country}, not of "
        f"{', '.join(expected)}: is its country code missing? Where it is meant, add "
        f"--expect-country {country}"
    )
    column = record.names.get("to", "to") if isinstance(record, Record) else "to"
    return BadCell(line=record.line, column=column, text=text)


def _read(
    file: BinaryIO, *, encoding: str, sender: str | None, columns: Mapping[str, str]
) -> Iterator[tuple[Record | BadCell, ButtonMessage | list[BadCell]]]:
    """Yield each record with its message, every one of which has a key, or what is wrong with it.

    A row without a key of its own is named by its number and its place among the rows for it, not
    by its text: where somebody mends a text and sends the file once more, its ledger notices that
    the row has changed, instead of taking it for another message.
    """
    keys = RowKeys()
    try:
        for record in read_records(file, encoding=encoding, columns=columns):
            built = build(record, sender=sender)
            if isinstance(built, ButtonMessage) and built.key is None:
                own = built.sender or sender or ""
                built = attrs.evolve(built, key=keys.name(own, built.to, built.digest(sender)))
            yield record, built
    finally:
        keys.close()


def _content(message: ButtonMessage, sender: str | None) -> str:
    """Return what stands for a message's key and all that it says."""
    return f"{message.key}\0{message.digest(sender)}"


class Rows:
    """The messages of a file that passed its check, one by one; knows how many there are.

    Args:
        file: The file.
        encoding: How its characters are encoded, where it is no workbook.
        sender: The number that sends where a row names none.
        count: How many there are.
        columns: The names of columns that are chosen by hand, by field.
    """

    def __init__(
        self,
        file: BinaryIO,
        *,
        encoding: str = DEFAULT_ENCODING,
        sender: str | None,
        count: int,
        columns: Mapping[str, str] = NO_COLUMNS,
    ) -> None:
        self._file = file
        self._encoding = encoding
        self._sender = sender
        self._count = count
        self._columns = columns
        self._lines = array("Q")

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[ButtonMessage]:
        """Yield the messages.

        Raises:
            ChangedError: A row is not what it was when it was checked.
        """
        self._lines = array("Q")
        try:
            for record, built in _read(
                self._file,
                encoding=self._encoding,
                sender=self._sender,
                columns=self._columns,
            ):
                if not isinstance(built, ButtonMessage):
                    raise ChangedError(str(built[0]))
                self._lines.append(record.line)
                yield built
        except UnreadableError as error:
            raise ChangedError(str(error)) from None

    def line_of(self, index: int) -> int:
        """Return the line that the message at a position began in."""
        return self._lines[index]
