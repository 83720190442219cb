"""A disk that has lost its power: what a log says was synced, and some of what was not."""

import struct
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from random import Random
from typing import Final

import attrs

RECORD: Final = struct.Struct("=qIHcx")
"""As in power.c."""

SECTOR: Final = 512
"""What a disk writes whole or not at all."""


class Loss(Enum):
    """What becomes of what was written and not synced."""

    ALL = "all"
    """None of it is there."""
    FIRST = "first"
    """The first write to each file is missing, and what came after it is there."""
    SOME = "some"
    """Each write is there or not: they reach a disk in any order."""
    TORN = "torn"
    """Each sector of a write is there or not."""


@attrs.frozen
class Record:
    """One call of the log."""

    operation: bytes
    name: str
    offset: int
    data: bytes


def records(log: bytes) -> Iterator[Record]:
    """Yield the calls of a log."""
    place = 0
    while place < len(log):
        offset, size, name_size, operation = RECORD.unpack_from(log, place)
        middle = place + RECORD.size + name_size
        name = log[place + RECORD.size : middle].decode()
        place = middle + size
        yield Record(operation, name, offset, log[middle:place])


@attrs.define
class File:
    """A file: what is on the disk for sure, and what was done to it since."""

    synced: bytearray = attrs.field(factory=bytearray)
    since: list[Record] = attrs.field(factory=list)

    def sync(self) -> None:
        """Bring everything to the disk."""
        self.synced = _applied(self.synced, self.since)
        self.since.clear()

    def whole(self) -> bytes:
        """Return what a reader sees while there is power."""
        return bytes(_applied(self.synced, self.since))

    def after(self, loss: Loss, survives: Callable[[], bool]) -> bytes:
        """Return what is there after a power cut."""
        match loss:
            case Loss.ALL:
                left = []
            case Loss.FIRST:
                left = self.since[1:]
            case Loss.SOME:
                left = [record for record in self.since if survives()]
            case Loss.TORN:
                parts = [part for record in self.since for part in _sectors(record)]
                left = [part for part in parts if survives()]
        return bytes(_applied(self.synced, left))


class Disk:
    """The files of a folder, as far as a log was played.

    What was written is on the disk once its file was synced; that a file was made or removed, once
    the folder was.

    Args:
        files: What is on it to begin with.
    """

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        self._files = {name: File(bytearray(content)) for name, content in (files or {}).items()}
        self._made: set[str] = set()
        self._removed: dict[str, File] = {}

    def play(self, record: Record) -> None:
        """Do one call of the log."""
        name = record.name
        match record.operation:
            case b"c" if name not in self._files:
                self._files[name] = File()
                self._made.add(name)
            case b"u":
                self._removed[name] = self._files.pop(name)
            case b"s" if not name:
                self._made.clear()
                self._removed.clear()
            case b"s":
                self._files[name].sync()
            case b"w" | b"t":
                self._files[name].since.append(record)

    def whole(self) -> dict[str, bytes]:
        """Return the files as they are while there is power."""
        return {name: file.whole() for name, file in self._files.items()}

    def after(self, loss: Loss, random: Random) -> dict[str, bytes]:
        """Return the files as a power cut leaves them."""
        share = random.random()

        def survives() -> bool:
            return random.random() < share

        def happened() -> bool:
            return loss is Loss.FIRST or (loss is not Loss.ALL and survives())

        there = {  # one that was made anew stands in for the one that was removed
            **{name: file for name, file in self._removed.items() if not happened()},
            **{
                name: file
                for name, file in self._files.items()
                if name not in self._made or happened()
            },
        }
        return {name: file.after(loss, survives) for name, file in there.items()}


def _applied(content: bytearray, calls: list[Record]) -> bytearray:
    """Return a content after writes and truncations; where nothing was written there are zeros."""
    content = content.copy()
    for call in calls:
        end = call.offset + len(call.data)
        content.extend(bytes(max(0, end - len(content))))
        if call.operation == b"t":
            del content[call.offset :]
        else:
            content[call.offset : end] = call.data
    return content


def _sectors(record: Record) -> Iterator[Record]:
    """Yield a write in parts, one a sector."""
    if record.operation != b"w":
        yield record
        return
    start, end = record.offset, record.offset + len(record.data)
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        part = record.data[start - record.offset : stop - record.offset]
        yield attrs.evolve(record, offset=start, data=part)
        start = stop
