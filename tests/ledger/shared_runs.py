"""Runs of a campaign in a shared ledger, and what becomes of their claims."""

from typing import Any

from runs import A
from vendor import RESPONSE, SENDER, messages

from multiwhats_async import (
    Certainty,
    MessageReceipt,
    Outcome,
    OutcomeUnknownError,
    PostgresLedger,
    make_converter,
)

RECEIPT: MessageReceipt = make_converter().structure(RESPONSE, MessageReceipt)


def told(claim: Any, certainty: Certainty = A, attempts: int = 1) -> Outcome:
    """Return an outcome for a claim."""
    error = None if certainty is A else OutcomeUnknownError("lost", attempts=attempts)
    return Outcome(
        message=claim.message,
        key=claim.key,
        certainty=certainty,
        receipt=RECEIPT if certainty is A else None,
        error=error,
        attempts=attempts,
        unknown_attempts=0 if certainty is A else 1,
    )


async def certainties(ledger: PostgresLedger) -> list[Certainty]:
    """Return what is known of each message."""
    return [outcome.certainty async for outcome in ledger.outcomes("spring")]


async def loaded(ledger: PostgresLedger, count: int, **options: Any) -> Any:
    """Begin a run with so many messages in its input."""
    run = await ledger.begin("spring", sender=SENDER, **options)
    await run.load(0, messages(count))
    return run
