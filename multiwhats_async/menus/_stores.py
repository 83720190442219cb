"""Where sessions are kept: in memory, or in a SQLite file that outlives the process."""

import json
import sqlite3
import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self, TypeVar, runtime_checkable

import attrs

from ..errors import ConfigurationError, LedgerError
from ..ledger._commits import Worker
from ._session import Session

T = TypeVar("T")

EXPIRES_AFTER: Final = 86_400.0
"""Seconds after its last step for which a session is known: 24 hours. Ours; WhatsApp's own window
for free answers is as long (Meta's documents)."""

MOST_SESSIONS: Final = 100_000
"""In memory, the latest. Ours."""

BUSY_SECONDS: Final = 5.0
"""How long one program waits for another one's transaction on the same file."""

APPLICATION_ID: Final = 0x4D574D53
"""``MWMS`` in the file's header: a file of ours, and no other."""

SCHEMA: Final = """
CREATE TABLE session (
    menu TEXT NOT NULL, sender TEXT NOT NULL, customer TEXT NOT NULL,
    version INTEGER NOT NULL, updated_at REAL NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY (menu, sender, customer)
) STRICT, WITHOUT ROWID;
CREATE INDEX session_by_age ON session (updated_at);
"""


@runtime_checkable
class MenuStore(Protocol):
    """Keeps sessions. What ``save`` has said yes to is durable, as far as the store is."""

    async def open(self) -> None:
        """Open it, or count one more user."""

    async def aclose(self) -> None:
        """Close it once nobody uses it any more."""

    async def load(self, menu: str, sender: str, customer: str) -> Session | None:
        """Return a customer's session in a menu; None where there is none, or it has expired."""
        ...

    async def save(self, session: Session, *, expected: int) -> bool:
        """Keep a session, if what is kept has still the version that is expected.

        Args:
            session: The session, of the next version.
            expected: The version that it was made from; 0 where there was none.

        Returns:
            False where another program was faster: nothing was changed.
        """
        ...


class _Entered(ABC):
    """What both stores have as context managers."""

    @abstractmethod
    async def open(self) -> None:
        """Open it, or count one more user."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close it once nobody uses it any more."""

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


class MemoryMenuStore(_Entered):
    """Sessions in memory: they end with the process.

    Args:
        expires_after: Seconds after its last step for which a session is known.
        most: Sessions that are kept at the most, the latest.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        *,
        expires_after: float = EXPIRES_AFTER,
        most: int = MOST_SESSIONS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._expires_after = expires_after
        self._most = most
        self._clock = clock
        # The latest last.
        self._sessions: OrderedDict[tuple[str, str, str], Session] = OrderedDict()

    def __repr__(self) -> str:
        return f"<MemoryMenuStore {len(self._sessions)} sessions>"

    async def open(self) -> None:
        """Do nothing: it is always open."""

    async def aclose(self) -> None:
        """Do nothing: what is in it stays, for whoever enters it again."""

    async def load(self, menu: str, sender: str, customer: str) -> Session | None:
        """Return a customer's session in a menu; None where there is none, or it has expired."""
        self._forget()
        return self._sessions.get((menu, sender, customer))

    async def save(self, session: Session, *, expected: int) -> bool:
        """Keep a session, if what is kept has still the version that is expected."""
        self._forget()
        key = (session.menu, session.sender, session.customer)
        kept = self._sessions.get(key)
        if (0 if kept is None else kept.version) != expected:
            return False
        self._sessions[key] = attrs.evolve(session, updated_at=self._clock())
        self._sessions.move_to_end(key)
        return True

    def _forget(self) -> None:
        oldest = self._clock() - self._expires_after
        while self._sessions:
            key, session = next(iter(self._sessions.items()))
            if session.updated_at > oldest and len(self._sessions) <= self._most:
                break
            del self._sessions[key]


