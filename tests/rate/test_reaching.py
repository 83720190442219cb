"""A shared rate and its server: opening, closing, failing, and coming back."""

import os
import pickle
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import psycopg
import pytest
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from stores import PostgresStore, RedisStore

from multiwhats_async import ConfigurationError, PostgresRate, Rate, RateError, RedisRate
from multiwhats_async.rate import _shared

pytestmark = pytest.mark.anyio

Store = PostgresStore | RedisStore

STREAMS = (MemoryObjectReceiveStream, MemoryObjectSendStream)

SECRET = "gizli-söz"  # noqa: S105  # opens nothing


class Clock:
    """A time that passes only while somebody sleeps, and what is done meanwhile."""

    def __init__(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []
        self.meanwhile = meanwhile

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds
        self.meanwhile()
        await anyio.lowlevel.checkpoint()


async def test_it_is_opened_and_closed(store: Store) -> None:
    """It says which it is, and can be opened again."""
    rate = store.rate(80, name="spring")
    text = f"<{store.kind.__name__} 'spring' 80 a second"
    assert repr(rate) == f"{text} (closed)>"
    for _ in range(2):
        async with rate:
            assert repr(rate) == f"{text} (open)>"
            await rate.reserve("a")
            with pytest.raises(ConfigurationError, match="is open already"):
                await rate.open()
    await rate.aclose()


async def test_one_that_is_not_open_says_how_to_open_it(store: Store) -> None:
    """Before and after its block."""
    rate = store.rate(80)
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: rate.reserve("a"),
        lambda: rate.postpone("a", 1),
    ]
    for call in calls:
        with pytest.raises(ConfigurationError, match=f"async with {store.kind.__name__}"):
            await call()


async def test_after_a_fork_it_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes on one connection would take each other's answers."""
    async with store.rate(80) as rate:
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: -1)
            with pytest.raises(ConfigurationError, match="before a fork"):
                await rate.reserve("a")


async def test_another_event_loop_is_refused(store: Store) -> None:
    """Its answers would arrive nowhere."""
    async with store.rate(80) as rate:
        with pytest.raises(ConfigurationError, match="another event loop"):
            await anyio.to_thread.run_sync(lambda: anyio.run(rate.reserve, "a"))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"rate": 0}, "per_second"),
        ({"rate": Rate(1), "name": ""}, "name must be"),
        ({"patience": -1}, "patience must be"),
        ({"patience": None}, "patience must be"),
    ],
)
async def test_arguments_that_cannot_work_are_refused(
    store: Store, changes: dict[str, Any], text: str
) -> None:
    """At once, and by name."""
    with pytest.raises(ConfigurationError, match=text):
        store.rate(**{"rate": 1} | changes)


@pytest.mark.parametrize("kind", [PostgresRate, RedisRate])
@pytest.mark.parametrize(
    "address",
    [
        PostgresStore.broken,
        RedisStore.broken,
        f"redis://host?max_connections={SECRET}",
        f"http://:{SECRET}@host",
        "redis://",
    ],
)
def test_an_address_that_cannot_be_read_is_not_shown(kind: Any, address: str) -> None:
    """There may be a password in it."""
    with pytest.raises(ConfigurationError, match=r"^(dsn|url) ") as caught:
        kind(address, 80)
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


