"""A fleet under fire: workers are killed and stopped, servers crash, and every message is counted.

    python tests/crash/fleet.py [--engine pgqueuer|streaq] [--workers 4] [--messages 20000] ...

Prints what the sandbox has counted, held against the ledger.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parent.parent))

import anyio
import attrs
import life
from services import Postgres, Redis
from worker_life import LEASE, born

from multiwhats_async import Certainty, PostgresLedger, Summary, enqueue_campaign
from multiwhats_async.integrations.pgqueuer import PgQueuerQueue
from multiwhats_async.integrations.streaq import StreaqQueue
from multiwhats_async.sandbox import Emulator, FaultPlan, SandboxRequest, SandboxServer

SENDER: Final = "908503080335"
CONCURRENCY: Final = 20
"""Of each worker; what is in flight when it is killed may become unknown."""

LOOK: Final = 0.05
"""Seconds between two looks at how far the campaign is."""

END: Final = 600.0


@attrs.frozen(kw_only=True)
class Result:
    """What became of a campaign under fire.

    Attributes:
        summary: What the ledger says.
        seconds: How long it took.
        at_sandbox: Recipients that the sandbox has accepted a message for.
        sent_twice: How many of them it has more than one for.
        accepted: Recipients that the ledger calls accepted.
        unknown: Recipients that it calls unknown.
        blows: How often each kind of blow has fallen.
        paused_after: Seconds from a call of ``pause()`` until no worker had anything in hand.
        begun_after: Requests that the sandbox read after that call had returned.
    """

    summary: Summary
    seconds: float
    at_sandbox: frozenset[str]
    sent_twice: int
    accepted: frozenset[str]
    unknown: frozenset[str]
    blows: Counter[str]
    paused_after: float
    begun_after: int

    @property
    def struck(self) -> int:
        """How many workers lost what they had in flight."""
        return self.blows["kill"] + self.blows["stop"]


class Counting(Emulator):
    """A sandbox that can be asked how many requests it has read."""

    def __init__(self, count: int) -> None:
        super().__init__(faults=FaultPlan(["latency=0.01"]), magic_numbers=False, keep=2 * count)
        self.read = 0

    def handle(self, request: SandboxRequest) -> Any:
        self.read += 1
        return super().handle(request)


class Fleet:
    """The workers, and what befalls them.

    Args:
        arguments: Of a worker: engine, ledger, queue, address of the sandbox.
        backends: Whose worker is born next, in turn.
    """

    def __init__(self, arguments: tuple[str, str, str, str], backends: tuple[str, ...]) -> None:
        self._arguments = arguments
        self._backends = backends
        self._born = 0
        self.workers: list[subprocess.Popen[bytes]] = []

    def add(self) -> None:
        """Let one more worker be born."""
        self.workers.append(born(*self._arguments, self._backends[self._born % 2]))
        self._born += 1

    def kill(self) -> None:
        """Kill one, and let another be born in its place."""
        victim = self.workers.pop(random.randrange(len(self.workers)))
        victim.kill()
        victim.communicate()
        self.add()

    @contextmanager
    def stopped(self) -> Iterator[int]:
        """Stop one, as a machine that hangs, and let it go on afterwards."""
        victim = random.choice(self.workers)
        victim.send_signal(signal.SIGSTOP)
        try:
            yield victim.pid
        finally:
            victim.send_signal(signal.SIGCONT)

    def abandon(self) -> None:
        """Leave none behind, whatever has failed."""
        for worker in self.workers:
            worker.kill()
            worker.communicate()

    def end(self) -> list[int]:
        """Ask all to end; return their exit codes."""
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            worker.communicate(timeout=60)
        return [worker.returncode for worker in self.workers]


def under_fire(
    *, engine: str, workers: int, count: int, plan: tuple[str, ...], backends: tuple[str, ...]
) -> Result:
    """Send a campaign with a fleet while one blow after the other falls.

    Args:
        engine: ``pgqueuer`` or ``streaq``.
        workers: How many processes at a time.
        count: Messages.
        plan: The blows, spread over the campaign: ``kill``, ``stop``, ``postgres``, ``redis``.
        backends: The event loops of the workers, in turn.
    """
    with ExitStack() as stack:
        postgres = stack.enter_context(Postgres())
        redis = stack.enter_context(Redis())
        sandbox = Counting(count)
        server = stack.enter_context(SandboxServer(sandbox, port=0))
        dsn = postgres.database()
        url = dsn if engine == "pgqueuer" else redis.url
        began = time.monotonic()
        anyio.run(_enqueue, engine, dsn, url, count)
        fleet = Fleet((engine, dsn, url, server.base_url), backends)
        stack.callback(fleet.abandon)
        for _ in range(workers):
            fleet.add()
        paused_after, begun_after = _strike(fleet, sandbox, count, plan, (postgres, redis, dsn))
        summary, numbers = anyio.run(_looked_up, dsn)
        seconds = time.monotonic() - began
        assert fleet.end() == [0] * workers
        return Result(
            summary=summary,
            seconds=seconds,
            at_sandbox=frozenset(message.recipient for message in sandbox.messages),
            sent_twice=sandbox.stats().sent_twice,
            accepted=frozenset(numbers[Certainty.ACCEPTED]),
            unknown=frozenset(numbers[Certainty.UNKNOWN]),
            blows=Counter(plan),
            paused_after=paused_after,
            begun_after=begun_after,
        )


def _strike(
    fleet: Fleet, sandbox: Counting, count: int, plan: tuple[str, ...], servers: tuple[Any, ...]
) -> tuple[float, int]:
    """Let the blows fall when it is their turn, and wait for the end of the campaign."""
    postgres, redis, dsn = servers
    paused = 0.0, 0
    until = time.monotonic() + END
    for number, blow in enumerate(plan, start=1):
        _wait_for(sandbox, number * count // (len(plan) + 1), until)
        if blow == "kill":
            fleet.kill()
        elif blow == "stop":
            with fleet.stopped() as pid:
                anyio.run(_wait_for_takeover, dsn, pid, until)
        elif blow == "pause":
            paused = anyio.run(_pause, dsn, sandbox)
        else:
            crashed = postgres if blow == "postgres" else redis
            crashed.crash()
            crashed.start()
    anyio.run(_wait_for_end, dsn, until)
    return paused


def _wait_for(sandbox: Counting, requests: int, until: float) -> None:
    """Wait until the sandbox has read so many requests."""
    look = threading.Event()
    while sandbox.read < requests:
        assert time.monotonic() < until, f"the campaign stands still at {sandbox.read}"
        look.wait(LOOK)


async def _enqueue(engine: str, dsn: str, url: str, count: int) -> None:
    queue = PgQueuerQueue() if engine == "pgqueuer" else StreaqQueue(url)
    await enqueue_campaign(
        PostgresLedger(dsn), life.CAMPAIGN, life.messages(count), queue=queue, sender=SENDER
    )


async def _wait_for_takeover(dsn: str, pid: int, until: float) -> None:
    """Wait until the others have taken over what a process held, once its leases are over."""
    async with PostgresLedger(dsn, lease=LEASE) as ledger:
        while True:
            status = await ledger.status(life.CAMPAIGN)
            held = [run for run in status.runs if run.worker.endswith(f":{pid}")]
            if all(run.silent_for > LEASE and not run.claimed + run.sending for run in held):
                return
            assert time.monotonic() < until, f"nobody takes over: {status.runs}"
            await anyio.sleep(LOOK)


async def _pause(dsn: str, sandbox: Counting) -> tuple[float, int]:
    """Pause the campaign, look when all have stopped, and resume it."""
    async with PostgresLedger(dsn, lease=LEASE) as ledger:

        async def in_hand() -> int:
            runs = (await ledger.status(life.CAMPAIGN)).runs
            # What a dead one holds nobody sends; its lease is waited for elsewhere.
            return sum(run.claimed + run.sending for run in runs if run.silent_for < LEASE)

        began = time.monotonic()
        await ledger.pause(life.CAMPAIGN, "a look at what has come back")
        before = sandbox.read
        while await in_hand():
            assert time.monotonic() < began + END, "somebody goes on"
            await anyio.sleep(LOOK)
        seconds, begun = time.monotonic() - began, sandbox.read - before
        await ledger.resume(life.CAMPAIGN)
        return seconds, begun


async def _wait_for_end(dsn: str, until: float) -> None:
    async with PostgresLedger(dsn) as ledger:
        while True:
            summary = await ledger.summary(life.CAMPAIGN)
            if summary.final == summary.total:
                return
            assert time.monotonic() < until, f"the campaign does not end: {summary}"
            await anyio.sleep(LOOK)


async def _looked_up(dsn: str) -> tuple[Summary, dict[Certainty, set[str]]]:
    """Return what the ledger says in the end."""
    numbers: dict[Certainty, set[str]] = {certainty: set() for certainty in Certainty}
    async with PostgresLedger(dsn) as ledger:
        async for outcome in ledger.outcomes(life.CAMPAIGN):
            numbers[outcome.certainty].add(outcome.message.to)
        return await ledger.summary(life.CAMPAIGN), numbers


def planned(kills: int) -> tuple[str, ...]:
    """Return a plan with so many kills, and one of each other blow among them."""
    plan = ["kill"] * kills
    for place, blow in enumerate(("postgres", "stop", "pause", "redis"), start=1):
        plan.insert(place * len(plan) // 5 + 1, blow)
    return tuple(plan)


def main() -> None:
    """Run it as it is asked for, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=("pgqueuer", "streaq"), default="pgqueuer")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=12)
    asked = parser.parse_args()
    backends = ("asyncio", "asyncio" if asked.engine == "pgqueuer" else "trio")
    result = under_fire(
        engine=asked.engine,
        workers=asked.workers,
        count=asked.messages,
        plan=planned(asked.kills),
        backends=backends,
    )
    lost = asked.messages - len(result.at_sandbox | result.unknown)
    print(  # noqa: T201  # a script
        f"{asked.engine}, {asked.workers} workers, {asked.messages} messages, "
        f"{dict(result.blows)}: {result.seconds:.0f} s, {len(result.at_sandbox)} at the sandbox, "
        f"{result.sent_twice} twice, {lost} lost, {result.summary.unknown} unknown "
        f"({len(result.unknown - result.at_sandbox)} of them did not go out); paused after "
        f"{result.paused_after:.2f} s, with {result.begun_after} requests after the call",
    )


if __name__ == "__main__":
    os.environ.pop("COVERAGE_PROCESS_START", None)
    main()
