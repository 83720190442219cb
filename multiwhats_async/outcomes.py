"""What became of messages: one outcome each, and counts over a run."""

from enum import Enum
from typing import Any

import attrs

from ._certainty import Certainty
from .errors import SendError
from .models import ButtonMessage, MessageReceipt

__all__ = [
    "Attempt",
    "Certainty",
    "Counts",
    "Outcome",
    "Progress",
    "Report",
    "StopReason",
    "Summary",
]


class StopReason(Enum):
    """Why a bulk run ended before its input did. The values are plain words."""

    AUTHENTICATION = "authentication"
    """The server refused the key or its rights: 401, or 403 to several in a row."""
    CREDIT = "credit"
    """The account has no credit left (402)."""
    CERTIFICATE = "certificate"
    """The server's certificate was refused."""
    REFUSED = "refused"
    """The server refused every message from the start, in the same way."""
    UNREACHABLE = "unreachable"
    """No message from the start got an answer."""
    SILENT = "silent"
    """The server has stopped answering, and the breaker has waited long enough."""
    MAX_FAILURES = "max_failures"
    """As many messages failed as the caller allowed."""
    MAX_CREDITS = "max_credits"
    """One more message could have cost more than the caller allowed."""
    DEADLINE = "deadline"
    """The caller's time for the run is over."""
    LEDGER = "ledger"
    """The ledger could not be written: nothing may be sent that is not on record."""
    CAMPAIGN = "campaign"
    """The campaign was paused or cancelled in its ledger, by anybody who shares it."""
    RATE = "rate"
    """The shared rate could not be reached: nothing is sent without a slot."""
    INPUT = "input"
    """The input raised, or held what is no message."""
    CALLER = "caller"
    """``stop()`` or ``abort()`` was called, or the block was left early."""


@attrs.frozen(kw_only=True)
class Attempt:
    """One attempt of a message, as the hooks are told of it.

    Attributes:
        message: The message.
        key: Its key.
        number: Which attempt of this message it was, counted from 1.
        certainty: What is known after it.
        status_code: The HTTP status that the server answered, or None.
        error: What went wrong, or None.
        elapsed: How long it took, in seconds.
    """

    message: ButtonMessage
    key: str
    number: int
    certainty: Certainty
    status_code: int | None
    error: SendError | None
    elapsed: float

    def to_dict(self) -> dict[str, Any]:
        """Return the attempt as plain data, ready for JSON."""
        return {
            "message": self.message.to_dict(),
            "key": self.key,
            "number": self.number,
            "certainty": self.certainty.value,
            "status_code": self.status_code,
            "error": self.error and self.error.to_dict(),
            "elapsed": self.elapsed,
        }