class SQLiteMenuStore(_Entered):
    """Sessions in a SQLite file: they outlive the process. Several programs may share it.

    Args:
        path: The file; it is made where it is not there.
        expires_after: Seconds after its last step for which a session is known.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        expires_after: float = EXPIRES_AFTER,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = Path(path)
        self._expires_after = expires_after
        self._clock = clock
        self._users = 0
        self._worker: Worker | None = None
        self._database: sqlite3.Connection | None = None

    def __repr__(self) -> str:
        return f"<SQLiteMenuStore {self._path}>"

    async def open(self) -> None:
        """Open the file, or count one more user.

        Raises:
            LedgerError: The file cannot be had, or is another program's.
        """
        self._users += 1
        if self._users > 1:
            return
        self._worker = Worker()
        try:
            self._database = await self._do(self._opened)
        except BaseException:
            self._users -= 1
            self._worker.end()
            self._worker = None
            raise

    async def aclose(self) -> None:
        """Close the file once nobody uses it any more."""
        if self._users:
            self._users -= 1
        if self._users or self._worker is None or self._database is None:
            return
        database, self._database = self._database, None
        worker, self._worker = self._worker, None
        try:
            await worker.run(database.close)
        finally:
            worker.end()

    async def load(self, menu: str, sender: str, customer: str) -> Session | None:
        """Return a customer's session in a menu; None where there is none, or it has expired.

        Raises:
            LedgerError: The file cannot be read.
        """
        database = self._opened_database()

        def work() -> Session | None:
            row = database.execute(
                "SELECT version, updated_at, data FROM session "
                "WHERE menu = ? AND sender = ? AND customer = ? AND updated_at > ?",
                (menu, sender, customer, self._oldest()),
            ).fetchone()
            if row is None:
                return None
            version, updated_at, data = row
            session = Session.from_dict(json.loads(data))
            return attrs.evolve(session, version=version, updated_at=updated_at)

        return await self._do(work)

    async def save(self, session: Session, *, expected: int) -> bool:
        """Keep a session, if what is kept has still the version that is expected.

        It is on the disk when this returns.

        Raises:
            LedgerError: The file cannot be written.
        """
        database = self._opened_database()
        data = json.dumps(session.to_dict(), ensure_ascii=False)

        def work() -> bool:
            with closing(database.cursor()) as cursor:
                cursor.execute("BEGIN IMMEDIATE")
                try:
                    cursor.execute("DELETE FROM session WHERE updated_at <= ?", (self._oldest(),))
                    key = (session.menu, session.sender, session.customer)
                    row = cursor.execute(
                        "SELECT version FROM session "
                        "WHERE menu = ? AND sender = ? AND customer = ?",
                        key,
                    ).fetchone()
                    current = (0 if row is None else row[0]) == expected
                    if current:
                        cursor.execute(
                            "INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?, ?, ?)",
                            (*key, session.version, self._clock(), data),
                        )
                    cursor.execute("COMMIT")
                except BaseException:
                    with suppress(sqlite3.Error):  # some errors have rolled it back already
                        cursor.execute("ROLLBACK")
                    raise
            return current

        return await self._do(work)

    def _oldest(self) -> float:
        return self._clock() - self._expires_after

    def _opened_database(self) -> sqlite3.Connection:
        if self._database is None:
            raise ConfigurationError("The store is not open: use it in an async with block.")
        return self._database

    async def _do(self, work: Callable[[], T]) -> T:
        """Do work in the store's own thread, whatever is cancelled meanwhile."""
        assert self._worker is not None  # noqa: S101 - the callers have seen to it
        results: list[T] = []

        def job() -> None:
            try:
                results.append(work())
            except sqlite3.Error as error:
                raise LedgerError(
                    f"The sessions in {self._path} cannot be read or written: {error}"
                ) from None

        await self._worker.run(job)
        return results[0]

    def _opened(self) -> sqlite3.Connection:
        # The thread is the worker's, and the one that closes it may be another.
        database = sqlite3.connect(
            self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            database.execute("BEGIN IMMEDIATE")
            self._prepare(database)
            database.execute("COMMIT")
        except BaseException:
            database.close()
            raise
        return database

    def _prepare(self, database: sqlite3.Connection) -> None:
        (mark,) = database.execute("PRAGMA application_id").fetchone()
        (tables,) = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if mark != APPLICATION_ID and tables:
            raise LedgerError(f"{self._path} is a database of something else: name another file")
        if not tables:
            database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            for statement in filter(str.strip, SCHEMA.split(";")):
                database.execute(statement)
