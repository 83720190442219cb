"""A campaign in a ledger, as a run that sends it sees it: load, claim, intend, settle."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Final

import attrs

from .._certainty import Certainty
from .._secret import mask_number
from ..errors import CampaignHeldError, LedgerError, SendError
from ..models import ButtonMessage
from ..outcomes import Outcome, Summary
from ._columns import (
    CERTAINTIES,
    PENDING,
    SENDING,
    STATES,
    Row,
    message_columns,
    outcome_columns,
    read_doubt,
    read_message,
)
from ._commits import Commits, Joint
from ._queries import summary_of
from ._statements import Session
from ._steps import NOTHING_TOLD, Step

SHOWN: Final = 3
"""Differences that an error shows; the others are counted."""

LONGEST_SHOWN: Final = 60
"""Characters of a text that an error shows."""


@attrs.frozen(kw_only=True)
class Choice:
    """Which messages a run may send, beyond those that are pending.

    Attributes:
        resend_unknown: Those that may or may not have gone out, too.
        only_failed: Those alone that were refused, or were tried and provably not sent.
    """

    resend_unknown: bool = False
    only_failed: bool = False

    def allows(self, state: str, *, is_tried: bool) -> bool:
        """Tell whether a message in that state may be sent."""
        if state == STATES[Certainty.UNKNOWN]:
            return self.resend_unknown
        if state == STATES[Certainty.REJECTED]:
            return self.only_failed
        return state == PENDING and (is_tried or not self.only_failed)


class StoredCampaign:
    """A campaign that a run sends. It is a ``Campaign``.

    Args:
        commits: Takes work to the database.
        name: The campaign's name.
        campaign: Its id.
        run: A number that no other run of this connection has.
        last: The highest id of a message before this run.
        sender: The number that sends where a message names none.
        choice: Which messages it may send.
        clock: Tells seconds since 1970.
        on_close: Called when the run has ended.
    """

    def __init__(  # noqa: PLR0913  # every collaborator is passed in
        self,
        commits: Commits,
        *,
        name: str,
        campaign: int,
        run: int,
        last: int,
        sender: str | None,
        choice: Choice,
        clock: Callable[[], float],
        on_close: Callable[[], None],
    ) -> None:
        self.commits = commits
        self.clock = clock
        self.id = campaign
        self.run = run
        self._name = name
        self._last = last
        self._sender = sender
        self._choice = choice
        self._on_close = on_close
        self._after = -1

    async def load(self, first: int, messages: Sequence[ButtonMessage]) -> None:
        """Add messages that the campaign does not have yet, and note all as this run's input.

        Args:
            first: The position of the first in the input; the others follow.
            messages: The messages.

        Raises:
            LedgerError: A key stands for another message; nothing of them was added.
        """
        await self.commits.do(lambda db: self._load(db, self._columns(first, messages)))

    async def admit(self, index: int, message: ButtonMessage) -> "StoredClaim":
        """Load one message and claim it at once, in one transaction."""

        def work(db: Session) -> Row:
            self._load(db, self._columns(index, [message]))
            told = {"after": index - 1, "count": 1}
            try:
                return self._next(db, told | {"to_send": True})[0]
            except CampaignHeldError:
                # What is not to be sent anyway has its outcome, be the campaign held or not.
                (row,) = self._next(db, told | {"to_send": False})
                if self._may_send(row, is_tried=row["attempts"] > 0):
                    raise
                return row

        return self._claim(await self.commits.do(work))

    async def claim(self, count: int, *, to_send: bool = True) -> Sequence["StoredClaim"]:
        """Return the next messages of the input, at most so many; none at its end.

        Args:
            count: How many.
            to_send: Whether they are going to be sent. A run that has stopped only looks at them.
        """
        after = self._after
        told = {"after": after, "count": count, "to_send": to_send}
        rows = await self.commits.do(lambda db: self._next(db, told))
        if rows:
            self._after = self._place(rows[-1])
        return [self._claim(row) for row in rows]

    async def rest(self) -> Counter[Certainty]:
        """Count what was not claimed of the input, by what is known of it without trying it."""
        told = {"run": self.run, "after": self._after}
        rows = await self.commits.do(lambda db: db.execute("rest", told).fetchall())
        counts: Counter[Certainty] = Counter()
        for row in rows:
            certainty = Certainty.SKIPPED
            if self._may_send(row, is_tried=row["is_tried"]):
                is_doubtful = row["state"] == STATES[Certainty.UNKNOWN]
                certainty = Certainty.UNKNOWN if is_doubtful else Certainty.NOT_SENT
            counts[certainty] += row["messages"]
        return counts

    async def summary(self) -> Summary:
        """Count this run's input by state, each message once."""

        def work(db: Session) -> Summary:
            row = db.execute("input_summary", {"run": self.run}).fetchone()
            return summary_of(self._name, row)

        return await self.commits.do(work)

    async def withdraw(self) -> None:
        """Take back what this run has added and not tried, and a campaign that is empty then."""
        await self.commits.do(self._withdraw)

    async def aclose(self) -> None:
        """Forget the run's input; the campaign stays."""
        try:
            await self.commits.do(self._forget)
        finally:
            self._on_close()

    # --- in the ledger's thread ---------------------------------------------------------------

    def _columns(self, first: int, messages: Sequence[ButtonMessage]) -> list[dict[str, Any]]:
        shared = {"campaign": self.id, "run": self.run, "now": self.clock()}
        return [
            message_columns(message, position, self._sender) | shared
            for position, message in enumerate(messages, start=first)
        ]

    def _load(self, db: Session, rows: list[dict[str, Any]]) -> None:
        db.say("SAVEPOINT load")
        self._insert(db, rows)
        try:
            self._refuse_changes(db, rows)
        except LedgerError:  # this load's own concern; an error of SQLite's ends the transaction
            db.say("ROLLBACK TO load")
            raise
        finally:
            db.say("RELEASE load")

    def _insert(self, db: Session, rows: list[dict[str, Any]]) -> None:
        db.execute_rows("load", rows)
        db.execute_rows("load_input", rows)

    def _refuse_changes(self, db: Session, rows: list[dict[str, Any]]) -> None:
        told = {"run": self.run, "first": rows[0]["position"]}
        changed = db.execute("changed", told).fetchall()
        if changed:
            raise LedgerError(changes_text(changed, rows))

    def _next(self, db: Session, told: dict[str, Any]) -> list[Row]:
        rows = db.fetch_together("claim", told | {"run": self.run})
        rows.sort(key=itemgetter("position"))  # they come so; SQL does not promise it
        return rows

    def _withdraw(self, db: Session) -> None:
        told = {"campaign": self.id, "last": self._last}
        db.execute("unload", told)
        db.execute("unload_campaign", told)

    def _forget(self, db: Session) -> None:
        db.execute("forget_run", {"run": self.run})

    # --- rows ---------------------------------------------------------------------------------

    def _place(self, row: Row) -> int:
        """Return where a row stands in the order in which they are claimed."""
        place: int = row["position"]
        return place

    def _claim(self, row: Row) -> "StoredClaim":
        return StoredClaim(**self._fields(row))

    def _fields(self, row: Row) -> dict[str, Any]:
        """Return what makes up the claim of a row."""
        state = row["state"]
        return {
            "campaign": self,
            "row": row["id"],
            "state": state,
            "key": row["key"],
            "index": row["position"],
            "message": read_message(row),
            "attempts": row["attempts"],
            "unknown_attempts": row["unknown_attempts"],
            "doubt": read_doubt(row),
            "earlier": None if row["is_repeated"] else CERTAINTIES[state],
            "may_send": self._is_taken(row),
        }

    def _is_taken(self, row: Row) -> bool:
        """Tell whether the run may send the message of a row that it has claimed."""
        return self._may_send(row, is_tried=row["attempts"] > 0)

    def _may_send(self, row: Row, *, is_tried: bool) -> bool:
        return not row["is_repeated"] and self._choice.allows(row["state"], is_tried=is_tried)


