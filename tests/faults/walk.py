"""A random walk: faults, latencies and cancellations without end, held against what was read.

    PYTHONPATH=tests python -m faults.walk --attempts 40000 --seed 1

Every step is one message. Its seed decides what the server does to each of its POSTs, whether and
where its caller is cancelled, and by which means. The truth is the server's: which bodies it has
read in full, and how it has answered them. ``--step N`` walks one step of a seed again and again.
"""

import argparse
import asyncio
import gc
import itertools
import logging
import random
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from types import SimpleNamespace
from typing import Any, Final
from unittest import mock

import anyio
import anyio.lowlevel
import anyio.to_thread
import attrs
import sniffio
from faults.certificates import TRUSTED, Certificates, issue
from faults.conftest import KEY, SENDER
from faults.transports import TRANSPORTS
from faults.walk_acts import UNREAD
from faults.walk_moments import CURRENT, Cut, watched
from faults.walk_plan import QUICK, Plan, Read, Server, step_of

from multiwhats_async import (
    AsyncMultiWhats,
    ButtonMessage,
    Certainty,
    Outcome,
    Timeouts,
)
from multiwhats_async import client as client_module

WORKERS: Final = 3
COPIES: Final = 10
"""Of the client, each with workers and limits of its own, all on one pool."""

PROBES: Final = 10
PROBE: Final = "905399999999"
HURRIED: Final = Timeouts(attempt=0.3, connect=0.25, write=0.25, read=0.25)
PATIENT: Final = Timeouts(attempt=9, connect=9, write=9, read=9)
# --- the walk ---------------------------------------------------------------------------------


class Walk:
    """Takes steps until enough attempts were made; keeps what became of each.

    Args:
        seed: Decides everything but the timing.
        attempts: How many attempts to make.
        only: The one step to take again and again, or None.
    """

    def __init__(self, seed: int, attempts: int, only: int | None = None) -> None:
        self.seed = seed
        self.attempts = attempts
        self.only = only
        self.made = 0
        self.steps = itertools.count(1)
        self.outcomes: defaultdict[int, list[Outcome]] = defaultdict(list)
        self.begun: set[int] = set()
        self.struck: Counter[str] = Counter()
        self.contradictions: list[str] = []

    def plan(self, step: int) -> Plan:
        """Return the plan of a step."""
        return attrs.evolve(Plan.of(self.seed, self.only or step), step=step)

    def on_outcome(self, outcome: Outcome) -> None:
        """Take an outcome, as a hook of the client."""
        self.outcomes[step_of(outcome.message.to)].append(outcome)
        self.made += outcome.attempts

    async def walk(self, client: AsyncMultiWhats) -> None:
        """Take the steps, several at a time."""
        async with anyio.create_task_group() as tasks:
            for number in range(COPIES):
                # Another ceiling, so that it is a limit of its own.
                copy = client.with_options(hooks=[self], max_concurrency=WORKERS + number)
                for _ in range(WORKERS):
                    tasks.start_soon(self._work, copy)

    async def _work(self, client: AsyncMultiWhats) -> None:
        while self.made < self.attempts:
            plan = self.plan(next(self.steps))
            cut = Cut(plan)
            CURRENT.set(cut)
            async with anyio.create_task_group() as tasks:
                if plan.cut == "moment":
                    tasks.start_soon(self._strike_later, cut)
                await self._ways[plan.way](self, client, plan.message, cut)
                tasks.cancel_scope.cancel()
            if cut.struck is not None:
                self.struck[cut.struck] += 1

    async def _strike_later(self, cut: Cut) -> None:
        await anyio.sleep(cut.plan.delay)
        cut.at("moment")

    async def _call(self, client: AsyncMultiWhats, message: ButtonMessage, cut: Cut) -> None:
        self.begun.add(cut.plan.step)
        cut.at("before")
        await client.deliver(message)
        cut.at("after")
        await anyio.lowlevel.checkpoint()

    async def _by_scope(self, client: AsyncMultiWhats, message: ButtonMessage, cut: Cut) -> None:
        with anyio.CancelScope() as scope:
            cut.strike = scope.cancel
            await self._call(client, message, cut)

    async def _by_task(self, client: AsyncMultiWhats, message: ButtonMessage, cut: Cut) -> None:
        if sniffio.current_async_library() != "asyncio":
            await self._by_scope(client, message, cut)
            return
        task = asyncio.ensure_future(self._call(client, message, cut))
        cut.strike = task.cancel
        with suppress(asyncio.CancelledError):
            await task

    async def _by_abort(self, client: AsyncMultiWhats, message: ButtonMessage, cut: Cut) -> None:
        step = cut.plan.step
        self.begun.add(step)
        async with client.bulk([message]) as run:
            cut.strike = run.abort
            cut.at("before")
            outcomes = [outcome async for outcome in run]
            cut.at("after")
        if not self.outcomes[step]:  # it was not begun, and no hook is told of that
            self.outcomes[step] = outcomes
        if self.outcomes[step] != outcomes:
            self.contradictions.append(f"step {step}: the run told {outcomes}")

    _ways: Final = {"scope": _by_scope, "task": _by_task, "abort": _by_abort}