@attrs.frozen(kw_only=True)
class Outcome:
    """What became of one message.

    Attributes:
        message: The message.
        key: Its key: its own, or the digest that stands for it.
        certainty: What is known of it.
        receipt: The vendor's record: there when it was accepted, unless a person has found that
            out (see ``note``).
        error: What went wrong: there for rejected, not sent and unknown.
        last_error: What the last attempt came to, or why there was none, where ``error`` speaks
            of an earlier one that may have gone out; else None.
        attempts: How many attempts were begun, in all runs of a campaign together.
        unknown_attempts: How many of them may have gone out without an answer. More than 0 of an
            accepted message only with ``resend_unknown``: it may have arrived more than once.
        index: Its position in the input of a bulk run, counted from 0.
        elapsed: Seconds from its first attempt to its outcome, pauses included.
        earlier: Of a skipped message: what its campaign's ledger knew of it before this run.
            None where its key stood in this run's input before.
        note: What was noted where a person has resolved an unknown message, or None.
    """

    message: ButtonMessage
    key: str
    certainty: Certainty
    receipt: MessageReceipt | None = None
    error: SendError | None = None
    last_error: SendError | None = None
    attempts: int = 0
    unknown_attempts: int = 0
    index: int = 0
    elapsed: float = 0.0
    earlier: Certainty | None = None
    note: str | None = None

    @property
    def credits(self) -> int | float:
        """What the message cost as far as the vendor has said, in credits."""
        return (self.receipt and self.receipt.total_credit) or 0

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as plain data, ready for JSON."""
        return {
            "index": self.index,
            "key": self.key,
            "certainty": self.certainty.value,
            "attempts": self.attempts,
            "unknown_attempts": self.unknown_attempts,
            "elapsed": self.elapsed,
            "message": self.message.to_dict(),
            "receipt": self.receipt and self.receipt.to_dict(),
            "error": self.error and self.error.to_dict(),
            "last_error": self.last_error and self.last_error.to_dict(),
            "earlier": self.earlier and self.earlier.value,
            "note": self.note,
        }


@attrs.frozen(kw_only=True)
class Counts:
    """How many messages ended in each certainty, and what they cost.

    Attributes:
        accepted: Messages that the server accepted.
        rejected: Messages that it refused.
        not_sent: Messages that provably did not reach it.
        unknown: Messages of which neither is known.
        skipped: Messages not tried, as their key already had its outcome.
        retries: Attempts beyond each message's first, of those that have their outcome.
        credits: What the accepted ones cost, in credits.
        elapsed: Seconds since the run began, or that it lasted.
        stopped_by: Why the run ended before its input did, or None.
        stopped: The same in words for a person, or None.
    """

    accepted: int = 0
    rejected: int = 0
    not_sent: int = 0
    unknown: int = 0
    skipped: int = 0
    retries: int = 0
    credits: int | float = 0
    elapsed: float = 0.0
    stopped_by: StopReason | None = None
    stopped: str | None = None

    @property
    def finished(self) -> int:
        """How many messages have their outcome."""
        return self.accepted + self.rejected + self.not_sent + self.unknown + self.skipped

    @property
    def messages_per_second(self) -> float:
        """Accepted messages a second over the whole run."""
        return self.accepted / self.elapsed if self.elapsed > 0 else 0.0

    def __getitem__(self, certainty: Certainty) -> int:
        """Return how many messages ended in a certainty."""
        count: int = getattr(self, certainty.value)
        return count

    def _counts(self) -> dict[str, Any]:
        return {certainty.value: self[certainty] for certainty in Certainty} | {
            "retries": self.retries,
            "credits": self.credits,
            "elapsed": self.elapsed,
            "messages_per_second": self.messages_per_second,
            "stopped_by": self.stopped_by and self.stopped_by.value,
            "stopped": self.stopped,
        }


@attrs.frozen(kw_only=True)
class Progress(Counts):
    """Where a bulk run stands, at one moment.

    Attributes:
        total: How many messages there are, or None where the input does not tell.
        in_flight: How many are being worked on: sent, waiting to be sent again, or for a slot.
        paused_for: Seconds for which the run still sends nothing, or None.
        paused_because: Why, or None.
    """

    total: int | None = None
    in_flight: int = 0
    paused_for: float | None = None
    paused_because: str | None = None

    @property
    def queued(self) -> int | None:
        """How many have not been begun, or None where the input does not tell."""
        if self.total is None:
            return None
        return max(0, self.total - self.finished - self.in_flight)

    @property
    def eta(self) -> float | None:
        """Seconds to the end at the pace so far, or None where that cannot be told."""
        if self.total is None or not self.finished:
            return None
        return max(0, self.total - self.finished) * self.elapsed / self.finished

    def to_dict(self) -> dict[str, Any]:
        """Return the progress as plain data, ready for JSON."""
        return self._counts() | {
            "total": self.total,
            "queued": self.queued,
            "in_flight": self.in_flight,
            "eta": self.eta,
            "paused_for": self.paused_for,
            "paused_because": self.paused_because,
        }


@attrs.frozen(kw_only=True)
class Report(Counts):
    """What a bulk run came to.

    Attributes:
        outcomes: Every outcome in input order, from ``send_many``. Empty after ``bulk``, which
            keeps none so that its memory does not grow with the number of messages.
    """

    outcomes: tuple[Outcome, ...] = attrs.field(default=(), repr=False)

    @classmethod
    def of(cls, counts: Counts, outcomes: tuple[Outcome, ...] = ()) -> "Report":
        """Return the report of a run that ended with these counts."""
        fields = {field.name: getattr(counts, field.name) for field in attrs.fields(Counts)}
        return cls(**fields, outcomes=outcomes)

    @property
    def total(self) -> int:
        """How many messages the run took from its input."""
        return self.finished

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data, ready for JSON."""
        return self._counts() | {
            "total": self.total,
            "outcomes": [outcome.to_dict() for outcome in self.outcomes],
        }


@attrs.frozen(kw_only=True)
class Summary:
    """Where a campaign stands in its ledger.

    Attributes:
        campaign: Its name.
        pending: Messages that were not tried yet.
        not_sent: Messages that were tried and provably did not go out; the next run tries again.
        in_flight: Messages that a run of this process is sending in this moment.
        accepted: Messages that the server accepted, or were found to be.
        rejected: Messages that it refused.
        unknown: Messages that may or may not have gone out.
        credits: What the accepted ones cost, as far as the vendor has said.
    """

    campaign: str
    pending: int = 0
    not_sent: int = 0
    in_flight: int = 0
    accepted: int = 0
    rejected: int = 0
    unknown: int = 0
    credits: int | float = 0

    @property
    def total(self) -> int:
        """How many messages the campaign has."""
        return self.to_send + self.in_flight + self.final

    @property
    def to_send(self) -> int:
        """How many messages the next run sends by itself."""
        return self.pending + self.not_sent

    @property
    def final(self) -> int:
        """How many messages no run sends again by itself."""
        return self.accepted + self.rejected + self.unknown

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as plain data, ready for JSON."""
        return attrs.asdict(self) | {"total": self.total}
