"""A ledger in memory: the same rules, and nothing survives."""

import time
import weakref
from collections.abc import Callable

from ._base import DatabaseLedger
from ._database import Database


class MemoryLedger(DatabaseLedger):
    """A ledger that is gone with its object: for tests, and for runs within one process.

    It keeps its campaigns between runs. The same SQL as ``SQLiteLedger``'s, in an SQLite
    database in memory; no thread, no file, no lock.

    Args:
        clock: Tells seconds since 1970.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        database = Database(None)
        weakref.finalize(self, database.forget)
        super().__init__(database, where="in memory", clock=clock)

    def _new_worker(self) -> None:
        """Return none: no disk is waited for."""
