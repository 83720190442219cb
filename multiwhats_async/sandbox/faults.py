"""Faults: what goes wrong, for which request, how often. Seeded, so that a run can be repeated.

What the vendor's own server does when it fails is not documented. These are the ways in which
any HTTP server can fail, and each says whether the message was processed: that is what a client
cannot see, and must not guess.
"""

import math
import random
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any, Final, Self

import attrs

from multiwhats_async._numbers import NumberError, normalise_number
from multiwhats_async._secret import mask_number

LATENCY: Final = "latency"
TIMEOUT: Final = "timeout"
REFUSE: Final = "refuse"
DISCONNECT_BEFORE: Final = "disconnect_before"
DISCONNECT_AFTER: Final = "disconnect_after"
MALFORMED_JSON: Final = "malformed_json"
HTML: Final = "html"
SLOW_DRIP: Final = "slow_drip"
WEBHOOK_DELAY: Final = "webhook_delay"
WEBHOOK_DROP: Final = "webhook_drop"
WEBHOOK_DUPLICATE: Final = "webhook_duplicate"
WEBHOOK_REORDER: Final = "webhook_reorder"

KINDS: Final = {
    LATENCY: "the answer comes later by so many seconds; adds to any other fault; processed",
    TIMEOUT: "never answered; not processed",
    REFUSE: "the connection is reset before anything is read from it; not processed",
    DISCONNECT_BEFORE: "the request is read, the connection dropped; not processed",
    DISCONNECT_AFTER: "the connection is dropped without an answer; processed",
    MALFORMED_JSON: "200 with a JSON body that breaks off; processed",
    HTML: "200 with a web page, as from a proxy; not processed",
    SLOW_DRIP: "the answer comes 32 bytes at a time, each after so many seconds; processed",
    WEBHOOK_DELAY: "a choice is pushed later by so many seconds",
    WEBHOOK_DROP: "a choice is not pushed at all",
    WEBHOOK_DUPLICATE: "a choice is pushed twice",
    WEBHOOK_REORDER: "a choice is pushed behind the next one, or after so many seconds (5)",
}
"""Every kind of fault by name. A status from 400 to 599 is one more: answered at once, not
processed; its seconds are the Retry-After header."""

DELIVERY_KINDS: Final = frozenset({WEBHOOK_DELAY, WEBHOOK_DROP, WEBHOOK_DUPLICATE, WEBHOOK_REORDER})
"""Those that strike a choice on its way to the webhook."""

STATUSES: Final = range(400, 600)
DEFAULT_DRIP_SECONDS: Final = 1.0
MAX_COUNT_DIGITS: Final = 18
"""Of a count in the text form: it keeps a number of thousands of digits away from ``int``."""

_NEED_SECONDS: Final = frozenset({LATENCY, WEBHOOK_DELAY})
_NO_SECONDS: Final = frozenset(KINDS) - _NEED_SECONDS - {SLOW_DRIP, WEBHOOK_REORDER}


