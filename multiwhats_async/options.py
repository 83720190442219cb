"""Small frozen value objects for options, each default a named constant with its source."""

import math
from typing import Any, Final, Literal, TypeGuard

import attrs

from ._secret import shown
from .errors import ConfigurationError

KeyPlace = Literal["query", "json"]
"""Where the API key goes: both places are documented."""

TransportName = Literal["httpcore", "direct"]
"""What carries the requests of our own client."""

DEFAULT_ATTEMPT_SECONDS: Final = 30.0
DEFAULT_CONNECT_SECONDS: Final = 5.0
DEFAULT_WRITE_SECONDS: Final = 10.0
DEFAULT_READ_SECONDS: Final = 25.0
"""Measured: above these, an answer that has not come did not come."""


def positive(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Refuse anything but a finite number above 0; an attrs validator."""
    if not is_number(value) or value <= 0:
        raise ConfigurationError(
            f"{type(owner).__name__}.{attribute.name} must be a number above 0, not {shown(value)}"
        )


def not_negative(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Refuse anything but a finite number of at least 0; an attrs validator."""
    if not is_number(value) or value < 0:
        raise ConfigurationError(
            f"{type(owner).__name__}.{attribute.name} must be 0 or more, not {shown(value)}"
        )


def at_least_one(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Refuse anything but a whole number of at least 1; an attrs validator."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigurationError(
            f"{type(owner).__name__}.{attribute.name} must be a whole number of at least 1, "
            f"not {shown(value)}"
        )


def is_number(value: object) -> TypeGuard[int | float]:
    """Tell whether a value is a finite int or float (a bool is neither)."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an int beyond every float
        return False


@attrs.frozen(kw_only=True)
class Timeouts:
    """How long one attempt may take, in seconds.

    Attributes:
        attempt: The whole attempt, from the connection to the last byte of the answer. It
            really ends the attempt, whatever the server trickles in.
        connect: Opening the connection, TLS included.
        write: Handing the request to the network.
        read: Waiting for the next bytes of the answer.
    """

    attempt: float = attrs.field(default=DEFAULT_ATTEMPT_SECONDS, validator=positive)
    connect: float = attrs.field(default=DEFAULT_CONNECT_SECONDS, validator=positive)
    write: float = attrs.field(default=DEFAULT_WRITE_SECONDS, validator=positive)
    read: float = attrs.field(default=DEFAULT_READ_SECONDS, validator=positive)

    @classmethod
    def of(cls, value: "Timeouts | float") -> "Timeouts":
        """Return ``value`` itself, or the timeouts whose whole attempt lasts that many seconds.

        Raises:
            ConfigurationError: It is neither a number above 0 nor a ``Timeouts``.
        """
        if isinstance(value, Timeouts):
            return value
        if not is_number(value) or value <= 0:
            raise ConfigurationError(
                f"timeout must be a number of seconds above 0 or a Timeouts, not {shown(value)}"
            )
        seconds = float(value)
        connect = min(DEFAULT_CONNECT_SECONDS, seconds)
        return cls(attempt=seconds, connect=connect, write=seconds, read=seconds)

    def to_dict(self) -> dict[str, Any]:
        """Return the seconds as plain data."""
        return attrs.asdict(self)


@attrs.frozen
class Rate:
    """How many messages a second a sender may send.

    Attributes:
        per_second: Messages a second; 0.2 is one in five seconds. They leave evenly spaced,
            never in a burst.
        jitter: Up to this many seconds are added at random between two messages, because
            numbers that send like clockwork get blocked. 0 is off.
    """

    per_second: float = attrs.field(validator=positive)
    jitter: float = attrs.field(default=0.0, validator=not_negative, kw_only=True)

    @classmethod
    def of(cls, value: "Rate | float") -> "Rate":
        """Return ``value`` itself, or the rate of that many messages a second."""
        return value if isinstance(value, Rate) else cls(value)

    def to_dict(self) -> dict[str, Any]:
        """Return the rate as plain data."""
        return attrs.asdict(self)


@attrs.frozen(kw_only=True)
class MessageLimits:
    """WhatsApp's own limits for a message with buttons.

    The source is Meta's Cloud API reference for interactive reply buttons. MultiWhats states no
    limits, so that these hold there too is assumed; ``limits=None`` switches them off.
    Lengths are counted in Unicode code points (Meta does not say in what it counts).

    Attributes:
        text: Most characters of the message text.
        buttons: Most buttons.
        label: Most characters of a button.
    """

    text: int = attrs.field(default=1024, validator=at_least_one)
    buttons: int = attrs.field(default=3, validator=at_least_one)
    label: int = attrs.field(default=20, validator=at_least_one)

    def to_dict(self) -> dict[str, Any]:
        """Return the limits as plain data."""
        return attrs.asdict(self)


WHATSAPP_LIMITS: Final = MessageLimits()


@attrs.frozen(kw_only=True)
class Breaker:
    """When a bulk run stops knocking at a server that does not answer.

    Only a missing answer counts (not sent, unknown, 5xx), never a 4xx. While the breaker is
    open the queue is held: nothing is sent and nothing fails. One message probes after each
    pause.

    Attributes:
        in_a_row: This many failures in a row open it.
        share: So does this share of failures among at least ``least`` attempts...
        least: ...
        window: ...of the last so many seconds.
        pause: Seconds that it stays open the first time; doubles with every failed probe.
        longest_pause: The most seconds of one pause.
        probes: After so many failed probes in a row the run stops; the rest is ``not_sent``.
    """

    in_a_row: int = attrs.field(default=5, validator=at_least_one)
    share: float = attrs.field(default=0.5, validator=positive)
    least: int = attrs.field(default=10, validator=at_least_one)
    window: float = attrs.field(default=30.0, validator=positive)
    pause: float = attrs.field(default=5.0, validator=positive)
    longest_pause: float = attrs.field(default=60.0, validator=positive)
    probes: int = attrs.field(default=10, validator=at_least_one)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain data."""
        return attrs.asdict(self)
