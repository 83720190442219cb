"""A ledger's file: what it is opened with, and every way in which it cannot be trusted."""

import os
import sqlite3
import stat
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import anyio
import pytest
from vendor import messages

from multiwhats_async import (
    Certainty,
    ConfigurationError,
    LedgerError,
    MemoryLedger,
    SQLiteLedger,
)
from multiwhats_async.ledger import _database, _place, _statements

pytestmark = pytest.mark.anyio

SENDER = "908503080335"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a file that is not there yet."""
    return tmp_path / "çağrı 👋.ledger"


async def filled(path: Path, count: int = 20) -> SQLiteLedger:
    """Return an open ledger with a campaign of messages, the first of which is under way."""
    ledger = SQLiteLedger(path)
    await ledger.open()
    run = await ledger.begin("spring", sender=SENDER)
    await run.load(0, messages(count))
    (claim,) = await run.claim(1)
    await claim.intend()
    return ledger


def kept(path: Path) -> dict[str, bytes]:
    """Return the files of a ledger as a crash would leave them."""
    names = [path, path.with_name(path.name + "-wal")]
    return {str(name): name.read_bytes() for name in names}


async def crashed(path: Path, count: int = 20) -> dict[str, bytes]:
    """Leave the files of a process that died; return them."""
    ledger = await filled(path, count)
    files = kept(path)
    await ledger.aclose()
    put_back(files)
    return files


def put_back(files: dict[str, bytes]) -> None:
    """Write files as they were."""
    for name, data in files.items():
        Path(name).write_bytes(data)


async def refused(path: Path | str) -> str:
    """Return why a ledger cannot be opened; it must be the same a second time."""
    texts = []
    for _ in range(2):
        with pytest.raises(LedgerError) as caught:
            await SQLiteLedger(path).open()
        texts.append(str(caught.value))
    assert texts[0] == texts[1]
    return texts[0]


# --- opening ----------------------------------------------------------------------------------


async def test_the_pragmas_are_in_force(path: Path) -> None:
    """Each as it was measured, read back from the connection; also of a file that was there."""
    for _ in range(2):
        async with SQLiteLedger(path) as ledger:
            db = ledger._database._connection
            names = ["locking_mode", *(name for name, _ in _database.PRAGMAS)]
            assert [db.execute(f"PRAGMA {name}").fetchone()[0] for name in names] == [
                "exclusive",
                "wal",
                2,
                1,
                1,
                -16384,
            ]
            assert not path.with_name(path.name + "-shm").exists()
        assert sorted(path.parent.iterdir()) == [path]


async def test_the_file_is_for_its_owner_only(path: Path) -> None:
    """Whole numbers stand in it."""
    ledger = await filled(path)
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    await ledger.aclose()


async def test_what_a_dead_process_had_under_way_is_unknown(path: Path) -> None:
    """Also where its last commit is torn: that was never confirmed."""
    files = await crashed(path)
    wal = files[str(path) + "-wal"]
    for cut in (0, 1, 100, 4000):
        put_back(files | {str(path) + "-wal": wal + wal[32 : 32 + cut]})
        async with SQLiteLedger(path) as ledger:
            summary = await ledger.summary("spring")
            assert (summary.unknown, summary.pending) == (1, 19)
            (outcome,) = [o async for o in ledger.outcomes("spring", Certainty.UNKNOWN)]
        assert "ended before its outcome was on record" in str(outcome.error)
        assert (outcome.attempts, outcome.unknown_attempts) == (1, 1)


async def test_a_torn_last_commit_is_no_damage(path: Path) -> None:
    """A power cut in the middle of a commit leaves half of it; SQLite passes over it."""
    files = await crashed(path)
    wal = files[str(path) + "-wal"]
    put_back(files | {str(path) + "-wal": wal[:-2000]})
    async with SQLiteLedger(path) as ledger:
        assert (await ledger.summary("spring")).total == 20


async def test_opening_counts_its_users(path: Path) -> None:
    """It is closed by the last, and a call too many does nothing."""
    ledger = SQLiteLedger(path)
    assert repr(ledger) == f"<SQLiteLedger {path} (closed)>"
    async with ledger:
        async with ledger:
            assert ledger.is_open
        assert ledger.is_open
        assert repr(ledger) == f"<SQLiteLedger {path} (open)>"
    assert not ledger.is_open
    await ledger.aclose()
    with pytest.raises(LedgerError, match="is not open"):
        await ledger.begin("spring")


async def test_a_relative_path_stays_what_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The working directory may change while it is open."""
    monkeypatch.chdir(tmp_path)
    async with SQLiteLedger(path.name) as ledger:
        monkeypatch.chdir("/")
        assert await ledger.campaigns() == ()
    async with SQLiteLedger(path):
        pass


@pytest.mark.parametrize("name", ["", "a\0b", ":memory:", None, 7, b"spring.db"])
def test_what_names_no_file(name: Any) -> None:
    """Said at once."""
    with pytest.raises(ConfigurationError, match="A ledger needs the name of a file"):
        SQLiteLedger(name)


