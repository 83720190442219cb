"""Which keys were seen, and which to give, in memory that stays small for a million of them."""

import sqlite3
from hashlib import blake2b
from typing import Final


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
