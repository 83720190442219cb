"""What is asked of a ledger's database, one function a question. Each runs in its thread."""

from typing import Any

from .._certainty import Certainty
from .._secret import shown
from ..errors import LedgerError
from ..outcomes import Summary
from ._columns import CERTAINTIES, SENDING, STATES, error_text, orphan_error, resolved_error
from ._statements import Session


def begin(campaign: str, now: float, db: Session) -> tuple[int, int]:
    """Make a campaign where it is new; return its id, and the highest id of a message.

    Nobody is sending it: what is called under way is what a run could not record any more.
    """
    db.execute("add_campaign", {"name": campaign, "now": now})
    found = find(campaign, db)
    take_over(db, campaign=found)
    return found, db.execute("last_message").fetchone()["last"]


def take_over(db: Session, *, campaign: int | None = None) -> None:
    """Call unknown what was under way in a run that is no more.

    Args:
        db: The connection.
        campaign: The campaign's id; None is all.
    """
    for row in db.execute("orphans", {"campaign": campaign}).fetchall():
        db.execute("orphan", {"id": row["id"]})
        told = {"id": row["id"], "receipt": None, "error": error_text(orphan_error(row))}
        db.execute("detail", told)


def names(db: Session) -> tuple[str, ...]:
    """Return the names of all campaigns."""
    return tuple(row["name"] for row in db.execute("list_campaigns"))


def find(campaign: str, db: Session) -> int:
    """Return the id of a campaign.

    Raises:
        LedgerError: There is none of that name.
    """
    row = db.execute("find_campaign", {"name": campaign}).fetchone()
    if row is None:
        there = ", ".join(map(repr, names(db)))
        raise LedgerError(
            f"The ledger has no campaign {shown(campaign)}; it has "
            + (there or "none yet: bulk(…, campaign=…) makes one")
        )
    found: int = row["id"]
    return found


def summary(campaign: str, db: Session) -> Summary:
    """Count the messages of a campaign by their state."""
    told = {"campaign": find(campaign, db)}
    return summary_of(campaign, db.execute("summary", told).fetchone())


def summary_of(campaign: str, row: Any) -> Summary:
    """Return the summary that a count makes up."""
    counts = dict(row)
    credits_: float = counts.pop("credits")
    whole = int(credits_) if credits_.is_integer() else credits_
    return Summary(campaign=campaign, credits=whole, **counts)


def page(told: dict[str, Any], db: Session) -> list[Any]:
    """Return one page of outcomes."""
    return db.execute("outcomes", told).fetchall()


def resolve(
    key: str,
    certainty: Certainty,
    note: str | None,
    campaign: str | None,
    now: float,
    db: Session,
) -> None:
    """Record what an unknown message has turned out to be.

    Raises:
        LedgerError: It is not to be found, not to be told apart, or not unknown.
    """
    if campaign is not None:
        find(campaign, db)
    rows = db.execute("find_key", {"key": key, "campaign": campaign}).fetchall()
    if not rows:
        raise LedgerError(f"No message has the key {shown(key)}: the outcomes show the keys")
    if len(rows) > 1:
        where = ", ".join(repr(row["campaign"]) for row in rows)
        raise LedgerError(f"The key {shown(key)} stands in the campaigns {where}: name one of them")
    (row,) = rows
    state = row["state"]
    if state == STATES[certainty]:
        return
    if state == SENDING:
        raise LedgerError(
            f"The message {shown(key)} is being sent: its run will say what became of it. "
            "Resolve it if that is unknown"
        )
    if state != STATES[Certainty.UNKNOWN]:
        raise LedgerError(
            f"The message {shown(key)} is {CERTAINTIES[state]}, which is known; "
            "only an unknown one can be resolved"
        )
    told = {"id": row["id"], "state": STATES[certainty], "now": now, "note": note}
    db.execute("resolve", told)
    error = error_text(resolved_error(certainty, row["recipient"], note))
    db.execute("resolve_detail", told | {"error": error})
