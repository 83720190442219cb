"""A ledger in one SQLite file: one owner, one worker thread, commits in groups."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from .._secret import shown
from ..errors import ConfigurationError
from ._base import DatabaseLedger
from ._database import Database


class SQLiteLedger(DatabaseLedger):
    """The durable record of campaigns in one file, for one process at a time.

    An async context manager. A run opens and closes one that is not open, and so do the methods
    below::

        ledger = SQLiteLedger("spring.db")
        async with client.bulk(messages, ledger=ledger, campaign="spring") as run:
            ...

    Every message is on disk before it is sent, that it is about to be sent is on disk before its
    request is written, and its outcome is on disk before you are told. After a crash the same call
    goes on with what is pending; what was under way is ``unknown``, and is not sent again by
    itself.

    The file must lie on a disk of this machine: network file systems are refused where they are
    recognised (on Linux). While it is open there is a file of the same name with ``-wal`` at its
    end, which belongs to it; after a crash it must be kept.

    Args:
        path: The file; it is made where it is missing, readable by its owner only, because whole
            numbers and texts stand in it.
        clock: Tells seconds since 1970.

    Raises:
        ConfigurationError: The path is none.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, clock: Callable[[], float] = time.time
    ) -> None:
        self.path: Path | None = _checked_path(path)
        super().__init__(Database(self.path), where=str(self.path), clock=clock)


def _checked_path(path: object) -> Path:
    """Return the path of a file, or refuse what can be none."""
    name = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(name, str) or not name or "\0" in name or name == ":memory:":
        raise ConfigurationError(
            f"A ledger needs the name of a file, not {shown(path)}; "
            "MemoryLedger() keeps one in memory"
        )
    return Path(str.__str__(name))  # a plain one, whatever a class of its own would show
