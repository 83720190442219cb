"""The ports: what the engines ask of each other, and of what a user brings."""

from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from ._certainty import Certainty
from ._evidence import Answer, Evidence, Silence
from .campaigns import CampaignStatus, Chunk, Enqueued
from .errors import SendError
from .models import ButtonMessage
from .options import Timeouts
from .outcomes import Attempt, Outcome, Summary
from .retry import RetryDetails

__all__ = [
    "Campaign",
    "ChunkQueue",
    "Claim",
    "Exchange",
    "Flight",
    "Hooks",
    "Ledger",
    "RateLimiter",
    "Sender",
    "SharedLedger",
    "TransactionalQueue",
]


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

        With a deadline of its own. It is called under a shield: only the flight ends it sooner.
        Lower-layer errors come back as data. The result is also set on the flight, for when the
        caller is gone.
        """
        ...

    async def distrust(self) -> None:
        """Drop every idle connection: an answer on one of them belonged to another request."""
        ...


class RateLimiter(Protocol):
    """Hands out slots in time: within a process, or to many that share them."""

    async def reserve(self, sender: str) -> float:
        """Take the next slot of a sender; return the seconds until it comes.

        Raises:
            RateError: No slot can be had: without one nothing is sent.
        """
        ...

    async def postpone(self, sender: str, seconds: float) -> None:
        """Let no slot of anybody come before so many seconds from now.

        Called after the server has said "later" to a message of ``sender``. What it raises is
        logged, and never costs a message.
        """
        ...


class Claim(Protocol):
    """One message of a campaign that a run has taken from its ledger.

    Its methods are called under a shield: no cancellation of a run ends them.

    Attributes:
        message: The message.
        key: Its key.
        index: Its position in the run's input.
        may_send: Whether the run may send it; otherwise it is skipped.
        earlier: What the ledger knew of it before, or None where the input has its key twice.
        attempts: How many attempts were begun before.
        unknown_attempts: How many of them may have gone out.
        doubt: Why it is unknown whether it has gone out already, or None.
    """

    message: ButtonMessage
    key: str
    index: int
    may_send: bool
    earlier: Certainty | None
    attempts: int
    unknown_attempts: int
    doubt: SendError | None

    async def intend(self) -> None:
        """Record durably that an attempt begins. Only when this has returned may it be written.

        Raises:
            CampaignHeldError: The campaign was paused or cancelled.
            ClaimLostError: The message is no longer this run's.
            LedgerError: It could not be recorded.
        """

    async def postpone(self) -> None:
        """Record that the last attempt provably came to nothing, and another is to follow.

        Raises:
            LedgerError: It could not be recorded.
        """

    async def settle(self, outcome: Outcome) -> None:
        """Record durably what became of the message; nothing where it was never tried.

        Raises:
            ClaimLostError: Another run has sent it again meanwhile, and tells its outcome.
            LedgerError: It could not be recorded: the next run will call it unknown.
        """


class Campaign(Protocol):
    """A campaign in a ledger, as one run that sends it sees it."""

    async def load(self, first: int, messages: Sequence[ButtonMessage]) -> None:
        """Add messages that the campaign does not have yet; note all as this run's input.

        Args:
            first: The position of the first in the input; the others follow.
            messages: The messages.

        Raises:
            LedgerError: A key stands for another message already; none of them was added.
        """

    async def rest(self) -> Counter[Certainty]:
        """Count what was not claimed of the input, by what is known of it without trying it."""
        ...

    async def summary(self) -> Summary:
        """Count this run's input by state, each message once."""
        ...

    async def withdraw(self) -> None:
        """Take back what this run has added and not tried: its input was refused."""

    async def claim(self, count: int, *, to_send: bool = True) -> Sequence[Claim]:
        """Return the next messages of the input, at most so many; none at its end.

        Args:
            count: How many.
            to_send: Whether they are going to be sent. A run that has stopped only looks at them.
        """
        ...

    async def admit(self, index: int, message: ButtonMessage) -> Claim:
        """Load one message and claim it at once, for an input that comes bit by bit."""
        ...

    async def aclose(self) -> None:
        """End the run; what it has not tried stays pending."""