@attrs.define(kw_only=True, eq=False)
class StoredClaim:
    """One message of a campaign, taken by a run. It is a ``Claim``."""

    message: ButtonMessage
    key: str
    index: int
    may_send: bool
    earlier: Certainty | None
    attempts: int
    unknown_attempts: int
    doubt: SendError | None
    _campaign: StoredCampaign = attrs.field(alias="campaign")
    _row: int = attrs.field(alias="row")
    _state: str = attrs.field(alias="state")
    _begun: int = attrs.field(default=0, init=False)

    async def intend(self) -> None:
        """Record durably that an attempt begins. Only when this has returned may it be written.

        Raises:
            LedgerError: It could not be recorded, or the message is no longer this run's.
        """
        await self._move("intend", SENDING, expected=self._state)
        self._begun += 1

    async def postpone(self) -> None:
        """Record that the last attempt provably came to nothing, and another is to follow."""
        await self._move("postpone", PENDING)

    async def settle(self, outcome: Outcome) -> None:
        """Record durably what became of the message; nothing where this run never tried it.

        Raises:
            LedgerError: It could not be recorded: the next run will call it unknown.
        """
        if not self._begun:
            return
        columns = outcome_columns(outcome)
        if outcome.attempts == self.attempts and self.earlier is not None:
            # An intent that no attempt followed: what was known before stands, a refusal too.
            columns |= {"state": STATES[self.earlier], "error": None}
        await self._move("settle", columns.pop("state"), **columns)

    async def _move(self, name: str, to: str, **columns: Any) -> None:
        """Take the message from one state to the next, if it is still where it was left."""
        told = {
            "state": to,
            "id": self._row,
            "attempts": self.attempts + self._begun,
            "now": self._campaign.clock(),
            "campaign": self._campaign.id,
            "run": self._campaign.run,
        } | columns
        await self._campaign.commits.do_under_shield(self._writing(name, told))
        self._state = to

    def _writing(self, name: str, told: dict[str, Any]) -> Joint:
        """Return the work that writes one transition."""
        return Step({"kind": name, **NOTHING_TOLD, **told}, self.message.to)


def changes_text(changed: Sequence[Row], rows: Sequence[dict[str, Any]]) -> str:
    """Say which messages of an input are not those that the campaign has under their keys."""
    first = rows[0]["position"]
    shown = [_change_text(row, rows[row["position"] - first]) for row in changed[:SHOWN]]
    more = len(changed) - len(shown)
    return (
        f"The campaign has other messages under the same keys: {'; '.join(shown)}"
        + (f"; and {more} more" if more > 0 else "")
        + ". Restore what was there to go on with it, or name a new campaign to send the new "
        "messages to everybody"
    )


def _change_text(old: Row, new: dict[str, Any]) -> str:
    """Say what is different in one message."""
    parts = [
        f"{name} was {_shown(name, old[name])}, is now {_shown(name, new[name])}"
        for name in ("text", "buttons", "recipient", "sender")
        if old[name] != new[name]
    ]
    what = ", ".join(parts) or "is not the same message"
    return f"{new['key']!r} (message {new['position']} of the input): {what}"


def _shown(name: str, value: str) -> str:
    if name in ("recipient", "sender"):
        return mask_number(value)
    if name == "buttons":
        return ", ".join(map(repr, json.loads(value)))
    return repr(value if len(value) <= LONGEST_SHOWN else value[: LONGEST_SHOWN - 1] + "…")