async def test_a_missing_package_is_named(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    monkeypatch.setitem(__import__("sys").modules, store.module, None)
    extra = "postgres" if store.module == "psycopg" else "redis"
    with pytest.raises(ConfigurationError, match=rf'pip install "multiwhats-async\[{extra}\]"'):
        store.rate(80)


async def test_a_wrong_address_is_told_at_once(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """Without its password, and without waiting; opening it again tells it again."""
    rate = store.kind(store.unreachable, 80)
    for _ in range(2):
        with pytest.raises(RateError, match=r"be reached: .*127\.0\.0\.1") as caught:
            await rate.open()
    shown = f"{caught.value!r} {rate!r} {caplog.text} {caught.value.__context__!r}"
    assert SECRET not in shown
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301  # ours


async def test_postgres_refuses_a_wrong_password(postgres_store: PostgresStore) -> None:
    """It is told as what it is, and not shown."""
    hba = Path(str(postgres_store.server._folder)) / "pg_hba.conf"  # type: ignore[attr-defined]  # a Postgres
    before = hba.read_text("utf-8")
    with psycopg.connect(postgres_store.address, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS locked")
        connection.execute("CREATE ROLE locked LOGIN PASSWORD 'right'")
        hba.write_text(f"local all locked scram-sha-256\n{before}", "utf-8")
        connection.execute("SELECT pg_reload_conf()")
        try:
            address = psycopg.conninfo.make_conninfo(
                postgres_store.address, user="locked", password=SECRET
            )
            with pytest.raises(RateError, match="password authentication failed") as caught:
                await PostgresRate(address, 80).open()
        finally:
            hba.write_text(before, "utf-8")
            connection.execute("SELECT pg_reload_conf()")
    assert SECRET not in str(caught.value)


async def test_tables_that_may_not_be_written_are_told_at_once(
    postgres_store: PostgresStore,
) -> None:
    """When it is opened, and not at the first message."""
    async with postgres_store.rate(1):
        pass
    with psycopg.connect(postgres_store.address, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS reader")
        connection.execute("CREATE ROLE reader LOGIN")
    address = psycopg.conninfo.make_conninfo(postgres_store.address, user="reader")
    with pytest.raises(RateError, match="permission denied"):
        await PostgresRate(address, 80).open()


async def test_redis_refuses_a_wrong_password(redis_store: RedisStore) -> None:
    """It is told as what it is, and not shown."""
    redis_store.command("ACL", "SETUSER", "locked", "on", ">right", "~*", "+@all")
    place = redis_store.address.removeprefix("redis://")
    with pytest.raises(RateError, match=r"WRONGPASS|invalid username-password") as caught:
        await RedisRate(f"redis://locked:{SECRET}@{place}", 80).open()
    assert SECRET not in str(caught.value)
    async with RedisRate(f"redis://locked:right@{place}", 80) as rate:
        await rate.reserve("a")


async def test_a_server_that_restarts_costs_nothing_but_time(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """Slots go on where they were; what is lost is never given twice."""
    clock = Clock()
    async with store.rate(1, clock=clock, sleep=clock.sleep) as rate:
        await rate.postpone("a", 100)
        waits = [await rate.reserve("a")]
        until = store.held_until()
        store.server.crash()
        clock.meanwhile = cache(store.server.start)  # once
        async with anyio.create_task_group() as tasks:
            for sender in ("a", "b"):
                tasks.start_soon(rate.reserve, sender)
        assert clock.sleeps
        waits.append(await rate.reserve("a"))
        if isinstance(store, RedisStore):  # it forgets nothing that is on its disk, as here
            assert store.next_slot("a") - until == pytest.approx(3, abs=1e-5)
    assert waits[1] - waits[0] < 3
    assert "could not be reached" in caplog.text
    assert "trying again" in caplog.text


async def test_patience_ends(store: Store) -> None:
    """All that wait are told, with what the server last said; once it is back, slots are too."""
    clock = Clock()
    errors: list[RateError] = []
    async with store.rate(1, clock=clock, sleep=clock.sleep, patience=10) as rate:

        async def take() -> None:
            with pytest.raises(RateError, match="could not be reached: ") as caught:
                await rate.reserve("a")
            errors.append(caught.value)

        store.server.crash()
        try:
            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(take)
            assert clock.now <= 10
            assert clock.sleeps[0] < 0.06
            assert max(clock.sleeps) <= _shared.LONGEST_PAUSE
            with pytest.raises(RateError):
                await rate.postpone("a", 1)
        finally:
            store.server.start()
        assert await rate.reserve("a") >= 0
    assert len(errors) == 3


async def test_no_answer_is_an_answer(
    postgres_store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who has locked the row holds nobody up for good."""
    async with postgres_store.rate(1, patience=0) as rate:
        await rate.reserve("a")
        with psycopg.connect(postgres_store.address) as connection:
            connection.execute("SELECT * FROM multiwhats_rate_slot FOR UPDATE")
            monkeypatch.setattr(_shared, "ANSWER_SECONDS", 0.01)
            with pytest.raises(RateError, match=r"no answer within 0\.01 s"):
                await rate.reserve("a")
            monkeypatch.undo()
        assert await rate.reserve("a") > 0


async def test_a_reserve_that_is_cancelled_leaves_the_rate_usable(store: Store) -> None:
    """Its slot may be lost; nobody waits for it."""
    async with store.rate(1) as rate:
        for _ in range(3):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(rate.reserve, "a")
                await anyio.lowlevel.checkpoint()
                await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
        assert await rate.reserve("a") < 4


async def test_closing_ends_those_who_wait(store: Store) -> None:
    """They are told that it is closed, and not left waiting for a server."""
    clock = Clock()
    failed, told = anyio.Event(), []

    async def never(sender: str, seconds: float) -> float:
        failed.set()
        clock.now = 0
        raise _shared.UnreachableError("gone")

    async def take() -> None:
        with pytest.raises(ConfigurationError, match="not open") as caught:
            await rate.reserve("a")
        told.append(caught.value)

    async with anyio.create_task_group() as tasks:
        async with store.rate(1, clock=clock, sleep=clock.sleep) as rate:
            rate._advance = never  # type: ignore[method-assign]  # as a server that is gone
            tasks.start_soon(take)
            await failed.wait()
    assert len(told) == 1


async def test_a_redis_that_is_being_closed_says_so(redis_store: RedisStore) -> None:
    """Whoever comes in that moment gets no slot."""
    async with RedisRate(redis_store.address, 1, patience=0) as rate:
        rate._tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(RateError, match="being closed"):
                await rate.reserve("a")


async def test_a_connection_that_never_ran_is_let_go(redis_store: RedisStore) -> None:
    """One that is cancelled before its first step leaves no stream open: warnings are errors."""
    async with RedisRate(redis_store.address, 1) as rate:
        assert rate._client is not None
        pool = rate._client.connection_pool
        connection = await pool._construct_connection()
        streams = [each for each in vars(connection).values() if isinstance(each, STREAMS)]
    assert len(streams) == 6
    for stream in streams:
        with pytest.raises(anyio.ClosedResourceError):
            stream.clone()
