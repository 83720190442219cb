"""A ledger in memory: the same rules, and nothing survives."""

import time
import weakref
from collections.abc import Callable
from pathlib import Path

from ._database import Database
from .sqlite import SQLiteLedger


class MemoryLedger(SQLiteLedger):
    """A ledger that is gone with its object: for tests, and for runs within one process.

    It keeps its campaigns between runs. The same SQL as :class:`SQLiteLedger`'s, in an SQLite
    database in memory; no thread, no file, no lock.

    Args:
        clock: Tells seconds since 1970.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        database = Database(None)
        weakref.finalize(self, database.forget)
        self.path: Path | None = None
        self._set_up(database, clock)

    def __repr__(self) -> str:
        return f"<MemoryLedger ({'open' if self.is_open else 'closed'})>"

    def _new_worker(self) -> None:
        """Return none: no disk is waited for."""
