"""The figures of a campaign are the same from a file and from PostgreSQL."""

import json
import random
import sqlite3
import tracemalloc
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import psycopg
import pytest

from multiwhats_async import (
    InvalidRequestError,
    NotSentError,
    OutcomeUnknownError,
    PostgresLedger,
    SendError,
    SQLiteLedger,
)
from multiwhats_async.ledger import _figures
from multiwhats_async.ledger._columns import CERTAINTIES, resolved_error
from multiwhats_async.ledger._figures import figures_of

BEGUN = 1_790_000_000.0
MESSAGE = (
    *("key", "position", "sender", "has_own_sender", "recipient", "text", "buttons", "state"),
    *("attempts", "unknown_attempts", "credits", "elapsed", "changed_at"),
)
DETAIL = ("receipt", "error", "note")


def said(state: str, chance: random.Random) -> SendError | None:
    """Return what may have gone wrong with a message in a state."""
    if state == "rejected":
        status = chance.choice([404, 413, 422])
        return InvalidRequestError("no", status_code=status, detail=f"ğ 👋 {status}")
    if state in ("unknown", "sending"):
        cause = chance.choice(["ReadTimeout", "ReadError", "RunEnded"])
        return OutcomeUnknownError("lost", cause=cause)
    return NotSentError("down", cause="ConnectError") if state == "pending" else None


def any_row(place: int, chance: random.Random) -> dict[str, Any]:
    """Return a message in any state, with whatever may be known of it."""
    state = chance.choice(["accepted"] * 5 + ["rejected", "unknown", "pending", "sending"])
    error = said(state, chance)
    row: dict[str, Any] = dict.fromkeys(DETAIL)
    if state == "accepted":
        row["receipt"] = "{}"
    if error is not None and chance.random() < 0.9:
        row["error"] = json.dumps(error.to_dict())
    if state in ("accepted", "rejected") and chance.random() < 0.1:
        found = resolved_error(CERTAINTIES[state], "905374937766", "arandı")
        row |= {"receipt": None, "error": found and json.dumps(found.to_dict()), "note": "arandı"}
    return row | {
        "key": f"k{place}",
        "position": place,
        "sender": chance.choice(["908503080335", "908503080336", "908503080337", ""]),
        "has_own_sender": True,
        "recipient": f"9050000{place:05d}",
        "text": "x",
        "buttons": '["y"]',
        "state": state,
        "attempts": chance.choice([0, 1, 1, 1, 2, 3, 9]),
        "unknown_attempts": chance.choice([0, 0, 1]),
        "credits": 1.0,
        "elapsed": round(chance.expovariate(3), 4),
        "changed_at": BEGUN + round(chance.uniform(0, 500), 3),
    }


