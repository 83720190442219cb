"""The power goes at any moment: what a ledger has acknowledged is on the disk."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import attrs
import life
import power_life
import pytest
from power_disk import Disk, Loss, Record, records

from multiwhats_async import LedgerError, SQLiteLedger

MESSAGES = 240
CUTS = 32
"""Moments of one log at which the power goes; at each, in every way."""

SEED = 20_260
"""Of which moments these are, and of what survives."""

LEDGER = "spring.ledger"
COMPILER = shutil.which("cc")

pytestmark = [
    pytest.mark.skipif(
        sys.platform != "linux" or sys.maxsize < 2**32,
        reason="the calls to the disk are recorded by a library for 64-bit Linux",
    ),
    pytest.mark.skipif(
        COMPILER is None,
        reason="the library that records the calls to the disk needs cc, a C compiler",
    ),
]


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that records what a process does to its disk."""
    library = tmp_path_factory.mktemp("power") / "power.so"
    source = Path(power_life.__file__).with_name("power.c")
    assert COMPILER is not None
    command = [COMPILER, "-shared", "-fPIC", "-pthread", "-o", str(library), str(source)]
    subprocess.run(command, check=True)  # noqa: S603  # our own source
    return library


@attrs.frozen
class State:
    """A state of a message, as far as it is known beforehand."""

    certainty: str | None
    attempts: int = 0
    outcome: dict[str, Any] | None = None

    def fits(self, found: dict[str, Any] | None) -> bool:
        """Tell whether what a ledger says of a message is this."""
        if found is None:
            return self.certainty is None
        return (found["certainty"], found["attempts"]) == (self.certainty, self.attempts) and (
            self.outcome is None or found == self.outcome
        )


class Acknowledged:
    """What a witness has written down, as far as a log was played."""

    def __init__(self) -> None:
        self._possible: dict[str, list[State]] = {}
        self._acknowledged: set[str] = set()

    def play(self, record: Record) -> None:
        """Read one line."""
        line = json.loads(record.data)
        state = State(line["certainty"], line["attempts"], line["outcome"])
        for key in line["keys"]:
            if not state.attempts and key in self._acknowledged:
                continue  # a message that is there already keeps its state
            if line["is_acknowledged"]:
                self._possible[key] = [state]
                self._acknowledged.add(key)
            else:  # it may be on the disk already, though nobody was told
                self._possible.setdefault(key, [State(None)]).append(state)

    def __len__(self) -> int:
        return len(self._acknowledged)

    def lost(self, found: dict[str, dict[str, Any]]) -> list[str]:
        """Say of which messages a ledger does not know what was acknowledged."""
        return [
            f"{key}: {found.get(key)} instead of {states}"
            for key, states in self._possible.items()
            if not any(state.fits(found.get(key)) for state in states)
        ]


def recorded_lives(
    recorder: Path,
    folder: Path,
    backend: str,
    synchronous: str,
    before: Mapping[str, bytes] | None = None,
) -> list[Record]:
    """Let a ledger live twice, or once on files from before; return what it did to its disk."""
    disk = folder / "disk"
    put(before or {}, disk)
    log = folder / "log"
    environment = {"LD_PRELOAD": str(recorder), "POWER_FOLDER": str(disk), "POWER_LOG": str(log)}
    for which, code in (("first", power_life.DIED), ("second", 0))[before is not None :]:
        told = [str(disk / LEDGER), backend, synchronous, str(MESSAGES), which]
        program = [sys.executable, power_life.__file__, *told]
        assert subprocess.call(program, env=os.environ | environment) == code  # noqa: S603  # ours
    calls = list(records(log.read_bytes()))
    # Everything is in the log, or nothing that follows from it is worth anything.
    whole = Disk(before)
    for call in calls:
        if call.name != power_life.WITNESS:
            whole.play(call)
    assert whole.whole() == {LEDGER: (disk / LEDGER).read_bytes()}
    return calls


