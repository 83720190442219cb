"""What the tests of engines share: a sandbox, messages, and a hook that says when it is enough."""

import time
from collections.abc import Awaitable, Callable, Iterator

import anyio
import attrs
import pytest

from multiwhats_async import AsyncMultiWhats, ButtonMessage, Certainty, Outcome
from multiwhats_async.sandbox import Emulator, FaultPlan, SandboxServer

SENDER = "908503080335"
PATIENCE = 20.0
"""Seconds: what has not come by then will not come."""


@attrs.define
class Enough:
    """A hook that sets an event once so many messages are accepted."""

    number: int
    reached: anyio.Event = attrs.field(factory=anyio.Event)
    count: int = 0

    def on_outcome(self, outcome: Outcome) -> None:
        """Count."""
        self.count += outcome.certainty is Certainty.ACCEPTED
        if self.count == self.number:
            self.reached.set()


@attrs.frozen
class Stage:
    """A sandbox, and what is sent to it.

    Attributes:
        server: The sandbox's server.
    """

    server: SandboxServer

    @property
    def emulator(self) -> Emulator:
        """The sandbox."""
        return self.server.emulator

    def client(self, *hooks: object, max_concurrency: int = 20) -> AsyncMultiWhats:
        """Return a client of the sandbox."""
        return AsyncMultiWhats(
            "KEY",
            sender=SENDER,
            base_url=self.server.base_url,
            max_concurrency=max_concurrency,
            hooks=hooks,
        )

    @staticmethod
    def messages(count: int) -> list[ButtonMessage]:
        """Return that many different messages."""
        return [
            ButtonMessage(
                str(905_300_000_000 + number), f"Merhaba {number}", ["Evet", "Hayır"], SENDER
            )
            for number in range(count)
        ]

    @staticmethod
    def enough(number: int) -> Enough:
        """Return a hook that says when so many messages are accepted."""
        return Enough(number)

    def has(self, count: int) -> Callable[[], Awaitable[bool]]:
        """Return a check that so many messages have arrived."""

        async def check() -> bool:
            return self.emulator.stats().accepted >= count

        return check

    @staticmethod
    async def until(holds: Callable[[], Awaitable[bool]]) -> None:
        """Wait for what another process brings about, and tells nobody."""
        end = time.monotonic() + PATIENCE
        while not await holds():
            assert time.monotonic() < end, "it has not come about"
            await anyio.sleep(0.02)


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Run a sandbox on a free port."""
    emulator = Emulator(magic_numbers=False, faults=FaultPlan(["latency=0.005"]))
    with SandboxServer(emulator, port=0, page=False) as server:
        yield Stage(server)