@attrs.frozen
class Fault:
    """One thing that goes wrong, and for which requests.

    Without a selector it strikes every request. ``nth``, ``every`` and ``probability`` exclude
    each other; ``to`` and ``times`` go with any of them, and then only requests to that number
    are counted. ``refuse`` counts connections, the ``webhook_`` kinds count choices that are
    pushed, every other kind counts requests.

    Args:
        kind: A name of :data:`KINDS`, or a status from 400 to 599 as text.
        seconds: What the kind makes of it: with a status whole seconds of Retry-After (None
            leaves the header out), with ``latency`` the delay, with ``slow_drip`` the pause.
        to: Only for this recipient.
        nth: Only the n-th request, counted from 1.
        every: Every n-th request.
        probability: Each request with this probability, over 0 to 1.
        times: At most so many times.

    Raises:
        ValueError: The fault makes no sense; names the value and the way out.
    """

    kind: str
    seconds: float | None = attrs.field(default=None, kw_only=True)
    to: str | None = attrs.field(
        default=None, kw_only=True, repr=lambda to: repr(to and mask_number(to))
    )
    nth: int | None = attrs.field(default=None, kw_only=True)
    every: int | None = attrs.field(default=None, kw_only=True)
    probability: float | None = attrs.field(default=None, kw_only=True)
    times: int | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        problem = _kind_problem(self) or _selector_problem(self)
        if problem:
            raise ValueError(problem)

    @property
    def status(self) -> int | None:
        """The HTTP status that is answered, where the kind is one."""
        return int(self.kind) if self.kind not in KINDS else None

    def __str__(self) -> str:
        """The text form that :meth:`parse` reads."""
        selectors = [
            f"{name}:{_written(value)}"
            for name, value in (
                ("to", self.to),
                ("nth", self.nth),
                ("every", self.every),
                ("p", self.probability),
                ("times", self.times),
            )
            if value is not None
        ]
        seconds = "" if self.seconds is None else f"={_written(self.seconds)}"
        return f"{self.kind}{seconds}" + (f"@{','.join(selectors)}" if selectors else "")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a fault from ``KIND[=SECONDS][@SELECTOR[,SELECTOR…]]``.

        The selectors are ``to:NUMBER``, ``nth:N``, ``every:N``, ``p:PROBABILITY`` and ``times:N``:
        ``429@every:50``, ``disconnect_after@nth:7``, ``latency=0.2@p:0.1``,
        ``503=2@to:905374937766,times:1``.

        Args:
            text: The fault as it stands on a command line.

        Returns:
            The fault.

        Raises:
            ValueError: The text is no fault; names the part and the way out.
        """
        what, at, where = text.partition("@")
        kind, equals, seconds = what.partition("=")
        options: dict[str, Any] = {}
        if equals:
            options["seconds"] = _decimal(seconds, "seconds")
        for selector in where.split(",") if at else ():
            name, _, value = selector.strip().partition(":")
            field = "probability" if name == "p" else name
            if field not in _SELECTORS or name == "probability":
                raise ValueError(
                    f"{selector!r} is no selector: "
                    "write to:NUMBER, nth:N, every:N, p:PROBABILITY or times:N"
                )
            if field in options:
                raise ValueError(f"{name}: stands twice in {text!r}: write it once")
            options[field] = _SELECTORS[field](value, name)
        return cls(kind.strip(), **options)


@attrs.frozen
class Strike:
    """What a plan has in store for one request.

    Attributes:
        delay: Seconds, the sum of the latencies that strike.
        fault: The first other fault that strikes, or None.
    """

    delay: float = 0
    fault: Fault | None = None


@attrs.define
class _Armed:
    """A fault with its counters."""

    fault: Fault
    seen: int = 0
    fired: int = 0

    def hits(self, dice: random.Random) -> bool:
        """Count one request; return whether the fault strikes it."""
        self.seen += 1
        fault = self.fault
        if fault.probability is not None:
            # The dice are rolled whatever else holds: a run repeats whatever its faults do.
            hit = dice.random() < fault.probability
        elif fault.nth is not None:
            hit = self.seen == fault.nth
        else:
            hit = self.seen % (fault.every or 1) == 0
        return hit and (fault.times is None or self.fired < fault.times)


class FaultPlan:
    """The faults of a sandbox, in order: of those that strike a request, the first one wins.

    Thread-safe. ``latency`` never wins: it adds to what else happens.

    Args:
        faults: Faults, or their text form.
        seed: Of the dice, for faults with a probability.

    Raises:
        ValueError: A text is no fault.
    """

    def __init__(self, faults: Iterable[Fault | str] = (), *, seed: int = 0) -> None:
        self._lock = Lock()
        self._seed = seed
        self._armed = [_Armed(_fault(fault)) for fault in faults]
        self._dice = _dice(seed)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The faults, in order."""
        with self._lock:
            return tuple(armed.fault for armed in self._armed)

    @property
    def seed(self) -> int:
        """The seed of the dice."""
        return self._seed

    def counts(self) -> list[tuple[Fault, int, int]]:
        """Return each fault with what it was tried on, and how often it struck."""
        with self._lock:
            return [(armed.fault, armed.seen, armed.fired) for armed in self._armed]

    def add(self, fault: Fault | str) -> None:
        """Add a fault behind the others; it counts from now on."""
        armed = _Armed(_fault(fault))
        with self._lock:
            self._armed.append(armed)

    def clear(self) -> None:
        """Take all faults away."""
        with self._lock:
            self._armed.clear()

    def reset(self) -> None:
        """Begin anew: every counter at 0, the dice as they were seeded."""
        with self._lock:
            self._armed = [_Armed(armed.fault) for armed in self._armed]
            self._dice = _dice(self._seed)

    def for_connection(self) -> Fault | None:
        """Count a new connection; return the ``refuse`` that strikes it, or None."""
        with self._lock:
            return self._draw([armed for armed in self._armed if armed.fault.kind == REFUSE]).fault

    def for_request(self, recipient: str | None = None) -> Strike:
        """Count a request; return what strikes it.

        Args:
            recipient: The ``to`` of its message, or None where it could not be read.
        """
        with self._lock:
            return self._draw(
                [
                    armed
                    for armed in self._armed
                    if armed.fault.kind not in _NOT_OF_REQUESTS
                    and armed.fault.to in {None, recipient}
                ]
            )

    def for_delivery(self, customer: str) -> dict[str, Fault]:
        """Count a choice on its way to the webhook; return what strikes it, the first of a kind.

        Args:
            customer: The number that tapped.
        """
        found: dict[str, Fault] = {}
        with self._lock:
            for armed in self._armed:
                fault = armed.fault
                if fault.kind in DELIVERY_KINDS and fault.to in {None, customer}:
                    hit = armed.hits(self._dice)
                    if hit and fault.kind not in found:
                        armed.fired += 1
                        found[fault.kind] = fault
        return found

    def _draw(self, candidates: Iterable[_Armed]) -> Strike:
        delay: float = 0
        winner: Fault | None = None
        for armed in candidates:
            if not armed.hits(self._dice):
                continue
            if armed.fault.kind == LATENCY:
                delay += armed.fault.seconds or 0
            elif winner is None:
                winner = armed.fault
            else:  # it hit, but another one struck: that uses up none of its times
                continue
            armed.fired += 1
        return Strike(delay, winner)


