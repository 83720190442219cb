"""What the sandbox keeps, in a SQLite file, so that it outlives the process."""

import json
import logging
import sqlite3
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import cattrs

from .messages import Delivery, SandboxMessage

APPLICATION_ID: Final = 0x4D575342
"""``MWSB`` in the file's header: a file of ours, and no other."""

SCHEMA: Final = """
CREATE TABLE message (id INTEGER PRIMARY KEY, data TEXT NOT NULL) STRICT;
CREATE TABLE delivery (id INTEGER PRIMARY KEY, data TEXT NOT NULL) STRICT;
"""

Value = TypeVar("Value", SandboxMessage, Delivery)

_log: Final = logging.getLogger("multiwhats_async")


class SandboxJournal:
    """A file in which messages and deliveries outlive the sandbox. For one sandbox at a time.

    What is written survives the process, whatever ends it; not always a power cut. A write that
    fails (a full disk) is logged once, and the sandbox goes on in memory.

    Args:
        path: The file; it is made where it is not there.

    Raises:
        ValueError: The file is no sandbox's, or another sandbox uses it.
        OSError: It cannot be opened.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._broken = False
        try:
            self._database = sqlite3.connect(
                self._path, timeout=0, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise OSError(f"cannot open {self._path}: {error}") from None
        try:
            self._prepare()
        except BaseException:
            self._database.close()
            raise

    def load(self) -> tuple[list[SandboxMessage], list[Delivery]]:
        """Return what was kept, oldest first."""
        return self._all("message", SandboxMessage), self._all("delivery", Delivery)

    def save_message(self, message: SandboxMessage) -> None:
        """Keep a new or a changed message."""
        self._save("message", message)

    def save_delivery(self, delivery: Delivery) -> None:
        """Keep a new or a changed delivery."""
        self._save("delivery", delivery)

    def forget_messages(self, messages: Iterable[SandboxMessage]) -> None:
        """Forget messages."""
        self._write("DELETE FROM message WHERE id = ?", [(message.id,) for message in messages])

    def forget_deliveries(self, deliveries: Iterable[Delivery]) -> None:
        """Forget deliveries."""
        self._write("DELETE FROM delivery WHERE id = ?", [(one.id,) for one in deliveries])

    def clear(self) -> None:
        """Forget everything."""
        self._write("DELETE FROM message", [()])
        self._write("DELETE FROM delivery", [()])

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _prepare(self) -> None:
        try:
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute("BEGIN IMMEDIATE")
            (mark,) = self._database.execute("PRAGMA application_id").fetchone()
            (tables,) = self._database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            if mark != APPLICATION_ID and tables:
                raise ValueError(f"{self._path} is a database of something else: name another file")
            if not tables:
                self._database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                for statement in filter(str.strip, SCHEMA.split(";")):
                    self._database.execute(statement)
            self._database.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            if "locked" in str(error):
                raise ValueError(
                    f"{self._path} is in use by another sandbox: stop it, or name another file"
                ) from None
            raise ValueError(f"{self._path} cannot be used: {error}") from None

    def _all(self, table: str, model: type[Value]) -> list[Value]:
        rows = self._database.execute(f"SELECT data FROM {table} ORDER BY id")  # noqa: S608 - ours
        return [_CONVERTER.structure(json.loads(data), model) for (data,) in rows]

    def _save(self, table: str, value: SandboxMessage | Delivery) -> None:
        data = json.dumps(_CONVERTER.unstructure(value), ensure_ascii=False)
        self._write(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", [(value.id, data)])  # noqa: S608 - ours

    def _write(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        try:
            self._database.executemany(statement, rows)
        except sqlite3.Error as error:
            if not self._broken:
                self._broken = True
                _log.warning("The sandbox's file cannot be written: %s", error)


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter()
    converter.register_unstructure_hook(datetime, datetime.isoformat)
    converter.register_structure_hook(datetime, lambda text, _: datetime.fromisoformat(text))
    return converter


_CONVERTER: Final = _converter()
