"""The statements, each in a file of its own that an SQL tool can read, run by their names."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import chain
from operator import itemgetter
from typing import Any, Final, Protocol

SQLITE: Final = "sqlite"
POSTGRES: Final = "postgres"

AT_ONCE: Final = 500
"""Rows that are fetched at once of a query that may have any number of them."""

ROWS_AT_ONCE: Final = 50
"""Rows that one statement of SQLite's writes. It is kept for each number of them: 3 MB in all."""

MANY_AT_ONCE: Final = 1_000
"""Rows where there are that many. Ten values each are a third of what SQLite takes (since 3.32)."""

_VALUES: Final = re.compile(r"\bVALUES (\([^)]*\))")
_NAMED: Final = re.compile(r"(?<!:):(\w+)")
_ARRAY: Final = re.compile(r"(?<!:):(\w+)(::\w+\[\])")
_COMMENT: Final = re.compile(r"\s*--.*")


@cache
def sql(name: str, dialect: str = SQLITE) -> str:
    """Return the statement of that name.

    All are written with ``:name`` for a parameter, which is what SQLite takes.
    """
    folder = files("multiwhats_async.ledger").joinpath("sql", dialect)
    text = folder.joinpath(f"{name}.sql").read_text("utf-8")
    if dialect == SQLITE:
        return text
    # psycopg takes %(name)s, also where it stands in a comment. Arrays go in binary: as texts, a
    # hundred receipts take 20 ms to quote.
    text = _COMMENT.sub("", text).replace("%", "%%")
    return _NAMED.sub(r"%(\1)s", _ARRAY.sub(r"%(\1)b\2", text))


@cache
def sql_for_rows(name: str, count: int) -> tuple[str, Callable[[Mapping[str, Any]], Any]]:
    """Return SQLite's statement of that name for so many rows, and what takes the values of a row.

    In its file there is one row, ``VALUES (:a, :b)``.
    """
    text = sql(name)
    (row,) = _VALUES.findall(text)
    names = tuple(_NAMED.findall(row))
    places = f"({', '.join('?' * len(names))})"
    return text.replace(row, ", ".join([places] * count)), itemgetter(*names)


class Cursor(Protocol):
    """What a statement has come to."""

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""
        ...

    def fetchone(self) -> Any:
        """Return the next row, or None."""

    def fetchall(self) -> list[Any]:
        """Return all rows."""
        ...

    def __iter__(self) -> Any:
        """Yield the rows."""


class Session:
    """The transaction that is under way, as the work in it sees it.

    Args:
        connection: The connection of ``sqlite3`` or psycopg.
        dialect: Whose statements are run.
    """

    def __init__(self, connection: Any, dialect: str) -> None:
        self.connection: Any = connection
        self._dialect = dialect

    def execute(self, name: str, told: Mapping[str, Any] | None = None) -> Cursor:
        """Run the statement of that name."""
        cursor: Cursor = self.connection.execute(sql(name, self._dialect), told or {})
        return cursor

    def stream(self, name: str, told: Mapping[str, Any]) -> Iterator[Any]:
        """Yield the rows of a query that may have any number of them, without holding them all.

        PostgreSQL's driver fetches all rows of a plain query before it gives the first.
        """
        if self._dialect == SQLITE:
            yield from self.execute(name, told)
            return
        with self.connection.cursor(name=f"multiwhats_{name}") as cursor:
            cursor.itersize = AT_ONCE
            cursor.execute(sql(name, self._dialect), told)
            yield from cursor

    def freeze(self) -> None:
        """Let all statements of the transaction see the database as it is now.

        Must be its first one. SQLite's transactions do so by themselves.
        """
        if self._dialect == POSTGRES:
            self.say("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")

    def execute_rows(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run a statement of SQLite's for many rows at once.

        Each statement hands Python's lock from the ledger's thread to the event loop's and back
        several times. Where the loop has much to do, a hundred take a second or more.
        """
        first = 0
        while (left := len(rows) - first) > 0:
            at_once = MANY_AT_ONCE if left >= MANY_AT_ONCE else min(left, ROWS_AT_ONCE)
            text, values = sql_for_rows(name, at_once)
            part = rows[first : first + at_once]
            self.connection.execute(text, [*chain.from_iterable(map(values, part))])
            first += at_once

    def fetch_together(self, name: str, told: Mapping[str, Any]) -> list[Any]:
        """Return all rows of a query of SQLite's that makes one text of them, by ``json_object``.

        A row that is fetched for itself hands Python's lock back and forth, too.
        """
        (text,) = self.execute(name, told).fetchone()
        rows: list[Any] = json.loads(text)
        return rows

    def say(self, text: str) -> None:
        """Run a statement that has no file: it speaks of the transaction itself."""
        self.connection.execute(text)
