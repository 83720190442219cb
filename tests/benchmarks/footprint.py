"""What the core brings with it, beside the async clients of others: bytes, packages, waiting.

    python tests/benchmarks/footprint.py

Makes a venv for each, with what its async client needs and nothing else, and installs from the
package index, so it needs the network. Then imports each client in processes of their own, in turn,
and takes the medians, less what Python itself takes to start. The table is Markdown. What others
weigh depends on the day: the versions are in the table.
"""

import json
import subprocess
import sys
import time
import venv
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

ROUNDS: Final = 15
ROOT: Final = Path(__file__).parents[2]


class Client(NamedTuple):
    """A package, what to install for its async client, and how a program imports that."""

    name: str
    requirements: tuple[str, ...]
    imported: str


CLIENTS: Final = (
    Client("multiwhats-async", (str(ROOT),), "from multiwhats_async import AsyncMultiWhats"),
    Client("openai", ("openai",), "from openai import AsyncOpenAI"),
    Client("stripe", ("stripe[async]",), "from stripe import StripeClient"),
    Client(
        "slack_sdk",
        ("slack_sdk", "aiohttp"),
        "from slack_sdk.web.async_client import AsyncWebClient",
    ),
    Client("pywa", ("pywa",), "from pywa_async import WhatsApp"),
)

WEIGH: Final = """
import json, sys
from importlib.metadata import distribution, distributions
name = sys.argv[1]
def size(dist):
    paths = [f.locate() for f in dist.files if not str(f).endswith(".pyc")]
    return sum(path.stat().st_size for path in paths if path.is_file())
others = [d for d in distributions() if d.metadata["Name"] not in ("pip", "setuptools")]
mine = distribution(name)
print(json.dumps([mine.version, len(others) - 1, size(mine), sum(map(size, others))]))
"""


def python_with(client: Client, folder: Path) -> Path:
    """Return the interpreter of a new venv that has a client, and download its wheel beside it."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "wheel", "--no-deps", "--wheel-dir", str(folder / "wheel"), client.requirements[0]])
    _run([*pip, "install", "--no-compile", *client.requirements])
    return python


def seconds_for(python: Path, statement: str) -> float:
    """Return how long a process takes that does no more than this."""
    start = time.perf_counter()
    _run([str(python), "-c", statement])
    return time.perf_counter() - start


def measured(folder: Path) -> list[str]:
    """Return the rows of the table."""
    pythons = {client: python_with(client, folder / client.name) for client in CLIENTS}
    bare: list[float] = []
    times: dict[Client, list[float]] = {client: [] for client in CLIENTS}
    for client, python in pythons.items():
        seconds_for(python, client.imported)  # compiles, once
    for _ in range(ROUNDS):
        bare.append(seconds_for(pythons[CLIENTS[0]], "pass"))
        for client, python in pythons.items():
            times[client].append(seconds_for(python, client.imported))
    rows = []
    for client, python in pythons.items():
        told = _run([str(python), "-c", WEIGH, client.name])
        version, dependencies, own, whole = json.loads(told)
        (wheel,) = (folder / client.name / "wheel").glob("*.whl")
        waiting = (median(times[client]) - median(bare)) * 1_000
        packed = wheel.stat().st_size / 1e3
        rows.append(
            f"| {client.name} {version} | {packed:,.0f} kB | {own / 1e6:.1f} MB "
            f"| {dependencies} | {whole / 1e6:.1f} MB | {waiting:.0f} ms |"
        )
    return rows


def _run(command: Sequence[str]) -> str:
    # Our own interpreters, with our own arguments.
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603  # our own
    return done.stdout


def main() -> None:
    """Print the table."""
    with TemporaryDirectory() as folder:
        rows = measured(Path(folder))
    head = "| client | wheel | installed | other packages | installed with them | import |"
    print(f"Python {sys.version.split()[0]}, {sys.platform}\n\n{head}")  # noqa: T201  # a program that prints figures
    print("\n".join(["| --- | --- | --- | --- | --- | --- |", *rows]))  # noqa: T201  # likewise


if __name__ == "__main__":
    main()
