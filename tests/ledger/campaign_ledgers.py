"""Ledgers that need no thread, what a first run leaves in them, and how they are broken."""

from typing import Any

from runs import LOST, REFUSED, A, N, R, U
from vendor import Vendor, answer, message, messages

from multiwhats_async import Certainty, Outcome, PostgresLedger, RetryPolicy
from multiwhats_async.ledger._base import DatabaseLedger

ONCE = RetryPolicy(attempts=1, throttled_attempts=1)


class HerePostgresLedger(PostgresLedger):
    """One that needs no thread, and waits in the event loop: its clock may jump."""

    def _new_worker(self) -> None:
        """Return none."""


def found(outcomes: list[Outcome]) -> dict[int, Certainty]:
    """Return the certainty at each position."""
    return {outcome.index: outcome.certainty for outcome in outcomes}


async def on_record(ledger: DatabaseLedger, campaign: str = "spring") -> list[Outcome]:
    """Return all outcomes of a campaign."""
    return [outcome async for outcome in ledger.outcomes(campaign)]


async def first_run(ledger: DatabaseLedger, vendor: Vendor) -> None:
    """Leave one message of each kind on record: 0 accepted to 4 pending."""
    vendor.script = {
        message(1).to: [answer(422)],
        message(2).to: [LOST],
        message(3).to: [REFUSED],
    }
    async with vendor.client(retry=ONCE) as client:
        report = await client.send_many(messages(4), ledger=ledger, campaign="spring")
        assert [outcome.certainty for outcome in report.outcomes] == [A, R, U, N]
        async with client.bulk(messages(5)[4:], ledger=ledger, campaign="spring") as run:
            run.stop()


def connection(ledger: DatabaseLedger) -> Any:
    """Return the connection of an open ledger."""
    database: Any = ledger._database
    return database._connection


def fill(ledger: DatabaseLedger, spare: int) -> None:
    """Leave so many pages before SQLite says that the disk is full."""
    db = connection(ledger)
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages + spare}")


def refuse(ledger: DatabaseLedger, state: str) -> None:
    """Have every write of a state fail."""
    db = connection(ledger)
    if isinstance(ledger, PostgresLedger):
        db.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql"
            " AS 'BEGIN RAISE EXCEPTION ''the disk refuses''; END'"
        )
        table, run = "multiwhats_message", "EXECUTE FUNCTION refuse()"
    else:
        table, run = "message", "BEGIN SELECT RAISE(ABORT, 'the disk refuses'); END"
    db.execute(
        f"CREATE TRIGGER refusing BEFORE UPDATE ON {table} FOR EACH ROW"
        f" WHEN (new.state = '{state}') {run}"
    )


def allow(ledger: DatabaseLedger) -> None:
    """Have writes succeed again."""
    where = " ON multiwhats_message" if isinstance(ledger, PostgresLedger) else ""
    connection(ledger).execute(f"DROP TRIGGER refusing{where}")
