"""A ledger at work, that bears witness of what it was asked and what it has acknowledged.

    python power_life.py LEDGER BACKEND SYNCHRONOUS COUNT first|second

The first life ends in the middle of its work. The second recovers, sends what is left, closes the
ledger, and does the same once more. Nothing goes over a network.
"""

import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, Final, NoReturn

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream
from life import CAMPAIGN, CONCURRENCY, messages

from multiwhats_async import (
    ButtonMessage,
    Certainty,
    MessageReceipt,
    NotSentError,
    Outcome,
    OutcomeUnknownError,
    RejectedError,
    SQLiteLedger,
)
from multiwhats_async.ledger import _database
from multiwhats_async.ledger._campaign import StoredClaim

DIED: Final = 9
"""The exit code of the first life."""

BLOCK: Final = 60
WITNESS: Final = "witness"
"""The file, beside the ledger, in which it stands what was asked and what was acknowledged."""

PAGES: Final = 40
"""Of the -wal file, after which it is checkpointed and begun anew: often, instead of rarely."""

ERRORS: Final = {
    Certainty.REJECTED: RejectedError("No", status_code=422, cause="HTTPStatusError"),
    Certainty.UNKNOWN: OutcomeUnknownError("No answer", cause="ReadTimeout"),
    Certainty.NOT_SENT: NotSentError("No connection", cause="ConnectError"),
}


def outcome_of(claim: StoredClaim, attempts: int) -> Outcome:
    """Return an outcome; which one is a matter of the message and its attempt."""
    turn = (claim.index + 3 * attempts) % 10
    certainty = {
        0: Certainty.REJECTED,
        1: Certainty.UNKNOWN,
        2: Certainty.NOT_SENT,
        3: Certainty.NOT_SENT,
    }.get(turn, Certainty.ACCEPTED)
    is_accepted = certainty is Certainty.ACCEPTED
    return Outcome(
        message=claim.message,
        key=claim.key,
        certainty=certainty,
        receipt=MessageReceipt(id=claim.index, total_credit=1) if is_accepted else None,
        error=None if is_accepted else ERRORS[certainty].with_fields(attempts=attempts),
        attempts=attempts,
        unknown_attempts=int(certainty is Certainty.UNKNOWN),
        index=claim.index,
        elapsed=0.5,
    )


class Witness:
    """Writes down each transition, before it is asked for and after it was acknowledged.

    Its file is written with the ledger's own calls, one line each, so that both stand in one log.
    """

    def __init__(self, folder: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._file = os.open(folder / WITNESS, flags, 0o600)
        self.settled = 0

    async def watch(
        self,
        act: Callable[..., Awaitable[None]],
        *told: Any,
        keys: Iterable[str],
        certainty: Certainty,
        attempts: int,
        outcome: Outcome | None = None,
    ) -> None:
        """Have something done that brings messages to a state."""
        line: dict[str, Any] = {
            "keys": list(keys),
            "certainty": certainty.value,
            "attempts": attempts,
            "outcome": outcome and outcome.to_dict(),
        }
        self._write(line | {"is_acknowledged": False})
        await act(*told)
        self._write(line | {"is_acknowledged": True})

    def _write(self, line: dict[str, Any]) -> None:
        os.write(self._file, json.dumps(line).encode() + b"\n")


async def send(claim: StoredClaim, witness: Witness) -> None:
    """Take one message to its outcome, over a second attempt where the first came to nothing."""
    attempts = claim.attempts
    for is_last in (claim.index % 4 > 0, True):
        attempts += 1
        shared: dict[str, Any] = {"keys": [claim.key], "attempts": attempts}
        await witness.watch(claim.intend, certainty=Certainty.UNKNOWN, **shared)
        if is_last:
            break
        await witness.watch(claim.postpone, certainty=Certainty.NOT_SENT, **shared)
    end = outcome_of(claim, attempts)
    await witness.watch(claim.settle, end, certainty=end.certainty, outcome=end, **shared)
    witness.settled += 1


async def work(
    claims: MemoryObjectReceiveStream[StoredClaim], witness: Witness, dies_after: float
) -> None:
    """Send what comes, until a number of messages has its outcome."""
    async with claims:
        async for claim in claims:
            await send(claim, witness)
            if witness.settled >= dies_after:
                die()


def die() -> NoReturn:
    """End in the middle of it: the ledger stays open, claims and a commit stay under way."""
    os._exit(DIED)


async def run(
    ledger: SQLiteLedger, inputs: list[ButtonMessage], witness: Witness, dies_after: float
) -> None:
    """Do one run of the campaign."""
    async with ledger:
        campaign = await ledger.begin(CAMPAIGN)
        for first in range(0, len(inputs), BLOCK):
            block = inputs[first : first + BLOCK]
            await witness.watch(
                campaign.load,
                first,
                block,
                keys=[message.identity() for message in block],
                certainty=Certainty.NOT_SENT,
                attempts=0,
            )
        sender, receiver = anyio.create_memory_object_stream[StoredClaim]()
        async with anyio.create_task_group() as tasks, sender, receiver:
            for _ in range(CONCURRENCY):
                tasks.start_soon(work, receiver.clone(), witness, dies_after)
            while claims := await campaign.claim(BLOCK):
                for claim in claims:
                    if claim.may_send:
                        await sender.send(claim)
            sender.close()
        await campaign.aclose()


async def live(path: Path, count: int, which: str) -> None:
    """Live one of the two lives."""
    witness = Witness(path.parent)
    inputs = messages(count)
    if which == "first":
        await run(SQLiteLedger(path), inputs, witness, count // 2)
    else:
        for _ in range(2):
            await run(SQLiteLedger(path), inputs, witness, float("inf"))


if __name__ == "__main__":
    name, backend, synchronous, number, which_life = sys.argv[1:]
    told = dict(_database.PRAGMAS) | {"synchronous": synchronous, "wal_autocheckpoint": str(PAGES)}
    _database.PRAGMAS = tuple(told.items())  # type: ignore[misc]  # what the test is about
    anyio.run(live, Path(name), int(number), which_life, backend=backend)
