"""The SQLite file behind a ledger: opened with care, locked, and written in groups.

Everything here blocks; it is called from one thread at a time.
"""

import os
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from ..errors import LedgerError
from ._commits import Ticket, do_tickets
from ._place import look_at_wal, network_file_system, owner_of
from ._queries import take_over
from ._statements import SQLITE, Session, sql
from ._steps import Step, write_together

APPLICATION_ID: Final = 0x4D574C47
"""Ours, in the file's header: ``MWLG``."""

MIGRATIONS: Final = ("migration_1",)
"""Each brings a file from the version before to its own; ``user_version`` counts them."""

PRAGMAS: Final = (
    # One fsync a commit, of a file that only grows.
    ("journal_mode", "WAL"),
    # NORMAL and OFF lose confirmed commits in a power cut; each would be sent twice.
    ("synchronous", "FULL"),
    # On macOS only this reaches the disk itself; elsewhere it does nothing.
    ("fullfsync", "ON"),
    ("checkpoint_fullfsync", "ON"),
    # KiB. Keys come in random order, and so does their index; 64 MB are no faster over a million.
    ("cache_size", "-16384"),
)

LOCK: Final = "PRAGMA locking_mode = EXCLUSIVE"
"""A second process is refused, instead of taking what is under way for abandoned. Said before the
file is read first, so that there is no shared memory, and none of its race (mended in SQLite
3.51.3) in which a WAL is reset under a reader."""

LEAST_VERSION: Final = (3, 33)
"""Of SQLite, 2020: ``PRAGMA quick_check`` of one table."""

_DAMAGED: Final = "is damaged: restore it from a backup, with its -wal file"

_open_here: Final[set[Path]] = set()
"""The files that this process has open. SQLite's own lock does not hold within a process where one
event loop waits for the other, and looking for the owner would drop it."""


