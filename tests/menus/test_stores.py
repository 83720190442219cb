"""Where sessions are kept: versions, expiry, files."""

import os
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import pytest

from multiwhats_async import ConfigurationError, LedgerError
from multiwhats_async.menus import MemoryMenuStore, MenuStore, Session, SQLiteMenuStore

pytestmark = pytest.mark.anyio

SESSION = Session(
    sender="908503080335",
    customer="905374937766",
    menu="hotel",
    stage="consent",
    data={"guest": "Çağrı 👋"},
    message_id=3664,
    taken=("k",),
    history=((3663, "consent"),),
    steps=2,
    version=1,
)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands."""
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
async def store(
    request: pytest.FixtureRequest, anyio_backend: str, clock: Clock, tmp_path: Path
) -> AsyncIterator[MenuStore]:
    """Open each kind of store."""
    made: Any = (
        MemoryMenuStore(clock=clock, expires_after=60)
        if request.param == "memory"
        else SQLiteMenuStore(tmp_path / "menus.db", clock=clock, expires_after=60)
    )
    async with made:
        yield made


async def load(store: MenuStore, session: Session = SESSION) -> Session | None:
    """Load a session as it is kept."""
    return await store.load(session.menu, session.sender, session.customer)


async def test_what_was_saved_is_loaded(store: MenuStore, clock: Clock) -> None:
    """All of it, with the time of its last step."""
    assert isinstance(store, MenuStore)
    assert await load(store) is None
    assert await store.save(SESSION, expected=0)
    assert await load(store) == attrs.evolve(SESSION, updated_at=clock())
    assert await store.load("other", SESSION.sender, SESSION.customer) is None
    assert "905374937766" not in repr(SESSION)


async def test_of_two_programs_one_makes_the_step(store: MenuStore) -> None:
    """Who comes second is told, and changes nothing."""
    assert await store.save(SESSION, expected=0)
    assert not await store.save(attrs.evolve(SESSION, stage="x"), expected=0)
    second = attrs.evolve(SESSION, stage="service", version=2)
    assert await store.save(second, expected=1)
    assert not await store.save(attrs.evolve(SESSION, stage="x", version=2), expected=1)
    kept = await load(store)
    assert kept is not None
    assert (kept.stage, kept.version) == ("service", 2)


async def test_sessions_expire(store: MenuStore, clock: Clock) -> None:
    """So long after their last step; then there is none, and a new one begins."""
    assert await store.save(SESSION, expected=0)
    clock.seconds += 59
    assert await load(store) is not None
    assert await store.save(attrs.evolve(SESSION, version=2), expected=1)
    clock.seconds += 60
    assert await load(store) is None
    assert not await store.save(attrs.evolve(SESSION, version=3), expected=2)
    assert await store.save(SESSION, expected=0)


async def test_memory_has_an_end(clock: Clock) -> None:
    """The oldest sessions go."""
    store = MemoryMenuStore(most=2, clock=clock)
    sessions = [attrs.evolve(SESSION, customer=f"90530000000{number}") for number in range(4)]
    for session in sessions:
        await store.save(session, expected=0)
    assert [await load(store, session) is None for session in sessions] == [
        True,
        True,
        False,
        False,
    ]
    assert repr(store) == "<MemoryMenuStore 2 sessions>"


async def test_a_file_outlives_the_store(tmp_path: Path, clock: Clock) -> None:
    """And several stores share one; what has expired goes from the file."""
    path = tmp_path / "menus.db"
    first, second = (SQLiteMenuStore(path, clock=clock, expires_after=60) for _ in range(2))
    async with first, second:
        assert await first.save(SESSION, expected=0)
        assert await load(second) is not None
        assert not await second.save(SESSION, expected=0)
        assert await second.save(attrs.evolve(SESSION, version=2), expected=1)
    async with SQLiteMenuStore(path, clock=clock, expires_after=60) as third:
        kept = await load(third)
        assert kept is not None
        assert kept.version == 2
        clock.seconds += 61
        await third.save(attrs.evolve(SESSION, customer="905300000001"), expected=0)
    with sqlite3.connect(path) as reader:
        assert [*reader.execute("SELECT customer FROM session")] == [("905300000001",)]
    reader.close()
    assert str(path) in repr(first)


async def test_it_is_closed_by_the_last_user(tmp_path: Path) -> None:
    """Two engines may use one store."""
    store = SQLiteMenuStore(tmp_path / "menus.db")
    with pytest.raises(ConfigurationError, match="is not open"):
        await load(store)
    async with store:
        async with store:
            assert await load(store) is None
        assert await load(store) is None
    await store.aclose()
    with pytest.raises(ConfigurationError, match="is not open"):
        await store.save(SESSION, expected=0)


async def test_files_that_are_none(tmp_path: Path) -> None:
    """Another program's database, a folder, no database; each stays as it is."""
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE mine (x)")
    database.close()
    notes = tmp_path / "notes.txt"
    notes.write_text("Notes of mine, and no database at all. " * 100, "utf-8")
    before = {path: path.read_bytes() for path in (other, notes)}
    for path, words in (
        (other, "a database of something else"),
        (tmp_path, "cannot be read or written"),
        (tmp_path / "nowhere" / "menus.db", "cannot be read or written"),
        (notes, "file is not a database"),
    ):
        store = SQLiteMenuStore(path)
        with pytest.raises(LedgerError, match=words):
            await store.open()
        with pytest.raises(ConfigurationError, match="is not open"):
            await load(store)
    assert {path: path.read_bytes() for path in (other, notes)} == before
    assert not [*tmp_path.glob("*-wal")]


