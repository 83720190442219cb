"""What every test shares: both backends, a clean environment, loopback only."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import settings
from services import Postgres, Redis
from virtual_time import virtual_backend

# What a change must pass is the same for everybody; what is new is looked for on purpose.
settings.register_profile("same", derandomize=True)
settings.register_profile("search", max_examples=2000, print_blob=True)
settings.load_profile("same")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run each async test on asyncio and on trio."""
    backend: str = request.param
    return backend


@pytest.fixture(params=["asyncio", "trio"])
def virtual(request: pytest.FixtureRequest) -> tuple[str, Mapping[str, Any]]:
    """Run a test on both backends, on a clock that jumps to the next timer.

    A module that wants it says so by a fixture ``anyio_backend`` that returns this one.
    """
    return virtual_backend(request.param)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own settings out of the tests."""
    for name in (
        "MULTIWHATS_API_KEY",
        "MULTIWHATS_FROM",
        "MULTIWHATS_BASE_URL",
        "MULTIWHATS_LEDGER",
        "MULTIWHATS_REDIS",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Run one PostgreSQL server for all tests; each makes a database of its own."""
    with Postgres() as server:
        yield server


@pytest.fixture
def dsn(postgres: Postgres) -> str:
    """Return the address of a fresh PostgreSQL database."""
    return postgres.database()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    """Run one Redis server for all tests."""
    with Redis() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: Redis) -> str:
    """Return the address of an empty Redis."""
    redis_server.flush()
    return redis_server.url
