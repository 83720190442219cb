"""``multiwhats demo``: a bulk send against the sandbox, and two counts that must agree."""

import io
import math
from collections.abc import Iterator, Sequence
from functools import partial
from importlib.resources import files
from importlib.util import find_spec
from itertools import islice
from random import Random
from typing import Final

import anyio
import click

from .._certainty import Certainty
from ..client import AsyncMultiWhats
from ..models import ButtonMessage
from ..outcomes import Attempt, Outcome
from ..retry import RetryPolicy
from ..sandbox import Emulator, FaultPlan, SandboxServer
from ._exits import ALL_ACCEPTED, SOME_FAILED
from ._failure import missing_extra
from ._reading import Rows
from ._reckoning import Reckoning, reckoning_lines
from ._screen import Line, Screen, open_screen
from ._sending import Messages, Sent, send_all

ROWS: Final = 1200
"""How many messages demo.csv holds."""

SENDER: Final = "905000009999"
"""As fictitious as the recipients."""

RETRY: Final = RetryPolicy(
    attempts=6, base=0.02, cap=0.2, throttled_attempts=10, throttled_base=0.05, throttled_cap=0.4
)
"""Short pauses, because the sandbox means none of its refusals: nobody likes to wait for a demo."""

LATENCY: Final = "latency=0.03"
"""Seconds that every answer takes. Without it the bar is full before anybody has seen it."""

CLOSED: Final = (30, 90)
"""After so many outcomes the port is closed to new connections, and after so many opened again."""

REFUSED: Final = (3, 9)
"""Which connections are reset when they are accepted, counted from 1."""

PLAIN_SECONDS: Final = 1.0
"""Between two lines off a terminal; the demo takes a few seconds."""

_FILE: Final = "demo.csv"


@click.command("demo")
@click.option(
    "--messages",
    "count",
    type=click.IntRange(1, ROWS),
    default=ROWS,
    show_default=True,
    metavar="N",
    help="How many messages.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Where the faults strike.")
@click.option(
    "--backend",
    type=click.Choice(["asyncio", "trio"]),
    default="asyncio",
    show_default=True,
    help="What the client runs on.",
)
def command(count: int, seed: int, backend: str) -> int:
    """Watch a bulk send against a sandbox: no account, no network.

    Starts the sandbox on this machine with some faults, sends it messages over a real
    connection, and holds the client's count against the sandbox's. Nothing leaves this machine.
    """
    if find_spec(backend) is None:
        raise click.UsageError(missing_extra(backend))
    content = io.BytesIO(files("multiwhats_async.cli").joinpath(_FILE).read_bytes())
    messages = _First(Rows(content, sender=SENDER, count=ROWS), count)
    plan, words = fault_plan([message.to for message in messages], seed=seed)
    emulator = Emulator(faults=plan, magic_numbers=False, keep=count)
    seen = _Seen()
    with (
        open_screen(title="Demo", every=PLAIN_SECONDS) as screen,
        SandboxServer(emulator, port=0) as server,
    ):
        screen.say([Line(f"A sandbox answers on {server.base_url}"), Line(f"Faults: {words}")])
        sent = anyio.run(partial(_send, server, messages, screen, seen), backend=backend)
    reckoning = Reckoning(
        sent=sent, stats=emulator.stats(), at_sandbox=seen.at(emulator), refused=seen.refused
    )
    screen.say(reckoning_lines(reckoning))
    if sent.is_interrupted:
        return sent.exit_code
    return ALL_ACCEPTED if reckoning.adds_up else SOME_FAILED


async def _send(server: SandboxServer, messages: Messages, screen: Screen, seen: "_Seen") -> Sent:
    client = AsyncMultiWhats(
        server.emulator.api_key,
        sender=SENDER,
        base_url=server.base_url,
        transport="direct",  # as every command that sends
        retry=RETRY,
        hooks=[seen, _Port(server)],
    )
    async with client:
        return await send_all(client, messages, screen=screen, on_outcome=seen.add)


class _Port:
    """Closes the sandbox's port for a while, as a restart would: attempts are really refused."""

    def __init__(self, server: SandboxServer) -> None:
        self._server = server
        self._outcomes = 0

    def on_outcome(self, _: Outcome) -> None:
        """Count one more outcome."""
        self._outcomes += 1
        if self._outcomes == CLOSED[0]:
            self._server.close_port()
        elif self._outcomes == CLOSED[1]:
            self._server.open_port()


class _First:
    """The first so many of some rows."""

    def __init__(self, rows: Rows, count: int) -> None:
        self._rows = rows
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[ButtonMessage]:
        return islice(self._rows, self._count)

    def line_of(self, index: int) -> int:
        """Return the line of the message at a position."""
        return self._rows.line_of(index)


class _Seen:
    """Who was told what by the client: the numbers under each certainty."""

    def __init__(self) -> None:
        self._numbers: dict[Certainty, set[str]] = {certainty: set() for certainty in Certainty}
        self.refused = 0

    def on_attempt(self, attempt: Attempt) -> None:
        """Count the attempts that provably did not reach the sandbox."""
        self.refused += attempt.certainty is Certainty.NOT_SENT

    def add(self, _line: int, outcome: Outcome) -> None:
        """Note one outcome."""
        self._numbers[outcome.certainty].add(outcome.message.to)

    def at(self, emulator: Emulator) -> dict[Certainty, int]:
        """Return how many of each certainty the sandbox did accept, number by number."""
        accepted = {message.recipient for message in emulator.messages}
        return {certainty: len(numbers & accepted) for certainty, numbers in self._numbers.items()}


def fault_plan(recipients: Sequence[str], *, seed: int) -> tuple[FaultPlan, str]:
    """Return the faults of a demo, spread over its messages, and how to call them.

    Args:
        recipients: The numbers that are sent to.
        seed: Of the dice that say where they strike.
    """
    dice = Random(seed)  # noqa: S311  # a demo must repeat; nothing here is secret
    many = len(recipients)
    throttled = dice.sample(range(1, many + 1), k=math.ceil(many / 100))
    torn = dice.sample(range(1, many + 1), k=math.ceil(many / 300))
    faults = [
        LATENCY,
        f"422@to:{dice.choice(recipients)}",
        *(f"refuse@nth:{connection}" for connection in REFUSED),
        *(f"429@nth:{request}" for request in throttled),
        *(f"disconnect_after@nth:{request}" for request in torn),
    ]
    words = (
        f"429 ({len(throttled)}), 422 (1), port closed for a moment, "
        f"{len(REFUSED)} resets, {len(torn)} cuts"
    )
    return FaultPlan(faults), words
