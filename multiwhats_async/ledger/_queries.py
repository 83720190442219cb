"""What is asked of a ledger's database, one function a question. Each runs in its thread."""

import sqlite3
from typing import Any

from .._certainty import Certainty
from ..errors import LedgerError
from ..outcomes import Summary
from ._columns import CERTAINTIES, SENDING, STATES, error_text, orphan_error, resolved_error
from ._statements import sql


def begin(campaign: str, now: float, db: sqlite3.Connection) -> tuple[int, int]:
    """Make a campaign where it is new; return its id, and the highest id of a message.

    Nobody is sending it: what is called under way is what a run could not record any more.
    """
    db.execute(sql("add_campaign"), {"name": campaign, "now": now})
    found = find(campaign, db)
    take_over(db, campaign=found)
    return found, db.execute(sql("last_message")).fetchone()["last"]


def take_over(db: sqlite3.Connection, *, campaign: int | None = None) -> None:
    """Call unknown what was under way in a run that is no more.

    Args:
        db: The connection.
        campaign: The campaign's id; None is all.
    """
    for row in db.execute(sql("orphans"), {"campaign": campaign}).fetchall():
        db.execute(sql("orphan"), {"id": row["id"]})
        told = {"id": row["id"], "receipt": None, "error": error_text(orphan_error(row))}
        db.execute(sql("detail"), told)


def names(db: sqlite3.Connection) -> tuple[str, ...]:
    """Return the names of all campaigns."""
    return tuple(row["name"] for row in db.execute(sql("list_campaigns")))


def find(campaign: str, db: sqlite3.Connection) -> int:
    """Return the id of a campaign.

    Raises:
        LedgerError: There is none of that name.
    """
    row = db.execute(sql("find_campaign"), {"name": campaign}).fetchone()
    if row is None:
        there = ", ".join(map(repr, names(db)))
        raise LedgerError(
            f"The ledger has no campaign {campaign!r}; it has "
            + (there or "none yet: bulk(…, campaign=…) makes one")
        )
    found: int = row["id"]
    return found


def summary(campaign: str, db: sqlite3.Connection) -> Summary:
    """Count the messages of a campaign by their state."""
    told = {"campaign": find(campaign, db)}
    return summary_of(campaign, db.execute(sql("summary"), told).fetchone())


def summary_of(campaign: str, row: sqlite3.Row) -> Summary:
    """Return the summary that a count makes up."""
    counts = dict(zip(row.keys(), row, strict=True))
    credits_: float = counts.pop("credits")
    whole = int(credits_) if credits_.is_integer() else credits_
    return Summary(campaign=campaign, credits=whole, **counts)


def page(told: dict[str, Any], db: sqlite3.Connection) -> list[sqlite3.Row]:
    """Return one page of outcomes."""
    return db.execute(sql("outcomes"), told).fetchall()


def resolve(
    key: str,
    certainty: Certainty,
    note: str | None,
    campaign: str | None,
    now: float,
    db: sqlite3.Connection,
) -> None:
    """Record what an unknown message has turned out to be.

    Raises:
        LedgerError: It is not to be found, not to be told apart, or not unknown.
    """
    if campaign is not None:
        find(campaign, db)
    rows = db.execute(sql("find_key"), {"key": key, "campaign": campaign}).fetchall()
    if not rows:
        raise LedgerError(f"No message has the key {key!r}: the outcomes show the keys")
    if len(rows) > 1:
        where = ", ".join(repr(row["campaign"]) for row in rows)
        raise LedgerError(f"The key {key!r} stands in the campaigns {where}: name one of them")
    (row,) = rows
    state = row["state"]
    if state == STATES[certainty]:
        return
    if state == SENDING:
        raise LedgerError(
            f"The message {key!r} is being sent: its run will say what became of it. "
            "Resolve it if that is unknown"
        )
    if state != STATES[Certainty.UNKNOWN]:
        raise LedgerError(
            f"The message {key!r} is {CERTAINTIES[state]}, which is known; "
            "only an unknown one can be resolved"
        )
    told = {"id": row["id"], "state": STATES[certainty], "now": now, "note": note}
    db.execute(sql("resolve"), told)
    error = error_text(resolved_error(certainty, row["recipient"], note))
    db.execute(sql("resolve_detail"), told | {"error": error})
