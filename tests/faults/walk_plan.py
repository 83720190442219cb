"""What happens in each step of a random walk, and the server that does it."""

import itertools
import json
import random
import ssl
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, Literal

import attrs
from faults.server import Connection, RawServer
from faults.walk_acts import ACTS, BEFORE_READING, BEFORE_TLS, DOUBT, Act, Exchange, hang

from multiwhats_async import ButtonMessage, RetryPolicy

QUICK: Final = RetryPolicy(
    base=0.004, cap=0.02, throttled_base=0.004, throttled_cap=0.02, budget=1e9, budget_return=0
)
"""What is sent again is the default policy's; only the pauses are short, and the budget endless."""

CUTS: Final = tuple(
    f"{event}.{state}"
    for event in (
        "connect_tcp",
        "start_tls",
        "send_request_headers",
        "send_request_body",
        "receive_response_headers",
        "receive_response_body",
        "response_closed",
    )
    for state in ("started", "complete", "failed")
)
"""The events of httpcore's trace, at each of which a caller may be cancelled."""

Way = Literal["scope", "task", "abort"]


FIRST_NUMBER: Final = 905_300_000_000


def step_of(to: str) -> int:
    """Return the step that a recipient stands for."""
    return int(to) - FIRST_NUMBER


# --- the plan ---------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Plan:
    """What happens in one step.

    Attributes:
        step: Its number.
        acts: What the server does to the first, second, … POST of the message.
        way: How its caller is cancelled: by anyio's scope, by asyncio's task, or by a run's abort,
            which ends an attempt whatever it has written.
        cut: The event at which it is cancelled, ``before`` or ``after`` the call, ``moment`` for
            one that no event marks, or None.
        early: Whether the cancellation comes before the evidence has noted the event.
        delay: Seconds before ``moment``.
        size: Characters of the text beyond its name; many take several writes.
    """

    step: int
    acts: tuple[Act, ...]
    way: Way
    cut: str | None
    early: bool
    delay: float
    size: int

    @classmethod
    def of(cls, seed: int, step: int) -> "Plan":
        """Return the plan of a step, which is the same each time."""
        dice = random.Random(f"{seed} {step}")
        weights = [act.weight for act in ACTS]
        cut = None
        if dice.random() < 0.4:
            cut = dice.choice(("before", "after", "moment", "moment", *CUTS, *CUTS))
        return cls(
            step=step,
            acts=tuple(dice.choices(ACTS, weights, k=QUICK.throttled_attempts + QUICK.attempts)),
            way=dice.choice(("scope", "task", "abort")),
            cut=cut,
            early=dice.random() < 0.3,
            delay=dice.random() ** 2 * 0.02,
            size=dice.choice((*[0] * 19, 300_000)),
        )

    @property
    def message(self) -> ButtonMessage:
        """The message: its recipient tells its step."""
        text = f"step {self.step} {'x' * self.size}"
        return ButtonMessage(str(FIRST_NUMBER + self.step), text, ["Yes"], limits=None)

    def __str__(self) -> str:
        acts = " ".join(act.name for act in self.acts)
        return f"cut {self.cut} by {self.way}{' early' * self.early}, {self.size} B; acts {acts}"


@attrs.frozen
class Read:
    """A body that the server has read in full, and what it did then."""

    act: Act
    serial: int


UNTOLD: Final = Act(hang, DOUBT)
"""Of a body that came along with the head at which the server went."""


class Server(RawServer):
    """Does what the plan of each message says, and notes every body that it has read."""

    def __init__(self, plans: Callable[[int], Plan], seed: int, tls: ssl.SSLContext | None) -> None:
        super().__init__(self._play, tls=tls, handshake=False)
        self.reads: defaultdict[int, list[Read]] = defaultdict(list)
        self.acts: Counter[str] = Counter()
        self._plans = plans
        self._seed = seed
        self._numbers = itertools.count(1)
        self._greeted: set[Connection] = set()

    def _play(self, connection: Connection) -> None:
        number = next(self._numbers)
        dice = random.Random(f"{self._seed} play {number}")
        if connection not in self._greeted:
            self._greeted.add(connection)
            self._before(BEFORE_TLS, connection, dice)
            if connection.closed:
                return
            if self.tls is not None:
                connection.start_tls(self.tls)
        self._before(BEFORE_READING, connection, dice)
        if connection.closed:
            _, _, body = connection._buffer.partition(b"\r\n\r\n")
            with suppress(ValueError, UnicodeDecodeError):
                self._note(json.loads(body)["to"], UNTOLD, number)
            return
        request = connection.read_request()
        self.requests.clear()  # noted below, and large
        to = json.loads(request.body)["to"]
        act = self._plans(step_of(to)).acts[len(self.reads[step_of(to)])]
        self._note(to, act, number)
        act.play(Exchange(connection, request, to, number, dice))

    def _before(
        self,
        acts: Mapping[Callable[[Connection, random.Random], None], float],
        connection: Connection,
        dice: random.Random,
    ) -> None:
        """Do one of the things that are done before a POST is read."""
        (act,) = dice.choices([*acts], [*acts.values()])
        self.acts[act.__name__] += 1
        act(connection, dice)

    def _note(self, to: str, act: Act, serial: int) -> None:
        self.acts[act.name] += 1
        self.reads[step_of(to)].append(Read(act, serial))
