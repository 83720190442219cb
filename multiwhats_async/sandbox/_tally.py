"""Counting what the emulator did, in memory that stays small over millions of messages."""

from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

import attrs

from ._reading import encode_json

DIGEST_BYTES: Final = 8
"""Two different messages of a million share a digest with a probability of 3 in 100 million."""

BUCKET_BYTES: Final = 2
"""The digest's first bytes choose a bucket, the others are kept in it: 6 bytes a message, and 9 MB
for all the buckets, where a ``set`` of ``bytes`` takes over 80 bytes a message."""


@attrs.frozen
class SandboxStats:
    """What the sandbox has seen since it began or was reset. A snapshot.

    Attributes:
        requests: Requests that were read, whatever became of them.
        accepted: Messages that were accepted, whether or not the answer reached the client.
        credits: Credits that they cost.
        by_status: How often each HTTP status was answered.
        dropped: By kind of fault, how often a connection or request got no answer.
        recipients: How many different numbers had a message accepted.
        sent_twice: How many messages (the same sender, recipient, text and buttons) were accepted
            more than once. 0 is the proof that nobody got a message twice.
    """

    requests: int = 0
    accepted: int = 0
    credits: int = 0
    by_status: dict[int, int] = attrs.field(factory=dict)
    dropped: dict[str, int] = attrs.field(factory=dict)
    recipients: int = 0
    sent_twice: int = 0


class Fingerprints:
    """A set of digests that only grows."""

    def __init__(self) -> None:
        self._buckets: dict[bytes, bytearray] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, parts: Iterable[str]) -> bool:
        """Add a tuple of texts; return whether it was new."""
        digest = blake2b(encode_json([*parts]), digest_size=DIGEST_BYTES).digest()
        kept = digest[BUCKET_BYTES:]
        bucket = self._buckets.setdefault(digest[:BUCKET_BYTES], bytearray())
        if _holds(bucket, kept):
            return False
        bucket += kept
        self._count += 1
        return True


class Tally:
    """The counters behind :class:`SandboxStats`. Not thread-safe: the emulator holds its lock."""

    def __init__(self) -> None:
        self.requests = 0
        self.accepted = 0
        self.credits = 0
        self.by_status: Counter[int] = Counter()
        self.dropped: Counter[str] = Counter()
        self._recipients = Fingerprints()
        self._once = Fingerprints()
        self._twice = Fingerprints()

    def accept(self, content: tuple[str, ...], *, recipient: str, cost: int) -> None:
        """Count one accepted message.

        Args:
            content: The sender, the recipient, the text and the buttons.
            recipient: The recipient again.
            cost: Credits.
        """
        self.accepted += 1
        self.credits += cost
        self._recipients.add([recipient])
        if not self._once.add(content):
            self._twice.add(content)

    def snapshot(self) -> SandboxStats:
        """Return the counters as they are."""
        return SandboxStats(
            requests=self.requests,
            accepted=self.accepted,
            credits=self.credits,
            by_status=dict(sorted(self.by_status.items())),
            dropped=dict(sorted(self.dropped.items())),
            recipients=len(self._recipients),
            sent_twice=len(self._twice),
        )


def _holds(bucket: bytearray, kept: bytes) -> bool:
    """Return whether a bucket holds an entry; a match across two entries is none."""
    found = bucket.find(kept)
    while found % len(kept) and found != -1:
        found = bucket.find(kept, found + 1)
    return found != -1
