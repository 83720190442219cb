"""Run every case, and write down what came of it.

    PYTHONPATH=tests python -m faults.table docs/reference/delivery_table.md

The cases are those of the tests, played out by the same code.
"""

import gc
import platform
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import anyio
from faults.cases import Case
from faults.certificates import Certificates, issue
from faults.groups import CASES, GROUPS, Group
from faults.scene import Found, play_out
from faults.transports import TRANSPORTS

COMMAND: Final = "PYTHONPATH=tests python -m faults.table docs/reference/delivery_table.md"
BACKENDS: Final = ("asyncio", "trio")
PLACES: Final = tuple((backend, name) for name in TRANSPORTS for backend in BACKENDS)
"""Where each case is run: a column of the table."""
HEAD: Final = (
    "case",
    *(f"{backend}, {name}" for backend, name in PLACES),
    *("POSTs read", "status", "tries", "next message", "left open"),
)
RUNS: Final = 1
TIMED_RUNS: Final = 20
"""Runs of a case whose outcome is a matter of timing."""
DISTRIBUTIONS: Final = ("httpx", "httpcore", "h11", "anyio", "trio")

INTRO: Final = """\
# What is known of a message, case by case

This page is written by a program, which runs every case and notes what it sees: a client sends one
message, over a real socket, to a server that does what the first column says. To make it anew:

```sh
{command}
```

Made with Python {python}, {versions}, on {system}. What the four words mean, and why, is said in
[How the client knows](../explanation/delivery.md); which tests hold each case, in
[the table of cases](../explanation/cases.md).

Each case is run on asyncio and on trio, over

{ways}

The columns:

- the certainty, by backend and way. Where the timing decides, the case was run {timed_runs} times
  in each, and the numbers say how often it ended so.
- **POSTs read**: how many POSTs of the message the server read to their last byte. The client may
  not know it.
- **status**: the one on the error.
- **tries**: how many attempts there were. Trying again is switched off here, so that one case is
  one attempt.
- **next message**: what becomes of one that the same client sends once the server is well.
- **left open**: connections that the client has lost count of after that, and sockets that are
  open after it was closed.

{cases} cases, {messages} messages: {said}."""

Results = Mapping[str, Mapping[tuple[str, str], list[Found]]]
"""What was found, by a case's name and where it was run."""


def measured(cases: Iterable[Case], certificates: Certificates) -> Results:
    """Run cases, in every place."""
    chosen = tuple(cases)
    results: dict[str, dict[tuple[str, str], list[Found]]] = {case.name: {} for case in chosen}

    async def run(backend: str) -> None:
        for name, transport in TRANSPORTS.items():
            for case in chosen:
                times = RUNS if len(case.certainty) == 1 else TIMED_RUNS
                results[case.name][backend, name] = [
                    await play_out(case, transport, certificates) for _ in range(times)
                ]

    for backend in BACKENDS:
        anyio.run(run, backend, backend=backend)
    return results


def rows(group: Group, results: Results) -> list[str]:
    """Return the lines of a group's table."""
    lines = [_line(HEAD), _line(["---"] * len(HEAD))]
    for case in group.cases:
        found = results[case.name]
        every = [each for place in PLACES for each in found[place]]
        lines.append(
            _line(
                [
                    case.name,
                    *(
                        _counted(found[place], lambda each: f"`{each.certainty}`")
                        for place in PLACES
                    ),
                    _counted(every, lambda each: each.posts),
                    _counted(every, lambda each: each.status or "–"),
                    _counted(every, lambda each: each.attempts),
                    _counted(every, lambda each: f"`{each.probe}`" if each.probe else "–"),
                    _counted(every, lambda each: each.sockets + each.held - each.counted),
                ]
            )
        )
    return lines


def page(results: Results) -> str:
    """Return the whole page."""
    every = [each for found in results.values() for place in found.values() for each in place]
    said = Counter(str(each.certainty) for each in every)
    intro = INTRO.format(
        command=COMMAND,
        python=platform.python_version(),
        versions=", ".join(f"{name} {metadata.version(name)}" for name in DISTRIBUTIONS),
        system=platform.system(),
        ways="\n".join(f"- `{name}`: {each.means}" for name, each in TRANSPORTS.items()),
        timed_runs=TIMED_RUNS,
        cases=len(results),
        messages=len(every),
        said=", ".join(f"{count} `{what}`" for what, count in sorted(said.items())),
    )
    tables = [
        f"## {group.title}\n\n{group.means}\n\n" + "\n".join(rows(group, results))
        for group in GROUPS
    ]
    return "\n\n".join([intro, *tables]) + "\n"


def _counted(found: list[Found], look: Callable[[Found], Any]) -> str:
    """Say what all have in common, or how often each occurred."""
    counts = Counter(str(look(each)) for each in found)
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{what} {count}×" for what, count in sorted(counts.items()))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    gc.freeze()  # what is imported is not looked through after each case
    Path(sys.argv[1]).write_text(page(measured(CASES, issue())), "utf-8")
