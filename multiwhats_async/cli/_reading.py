"""A file to messages, checked as a whole before the first credit is spent.

Two passes: :func:`check` looks at every row and keeps only counts and the first bad rows;
:class:`Rows` then gives the messages one by one. Memory does not grow with the file, but for two
digests a row by which repeated rows are counted, and 8 bytes for its line.
"""

import json
import re
import unicodedata
from array import array
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from typing import Any, BinaryIO, Final

import attrs

from .._countries import NO_COUNTRY, country_of
from .._keys import RowKeys, SeenKeys
from ..errors import InvalidMessageError
from ..models import ButtonMessage
from ._cells import CellError, cell_number, cell_text
from ._failure import for_the_command_line
from ._filling import filled
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

LONGEST_TEXT: Final = 300
"""Characters of what is said about one cell; the value that it quotes may be long."""


_BARS: Final = re.compile(r"\{[^{}]*\}|\|")
"""A bar between buttons, or all of ``{name|fallback}``, whose bar is none."""

_NUMBERED: Final = re.compile(r"button (\d+) ")
_GOOD_NUMBER: Final = "905300000000"
_GOOD_TEXT: Final = "-"
"""Stand in the place of what is known to be wrong, while the rest of the row is looked at."""


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

NO_SENDER: Final = "no number to send from: give --from, or fill in the column from"


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
                    good += 1
                    countries[country] += 1
                    first += [(record.line, built)][: MAX_FIRST - len(first)]
                elif is_new:
                    bad += 1
                    text = "is the key of another message above: give each message its own"
                    bad_key = BadCell(line=record.line, column="key", text=text)
                    problems += [bad_key][: MAX_SHOWN - len(problems)]
                    continue
                else:
                    good += 1
                    countries[country] += 1
                    repeated += 1
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


def build(record: Record | BadCell, *, sender: str | None) -> ButtonMessage | list[BadCell]:
    """Return the message of a record, or everything that is wrong with it."""
    if isinstance(record, BadCell):
        return [record]
    values = record.values
    problems: list[BadCell] = []
    to = _number(record, "to", problems)
    text = _filled(values["message"], record, "message", problems)
    buttons, fields = _buttons(record, problems)
    own_sender = _number(record, "from", problems) or None
    if own_sender is None and sender is None:
        problems.append(record.bad("from", NO_SENDER))
    try:
        message = ButtonMessage(to, text, buttons, own_sender, _key(record, problems))
    except InvalidMessageError as error:
        for problem in error.problems:
            field = "from" if problem.field == "sender" else problem.field
            numbered = _NUMBERED.match(problem.text)
            if field == "buttons" and numbered and int(numbered[1]) <= len(fields):
                field = fields[int(numbered[1]) - 1]
            problems.append(record.bad(field, _cut(for_the_command_line(problem.text))))
    else:
        if not problems:
            return message
    return list(dict.fromkeys(problems))  # one value may be wrong in two places


def _number(record: Record, field: str, problems: list[BadCell]) -> Any:
    """Return a number of a record as the spreadsheet's user wrote it, noting what is wrong."""
    value = record.values.get(field)
    if not isinstance(value, str):
        return value
    try:
        return cell_number(value)
    except CellError as error:
        problems.append(record.bad(field, _cut(str(error))))
        return _GOOD_NUMBER


def _key(record: Record, problems: list[BadCell]) -> Any:
    """Return the key of a record or None, noting what is wrong."""
    value = record.values.get("key") or None
    if not isinstance(value, str):
        return value
    try:
        return cell_text(value)
    except CellError as error:
        problems.append(record.bad("key", _cut(str(error))))
        return None


def _filled(value: Any, record: Record, field: str, problems: list[BadCell]) -> Any:
    """Return a text of a record with its values filled in, noting what is wrong."""
    if not isinstance(value, str):
        return value
    text = filled(value, record, field)
    if isinstance(text, str):
        return _text(text)
    problems += [attrs.evolve(bad, text=_cut(bad.text)) for bad in text]
    return _GOOD_TEXT


def _buttons(record: Record, problems: list[BadCell]) -> tuple[Any, list[str]]:
    """Return the buttons of a record and the field of each, noting what is wrong."""
    if record.numbered:
        fields = [field for field in record.numbered if not _is_blank(record.values[field])]
        value: Any = [record.values[field] for field in fields]
    else:
        value = record.values["buttons"]
        if isinstance(value, str):
            value = _button_list(value, record, problems)
        if not isinstance(value, list):
            return value, []
        fields = ["buttons"] * len(value)
    before = len(problems)
    labels = [
        _filled(label, record, field, problems) for label, field in zip(value, fields, strict=True)
    ]
    # What is wrong is said already: no two stand-ins are to look like the same label twice.
    return (labels if len(problems) == before else [_GOOD_TEXT]), fields


def _button_list(cell: str, record: Record, problems: list[BadCell]) -> Any:
    """Return the buttons that one cell holds, noting what is wrong."""
    try:
        text = cell_text(cell).strip()
    except CellError as error:
        problems.append(record.bad("buttons", _cut(str(error))))
        return [_GOOD_TEXT]
    if not text.startswith("["):
        return _parts(text) if text else []
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        problem = 'begins with [ but is no JSON list: write ["Yes", "No"], or Yes|No'
        problems.append(record.bad("buttons", problem))
        return [_GOOD_TEXT]


def _parts(text: str) -> list[str]:
    """Return what stands between the bars of a text."""
    bars = [found.start() for found in _BARS.finditer(text) if found[0] == "|"]
    starts = [0, *(bar + 1 for bar in bars)]
    return [text[start:end].strip() for start, end in zip(starts, [*bars, None], strict=True)]


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _text(value: str) -> str:
    """Return a text as WhatsApp is to get it.

    NFC, because a letter such as ğ typed on a Mac may come as two characters, which count twice
    against WhatsApp's limits. Line ends become the documented line feed.
    """
    return unicodedata.normalize("NFC", value).replace("\r\n", "\n").replace("\r", "\n")


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