async def probe(client: AsyncMultiWhats) -> bool:
    """Tell whether the pool still works, once its idle connections are found out.

    On one of them a stray answer may wait for whoever is next, which only a pool of ours can see.
    """
    in_a_row = 0
    message = ButtonMessage(PROBE, "Still there?", ["Yes"])
    for _ in range(COPIES * WORKERS + PROBES):
        outcome = await client.deliver(message, timeout=PATIENT)
        in_a_row = in_a_row + 1 if outcome.certainty is Certainty.ACCEPTED else 0
        if in_a_row == PROBES:
            return True
    return False


# --- what came of it --------------------------------------------------------------------------


def violations(walk: Walk, server: Server) -> Iterator[str]:
    """Yield every way in which what was said is not what happened."""
    for step in sorted({*walk.begun, *server.reads}):
        reads, outcomes = server.reads[step], walk.outcomes[step]
        if len(outcomes) != 1:
            yield f"step {step}: {len(outcomes)} outcomes"
            continue
        (outcome,) = outcomes
        told = f"step {step}: {outcome.certainty} after {outcome.attempts} attempts"
        allowed = reads[-1].act.allowed if reads else UNREAD
        if outcome.certainty not in allowed:
            yield f"{told}, {outcome.error}, but it was {_shown(reads)}"
        if not all(read.act.is_later for read in reads[:-1]):
            yield f"{told}: sent twice, it was {_shown(reads)}"
        if len(reads) > outcome.attempts:
            yield f"{told}, but it was {_shown(reads)}"
        if outcome.receipt is not None and outcome.receipt.id != reads[-1].serial:
            yield f"{told}: by an answer that was another's"
    yield from walk.contradictions


def _shown(reads: Iterable[Read]) -> str:
    return "read " + (", ".join(read.act.name for read in reads) or "never")


@attrs.frozen(kw_only=True)
class Findings:
    """What a walk came to."""

    attempts: int
    acts: Counter[str]
    struck: Counter[str]
    certainties: Counter[Certainty]
    unknown_read: int
    violations: tuple[str, ...]

    def __add__(self, other: "Findings") -> "Findings":
        return Findings(
            **{
                field.name: getattr(self, field.name) + getattr(other, field.name)
                for field in attrs.fields(Findings)
            }
        )

    def __str__(self) -> str:
        def listed(counts: Counter[Any]) -> str:
            return ", ".join(f"{name} {count}" for name, count in counts.most_common())

        return (
            f"attempts {self.attempts}\n  faults: {listed(self.acts)}\n"
            f"  cancelled at: {listed(self.struck)}\n  outcomes: {listed(self.certainties)}\n"
            f"  unknown but read in full: {self.unknown_read}\n"
            f"  violations: {len(self.violations)}"
        )