async def test_a_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """Whole numbers stand in it, and in the files beside it."""
    async with SQLiteMenuStore(tmp_path / "menus.db") as store:
        await store.save(SESSION, expected=0)
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(["menus.db", "menus.db-wal", "menus.db-shm"], 0o600)


async def test_a_file_of_a_newer_version(tmp_path: Path) -> None:
    """It is left as it is, and the error says what to do."""
    path = tmp_path / "menus.db"
    async with SQLiteMenuStore(path):
        pass
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 2")
    database.close()
    with pytest.raises(LedgerError, match="a newer version of multiwhats-async: upgrade"):
        await SQLiteMenuStore(path).open()


async def test_a_network_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its locks cannot keep two programs apart."""
    monkeypatch.setattr("multiwhats_async.menus._stores.network_file_system", lambda _: "nfs4")
    with pytest.raises(LedgerError, match=r"network file system \(nfs4\)"):
        await SQLiteMenuStore(tmp_path / "menus.db").open()
    assert not [*tmp_path.iterdir()]


async def test_a_session_that_cannot_be_read(tmp_path: Path) -> None:
    """The error names the file, and nothing of what stands in it."""
    async with SQLiteMenuStore(tmp_path / "menus.db") as store:
        await store.save(SESSION, expected=0)
        assert store._database is not None
        for data in ("{", "{}", '{"taken": [], "history": [], "x": 1}', "5"):
            store._database.execute("UPDATE session SET data = ?", (data,))
            with pytest.raises(LedgerError, match=r"A session in .*menus.db cannot be read"):
                await load(store)


async def test_what_has_expired_is_purged(store: MenuStore, clock: Clock) -> None:
    """Also where nobody taps any more."""
    assert isinstance(store, MemoryMenuStore | SQLiteMenuStore)
    await store.save(SESSION, expected=0)
    clock.seconds += 30
    await store.save(attrs.evolve(SESSION, customer="905300000001"), expected=0)
    assert await store.purge() == 0
    clock.seconds += 30
    assert await store.purge() == 1
    assert await load(store) is None
    assert await load(store, attrs.evolve(SESSION, customer="905300000001")) is not None


def test_numbers_that_cannot_work(tmp_path: Path) -> None:
    """They are refused when the store is made."""
    for make in (
        lambda: MemoryMenuStore(expires_after=0),
        lambda: MemoryMenuStore(most=0),
        lambda: SQLiteMenuStore(tmp_path / "menus.db", expires_after=-1),
    ):
        with pytest.raises(ConfigurationError, match="must be a"):
            make()


async def test_a_store_after_a_fork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread is not there any more: nobody waits for it."""
    async with SQLiteMenuStore(tmp_path / "menus.db") as store:
        monkeypatch.setattr(os, "getpid", lambda: -1)
        with pytest.raises(ConfigurationError, match="opened before a fork"):
            await load(store)
        monkeypatch.undo()
        assert await load(store) is None


