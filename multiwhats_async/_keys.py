"""Which keys a run has seen, in memory that stays small for a million of them."""

import sqlite3
from hashlib import blake2b


class SeenKeys:
    """A set of keys as 16-byte digests.

    SQLite's own B-tree in memory takes 24 MB for a million keys, a Python set 93 MB
    (``tests/benchmarks/seen_keys.py``). With 128 bits no two keys are ever taken for one.
    """

    def __init__(self) -> None:
        self._db = sqlite3.connect(":memory:", isolation_level=None)
        self._db.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY) WITHOUT ROWID")
        self._db.execute("BEGIN")

    def add(self, key: str) -> bool:
        """Add a key; tell whether it is new."""
        digest = blake2b(key.encode(), digest_size=16).digest()
        return self._db.execute("INSERT OR IGNORE INTO seen VALUES (?)", (digest,)).rowcount == 1

    def close(self) -> None:
        """Free the memory."""
        self._db.close()
