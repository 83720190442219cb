"""The servers of the tests are real, and come back after a crash."""

import psycopg
import pytest
from services import Postgres, Redis


def test_postgres_comes_back_with_what_was_committed(postgres: Postgres) -> None:
    """A crash loses no commit, and every connection."""
    dsn = postgres.database()
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE kept (x int)")
        connection.commit()
        postgres.crash()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    postgres.start()
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_redis_comes_back(redis_server: Redis) -> None:
    """It answers on the same port."""
    redis_server.crash()
    assert not redis_server.answers()
    redis_server.start()
    assert redis_server.answers()