# --- the way in -------------------------------------------------------------------------------


async def walked(  # what a walk is made of
    *,
    seed: int,
    attempts: int,
    transport: str,
    tls: bool,
    certificates: Certificates,
    only: int | None = None,
) -> Findings:
    """Walk over one transport; return what was found."""
    walk = Walk(seed, attempts, only)
    server = Server(walk.plan, seed, certificates.servers[TRUSTED] if tls else None)
    server.start()
    settings = {
        "sender": SENDER,
        "base_url": server.url,
        "retry": QUICK,
        "timeout": HURRIED,
        "breaker": None,
    }
    tasks = len(anyio.get_running_tasks())
    try:
        jitter = SimpleNamespace(random=lambda: random.random() * 0.01)
        with watched(), mock.patch.object(client_module, "random", jitter):
            opened = TRANSPORTS[transport].opened(
                KEY, ssl_context=certificates.trusting, **settings
            )
            async with opened as plain:
                await walk.walk(plain)
                server.mend()
                works = await probe(plain)
        gc.collect()  # httpcore leaves a socket whose connecting was cancelled to it
        await anyio.to_thread.run_sync(server.wait_idle)
    finally:
        await anyio.to_thread.run_sync(server.stop)
    found = [*violations(walk, server)]
    if not works:
        found.append("the pool does not work any more")
    if len(anyio.get_running_tasks()) > tasks:
        found.append("a task was left behind")
    told = [outcome for outcomes in walk.outcomes.values() for outcome in outcomes]
    return Findings(
        attempts=walk.made,
        acts=server.acts,
        struck=walk.struck,
        certainties=Counter(outcome.certainty for outcome in told),
        unknown_read=sum(
            bool(server.reads[step_of(outcome.message.to)])
            for outcome in told
            if outcome.certainty is Certainty.UNKNOWN
        ),
        violations=tuple(
            f"{transport}{' TLS' * tls}, seed {seed}, {each}\n    plan: {_plan_of(each, walk)}"
            for each in found
        ),
    )


def _plan_of(violation: str, walk: Walk) -> str:
    """Return the plan of the step that a violation names."""
    step = re.match(r"step (\d+)", violation)
    return str(walk.plan(int(step[1]))) if step else "-"


def main() -> None:
    """Walk over every backend and transport, and print what was found."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--attempts", type=int, default=40_000, help="in all")
    options.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    options.add_argument("--step", type=int, help="take this step of the seed alone")
    options.add_argument("--backend", choices=["asyncio", "trio"], action="append")
    options.add_argument("--transport", choices=[*TRANSPORTS], action="append")
    options.add_argument("--tls", type=int, choices=[0, 1], action="append")
    asked = options.parse_args()
    logging.disable()  # of every cancelled call
    ways = [
        *itertools.product(
            asked.backend or ["asyncio", "trio"], asked.transport or TRANSPORTS, asked.tls or [0, 1]
        )
    ]
    certificates = issue()
    total: Findings | None = None
    for number, (backend, transport, tls) in enumerate(ways):
        began = time.perf_counter()
        found: Findings = anyio.run(
            partial(
                walked,
                seed=asked.seed + number,
                attempts=-(-asked.attempts // len(ways)),
                transport=transport,
                tls=bool(tls),
                certificates=certificates,
                only=asked.step,
            ),
            backend=backend,
        )
        took = time.perf_counter() - began
        title = f"{backend} {transport}{' TLS' * tls}, seed {asked.seed + number}: {took:.1f} s"
        print(f"{title}\n  {found}", *found.violations, sep="\n")  # noqa: T201  # a script
        total = found if total is None else total + found
    print(f"In all: {total}")  # noqa: T201  # likewise
    sys.exit(total is None or bool(total.violations))


if __name__ == "__main__":
    main()
