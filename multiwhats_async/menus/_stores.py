"""Where sessions are kept: in memory, or in a SQLite file that outlives the process."""

import json
import os
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol, TypeVar, runtime_checkable

import anyio
import anyio.lowlevel
import attrs

from .._entered import Entered
from .._settings import checked_count, checked_seconds
from .._worker import Worker
from ..errors import ConfigurationError, LedgerError
from ..ledger._place import network_file_system
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

VERSION_OF_SCHEMA: Final = 1

SCHEMA: Final = f"""
CREATE TABLE session (
    menu TEXT NOT NULL, sender TEXT NOT NULL, customer TEXT NOT NULL,
    version INTEGER NOT NULL, updated_at REAL NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY (menu, sender, customer)
) STRICT, WITHOUT ROWID;
CREATE INDEX session_by_age ON session (updated_at);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION_OF_SCHEMA};
"""
LOAD: Final = (
    "SELECT version, updated_at, data FROM session "
    "WHERE menu = ? AND sender = ? AND customer = ? AND updated_at > ?"
)
VERSION: Final = "SELECT version FROM session WHERE menu = ? AND sender = ? AND customer = ?"
SAVE: Final = "INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?, ?, ?)"
FORGET: Final = "DELETE FROM session WHERE updated_at <= ?"


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