_NOT_OF_REQUESTS: Final = DELIVERY_KINDS | {REFUSE}


def _dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - a run must repeat; nothing here is secret


def _fault(fault: Fault | str) -> Fault:
    return Fault.parse(fault) if isinstance(fault, str) else fault


def _kind_problem(fault: Fault) -> str | None:
    kind, seconds = fault.kind, fault.seconds
    is_status = kind.isascii() and kind.isdigit() and len(kind) == len("429")
    if kind not in KINDS and not (is_status and int(kind) in STATUSES):
        return (
            f"{kind!r} is no kind of fault: write a status from 400 to 599, or one of "
            + ", ".join(KINDS)
        )
    if kind in _NEED_SECONDS and seconds is None:
        return f"{kind} needs its seconds: write {kind}=0.2"
    if kind in _NO_SECONDS and seconds is not None:
        return f"{kind} takes no seconds: leave out ={seconds:g}"
    if seconds is not None and not (math.isfinite(seconds) and seconds >= 0):
        return f"{seconds} is no time: write seconds from 0 up, such as {kind}=2"
    if is_status and seconds is not None and seconds != int(seconds):
        return f"Retry-After counts whole seconds, {seconds:g} is none: write {kind}={seconds:.0f}"
    return None


def _selector_problem(fault: Fault) -> str | None:
    chosen = [name for name in ("nth", "every", "probability") if getattr(fault, name) is not None]
    if len(chosen) > 1:
        return f"{' and '.join(chosen)} exclude each other: choose one"
    for name in ("nth", "every", "times"):
        count = getattr(fault, name)
        if count is not None and count < 1:
            return f"{name}:{count} never strikes: count from 1"
    if fault.probability is not None and not 0 < fault.probability <= 1:
        return f"{fault.probability} is no probability: write one over 0 and up to 1, such as p:0.1"
    if fault.to is not None and fault.kind == REFUSE:
        return (
            "refuse strikes before the recipient can be read: leave out to:, "
            "or use disconnect_before"
        )
    if fault.to is not None and not (fault.to.isascii() and fault.to.isdigit()):
        return "to: takes digits with the country code, such as to:905374937766"
    return None


def _written(value: str | float) -> str:
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _whole(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > MAX_COUNT_DIGITS:
        raise ValueError(f"{name}:{text} is no count: write a whole number, such as {name}:7")
    return int(text)


def _decimal(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name} {text!r} is no number: write one such as 0.5") from None


def _recipient(text: str, name: str) -> str:
    try:
        return normalise_number(text)
    except NumberError as error:
        raise ValueError(f"{name}: {error}") from None


_SELECTORS: Final[dict[str, Callable[[str, str], str | float]]] = {
    "to": _recipient,
    "nth": _whole,
    "every": _whole,
    "probability": _decimal,
    "times": _whole,
}

MAGIC_NUMBERS: Final = {
    "0401": Fault("401"),
    "0402": Fault("402"),
    "0403": Fault("403"),
    "0408": Fault(TIMEOUT),
    "0422": Fault("422"),
    "0429": Fault("429", seconds=1),
    "0444": Fault(DISCONNECT_BEFORE),
    "0499": Fault(DISCONNECT_AFTER),
    "0500": Fault("500"),
    "0502": Fault("502"),
    "0503": Fault("503"),
}
"""The last four digits of a recipient, and what always happens to a message to it.

=====  ==================================================  =========
ends   what the client meets                               processed
=====  ==================================================  =========
0401   401                                                 no
0402   402                                                 no
0403   403                                                 no
0408   no answer at all                                    no
0422   422                                                 no
0429   429 with ``Retry-After: 1``                         no
0444   the connection drops                                no
0499   the connection drops                                **yes**
0500   500                                                 no
0502   502                                                 no
0503   503 without ``Retry-After``                         no
=====  ==================================================  =========

Every attempt meets the same, the first and the last: ``503=1@to:905374937766,times:1`` is a fault
that passes. A fault of the plan goes before the number's own. 0444 and 0499 are named after
nginx's own statuses for the same events. ``Emulator(magic_numbers=False)`` switches them off, as a
load test over running numbers must.
"""
