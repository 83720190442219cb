"""What a reply has led to."""

from enum import StrEnum
from typing import Any

import attrs

from ..outcomes import Outcome
from ._session import Session


class MenuEvent(StrEnum):
    """What a reply has led to."""

    ADVANCED = "advanced"
    """The next stage's message was sent, or it is unknown whether it was: see the outcome."""
    ENDED = "ended"
    """The menu has ended."""
    REPEATED = "repeated"
    """The stage's message was sent again, after a tap on an earlier one."""
    STARTED = "started"
    """The menu has begun, for a customer without a session."""
    DUPLICATE = "duplicate"
    """This tap had been taken already."""
    OLD = "old"
    """A tap on an earlier message, which is ignored."""
    UNKNOWN = "unknown"
    """A tap on a message or on a button that is not of this menu."""
    NO_SESSION = "no_session"
    """The customer has no session."""
    TOO_MANY = "too_many"
    """The session has sent all the messages that it may."""


@attrs.frozen
class MenuResult:
    """What a reply has led to.

    Attributes:
        event: In one word.
        session: Where the customer stands now, or None.
        outcome: Of the message that was sent, or None where none was.
    """

    event: MenuEvent
    session: Session | None = None
    outcome: Outcome | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain data, ready for JSON."""
        return {
            "event": self.event.value,
            "session": self.session and self.session.to_dict(),
            "outcome": self.outcome and self.outcome.to_dict(),
        }
