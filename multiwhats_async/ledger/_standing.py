"""Where the messages of an input stand in a ledger that others use: looked at, and left alone."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, Final

from ..errors import LedgerError
from ..models import ButtonMessage
from ..outcomes import Summary
from ._campaign import changes_text
from ._columns import PENDING, SENDING, message_columns
from ._shared import refuse_held
from ._statements import Session
from .postgres import PostgresLedger

BLOCK: Final = 1_000
"""Messages that are looked up at once."""

_FIELDS: Final = {SENDING: "in_flight", PENDING: "not_sent"}
"""The field of a summary for a state of a message that was tried, where it has another name."""


async def standing_of(
    ledger: PostgresLedger,
    campaign: str,
    messages: Iterable[ButtonMessage],
    *,
    sender: str | None,
    is_new: Callable[[str], bool],
) -> Summary | None:
    """Return where the messages of an input stand; each counts once, however often it is there.

    Nothing is written and nothing is locked, so that whoever sends the campaign goes on. What was
    counted a moment ago may be sent by others meanwhile.

    Args:
        ledger: The ledger.
        campaign: The campaign's name.
        messages: The messages.
        sender: The number that sends where a message names none.
        is_new: Tells of each key whether it comes for the first time.

    Returns:
        The counts without the credits, or None where the campaign is new.

    Raises:
        CampaignHeldError: The campaign is paused or cancelled.
        LedgerError: It cannot be read, or a key stands for another message.
    """
    counts: Counter[str] = Counter()
    async with ledger._opened() as commits:  # noqa: SLF001  # one package
        found = await commits.do(partial(_find, campaign))
        if found is None:
            return None
        for rows in _blocks(messages, sender):
            known = await commits.do(partial(_look_up, found, rows))
            counts.update(_field(known.get(row["key"])) for row in rows if is_new(row["key"]))
    return Summary(campaign=campaign, **counts)


def _blocks(messages: Iterable[ButtonMessage], sender: str | None) -> Iterator[list[Any]]:
    """Yield the columns of messages, some at a time."""
    numbered = enumerate(messages)
    while block := [*islice(numbered, BLOCK)]:
        yield [message_columns(message, position, sender) for position, message in block]


def _find(campaign: str, db: Session) -> int | None:
    """Return the id of a campaign, or None where it is new."""
    row = db.execute("find_campaign", {"name": campaign}).fetchone()
    if row is None:
        return None
    found: int = row["id"]
    refuse_held(db.execute("campaign", {"campaign": found}).fetchone())
    return found


def _look_up(campaign: int, rows: Sequence[dict[str, Any]], db: Session) -> dict[str, Any]:
    """Return by its key what the ledger knows of each message."""
    told = {name: [row[name] for row in rows] for name in ("position", "key", "digest")}
    known = db.execute("standing", told | {"campaign": campaign}).fetchall()
    changed = [row for row in known if row["is_changed"]]
    if changed:
        raise LedgerError(changes_text(changed, rows))
    return {row["key"]: row for row in known}


def _field(row: Any) -> str:
    """Return in which field of a summary a message is counted."""
    if row is None or (row["state"] == PENDING and not row["attempts"]):
        return "pending"
    state: str = row["state"]
    return _FIELDS.get(state, state)