async def test_users_who_come_at_once(tmp_path: Path) -> None:
    """Each finds it open."""
    store = SQLiteMenuStore(tmp_path / "menus.db")

    async def use() -> None:
        async with store:
            assert await load(store) is None

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(use)


async def test_an_opening_that_is_cancelled(tmp_path: Path) -> None:
    """It leaves nothing open, and the next one opens."""
    store = SQLiteMenuStore(tmp_path / "menus.db")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(store.open)
        await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    await store.aclose()
    assert store._database is None
    async with store:
        assert await store.save(SESSION, expected=0)


async def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    """The error says so; nothing was changed, and the store goes on."""
    async with SQLiteMenuStore(tmp_path / "menus.db") as store:
        assert store._database is not None
        store._database.execute("PRAGMA query_only = ON")
        with pytest.raises(LedgerError, match="cannot be read or written: attempt to write"):
            await store.save(SESSION, expected=0)
        store._database.execute("PRAGMA query_only = OFF")
        assert await store.save(SESSION, expected=0)


async def test_a_write_that_fails_half_way(tmp_path: Path) -> None:
    """It is taken back, and the next one finds the file as it was."""
    async with SQLiteMenuStore(tmp_path / "menus.db") as store:
        assert store._database is not None
        store._database.execute(
            "CREATE TEMP TRIGGER full BEFORE INSERT ON session "
            "BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END"
        )
        with pytest.raises(LedgerError, match="disk is full"):
            await store.save(SESSION, expected=0)
        store._database.execute("DROP TRIGGER full")
        assert await load(store) is None
        assert await store.save(SESSION, expected=0)


async def test_a_cancelled_save_is_whole(tmp_path: Path) -> None:
    """It is kept or not, and the store is usable afterwards."""
    async with SQLiteMenuStore(tmp_path / "menus.db") as store:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await store.save(SESSION, expected=0)
        kept = await load(store)
        assert await store.save(attrs.evolve(SESSION, version=2), expected=0 if kept is None else 1)


@pytest.mark.skipif(
    sys.platform != "linux", reason="the locks are asked for as Linux lays them out"
)
async def test_a_second_store_leaves_the_firsts_locks(tmp_path: Path) -> None:
    """To close a file of one's own is to drop all of one's locks on it: nothing here does."""
    path = tmp_path / "menus.db"
    ask = (
        "import fcntl, os, struct, sys\n"
        "asked = struct.pack('hhqqi4x', fcntl.F_WRLCK, os.SEEK_SET, 0x40000002, 510, 0)\n"
        "told = fcntl.fcntl(open(sys.argv[1], 'rb'), fcntl.F_GETLK, asked)\n"
        "print(struct.unpack('hhqqi4x', told)[0] != fcntl.F_UNLCK)\n"
    )

    async def is_locked() -> bool:
        done = await anyio.run_process([sys.executable, "-c", ask, str(path)])
        return done.stdout == b"True\n"

    async with SQLiteMenuStore(path) as first:
        await first.save(SESSION, expected=0)
        assert await is_locked()
        async with SQLiteMenuStore(path) as second:
            assert await load(second) is not None
            assert await is_locked()
        assert await is_locked()
    assert not await is_locked()
