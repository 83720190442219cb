"""A campaign that several runs may send at once, as one of them sees it.

What a run claims is its own until its lease is over; every write is fenced by the run and by the
attempt. The database's clock alone is looked at.
"""

import shlex
import time
from collections.abc import Sequence
from typing import Any, Final

import attrs

from .._secret import mask_number
from ..campaigns import CampaignState
from ..errors import CampaignHeldError, ClaimLostError, LedgerError
from ._campaign import Choice, StoredCampaign, StoredClaim
from ._columns import Row
from ._commits import Commits, Joint
from ._statements import Session

SOON: Final = 2.0
"""Seconds after which what a worker leaves of a chunk may be put into the queue again."""

CANCELLED: Final = "was cancelled"
"""In the text of an error: it is for good."""

COLUMNS: Final = (
    *("position", "key", "digest", "sender", "has_own_sender"),
    *("recipient", "text", "buttons"),
)
"""Of a message that is loaded."""


def refuse_held(row: Row) -> None:
    """Refuse a campaign that is not to be sent now.

    Raises:
        CampaignHeldError: It is paused or cancelled; says why, and the way out.
    """
    error = held_error(row["name"], row["state"], row["because"])
    if error is not None:
        raise error


def held_error(name: str, state: str, because: str | None) -> CampaignHeldError | None:
    """Return the error of a campaign in that state, or None where it may be sent."""
    said = f": {because}" if because else ""
    if state == CampaignState.PAUSED.value:
        return CampaignHeldError(
            f"The campaign {name!r} is paused{said}. Resume it to go on: "
            f"multiwhats campaign resume {shlex.quote(name)}"
        )
    if state == CampaignState.CANCELLED.value:
        return CampaignHeldError(
            f"The campaign {name!r} {CANCELLED}{said}. What was not sent is not sent any more; "
            "name a new campaign to send it after all"
        )
    return None


@attrs.frozen(kw_only=True)
class Part:
    """Which rows of a campaign a chunk stands for.

    Attributes:
        chunk: Its id.
        batch: The run that loaded them.
        first_id: The first row.
        last_id: The last row.
    """

    chunk: int
    batch: int
    first_id: int
    last_id: int


class SharedCampaign(StoredCampaign):
    """A campaign that a run sends, beside others. It is a ``Campaign``.

    Args:
        commits: Takes work to the database.
        lease: Seconds for which its claims hold after its last sign of life.
        settings: The others of a ``StoredCampaign``.
    """

    def __init__(self, commits: Commits, *, lease: float, **settings: Any) -> None:
        super().__init__(commits, last=0, **settings)
        self.lease: float = lease

    def _insert(self, db: Session, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            if any("\0" in row[name] for name in ("key", "text", "buttons")):
                raise LedgerError(
                    f"Message {row['position']} of the input holds the character U+0000, which "
                    "PostgreSQL cannot hold: take it out"
                )
        told = self._told | {name: [row[name] for row in rows] for name in COLUMNS}
        db.execute("load", told)
        db.execute("load_input", told)

    def _next(self, db: Session, told: dict[str, Any]) -> list[Row]:
        if told["to_send"]:
            self._stay_alive(db)
        rows = db.execute("claim", told | self._told).fetchall()
        if any(row["id"] is None for row in rows):
            raise LedgerError(
                "Messages of this run were taken back by the run that had loaded them, because "
                "its input was refused: begin this run again"
            )
        return rows

    @property
    def _told(self) -> dict[str, Any]:
        return {"campaign": self.id, "run": self.run} | attrs.asdict(self._choice)

    def _stay_alive(self, db: Session) -> None:
        """Renew the lease; a run that was given up long ago has no input any more."""
        if db.execute("renew", {"runs": [self.run], "lease": self.lease}).rowcount != 1:
            raise LedgerError(
                "This run was not heard of for more than a day, and was given up: begin it again"
            )
        refuse_held(db.execute("campaign", self._told).fetchone())

    def _withdraw(self, db: Session) -> None:
        db.execute("unload", self._told)
        db.execute("unload_campaign", self._told)

    def _forget(self, db: Session) -> None:
        for name in ("release", "forget_input", "forget_run"):
            db.execute(name, self._told)

    def _claim(self, row: Row) -> "SharedClaim":
        return SharedClaim(**self._fields(row))

    def _is_taken(self, row: Row) -> bool:
        taken: bool | None = row["is_taken"]
        return super()._is_taken(row) if taken is None else taken


class ChunkCampaign(SharedCampaign):
    """The part of a campaign that one chunk stands for. It is a ``Campaign``.

    Args:
        commits: Takes work to the database.
        part: The rows.
        settings: The others of a ``SharedCampaign``.
    """

    def __init__(self, commits: Commits, *, part: Part, **settings: Any) -> None:
        super().__init__(commits, sender=None, choice=Choice(), **settings)
        self._part = attrs.asdict(part)
        self._after = part.first_id - 1

    def _next(self, db: Session, told: dict[str, Any]) -> list[Row]:
        if not told["to_send"]:
            return []
        self._stay_alive(db)
        return db.execute("claim_chunk", told | self._part | self._told).fetchall()

    def _forget(self, db: Session) -> None:
        super()._forget(db)
        db.execute("end_chunk", self._part | {"delay": SOON})

    def _place(self, row: Row) -> int:
        place: int = row["id"]
        return place

    def _fields(self, row: Row) -> dict[str, Any]:
        fields = super()._fields(row)
        # Whatever number the worker's client has: it goes out from the one it was loaded for.
        return fields | {"message": attrs.evolve(fields["message"], sender=row["sender"])}


@attrs.define(kw_only=True, eq=False)
class SharedClaim(StoredClaim):
    """One message of a campaign, leased to a run. It is a ``Claim``."""

    async def intend(self) -> None:
        """Record durably that an attempt begins. Only when this has returned may it be written.

        Raises:
            CampaignHeldError: The campaign was paused or cancelled.
            ClaimLostError: The message is no longer this run's. Also where the record took longer
                than the lease: others may have seen to the message meanwhile.
            LedgerError: It could not be recorded.
        """
        began = time.monotonic()
        await super().intend()
        if time.monotonic() - began > self._campaign.lease:  # type: ignore[attr-defined]  # shared
            raise ClaimLostError(
                f"The message to {mask_number(self.message.to)} is not sent now: that it is about "
                "to be was on record only after its lease was over"
            )

    def _writing(self, name: str, told: dict[str, Any]) -> "Move":
        return Move(name, told, mask_number(self.message.to))


@attrs.frozen
class Move(Joint):
    """One message on its way from a state to the next, written together with others.

    Attributes:
        kind: The statement; it takes a list for each column.
        told: The columns.
        recipient: The message's recipient, masked.
    """

    kind: str
    told: dict[str, Any]
    recipient: str

    def do_all(self, db: Session, works: Sequence["Move"]) -> Sequence[LedgerError | None]:
        """Write many in one statement; return why not, for each that is not where it was left."""
        told = {name: [work.told[name] for work in works] for name in self.told}
        moved = {row["id"] for row in db.execute(self.kind, told)}
        return [None if work.told["id"] in moved else work.lost(db) for work in works]

    def lost(self, db: Session) -> LedgerError:
        """Return why the message is not where it was left."""
        row = db.execute("held", self.told).fetchone()
        error = row and held_error(row["name"], row["state"], row["because"])
        return error or ClaimLostError(
            f"The message to {self.recipient} was taken over by another run, or resolved: this one "
            "was not heard of for longer than its lease"
        )