def cuts(
    calls: list[Record], count: int, losses: list[Loss]
) -> Iterator[tuple[str, dict[str, bytes], Acknowledged]]:
    """Yield the files that power cuts leave, and what had been acknowledged by then."""
    chance = random.Random(SEED)
    moments = set(chance.sample(range(len(calls)), count))
    disk, acknowledged = Disk(), Acknowledged()
    for moment, call in enumerate(calls):
        if moment in moments:
            for loss in losses:
                files = disk.after(loss, chance)
                yield f"before call {moment}, loss of {loss.value}", files, acknowledged
        play([call], disk, acknowledged)


def play(calls: list[Record], disk: Disk, acknowledged: Acknowledged) -> None:
    """Go on to play a log."""
    for call in calls:
        if call.name != power_life.WITNESS:
            disk.play(call)
        elif call.data:
            acknowledged.play(call)


def is_sync(call: Record, name: str) -> bool:
    """Tell whether a call is the sync of a file."""
    return call.operation == b"s" and call.name == name


async def known(path: Path) -> dict[str, dict[str, Any]]:
    """Return what a ledger says of each message."""
    async with SQLiteLedger(path) as ledger:
        if life.CAMPAIGN not in await ledger.campaigns():
            return {}
        return {outcome.key: outcome.to_dict() async for outcome in ledger.outcomes(life.CAMPAIGN)}


def put(files: Mapping[str, bytes], folder: Path) -> None:
    """Make a folder of these files."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def opened(files: dict[str, bytes], folder: Path, backend: str) -> dict[str, dict[str, Any]]:
    """Put files into a folder, and open the ledger among them."""
    put(files, folder)
    return anyio.run(known, folder / LEDGER, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_power_cut_loses_nothing_that_was_acknowledged(
    backend: str, recorder: Path, tmp_path: Path
) -> None:
    """Whatever reached the disk of what was not synced, in whichever order, even in parts."""
    calls = recorded_lives(recorder, tmp_path, backend, "FULL")
    begun_anew = [
        call
        for call in calls
        if call.name == f"{LEDGER}-wal" and call.operation == b"w" and call.offset == 0
    ]
    assert len(begun_anew) >= 8  # where the order of the syncs matters most
    checked = 0
    for where, files, acknowledged in cuts(calls, CUTS, list(Loss)):
        try:
            found = opened(files, tmp_path / "after", backend)
        except LedgerError as error:
            pytest.fail(f"{where}: {error}")
        assert not acknowledged.lost(found), where
        checked += len(acknowledged)
    assert checked > CUTS * MESSAGES


def test_a_second_power_cut_while_it_recovers_is_no_damage(recorder: Path, tmp_path: Path) -> None:
    """What two cuts have torn are two commits that nobody was told of: it opens all the same."""
    calls = recorded_lives(recorder, tmp_path / "one", "asyncio", "FULL")
    wal = f"{LEDGER}-wal"
    last_sync = max(n for n, call in enumerate(calls[: len(calls) // 2]) if is_sync(call, wal))
    disk, acknowledged = Disk(), Acknowledged()
    play(calls[:last_sync], disk, acknowledged)
    torn = disk.after(Loss.FIRST, random.Random(SEED))
    calls = recorded_lives(recorder, tmp_path / "two", "asyncio", "FULL", torn)
    disk = Disk(torn)
    for call in calls:
        if call.name == power_life.WITNESS and call.data:
            break  # it is open, and at work
        play([call], disk, acknowledged)
        for loss in Loss:
            found = opened(disk.after(loss, random.Random(SEED)), tmp_path / "after", "asyncio")
            assert not acknowledged.lost(found)


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_without_a_sync_for_each_commit_a_power_cut_loses_some(
    backend: str, synchronous: str, recorder: Path, tmp_path: Path
) -> None:
    """The tests above can fail: SQLite's other settings lose what was acknowledged."""
    calls = recorded_lives(recorder, tmp_path, backend, synchronous)
    lost = [
        line
        for _, files, acknowledged in cuts(calls, CUTS // 2, [Loss.ALL])
        for line in acknowledged.lost(opened(files, tmp_path / "after", backend))
    ]
    assert lost
