"""Where a ledger's file lies, and whether it can be trusted; looked at before it is opened."""

import os
import re
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

NETWORK_FILE_SYSTEMS: Final = frozenset(
    (
        "9p",
        "afs",
        "ceph",
        "cifs",
        "fuse.glusterfs",
        "fuse.s3fs",
        "fuse.sshfs",
        "gfs2",
        "glusterfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "smb3",
        "smbfs",
    )
)
"""Their locks cannot be trusted to keep a second process out (SQLite's FAQ, question 5)."""

MOUNTS: Final = Path("/proc/self/mountinfo")

_PENDING_BYTE: Final = 0x40000000
_LOCKED_BYTES: Final = 512
"""Where SQLite locks a file (its os.h): the pending, the reserved and the shared bytes."""

_FLOCK: Final = "hhqqi4x"
"""``struct flock`` on 64-bit Linux: type, whence, start, length, process."""

_WAL_HEADER: Final = struct.Struct(">8I")
_FRAME_HEADER: Final = struct.Struct(">6I")
_WAL_MAGIC: Final = 0x377F0682
"""Of a -wal file (SQLite's file format, 4.1); its last bit is the byte order of the checksums."""


def network_file_system(path: Path, mounts: Path = MOUNTS) -> str | None:
    """Return the kind of network file system that a file lies on, or None.

    Recognised on Linux, where the kernel lists its mounts.

    Args:
        path: The file; it need not exist.
        mounts: The kernel's list.
    """
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None
    folder = path.resolve().parent
    # The last mount of a place hides the ones before.
    kinds = dict(_mounts(lines))
    for place in (folder, *folder.parents):
        kind = kinds.get(str(place))
        if kind is not None:
            return kind if kind in NETWORK_FILE_SYSTEMS else None
    return None


def _mounts(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the place and the kind of each mount (man 5 proc; spaces are written in octal)."""
    for line in lines:
        fields, _, rest = line.partition(" - ")
        place = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields.split()[4])
        yield place, rest.split()[0]


def owner_of(path: Path) -> int | None:
    """Return the process that has a database locked, or None where that cannot be told.

    Only for a file that this process has not open: closing it here would drop its own locks.
    """
    if sys.platform != "linux" or struct.calcsize("P") != 8:  # noqa: PLR2004  # bytes: 64 bits
        return None
    import fcntl  # noqa: PLC0415  # not there on every system

    asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, _PENDING_BYTE, _LOCKED_BYTES, 0)
    try:
        with path.open("rb") as file:
            told = fcntl.fcntl(file, fcntl.F_GETLK, asked)
    except OSError:
        return None
    kind, _, _, _, process = struct.unpack(_FLOCK, told)
    return process if kind != fcntl.F_UNLCK and process > 0 else None


@attrs.frozen(kw_only=True)
class Wal:
    """What a -wal file looks like before SQLite has touched it.

    Attributes:
        exists: Whether there is one.
        is_damaged: Whether commits stand behind a place that cannot be read. SQLite would drop
            them without a word, and with them outcomes that were confirmed. A torn last commit
            is no damage: it was never confirmed.
    """

    exists: bool
    is_damaged: bool = False


def look_at_wal(path: Path) -> Wal:
    """Look at the -wal file of a database."""
    wal = path.with_name(path.name + "-wal")
    try:
        # Twice, because a process that has it open may begin it anew under the first look.
        is_damaged = all(_commits_behind_damage(wal.read_bytes()) > 1 for _ in range(2))
    except OSError:
        return Wal(exists=False)
    return Wal(exists=True, is_damaged=is_damaged)


def _commits_behind_damage(data: bytes) -> int:
    """Return how many commits of the current generation stand at or behind the first bad frame."""
    if len(data) < _WAL_HEADER.size:
        return 0
    magic, _, page_size, _, *salts, first, second = _WAL_HEADER.unpack_from(data)
    if magic & ~1 != _WAL_MAGIC:
        return 0
    order = ">" if magic & 1 else "<"
    sums = _checksum(data[:24], order, (0, 0))
    is_good = sums == (first, second)
    commits = 0
    frame_size = _FRAME_HEADER.size + page_size
    for place in range(_WAL_HEADER.size, len(data) - frame_size + 1, frame_size):
        _, pages, *its_salts, first, second = _FRAME_HEADER.unpack_from(data, place)
        if its_salts != salts:
            is_good = False  # left over from the generation before, or a bad header
            continue
        if is_good:
            page = place + _FRAME_HEADER.size
            sums = _checksum(data[place : place + 8], order, sums)
            sums = _checksum(data[page : page + page_size], order, sums)
            is_good = sums == (first, second)
        if not is_good:
            commits += pages > 0
    return commits


def _checksum(data: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    """Return SQLite's checksum of some bytes, going on from the one before them."""
    first, second = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second
