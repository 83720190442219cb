"""The one word that this package exists for: what is known of a message."""

from enum import Enum


class Certainty(Enum):
    """What is known of a message. The values are the words used everywhere.

    ``SKIPPED`` occurs in bulk runs only: the message was not tried, because a message with the
    same key already has its outcome.
    """

    ACCEPTED = "accepted"
    """The server answered 2xx with a queue record. Never sent again."""
    REJECTED = "rejected"
    """The server answered no. Sent again only where the answer itself says "later"."""
    NOT_SENT = "not_sent"
    """Proof that the server cannot have processed it. May be sent again."""
    UNKNOWN = "unknown"
    """It may or may not have gone out. Sent again only if asked for by name."""
    SKIPPED = "skipped"
    """Not tried: the same key already has its outcome."""

    def __str__(self) -> str:
        return self.value


# Each is one object: its place tells it apart, without Python's call for the hash of its name.
Certainty.__hash__ = object.__hash__  # type: ignore[method-assign]  # it does the same
