"""The ports: what the engines ask of each other, and of what a user brings."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, runtime_checkable

from ._evidence import Answer, Evidence, Silence
from .models import ButtonMessage
from .options import Timeouts
from .outcomes import Attempt, Outcome
from .retry import RetryDetails

__all__ = ["Exchange", "Flight", "Hooks", "RateLimiter", "Sender"]


class Flight(Protocol):
    """One attempt under way, as the one who watches over it sees it."""

    evidence: Evidence
    result: Answer | Silence | None

    def interrupt(self) -> None:
        """End the attempt if nothing of the message can have left; else let it finish."""

    def abandon(self) -> None:
        """End the attempt now, whatever was written: its outcome may become unknown."""


class Exchange(Protocol):
    """Carries one request to the server and its answer back."""

    def flight(self) -> Flight:
        """Return a fresh watch for one attempt."""
        ...

    async def post(self, body: bytes, *, timeouts: Timeouts, flight: Any) -> Answer | Silence:
        """POST a body once; return what is known of it.

        Shielded from cancellation from outside, with a deadline of its own. Lower-layer errors
        come back as data. The result is also set on the flight, for when the caller is gone.
        """
        ...

    async def distrust(self) -> None:
        """Drop every idle connection: an answer on one of them belonged to another request."""
        ...


class RateLimiter(Protocol):
    """Hands out slots in time."""

    async def reserve(self, sender: str) -> float:
        """Take the next slot of a sender; return the seconds until it comes."""
        ...


class Sender(Protocol):
    """Takes one message to its outcome."""

    async def deliver(
        self,
        message: ButtonMessage,
        *,
        key: str | None = None,
        index: int = 0,
        record: Callable[[Outcome], None] | None = None,
    ) -> Outcome:
        """Send a message, and again where that is safe; return what became of it.

        Args:
            message: The message.
            key: Its key, where the caller has worked it out; None does so here.
            index: Its position in the input.
            record: Called once with the outcome, at once and without awaiting, even where the
                call is cancelled.
        """
        ...


@runtime_checkable
class Hooks(Protocol):
    """What an object in ``hooks=`` may have. Each method may be missing, and may be async.

    One that raises is logged and never costs a message.
    """

    def on_attempt(self, attempt: Attempt) -> Awaitable[None] | None:
        """Told after every attempt."""

    def on_retry(self, details: RetryDetails) -> Awaitable[None] | None:
        """Told before the pause that precedes another attempt."""

    def on_outcome(self, outcome: Outcome) -> Awaitable[None] | None:
        """Told once a message, also where the call was cancelled."""