# --- what is refused --------------------------------------------------------------------------


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """It is not made: the name may be a slip."""
    assert "is not there" in await refused(tmp_path / "no" / "spring.db")
    assert "is a folder" in await refused(tmp_path)


async def test_a_name_that_no_disk_takes(tmp_path: Path) -> None:
    """The system's own word, in an error of ours."""
    assert "cannot be written (File name too long)" in await refused(tmp_path / ("ğ" * 200))
    assert "is not there" in await refused(tmp_path / ("ğ" * 200) / "a.db")


async def test_another_programs_file_is_left_as_it_is(path: Path) -> None:
    """A database, a text, or a spreadsheet."""
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE precious (thing)")
    db.close()
    content = path.read_bytes()
    assert "is a database of another program" in await refused(path)
    assert path.read_bytes() == content
    path.write_text("to,message,buttons\n" * 100, "utf-8")
    assert "is no ledger, and was left as it is" in await refused(path)
    assert path.read_text("utf-8").startswith("to,message")


async def test_an_empty_file_becomes_a_ledger(path: Path) -> None:
    """As mktemp leaves one."""
    path.touch()
    async with SQLiteLedger(path) as ledger:
        assert await ledger.campaigns() == ()


async def test_a_damaged_page_is_found_before_anything_is_sent(path: Path) -> None:
    """Wherever it lies."""
    ledger = await filled(path, 2000)
    await ledger.aclose()
    data = bytearray(path.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 4096] = os.urandom(4096)
    path.write_bytes(data)
    assert "is damaged" in await refused(path)


