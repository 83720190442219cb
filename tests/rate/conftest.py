"""Each test of a shared rate runs on both servers."""

import pytest
from services import Postgres, Redis
from stores import PostgresStore, RedisStore

Store = PostgresStore | RedisStore


@pytest.fixture
def postgres_store(postgres: Postgres, dsn: str) -> PostgresStore:
    """Return a fresh database."""
    return PostgresStore(postgres, dsn)


@pytest.fixture
def redis_store(redis_server: Redis, redis_url: str) -> RedisStore:
    """Return an empty Redis."""
    return RedisStore(redis_server, redis_url)


@pytest.fixture(params=["postgres", "redis"])
def store(request: pytest.FixtureRequest) -> Store:
    """Return a store of each kind."""
    found: Store = request.getfixturevalue(f"{request.param}_store")
    return found
