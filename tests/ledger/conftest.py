"""What the tests of campaigns run on."""

import pytest
from ledger.campaign_ledgers import HerePostgresLedger

from multiwhats_async import MemoryLedger
from multiwhats_async.ledger._base import DatabaseLedger


@pytest.fixture
def memory() -> MemoryLedger:
    """Keep a ledger in memory."""
    return MemoryLedger()


@pytest.fixture(params=["memory", "postgres"])
def ledger(request: pytest.FixtureRequest) -> DatabaseLedger:
    """Keep a ledger in memory, with the same SQL as in a file, and one in PostgreSQL."""
    if request.param == "memory":
        return MemoryLedger()
    return HerePostgresLedger(request.getfixturevalue("postgres").schema())