def fill_file(path: Path, rows: list[dict[str, Any]]) -> None:
    """Put messages into a file."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO campaign (id, name, created_at) VALUES (1, 'spring', ?)", (BEGUN,))
        for number, row in enumerate(rows, start=1):
            db.execute(
                f"INSERT INTO message (id, campaign, {', '.join(MESSAGE)}) VALUES"  # noqa: S608  # our own names
                f" ({number}, 1, {', '.join(':' + name for name in MESSAGE)})",
                row,
            )
            db.execute(
                f"INSERT INTO detail (message, receipt, error, note) VALUES ({number}, :receipt,"  # noqa: S608  # likewise
                " :error, :note)",
                row,
            )


def fill_server(dsn: str, rows: list[dict[str, Any]]) -> None:
    """Put the same messages into PostgreSQL; some are claimed, and rest in their state."""
    values = ", ".join(
        f"to_timestamp(%({name})s)" if name == "changed_at" else f"%({name})s" for name in MESSAGE
    )
    with psycopg.connect(dsn) as db:
        db.execute(
            "INSERT INTO multiwhats_campaign (name, created_at)"
            " VALUES ('spring', to_timestamp(%s))",
            [BEGUN],
        )
        db.cursor().executemany(
            f"INSERT INTO multiwhats_message (campaign, batch, {', '.join(MESSAGE)})"  # noqa: S608  # likewise
            f" VALUES (1, 1, {values})",
            rows,
        )
        db.cursor().executemany(
            "INSERT INTO multiwhats_detail (message, receipt, error, note) SELECT id, %(receipt)s,"
            " %(error)s, %(note)s FROM multiwhats_message WHERE key = %(key)s",
            rows,
        )
        db.execute(
            "UPDATE multiwhats_message SET resting = state, state = 'claimed'"
            " WHERE position % 7 = 0 AND state IN ('pending', 'unknown', 'rejected')"
        )


async def opened(ledger: SQLiteLedger | PostgresLedger) -> None:
    """Let a ledger make its tables."""
    async with ledger:
        pass


@pytest.mark.parametrize("count", [0, 1, 2, 700])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_campaign_has_the_same_figures(
    tmp_path: Path, dsn: str, monkeypatch: pytest.MonkeyPatch, count: int, seed: int
) -> None:
    """To the last digit, whatever its messages have come to; what is claimed rests where it was."""
    monkeypatch.setattr(_figures, "MOST_LISTED", 20)
    monkeypatch.setattr(_figures, "MOST_SENDERS", 2)
    chance = random.Random(seed)
    rows = [any_row(place, chance) for place in range(count)]
    file, server = SQLiteLedger(tmp_path / "a.ledger"), PostgresLedger(dsn)
    for ledger in (file, server):
        anyio.run(opened, ledger)
    fill_file(tmp_path / "a.ledger", [row for row in rows if row["state"] != "sending"])
    fill_server(dsn, [row for row in rows if row["state"] != "sending"])
    one, other = (anyio.run(figures_of, ledger, "spring") for ledger in (file, server))
    assert one == other
    assert one.summary.total == sum(row["state"] != "sending" for row in rows)
    assert (one.latency is not None) is any(row["receipt"] and row["attempts"] for row in rows)


def test_what_is_being_sent_counts_as_unknown(dsn: str) -> None:
    """It may have gone out, and others see it as long as the run goes on."""
    chance = random.Random(1)
    rows = [any_row(place, chance) | {"state": "sending", "attempts": 1} for place in range(3)]
    ledger = PostgresLedger(dsn)
    anyio.run(opened, ledger)
    fill_server(dsn, rows)
    with psycopg.connect(dsn) as db:  # else the run counts as dead
        db.execute(
            "WITH run AS (INSERT INTO multiwhats_run (campaign, worker, alive_until)"
            " VALUES (1, 'a:1', now() + interval '1 h') RETURNING id)"
            " UPDATE multiwhats_message SET owner = run.id FROM run"
        )
    figures = anyio.run(figures_of, ledger, "spring")
    assert (figures.summary.in_flight, figures.course, figures.latency) == (3, None, None)
    assert len(figures.unknown) == 3


def test_twenty_thousand_messages_take_little_memory(dsn: str) -> None:
    """Rows are fetched some at a time: the driver would hold all of a plain query."""
    ledger = PostgresLedger(dsn)
    anyio.run(opened, ledger)
    error = json.dumps(InvalidRequestError("no", status_code=422, detail="ğ" * 300).to_dict())
    with psycopg.connect(dsn) as db:
        db.execute("INSERT INTO multiwhats_campaign (name) VALUES ('spring')")
        db.execute(
            "INSERT INTO multiwhats_message (campaign, batch, key, position, sender,"
            " has_own_sender, recipient, text, buttons, state, attempts, elapsed)"
            " SELECT 1, 1, n, n, '908503080335', false, '905374937766', 'x', '[]',"
            " CASE n % 2 WHEN 0 THEN 'accepted' ELSE 'rejected' END, 1, 0.2"
            " FROM generate_series(1, 20000) AS n"
        )
        db.execute(
            "INSERT INTO multiwhats_detail (message, receipt, error) SELECT id,"
            " CASE state WHEN 'accepted' THEN '{}' END, CASE state WHEN 'rejected' THEN %s END"
            " FROM multiwhats_message",
            [error],
        )
    anyio.run(figures_of, ledger, "spring")
    tracemalloc.start()
    figures = anyio.run(figures_of, ledger, "spring")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000
    assert [kind.count for kind in figures.errors] == [10_000]
    assert figures.latency is not None
    assert figures.latency.percentiles == (0.2, 0.2, 0.2, 0.2)
