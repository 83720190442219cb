"""Which keys were seen, and which to give, in memory that stays small for a million of them."""

import sqlite3
from hashlib import blake2b
from typing import Final

FEW: Final = 5_000
"""Keys that are kept in a Python set: it is the faster one, and takes 0.5 MB for so many."""


class SeenKeys:
    """A set of keys as 16-byte digests.

    Beyond a few they are kept in SQLite's own B-tree in memory, which takes 24 MB for a million
    keys where a Python set takes 93 MB (``tests/benchmarks/seen_keys.py``). With 128 bits no two
    keys are ever taken for one.

    Args:
        few: How many are kept in a Python set.
    """

    def __init__(self, few: int = FEW) -> None:
        self._few = few
        self._first: set[bytes] = set()
        self._db: sqlite3.Connection | None = None

    def add(self, key: str) -> bool:
        """Add a key; tell whether it is new."""
        digest = blake2b(key.encode(), digest_size=16).digest()
        if self._db is not None:
            return self._db.execute(_ADD, (digest,)).rowcount == 1
        if digest in self._first:
            return False
        self._first.add(digest)
        if len(self._first) > self._few:
            self._db = self._moved()
        return True

    def _moved(self) -> sqlite3.Connection:
        """Return a database that holds what was seen so far; the set is given up."""
        # Whoever leaves a run to the collector has it closed in whatever thread that is.
        db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        db.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY) WITHOUT ROWID")
        db.execute("BEGIN")
        db.executemany(_ADD, ((digest,) for digest in sorted(self._first)))
        self._first = set()
        return db

    def close(self) -> None:
        """Free the memory."""
        self._first = set()
        if self._db is not None:
            self._db.close()


_ADD: Final = "INSERT OR IGNORE INTO seen VALUES (?)"

_LETTERS: Final = str.maketrans("0123456789", "ghijklmnop")
"""A key of letters is never taken for a phone number, and masked where a person needs it."""


class RowKeys:
    """Names messages by whom they go to, and by their place among those that go there.

    Kept in a temporary database, which SQLite puts on disk where it grows large.
    """

    def __init__(self) -> None:
        # Whoever leaves a file half-read has it closed by the collector, in whatever thread.
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.execute(
            "CREATE TABLE named (way BLOB, content TEXT, place INTEGER, PRIMARY KEY (way, content))"
            " WITHOUT ROWID"
        )
        self._db.execute("BEGIN")

    def name(self, sender: str, recipient: str, content: str) -> str:
        """Return the key of a message; the same content to the same number has the same key.

        Args:
            sender: The number that sends it.
            recipient: The number that it goes to.
            content: A digest of all that it says.
        """
        way = blake2b(f"{sender} {recipient}".encode(), digest_size=12).digest()
        self._db.execute(
            "INSERT OR IGNORE INTO named SELECT ?, ?, count(*) FROM named WHERE way = ?",
            (way, content, way),
        )
        (place,) = self._db.execute(
            "SELECT place FROM named WHERE way = ? AND content = ?", (way, content)
        ).fetchone()
        return f"{way.hex().translate(_LETTERS)}-{place + 1}"

    def close(self) -> None:
        """Free what it has taken."""
        self._db.close()
