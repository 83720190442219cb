"""The ledger that the program keeps beside a file of messages."""

from pathlib import Path

import anyio

from multiwhats_async import SQLiteLedger, Summary


def ledger_of(path: Path) -> Path:
    """Return the ledger that stands beside a file of messages."""
    return path.with_name(path.name + ".ledger")


def summary_of(path: Path, campaign: str = "in.csv") -> Summary:
    """Return where a file's campaign stands."""
    return anyio.run(SQLiteLedger(ledger_of(path)).summary, campaign)
