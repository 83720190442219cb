"""Memory and time of a million keys: SQLite's B-tree in memory against a Python set.

python tests/benchmarks/seen_keys.py
"""

import resource
import subprocess
import sys
import time
from hashlib import blake2b
from pathlib import Path

from multiwhats_async._keys import SeenKeys

COUNT = 1_000_000


def resident() -> float:
    """Return the resident memory of this process now, in megabytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def measure(kind: str) -> None:
    """Add a million keys and print what it took."""
    before, began = resident(), time.perf_counter()
    if kind == "SeenKeys":
        seen = SeenKeys()
        for number in range(COUNT):
            assert seen.add(str(number))
    else:
        kept: set[bytes] = set()
        for number in range(COUNT):
            kept.add(blake2b(str(number).encode(), digest_size=16).digest())
    took = time.perf_counter() - began
    print(f"{kind:9} {resident() - before:6.1f} MB  {took / COUNT * 1e6:.2f} µs a key")  # noqa: T201  # a program that prints figures


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(sys.argv[1])
    else:
        for kind in ("SeenKeys", "set"):
            subprocess.run([sys.executable, __file__, kind], check=True)  # noqa: S603  # this very file
