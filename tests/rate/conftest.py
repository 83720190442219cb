"""Each test of a shared rate runs on both servers."""

import psycopg
import pytest
from services import Postgres, Redis
from stores import PostgresStore, RedisStore

Store = PostgresStore | RedisStore


@pytest.fixture(scope="session")
def rate_dsn(postgres: Postgres) -> str:
    """Return the address of one database for all: a server with many is slow to restart."""
    return postgres.database()


@pytest.fixture
def postgres_store(postgres: Postgres, rate_dsn: str) -> PostgresStore:
    """Return a database without the tables of a rate."""
    with psycopg.connect(rate_dsn, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS multiwhats_rate_slot, multiwhats_rate_hold")
    return PostgresStore(postgres, rate_dsn)


@pytest.fixture
def redis_store(redis_server: Redis, redis_url: str) -> RedisStore:
    """Return an empty Redis."""
    return RedisStore(redis_server, redis_url)


@pytest.fixture(params=["postgres", "redis"])
def store(request: pytest.FixtureRequest) -> Store:
    """Return a store of each kind."""
    found: Store = request.getfixturevalue(f"{request.param}_store")
    return found
