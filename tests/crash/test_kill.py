"""kill -9 at random moments: nobody gets a message twice, nobody is lost."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Timer
from typing import Any

import anyio
import life
import pytest

from multiwhats_async import Certainty, SQLiteLedger, Summary
from multiwhats_async.sandbox import Emulator, FaultPlan, SandboxRequest, SandboxServer

MESSAGES = 6_000
NOBODY = -1
"""So many requests never go by."""
KILLS = 32
SPREAD = 0.02
"""Seconds within which the blow falls, so that it meets every step of a message's way."""


WHOLE = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
"""Whoever is killed leaves half a file of coverage behind."""


class Killer(Emulator):
    """A sandbox that has whoever sends to it killed, soon after so many requests."""

    def __init__(self) -> None:
        super().__init__(faults=FaultPlan(["latency=0.01"]), magic_numbers=False, keep=2 * MESSAGES)
        self.spare = NOBODY
        self.strike: Callable[[], Any] = lambda: None

    def handle(self, request: SandboxRequest) -> Any:
        self.spare -= 1
        if self.spare == 0:
            self.strike()
        return super().handle(request)


def one_life(killer: Killer, ledger: Path, url: str, backend: str, spare: int, *how: str) -> int:
    """Let a process send until it is killed, or has finished; return its exit code.

    Args:
        killer: The sandbox.
        ledger: The file.
        url: Where the sandbox is.
        backend: The event loop.
        spare: How many requests go by before the blow; 0 is a blow while the process opens the
            ledger, recovers and loads.
        how: What else the process is told.
    """
    killer.spare = NOBODY  # what the process before has left on the way is not this one's
    here = Path(life.__file__)
    command = [sys.executable, str(here), str(ledger), url, backend, str(MESSAGES), *how]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=WHOLE)  # noqa: S603  # our own
    timers = []

    def strike() -> None:
        timers.append(Timer(random.uniform(0, SPREAD), os.kill, (process.pid, signal.SIGKILL)))
        timers[-1].start()

    killer.strike = strike
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        if spare == 0:
            strike()
        killer.spare = spare
        code = process.wait()
    for timer in timers:
        timer.join()
    return code


async def looked_up(path: Path) -> tuple[Summary, dict[Certainty, set[str]]]:
    """Return what the ledger says in the end."""
    numbers: dict[Certainty, set[str]] = {certainty: set() for certainty in Certainty}
    async with SQLiteLedger(path) as ledger:
        async for outcome in ledger.outcomes(life.CAMPAIGN):
            numbers[outcome.certainty].add(outcome.message.to)
        return await ledger.summary(life.CAMPAIGN), numbers


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_campaign_survives_kill_9(backend: str, tmp_path: Path) -> None:
    """32 blows over 6,000 messages, held against the sandbox's own count."""
    path = tmp_path / "spring.ledger"
    killer = Killer()
    kills = 0
    with SandboxServer(killer, port=0) as server:
        while kills < KILLS:
            # Every eighth falls before anything is sent.
            spare = random.randint(15, 45) if kills % 8 else 0
            code = one_life(killer, path, server.base_url, backend, spare)
            assert code == -signal.SIGKILL
            kills += 1
        assert one_life(killer, path, server.base_url, backend, NOBODY) == 0
    summary, numbers = anyio.run(looked_up, path)
    at_sandbox = {message.recipient for message in killer.messages}
    stats = killer.stats()
    assert stats.sent_twice == 0
    assert summary.total == summary.final == MESSAGES
    assert summary.unknown <= kills * life.CONCURRENCY
    assert numbers[Certainty.ACCEPTED] <= at_sandbox
    assert at_sandbox <= numbers[Certainty.ACCEPTED] | numbers[Certainty.UNKNOWN]
    assert stats.accepted == len(at_sandbox)


def test_without_the_intent_people_get_messages_twice(tmp_path: Path) -> None:
    """The test above can fail: an intent that is not on disk is what keeps them from it."""
    path = tmp_path / "spring.ledger"
    killer = Killer()
    with SandboxServer(killer, port=0) as server:
        for _ in range(4):
            spare = random.randint(40, 80)
            assert one_life(killer, path, server.base_url, "asyncio", spare, "careless") < 0
    assert killer.stats().sent_twice > 0
