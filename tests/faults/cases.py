"""What a case is: what the server does to one POST, and what must then be known of it."""

from collections.abc import Callable, Iterable
from typing import Final, Literal

import attrs
from faults.answers import Header, answer, record_text
from faults.certificates import TRUSTED
from faults.server import Connection, Play, RawServer

from multiwhats_async import ButtonMessage, Certainty, RetryPolicy, Timeouts

ACCEPTED: Final = frozenset({Certainty.ACCEPTED})
REJECTED: Final = frozenset({Certainty.REJECTED})
NOT_SENT: Final = frozenset({Certainty.NOT_SENT})
UNKNOWN: Final = frozenset({Certainty.UNKNOWN})
BY_TRACE: Final = NOT_SENT | UNKNOWN
"""Where the timing decides what was written, and the evidence tells."""

RECIPIENT: Final = "905374937766"
STRANGER: Final = "905550001122"
MESSAGE: Final = ButtonMessage(RECIPIENT, "Hi 👤", ["👍 Yes", "⛔ No"])
PROBE: Final = ButtonMessage("905374930000", "Still there?", ["👍 Yes"])
LARGE: Final = ButtonMessage(RECIPIENT, "x" * 12_000_000, ["👍 Yes"], limits=None)

ONCE: Final = RetryPolicy(attempts=1, throttled_attempts=1, throttled_base=0.0)
"""Nothing is sent again, and no pause follows a 429."""

PATIENT: Final = Timeouts(attempt=8, connect=8, write=8, read=8)
"""No deadline passes here."""

SHORT: Final = 0.25
"""Seconds of a deadline that does pass."""


def short(part: str) -> Timeouts:
    """Return timeouts of which one part is short."""
    return attrs.evolve(PATIENT, **{part: SHORT})


Condition = Callable[[RawServer], bool]


@attrs.frozen(kw_only=True)
class Case:
    """One thing that a server does.

    Attributes:
        name: Its name in the test's id, and in the table.
        play: What the server does.
        certainty: What the client may say of the message.
        posts: How many POSTs the server reads in full.
        status: The status on the error, or None.
        status_too: Others that a transport may see: one that reads while it writes hears an early
            answer, one that is told of a broken record only at its end loses what came with it.
        message: What is sent.
        timeouts: How long an attempt may take.
        tls: Which certificate the server shows, or None: it does not speak TLS.
        handshake: Whether it shakes hands before the play.
        receive_buffer: See the server.
        door: See the server.
        host: The name that the client is told; it is not resolved before the server is mended.
        kept: What the server does to a message before, which leaves its connection in the pool.
        settled: What must hold at the server before another message goes out.
        strays: Whether bytes are left behind an answer. In the pool of an injected client they
            cannot be seen: there it is told to keep no connection.
        cancelled: What holds at the server when the caller gives up.
        heals: Whether the server can be mended at all.
    """

    name: str
    play: Play
    certainty: frozenset[Certainty]
    posts: int = 1
    status: int | None = None
    status_too: frozenset[int | None] = frozenset()
    message: ButtonMessage = MESSAGE
    timeouts: Timeouts = PATIENT
    tls: str | None = None
    handshake: bool = True
    receive_buffer: int | None = None
    door: Literal["open", "crowded", "closed"] = "open"
    host: str | None = None
    kept: Play | None = None
    settled: Condition | None = None
    strays: bool = False
    cancelled: Condition | None = None
    heals: bool = True

    @property
    def statuses(self) -> frozenset[int | None]:
        """Every status that may be seen."""
        return self.status_too | {self.status}


def nobody_there(server: RawServer) -> bool:
    """Tell whether every connection has ended."""
    return server.live == 0


def over_tls(*cases: Case) -> tuple[Case, ...]:
    """Return the cases once more, against a server that speaks TLS."""
    return tuple(attrs.evolve(case, name=f"TLS, {case.name}", tls=TRUSTED) for case in cases)


def answers(raw: bytes, *, then: Play | None = None) -> Play:
    """Return the play that reads a request, sends bytes, and goes on as told."""

    def play(connection: Connection) -> None:
        connection.read_request()
        connection.send(raw)
        if then is not None:
            then(connection)

    return play


def answered(status: int = 200, body: bytes | None = None, headers: Iterable[Header] = ()) -> Play:
    """Return the play that reads a request and sends a whole answer."""
    whole = record_text(RECIPIENT) if body is None else body
    return answers(answer(status, whole, headers))