async def test_a_damaged_wal_is_refused(path: Path) -> None:
    """SQLite would drop every commit behind the damage, and confirmed outcomes with them."""
    ledger = await filled(path, 2000)
    run = await ledger.begin("summer", sender=SENDER)
    await run.load(0, messages(5))
    for claim in await run.claim(5):
        await claim.intend()
    files = kept(path)
    await ledger.aclose()
    wal = bytearray(files[str(path) + "-wal"])
    for place in (len(wal) // 2, 32 + 4120 + 8):  # in a page, and in the head of a frame
        broken = bytearray(wal)
        broken[place] ^= 1
        put_back(files | {str(path) + "-wal": bytes(broken)})
        assert "is damaged: the middle of" in await refused(path)
        assert Path(str(path) + "-wal").read_bytes() == broken


async def test_a_lost_wal_is_refused(path: Path) -> None:
    """What was confirmed stands in it: without it, messages would be sent twice."""
    await crashed(path)
    os.unlink(f"{path}-wal")  # noqa: PTH108  # what a person does
    assert "that belongs to it is missing" in await refused(path)


async def test_a_newer_version_is_refused(path: Path) -> None:
    """An older one does not know what it would overwrite."""
    await (await filled(path)).aclose()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    assert "newer version of multiwhats-async (schema 99, this one knows 1)" in await refused(path)


async def test_an_older_schema_is_migrated(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Step by step, and nothing of its content is lost."""
    await (await filled(path)).aclose()
    monkeypatch.setattr(_database, "MIGRATIONS", ("migration_1", "migration_2"))
    real = _statements.sql
    later = "ALTER TABLE message ADD COLUMN colour TEXT DEFAULT 'green';"
    monkeypatch.setattr(_database, "sql", lambda name: later if name[-1] == "2" else real(name))
    async with SQLiteLedger(path) as ledger:
        db = ledger._database._connection
        assert db.execute("PRAGMA user_version").fetchone()[0] == 2
        assert {row["colour"] for row in db.execute("SELECT colour FROM message")} == {"green"}
        assert (await ledger.summary("spring")).total == 20


async def test_an_old_sqlite_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the version that it takes."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 32, 3))
    assert "needs SQLite 3.33 or later" in await refused(path)
    with pytest.raises(LedgerError, match=r"needs SQLite 3\.33"):
        await MemoryLedger().open()


async def test_one_process_has_it_open_once(path: Path) -> None:
    """The lock does not hold within a process; this does."""
    async with SQLiteLedger(path):
        other = path.parent / "." / path.name
        assert "is open in this process already" in await refused(other)
    async with SQLiteLedger(path):
        pass


OWNER = """
    import anyio, sys
    from multiwhats_async import SQLiteLedger

    async def main():
        async with SQLiteLedger(sys.argv[1]):
            print("open", flush=True)
            await anyio.to_thread.run_sync(sys.stdin.read)

    anyio.run(main)
"""


async def test_a_second_process_is_told_who_has_it(path: Path) -> None:
    """With the number of the process, and the way out; the owner is not disturbed."""
    await (await filled(path)).aclose()
    command = [sys.executable, "-c", textwrap.dedent(OWNER), str(path)]
    with subprocess.Popen(command, stdin=-1, stdout=-1) as owner:  # noqa: S603, ASYNC220  # our own program
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"open\n"
        text = await refused(path)
        assert f"is in use by process {owner.pid}," in text
        assert "wait until it has ended" in text
        owner.communicate(b"")
    assert owner.returncode == 0
    async with SQLiteLedger(path):
        pass


@pytest.mark.parametrize("told", [None, 4711])
async def test_who_has_it_cannot_always_be_told(
    path: Path, monkeypatch: pytest.MonkeyPatch, told: int | None
) -> None:
    """On another system, or in another container, there is no number."""
    await (await filled(path)).aclose()
    with sqlite3.connect(path, isolation_level=None) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        if told is None:
            monkeypatch.setattr(_place.sys, "platform", "plan9")
        else:
            monkeypatch.setattr(_database, "owner_of", lambda path: told)
        who = "another process" if told is None else "process 4711"
        assert f"is in use by {who}," in await refused(path)
    db.close()


def test_nobody_has_it(path: Path) -> None:
    """A file without a lock, and one that is not there."""
    path.touch()
    assert _place.owner_of(path) is None
    assert _place.owner_of(path.parent / "no") is None


AS_NOBODY = """
    import anyio, os, sys
    from multiwhats_async import LedgerError, SQLiteLedger

    async def main(path):
        await SQLiteLedger(sys.argv[2]).campaigns()  # everything is imported now
        if os.geteuid() == 0:
            os.seteuid(65534)
        try:
            await SQLiteLedger(path).campaigns()
        except LedgerError as error:
            print(error)

    anyio.run(main, sys.argv[1])
"""


@pytest.mark.parametrize("is_there", [False, True])
async def test_a_folder_that_cannot_be_written(tmp_path: Path, *, is_there: bool) -> None:
    """Neither a new ledger nor one that is there."""
    folder = tmp_path / "read only"
    folder.mkdir()
    path = folder / "spring.db"
    if is_there:
        await (await filled(path)).aclose()
        path.chmod(0o444)
    folder.chmod(0o555)
    opened = [*reversed(folder.parents)]
    before = [parent.stat().st_mode for parent in opened]
    try:
        if os.geteuid() == 0:  # root may write anywhere: somebody else tries
            for parent in opened:
                if parent.is_relative_to(tmp_path.parents[2]):
                    parent.chmod(0o755)
        done = await anyio.run_process(
            [sys.executable, "-c", textwrap.dedent(AS_NOBODY), str(path), str(tmp_path / "w.db")]
        )
    finally:
        for parent, mode in zip(opened, before, strict=True):
            if parent.stat().st_mode != mode:
                parent.chmod(mode)
        folder.chmod(0o755)
    expected = f"The ledger {path} cannot be written (Permission denied): may this user write it"
    assert expected in done.stdout.decode()


# --- network file systems ---------------------------------------------------------------------

MOUNTS = r"""
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 22 0:27 / /mnt/nas rw,relatime shared:9 master:2 - nfs4 nas:/export rw,vers=4.2
31 30 0:28 / /mnt/nas/local rw - ext4 /dev/vdb rw
32 22 0:29 / /mnt/büro\040nord rw - cifs //server/share rw
33 22 0:30 / /mnt/again rw - ext4 /dev/vdc rw
34 33 0:31 / /mnt/again rw - fuse.sshfs host:/ rw
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/home/a.db", None),
        ("/mnt/nas/a/b/spring.db", "nfs4"),
        ("/mnt/nas/local/spring.db", None),
        ("/mnt/nasty/spring.db", None),
        ("/mnt/büro nord/spring.db", "cifs"),
        ("/mnt/again/spring.db", "fuse.sshfs"),
    ],
)
def test_network_file_systems_are_recognised(tmp_path: Path, place: str, kind: str | None) -> None:
    """By the kernel's list of mounts; the nearest one counts, and the last of one place."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS.strip() + "\n", "utf-8")
    assert _place.network_file_system(Path(place), mounts) == kind


def test_without_a_list_of_mounts_nothing_is_recognised(tmp_path: Path) -> None:
    """As on other systems; and on this one the list is readable."""
    assert _place.network_file_system(tmp_path / "a", tmp_path / "no") is None
    (tmp_path / "none").touch()
    assert _place.network_file_system(tmp_path / "a", tmp_path / "none") is None
    assert _place.network_file_system(tmp_path / "a") is None


async def test_a_ledger_on_a_network_file_system_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its kind, and the way out."""
    monkeypatch.setattr(_database, "network_file_system", lambda path: "nfs4")
    assert "network file system (nfs4)" in await refused(path)
    assert not path.exists()


# --- -wal files that are none -----------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [b"", b"short", b"\0" * 32, b"no wal, but long enough to be read as one" * 9],
)
def test_what_is_no_wal_is_no_damage(path: Path, content: bytes) -> None:
    """SQLite passes over it as well."""
    path.with_name(path.name + "-wal").write_bytes(content)
    assert _place.look_at_wal(path) == _place.Wal(exists=True, is_damaged=False)


def test_no_wal_at_all(path: Path) -> None:
    """As after a clean end."""
    assert _place.look_at_wal(path) == _place.Wal(exists=False)