class Database:
    """One connection to one file, or to memory.

    Args:
        path: The file; None is memory.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None

    # --- opening and closing ------------------------------------------------------------------

    def open(self) -> None:
        """Open, lock, check and migrate; what a dead process had under way becomes ``unknown``.

        Raises:
            LedgerError: It cannot be trusted, had, or written; says why, and the way out.
        """
        if sqlite3.sqlite_version_info < LEAST_VERSION:
            least = ".".join(map(str, LEAST_VERSION))
            raise LedgerError(
                f"A ledger needs SQLite {least} or later; this Python has {sqlite3.sqlite_version}"
            )
        if self._path is None:
            with self._explained():
                self._open_memory()
            return
        self._place = self._path.resolve()  # the working directory may change
        self._refuse_place(self._place)
        _open_here.add(self._place)
        try:
            with self._explained():
                self._open_file(self._place)
        except BaseException:
            self._disconnect()
            _open_here.discard(self._place)
            raise

    def close(self) -> None:
        """Say that the file was closed in peace, write it whole, and let it go; memory stays."""
        if self._path is None or self._db is None:
            return  # memory's content is all there is of it
        try:
            with self._explained():
                self._connection.execute("UPDATE ledger SET is_open = 0")
        finally:
            self._disconnect()
            _open_here.discard(self._place)

    def _refuse_place(self, place: Path) -> None:
        """Refuse a place where a ledger cannot be kept."""
        if place in _open_here:
            raise LedgerError(
                f"The ledger {self._path} is open in this process already: "
                "use that SQLiteLedger, or close it first"
            )
        if os.path.isdir(place):  # noqa: PTH112  # a name that is too long is answered, not raised
            raise LedgerError(f"The ledger {self._path} is a folder: name a file in it")
        if not os.path.isdir(place.parent):  # noqa: PTH112  # likewise
            raise LedgerError(
                f"The ledger {self._path} cannot be made: the folder {place.parent} is not there"
            )
        kind = network_file_system(place)
        if kind is not None:
            raise LedgerError(
                f"The ledger {self._path} lies on a network file system ({kind}), whose locks "
                "cannot keep a second process out: put it on a disk of this machine"
            )

    def forget(self) -> None:
        """Free what is in memory."""
        self._disconnect()

    def _open_memory(self) -> None:
        if self._db is None:
            self._db = _connect(":memory:")
            self._migrate()
        with self._transaction():
            take_over(self._session)

    def _open_file(self, place: Path) -> None:
        wal = look_at_wal(place)
        if wal.is_damaged:  # SQLite would mend it by dropping what it cannot read
            raise LedgerError(
                f"The ledger {self._path} is damaged: the middle of {place.name}-wal cannot be "
                "read, and with it outcomes would be lost. Restore both files from a backup"
            )
        try:  # it holds whole numbers: not for every user's eyes
            os.close(os.open(place, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise LedgerError(
                f"The ledger {self._path} cannot be written ({error.strerror}): "
                "may this user write it, and in its folder?"
            ) from None
        self._db = _connect(str(place))
        self._connection.execute(LOCK)
        if self._pragma("schema_version") and self._pragma("application_id") != APPLICATION_ID:
            raise LedgerError(
                f"{self._path} is a database of another program, and was left as it is: "
                "name another file for the ledger"
            )
        for name, value in PRAGMAS:
            self._connection.execute(f"PRAGMA {name} = {value}")
        # What a torn commit left in the -wal must not stand behind the next one, which may be torn
        # itself: two would look like damage. The checkpoint begins the -wal anew.
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._migrate()
        self._refuse_damage(place, wal_is_lost=not wal.exists)
        with self._transaction():
            self._connection.execute("UPDATE ledger SET is_open = 1")
            take_over(self._session)
        # From here on the main file itself says that it is worth nothing without its -wal.
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _refuse_damage(self, place: Path, *, wal_is_lost: bool) -> None:
        """Refuse a file that does not hold all that was confirmed."""
        (is_open,) = self._connection.execute("SELECT is_open FROM ledger").fetchone()
        if is_open and wal_is_lost:
            raise LedgerError(
                f"The ledger {self._path} was left by a process that died, and the file "
                f"{place.name}-wal that belongs to it is missing: without it messages could be "
                "sent twice. Put it back beside the ledger"
            )
        # Of the messages alone: what was sent hangs on them, and the receipts are most of the file.
        (verdict, *_) = self._connection.execute("PRAGMA quick_check(message)").fetchone()
        if verdict != "ok":
            raise LedgerError(f"The ledger {self._path} {_DAMAGED} ({verdict})")

    def _migrate(self) -> None:
        """Bring the schema to this version, one migration in one transaction."""
        version = self._pragma("user_version")
        if version > len(MIGRATIONS):
            raise LedgerError(
                f"The ledger {self._path} was written by a newer version of multiwhats-async "
                f"(schema {version}, this one knows {len(MIGRATIONS)}): upgrade to read it"
            )
        for name in ("input", "transitions"):
            self._connection.executescript(sql(name))
        for number, name in enumerate(MIGRATIONS[version:], start=version + 1):
            self._connection.executescript(
                f"BEGIN IMMEDIATE;\n{sql(name)}\n"
                f"PRAGMA application_id = {APPLICATION_ID};\n"
                f"PRAGMA user_version = {number};\nCOMMIT;"
            )

    def _disconnect(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with suppress(sqlite3.Error):  # what could not be written stays in the -wal file
                db.close()

    # --- work ---------------------------------------------------------------------------------

    def run(self, tickets: Sequence[Ticket[Any]]) -> None:
        """Do the work of several tickets in one transaction. Raises nothing.

        Work that raises a LedgerError of its own has written nothing, and concerns nobody else.
        Anything else fails all of them: none may go on as if it were on disk.
        """
        try:
            with self._explained():
                works = [ticket.work for ticket in tickets]
                are_steps = all(isinstance(work, Step) for work in works)
                if not (are_steps and write_together(works, self._session)):
                    with self._transaction():
                        do_tickets(tickets, self._session)
        except Exception as error:  # noqa: BLE001  # handed to each who waits
            is_ours = isinstance(error, LedgerError)
            text = str(error) if is_ours else f"The ledger failed: {type(error).__name__}: {error}"
            for ticket in tickets:
                ticket.error = LedgerError(text)

    @contextmanager
    def _transaction(self) -> Generator[None]:
        db = self._connection
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
            db.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # SQLite has done so itself, or cannot
                db.execute("ROLLBACK")
            raise

    @property
    def _connection(self) -> sqlite3.Connection:
        assert self._db is not None  # noqa: S101  # its thread ends when it is closed
        return self._db

    @property
    def _session(self) -> Session:
        return Session(self._connection, SQLITE)

    def _pragma(self, name: str) -> int:
        value: int = self._connection.execute(f"PRAGMA {name}").fetchone()[0]
        return value

    @contextmanager
    def _explained(self) -> Generator[None]:
        """Turn SQLite's errors into ours."""
        try:
            yield
        except sqlite3.Error as error:
            raise LedgerError(self._why(error)) from None

    def _why(self, error: sqlite3.Error) -> str:
        """Return what an error of SQLite means for the person who reads it, and the way out."""
        path = self._path
        name = getattr(error, "sqlite_errorname", "")
        kind = "_".join(name.split("_")[:2])
        if kind in ("SQLITE_BUSY", "SQLITE_LOCKED"):
            owner = path and owner_of(self._place)
            who = "another process" if owner is None else f"process {owner}"
            return (
                f"The ledger {path} is in use by {who}, which may be sending from it: wait until "
                "it has ended, or stop it (SIGINT lets it finish what is under way)"
            )
        said = {
            "SQLITE_FULL": "cannot be written: the disk is full. Free some space",
            "SQLITE_READONLY": "cannot be written: it is read-only, or lies in a folder that is",
            "SQLITE_CANTOPEN": "cannot be opened: may this user write in its folder?",
            "SQLITE_NOTADB": "is no ledger, and was left as it is: name another file",
            "SQLITE_CORRUPT": _DAMAGED,
            "SQLITE_IOERR": "cannot be read or written: the disk reports an error",
        }.get(kind, "failed")
        return f"The ledger {path or 'in memory'} {said} ({error})"


def _connect(name: str) -> sqlite3.Connection:
    db = sqlite3.connect(
        name,
        timeout=0,  # the lock is held as long as its owner lives: waiting would not help
        isolation_level=None,  # transactions begin and end where this module says so
        check_same_thread=False,  # one at a time, though not always the same
        cached_statements=256,  # one for each number of rows that are written at once
    )
    db.row_factory = sqlite3.Row
    return db
