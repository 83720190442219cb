"""A campaign in a ledger, as a run that sends it sees it: load, claim, intend, settle."""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs

from .._certainty import Certainty
from .._secret import mask_number
from ..errors import LedgerError, SendError
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
from ._commits import Commits
from ._queries import summary_of
from ._statements import sql

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


class SQLiteCampaign:
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
        self._name = name
        self._campaign = campaign
        self._run = run
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

    async def admit(self, index: int, message: ButtonMessage) -> "SQLiteClaim":
        """Load one message and claim it at once, in one transaction."""

        def work(db: sqlite3.Connection) -> Row:
            self._load(db, self._columns(index, [message]))
            return self._next(db, after=index - 1, count=1)[0]

        return self._claim(await self.commits.do(work))

    async def claim(self, count: int) -> Sequence["SQLiteClaim"]:
        """Return the next messages of the input, at most so many; none at its end."""
        after = self._after
        rows = await self.commits.do(lambda db: self._next(db, after=after, count=count))
        if rows:
            self._after = rows[-1]["position"]
        return [self._claim(row) for row in rows]

    async def rest(self) -> Counter[Certainty]:
        """Count what was not claimed of the input, by what is known of it without trying it."""
        told = {"run": self._run, "after": self._after}
        rows = await self.commits.do(lambda db: db.execute(sql("rest"), told).fetchall())
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

        def work(db: sqlite3.Connection) -> Summary:
            row = db.execute(sql("input_summary"), {"run": self._run}).fetchone()
            return summary_of(self._name, row)

        return await self.commits.do(work)

    async def withdraw(self) -> None:
        """Take back what this run has added and not tried, and a campaign that is empty then."""
        told = {"campaign": self._campaign, "last": self._last}

        def work(db: sqlite3.Connection) -> None:
            db.execute(sql("unload"), told)
            db.execute(sql("unload_campaign"), {"campaign": self._campaign})

        await self.commits.do(work)

    async def aclose(self) -> None:
        """Forget the run's input; the campaign stays."""
        run = self._run

        def work(db: sqlite3.Connection) -> None:
            db.execute(sql("forget_run"), {"run": run})

        try:
            await self.commits.do(work)
        finally:
            self._on_close()

    def _columns(self, first: int, messages: Sequence[ButtonMessage]) -> list[dict[str, Any]]:
        shared = {"campaign": self._campaign, "run": self._run, "now": self.clock()}
        return [
            message_columns(message, position, self._sender) | shared
            for position, message in enumerate(messages, start=first)
        ]

    def _load(self, db: sqlite3.Connection, rows: list[dict[str, Any]]) -> None:
        db.execute("SAVEPOINT load")
        db.executemany(sql("load"), rows)
        db.executemany(sql("load_input"), rows)
        try:
            self._refuse_changes(db, rows)
        except LedgerError:  # this load's own concern; an error of SQLite's ends the transaction
            db.execute("ROLLBACK TO load")
            raise
        finally:
            db.execute("RELEASE load")

    def _refuse_changes(self, db: sqlite3.Connection, rows: list[dict[str, Any]]) -> None:
        told = {"run": self._run, "first": rows[0]["position"]}
        changed = db.execute(sql("changed"), told).fetchall()
        if changed:
            raise LedgerError(_changes_text(changed, rows))

    def _next(self, db: sqlite3.Connection, *, after: int, count: int) -> list[sqlite3.Row]:
        told = {"run": self._run, "after": after, "count": count}
        return db.execute(sql("claim"), told).fetchall()

    def _claim(self, row: Row) -> "SQLiteClaim":
        state = row["state"]
        return SQLiteClaim(
            campaign=self,
            row=row["id"],
            state=state,
            key=row["key"],
            index=row["position"],
            message=read_message(row),
            attempts=row["attempts"],
            unknown_attempts=row["unknown_attempts"],
            doubt=read_doubt(row),
            earlier=None if row["is_repeated"] else CERTAINTIES[state],
            may_send=self._may_send(row, is_tried=row["attempts"] > 0),
        )

    def _may_send(self, row: Row, *, is_tried: bool) -> bool:
        return not row["is_repeated"] and self._choice.allows(row["state"], is_tried=is_tried)


@attrs.define(kw_only=True, eq=False)
class SQLiteClaim:
    """One message of a campaign, taken by a run. It is a ``Claim``."""

    message: ButtonMessage
    key: str
    index: int
    may_send: bool
    earlier: Certainty | None
    attempts: int
    unknown_attempts: int
    doubt: SendError | None
    _campaign: SQLiteCampaign = attrs.field(alias="campaign")
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
        detail = {"id": self._row, "receipt": columns["receipt"], "error": columns["error"]}
        await self._move("settle", columns.pop("state"), detail, **columns)

    async def _move(
        self, name: str, to: str, detail: dict[str, Any] | None = None, **columns: Any
    ) -> None:
        """Take the message from one state to the next, if it is still where it was left."""
        told = {
            "state": to,
            "id": self._row,
            "attempts": self.attempts + self._begun,
            "now": self._campaign.clock(),
        } | columns

        def work(db: sqlite3.Connection) -> bool:
            if db.execute(sql(name), told).rowcount != 1:
                return False
            if detail is not None:
                db.execute(sql("detail"), detail)
            return True

        if not await self._campaign.commits.do(work):
            raise LedgerError(
                f"The message to {mask_number(self.message.to)} was changed in the ledger while "
                "it was being sent: its claim no longer holds"
            )
        self._state = to


def _changes_text(changed: Sequence[Row], rows: Sequence[dict[str, Any]]) -> str:
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
