"""How long a program waits before it runs: the command line's help, and the package's import.

Side by side in one run, each in a process of its own, interleaved; medians. The first ratio is the
help of ``multiwhats`` to that of a click program with one command, the second the import of every
public name to that of the libraries below.
"""

import subprocess
import sys
import time
from statistics import median

ROUNDS = 21

BARE = "import click\n@click.group()\ndef group(): 'Help.'\n@group.command()\ndef one(): 'One.'\n"
PROGRAMS = {
    "help of a bare click program": ["-c", BARE + "group(['--help'])"],
    "help of multiwhats": ["-m", "multiwhats_async", "--help"],
    "import httpx, attrs, cattrs, anyio": ["-c", "import httpx, attrs, cattrs, anyio"],
    "import multiwhats_async": ["-c", "import multiwhats_async"],
    "import every public name": ["-c", "from multiwhats_async import *"],
}


def main() -> None:
    """Print the medians and the ratios."""
    times: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(ROUNDS):
        for name, arguments in PROGRAMS.items():
            start = time.perf_counter()
            subprocess.run(  # noqa: S603  # our own programs
                [sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True
            )
            times[name].append(time.perf_counter() - start)
    bare, ours, below, package, whole = (median(seconds) for seconds in times.values())
    lines = [f"{name:<40} {median(seconds) * 1_000:7.0f} ms" for name, seconds in times.items()]
    lines += [
        f"help, to a bare click program's          {ours / bare:7.2f}",
        f"import, to the libraries' below          {package / below:7.2f}",
        f"every public name, to the same           {whole / below:7.2f}",
    ]
    print("\n".join(lines))  # noqa: T201  # a program that prints figures


if __name__ == "__main__":
    main()
