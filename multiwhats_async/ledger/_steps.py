"""The transitions of messages in SQLite: as many as there are in one statement."""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

import attrs

from .._secret import mask_number
from ..errors import ClaimLostError, LedgerError
from ._commits import Joint
from ._statements import ROWS_AT_ONCE, Session

_LOST: Final = "not where it was left"
"""What SQLite is made to say of a message that somebody else has moved: ``transitions.sql``."""

NOTHING_TOLD: Final = dict.fromkeys(
    ("expected", "made", "unknown_attempts", "credits", "elapsed", "receipt", "error")
)
"""What not every transition tells of."""


@attrs.frozen(repr=False)  # it holds a whole number, and the vendor's record
class Step(Joint):
    """One message on its way from a state to the next, written together with others.

    Attributes:
        told: What the statement is told.
        recipient: The message's recipient.
    """

    kind = "transition"

    told: dict[str, Any]
    recipient: str

    def do_all(self, db: Session, works: Sequence["Step"]) -> Sequence[LedgerError | None]:
        """Write many at once; one by one where any of them is not where it was left."""
        refusals: list[LedgerError | None] = []
        for first in range(0, len(works), ROWS_AT_ONCE):
            part = works[first : first + ROWS_AT_ONCE]
            if write_together(part, db):
                refusals += [None] * len(part)
            else:
                refusals += [work.do(db) for work in part]
        return refusals

    def do(self, db: Session) -> LedgerError | None:
        """Write it; return why not where the message is not where it was left."""
        if write_together([self], db):
            return None
        return ClaimLostError(
            f"The message to {mask_number(self.recipient)} was changed in the ledger "
            "while it was being sent: its claim no longer holds"
        )


def write_together(steps: Sequence[Step], db: Session) -> bool:
    """Write steps in one statement, all or none; tell whether it was done.

    Where no transaction is under way, the statement is one.
    """
    if len(steps) > ROWS_AT_ONCE:
        return False
    try:
        db.execute_rows(steps[0].kind, [step.told for step in steps])
    except sqlite3.IntegrityError as error:
        if str(error) != _LOST:
            raise
        return False
    return True