@runtime_checkable
class Ledger(Protocol):
    """The durable record of campaigns. Nothing of it is affected by cancellation."""

    async def open(self) -> None:
        """Open it, or count one more user. What a dead process had under way is ``unknown`` now."""

    async def aclose(self) -> None:
        """Close it once nobody uses it any more."""

    async def begin(
        self,
        campaign: str,
        *,
        sender: str | None = None,
        resend_unknown: bool = False,
        only_failed: bool = False,
    ) -> Campaign:
        """Begin a run of a campaign, which is made where it is new."""
        ...

    async def campaigns(self) -> tuple[str, ...]:
        """Return the names of all campaigns."""
        ...

    async def summary(self, campaign: str) -> Summary:
        """Return how many messages of a campaign are in which state."""
        ...

    def outcomes(
        self, campaign: str, certainty: Certainty | None = None
    ) -> AsyncGenerator[Outcome, None]:
        """Yield what became of the messages of a campaign."""
        ...

    async def resolve(
        self,
        key: str,
        certainty: Certainty,
        *,
        note: str | None = None,
        campaign: str | None = None,
    ) -> None:
        """Record what an unknown message has turned out to be."""


@runtime_checkable
class SharedLedger(Ledger, Protocol):
    """A ledger that many machines share, and that hands out its campaigns in chunks."""

    async def begin_chunk(self, chunk: Chunk) -> Campaign:
        """Begin a run of one chunk.

        Raises:
            CampaignHeldError: Its campaign is paused or cancelled.
        """
        ...

    async def hand_over(
        self, campaign: Any, *, queue: object, chunk_size: int
    ) -> tuple[Enqueued, tuple[Chunk, ...]]:
        """Cut what a run has loaded into chunks, and hand them to a queue."""
        ...

    async def due(self, *, queue: object) -> tuple[Chunk, ...]:
        """Take over what dead runs hold; return the chunks that are to be put into a queue."""
        ...

    async def put_off(self, chunk: Chunk, seconds: float) -> None:
        """Hand out what is left of a chunk no earlier than in so many seconds."""

    async def pause(self, campaign: str, because: str | None = None) -> None:
        """Let no attempt of a campaign begin, on any machine."""

    async def resume(self, campaign: str) -> None:
        """Let a paused campaign go on."""

    async def cancel(self, campaign: str, because: str | None = None) -> None:
        """Let nothing more of a campaign be sent, for good."""

    async def status(self, campaign: str) -> CampaignStatus:
        """Return where a campaign stands, over all machines."""
        ...


class ChunkQueue(Protocol):
    """Where the chunks of campaigns wait for a worker: an engine, as the fleet sees it."""

    async def put(self, chunks: Sequence[Chunk]) -> None:
        """Put chunks into the queue. One that waits there already may be left out.

        Raises:
            Exception: Whatever the engine raises; the reconciler tries again later.
        """


@runtime_checkable
class TransactionalQueue(Protocol):
    """A queue in the database of the ledger: a chunk is there exactly when its messages are."""

    def put_in(self, connection: Any, chunks: Sequence[Chunk]) -> None:
        """Put chunks into the queue, as part of the transaction that is under way.

        Args:
            connection: The ledger's own: a ``psycopg.Connection`` in a transaction. It blocks, and
                is called in the ledger's thread.
            chunks: The chunks.
        """


class Sender(Protocol):
    """Takes one message to its outcome."""

    async def deliver(
        self,
        message: ButtonMessage,
        *,
        key: str | None = None,
        index: int = 0,
        record: Callable[[Outcome], None] | None = None,
        claim: Claim | None = None,
    ) -> Outcome:
        """Send a message, and again where that is safe; return what became of it.

        Args:
            message: The message.
            key: Its key, where the caller has worked it out; None does so here.
            index: Its position in the input.
            record: Called once with the outcome, at once and without awaiting, even where the
                call is cancelled.
            claim: The message's place in a ledger: no attempt is written before its intent is
                there. None keeps no record.

        Raises:
            LedgerError: An intent could not be recorded; the outcome is handed over all the same.
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
