"""The passwords of the databases and queues show up nowhere but on the wire."""

import copy
import json
import logging
import pickle
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from coredis import Redis as Client
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from services import Redis
from shown import everything_about

from multiwhats_async import (
    LedgerError,
    MultiWhatsError,
    PostgresLedger,
    PostgresRate,
    RateError,
    RedisRate,
)
from multiwhats_async.integrations.streaq import StreaqQueue

pytestmark = pytest.mark.anyio

PASSWORD = "gizli7Parola"  # noqa: S105  # a test's
NOWHERE = f"ayse:{PASSWORD}@127.0.0.1:1"

OPENED: dict[str, Callable[[], Any]] = {
    "PostgresLedger": lambda: PostgresLedger(f"postgresql://{NOWHERE}/kutu"),
    "PostgresRate": lambda: PostgresRate(f"postgresql://{NOWHERE}/kutu", 1, patience=0),
    "RedisRate": lambda: RedisRate(f"redis://{NOWHERE}/0", 1, patience=0),
    "StreaqQueue": lambda: StreaqQueue(f"redis://{NOWHERE}/0"),
}


def insides(value: object, depth: int = 6) -> list[str]:
    """Return the representation of an object, and of all of ours that it holds."""
    shown = [repr(value), str(value)]
    fields = list(getattr(value, "__dict__", {}).values())
    fields += [getattr(value, name, None) for name in getattr(value, "__slots__", ())]
    if type(value).__module__.startswith("multiwhats_async") and depth:
        if type(value).__name__ == "Secret":
            return shown  # what it holds it shows to nobody: that is held elsewhere
        for field in fields:
            shown += insides(field, depth - 1)
    return shown


@pytest.mark.parametrize("kind", list(OPENED))
def test_nothing_of_what_is_opened_shows_it(kind: str) -> None:
    """Neither a representation nor any field, at whatever depth, nor a copy of either."""
    made = OPENED[kind]()
    shown = "\n".join(insides(made))
    assert "Secret(****)" in shown
    assert PASSWORD not in shown
    for serialise in (json.dumps, pickle.dumps):
        with pytest.raises(TypeError):
            serialise(made)
    assert PASSWORD not in "\n".join(insides(copy.copy(made)))


@pytest.mark.parametrize("kind", ["PostgresLedger", "PostgresRate", "RedisRate"])
async def test_a_server_that_is_not_there(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """The whole chain of the error, and the locals of every frame in it, hold no password."""
    caplog.set_level(logging.DEBUG)
    made = OPENED[kind]()
    with pytest.raises(MultiWhatsError) as caught:
        await made.open()
    shown = everything_about(caught.value, but=__file__) + caplog.text
    assert "127.0.0.1" in shown
    assert PASSWORD not in shown


@pytest.fixture
def locked(dsn: str) -> str:
    """Return the address of a database that does not know the user, with a password."""
    given = conninfo_to_dict(dsn)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS nobody")
    return make_conninfo(**given | {"user": "nobody", "password": PASSWORD})  # type: ignore[arg-type]  # texts all


@pytest.mark.parametrize("kind", [PostgresLedger, PostgresRate])
async def test_postgres_refuses_the_user(kind: Any, locked: str) -> None:
    """What the server itself says is told, and nothing of what it was told."""
    made = kind(locked) if kind is PostgresLedger else kind(locked, 1)
    with pytest.raises((LedgerError, RateError), match="nobody") as caught:
        await made.open()
    assert PASSWORD not in everything_about(caught.value, but=__file__)
    assert PASSWORD.encode() not in pickle.dumps(caught.value)


async def test_redis_refuses_the_password(redis_server: Redis, redis_url: str) -> None:
    """Likewise, over the frames of a client that keeps its address in plain text."""
    client: Any = Client.from_url(redis_url)
    async with client:
        await client.acl_setuser("ayse", "on", ">another", "~*", "+@all")
    address = redis_url.replace("://", f"://ayse:{PASSWORD}@")
    rate = RedisRate(address, 1, patience=0)
    with pytest.raises(RateError) as caught:
        await rate.open()
    assert PASSWORD not in everything_about(caught.value, but=__file__)
