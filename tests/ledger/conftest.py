"""What the tests of ledgers run on."""

import pytest
from ledger.campaign_ledgers import HerePostgresLedger
from services import Postgres

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


@pytest.fixture
def dsn(postgres: Postgres) -> str:
    """Return the address of a fresh schema."""
    return postgres.schema()