class MemoryMenuStore(Entered):
    """Sessions in memory: they end with the process.

    Args:
        expires_after: Seconds after its last step for which a session is known.
        most: Sessions that are kept at the most, the latest.
        clock: Seconds since the epoch.

    Raises:
        ConfigurationError: A number is none, or not above 0.
    """

    def __init__(
        self,
        *,
        expires_after: float = EXPIRES_AFTER,
        most: int = MOST_SESSIONS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._expires_after = checked_seconds("expires_after", expires_after) or EXPIRES_AFTER
        self._most = checked_count("most", most)
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

    async def purge(self) -> int:
        """Forget the sessions that have expired, as every call does; return how many."""
        return self._forget()

    def _forget(self) -> int:
        before = len(self._sessions)
        oldest = self._clock() - self._expires_after
        while self._sessions:
            key, session = next(iter(self._sessions.items()))
            if session.updated_at > oldest and len(self._sessions) <= self._most:
                break
            del self._sessions[key]
        return before - len(self._sessions)


class SQLiteMenuStore(Entered):
    """Sessions in a SQLite file: they outlive the process. Several programs may share it.

    The file must lie on a disk of this machine. While it is open, files of the same name with
    ``-wal`` and ``-shm`` at their end stand beside it, which belong to it.

    Args:
        path: The file; it is made where it is missing, readable by its owner only, because whole
            numbers and names stand in it.
        expires_after: Seconds after its last step for which a session is known.
        clock: Seconds since the epoch.

    Raises:
        ConfigurationError: ``expires_after`` is no number above 0.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        expires_after: float = EXPIRES_AFTER,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = Path(path)
        self._expires_after = checked_seconds("expires_after", expires_after) or EXPIRES_AFTER
        self._clock = clock
        self._users = 0
        self._process = 0
        self._worker: Worker | None = None
        self._database: sqlite3.Connection | None = None
        self._loop: object = None
        self._opening: anyio.Lock | None = None

    def __repr__(self) -> str:
        return f"<SQLiteMenuStore {self._path}>"

    async def open(self) -> None:
        """Open the file, or count one more user.

        Raises:
            LedgerError: The file cannot be had, is another program's or of a newer version, or
                lies on a network file system.
        """
        async with self._turn():
            if self._worker is None:
                worker = Worker()
                try:
                    await self._run(worker, self._open_file)
                except BaseException:
                    # A cancellation may have come while it was being opened.
                    await self._run(worker, self._close_file)
                    worker.end()
                    raise
                self._worker = worker
                self._process = os.getpid()
            self._users += 1

    async def aclose(self) -> None:
        """Close the file once nobody uses it any more."""
        with anyio.CancelScope(shield=True):
            async with self._turn():
                self._users = max(0, self._users - 1)
                if self._users or self._worker is None:
                    return
                worker, self._worker = self._worker, None
                try:
                    await self._run(worker, self._close_file)
                finally:
                    worker.end()

    async def load(self, menu: str, sender: str, customer: str) -> Session | None:
        """Return a customer's session in a menu; None where there is none, or it has expired.

        Raises:
            LedgerError: The file cannot be read.
        """

        def work(database: sqlite3.Connection) -> Session | None:
            row = database.execute(LOAD, (menu, sender, customer, self._oldest())).fetchone()
            return None if row is None else self._read(*row)

        return await self._do(work)

    async def save(self, session: Session, *, expected: int) -> bool:
        """Keep a session, if what is kept has still the version that is expected.

        It is on the disk when this returns.

        Raises:
            LedgerError: The file cannot be written.
        """
        key = (session.menu, session.sender, session.customer)
        data = json.dumps(session.to_dict(), ensure_ascii=False)

        def work(database: sqlite3.Connection) -> bool:
            with _transaction(database):
                database.execute(FORGET, (self._oldest(),))
                row = database.execute(VERSION, key).fetchone()
                if (0 if row is None else row[0]) != expected:
                    return False
                database.execute(SAVE, (*key, session.version, self._clock(), data))
            return True

        return await self._do(work)

    async def purge(self) -> int:
        """Forget the sessions that have expired, as every ``save`` does; return how many.

        For a program that may not keep a number longer than it must, though no tap comes.

        Raises:
            LedgerError: The file cannot be written.
        """
        return await self._do(lambda database: database.execute(FORGET, (self._oldest(),)).rowcount)

    def _oldest(self) -> float:
        return self._clock() - self._expires_after

    def _read(self, version: int, updated_at: float, data: str) -> Session:
        try:
            session = Session.from_dict(json.loads(data))
        except (KeyError, TypeError, ValueError) as error:
            raise LedgerError(
                f"A session in {self._path} cannot be read ({type(error).__name__}): it was "
                "changed by something else"
            ) from None
        return attrs.evolve(session, version=version, updated_at=updated_at)

    async def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do work in the store's own thread, whatever is cancelled meanwhile."""
        if self._worker is None:
            raise ConfigurationError("The store is not open: use it in an async with block")
        if os.getpid() != self._process:
            raise ConfigurationError(
                "The store was opened before a fork: let each process open its own"
            )
        results: list[T] = []

        def job() -> None:
            assert self._database is not None  # noqa: S101 - it is open
            results.append(work(self._database))

        await self._run(self._worker, job)
        return results[0]

    async def _run(self, worker: Worker, job: Callable[[], None]) -> None:
        """Do a job in the thread; SQLite's errors become ours."""
        try:
            await worker.run(job)
        except (sqlite3.Error, OSError) as error:
            raise LedgerError(
                f"The sessions in {self._path} cannot be read or written: {error}"
            ) from None

    def _turn(self) -> anyio.Lock:
        """Return the lock under which it is opened and closed, which belongs to one event loop."""
        loop = anyio.lowlevel.current_token()
        if self._opening is None or loop != self._loop:
            self._loop, self._opening = loop, anyio.Lock()
        return self._opening

    def _open_file(self) -> None:
        kind = network_file_system(self._path.resolve())
        if kind is not None:
            raise LedgerError(
                f"{self._path} lies on a network file system ({kind}), whose locks cannot keep two "
                "programs apart: put it on a disk of this machine"
            )
        # Not for every user's eyes; the files beside it take its rights over. Only where it is not
        # there: to close a file is to drop all locks that this process has on it (POSIX), those of
        # another store too.
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        # The thread is the worker's, and the one that closes it may be another.
        database = self._database = sqlite3.connect(
            self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        self._refuse_others(database)  # before anything is written
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        with _transaction(database):
            if not database.execute("PRAGMA user_version").fetchone()[0]:
                for statement in filter(str.strip, SCHEMA.split(";")):
                    database.execute(statement)

    def _close_file(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            database.close()

    def _refuse_others(self, database: sqlite3.Connection) -> None:
        mark, version, tables = (
            database.execute(question).fetchone()[0]
            for question in (
                "PRAGMA application_id",
                "PRAGMA user_version",
                "SELECT count(*) FROM sqlite_schema",
            )
        )
        if tables and mark != APPLICATION_ID:
            raise LedgerError(f"{self._path} is a database of something else: name another file")
        if version > VERSION_OF_SCHEMA:
            raise LedgerError(
                f"{self._path} was written by a newer version of multiwhats-async: "
                "upgrade to use it"
            )


@contextmanager
def _transaction(database: sqlite3.Connection) -> Generator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # some errors have rolled it back already
            database.execute("ROLLBACK")
        raise
