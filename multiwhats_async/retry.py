"""When a message may be sent again, and after how long.

Everything here is a pure function of its arguments: no clock, no sleep, no random of its own.
"""

from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from typing import Any, Final

import attrs

from ._certainty import Certainty
from ._secret import shown
from .errors import ConfigurationError, RateLimitedError, SendError
from .models import ButtonMessage
from .options import at_least_one, is_number, not_negative, positive

LONGEST_RETRY_AFTER: Final = 86_400.0
"""Seconds. A server that asks for more than a day is taken to ask for a day."""


@attrs.frozen(kw_only=True)
class RetryDetails:
    """What ``should_retry`` and the ``on_retry`` hooks are told.

    Attributes:
        message: The message.
        key: Its key.
        attempts: How many attempts were begun for it.
        error: What the last one ended in; ``error.certainty`` says what is known.
        delay: Seconds after which it is to be sent again, or None where the policy would not.
        elapsed: Seconds since its first attempt.
    """

    message: ButtonMessage
    key: str
    attempts: int
    error: SendError
    delay: float | None
    elapsed: float

    def to_dict(self) -> dict[str, Any]:
        """Return the details as plain data, ready for JSON."""
        return {
            "message": self.message.to_dict(),
            "key": self.key,
            "attempts": self.attempts,
            "error": self.error.to_dict(),
            "delay": self.delay,
            "elapsed": self.elapsed,
        }


RetryAnswer = bool | float | None
ShouldRetry = Callable[[RetryDetails], RetryAnswer | Awaitable[RetryAnswer]]


def _yes_or_no(_: object, attribute: "attrs.Attribute[bool]", value: object) -> None:
    """Refuse anything but True and False: doubling messages is not agreed to by a 1."""
    if not isinstance(value, bool):
        raise ConfigurationError(
            f"RetryPolicy.{attribute.name} must be True or False, not {shown(value)}"
        )


def _function_or_none(_: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Refuse anything that can be neither called nor left out."""
    if value is not None and not callable(value):
        raise ConfigurationError(
            f"RetryPolicy.{attribute.name} must be a function, or None, not {shown(value)}"
        )


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """What is sent again without asking. Frozen; delays are in seconds, with full jitter.

    The numbers to start from lie between those of botocore, gRPC, Stripe and OpenAI.

    Attributes:
        attempts: Attempts in all for a message that provably did not reach the server.
        base: The first delay is between 0 and this; the range doubles with every attempt.
        cap: The range never exceeds this.
        throttled_attempts: Attempts in all for one that the server answered with "later".
        throttled_base: As ``base``, for those. Where the server does not say when to come back,
            the client's other messages hold for a tenth of it, doubled while none gets through.
        throttled_cap: As ``cap``, for those.
        max_retry_after: The longest ``Retry-After`` that a single message waits for. A longer
            one pauses a bulk run and fails a single message.
        budget: Tokens that all retries of a client share. A retry of a message that was not
            sent costs ``budget_cost``, an accepted message returns ``budget_return``. With
            none left there is no such retry. "Later" costs nothing, as the shared pause holds
            it; nor does what an open breaker holds. In a bulk run whose server has answered
            before, a retry that the tokens do not allow comes later instead, after up to
            ``throttled_cap`` seconds.
        budget_cost: See ``budget``.
        budget_return: See ``budget``.
        deadline: Seconds that all attempts of a message and the pauses between them may take;
            None is no limit.
        resend_unknown: Send again what may already have arrived. This doubles messages: of the
            unknown ones in a measurement, 38 % had been received.
        should_retry: Asked after every failed attempt that may be followed by another. It gets
            one :class:`RetryDetails` and answers yes (True), no (False), a delay in seconds,
            or None for what the policy would do. It may be a coroutine function. It can never
            have an unknown message sent again: only ``resend_unknown`` can.
    """

    attempts: int = attrs.field(default=4, validator=at_least_one)
    base: float = attrs.field(default=0.25, validator=not_negative)
    cap: float = attrs.field(default=8.0, validator=not_negative)
    throttled_attempts: int = attrs.field(default=5, validator=at_least_one)
    throttled_base: float = attrs.field(default=1.0, validator=not_negative)
    throttled_cap: float = attrs.field(default=20.0, validator=not_negative)
    max_retry_after: float = attrs.field(default=120.0, validator=not_negative)
    budget: float = attrs.field(default=50.0, validator=not_negative)
    budget_cost: float = attrs.field(default=5.0, validator=not_negative)
    budget_return: float = attrs.field(default=0.5, validator=not_negative)
    deadline: float | None = attrs.field(
        default=None, validator=attrs.validators.optional(positive)
    )
    resend_unknown: bool = attrs.field(default=False, validator=_yes_or_no)
    should_retry: ShouldRetry | None = attrs.field(default=None, validator=_function_or_none)

    def to_dict(self) -> dict[str, Any]:
        """Return the policy as plain data; of the hook only whether there is one."""
        data = attrs.asdict(self)
        return data | {"should_retry": self.should_retry is not None}

    def limit(self, error: SendError) -> int:
        """Return how many attempts in all a message may have that ended in ``error``."""
        return self.throttled_attempts if is_later(error) else self.attempts

    def may_retry(self, error: SendError) -> bool:
        """Tell whether ``error`` allows the message to be sent again without asking."""
        if error.certainty is Certainty.UNKNOWN:
            return self.resend_unknown
        return is_later(error) or error.certainty is Certainty.NOT_SENT

    def delay(self, error: SendError, attempts: int, random: Callable[[], float]) -> float:
        """Return the seconds to wait after an attempt that ended in ``error``.

        Args:
            error: What the attempt ended in.
            attempts: How many attempts were begun.
            random: Gives numbers from 0 to 1.
        """
        if is_later(error):
            jitter = random() * _doubled(self.throttled_base, attempts, self.throttled_cap)
            # The server's word is the least; the jitter keeps the waiting from coming as one.
            return jitter if error.retry_after is None else error.retry_after + random()
        return random() * _doubled(self.base, attempts, self.cap)

    def hold(self, error: SendError, refusals: int, random: Callable[[], float]) -> float:
        """Return the seconds for which nothing at all is sent after a server had too much to do.

        Where it does not say until when, all hold for a tenth of what the refused message waits:
        it takes the others, only not so many at once. That doubles while nothing gets through.

        Args:
            error: Its answer.
            refusals: How often in a row it said so; see ``Pause.refuse``.
            random: Gives numbers from 0 to 1.
        """
        if error.retry_after is None:
            return random() * _doubled(self.throttled_base / 10, refusals, self.throttled_cap)
        return error.retry_after + random() * min(1.0, error.retry_after / 10)

    def heed(self, answer: object, details: RetryDetails, fallback: float) -> float | None:
        """Return the delay that ``should_retry``'s answer stands for, or None for no retry.

        Args:
            answer: What the hook answered. What is no answer counts as None.
            details: What it was told.
            fallback: The delay where it says yes to what the policy would not send again.
        """
        if answer is False:
            return None
        if details.error.certainty is Certainty.UNKNOWN and not self.resend_unknown:
            return None
        if answer is True:
            return fallback if details.delay is None else details.delay
        if is_number(answer) and answer >= 0:
            return float(answer)
        return details.delay


def _doubled(base: float, attempts: int, cap: float) -> float:
    """Return the base, doubled with every attempt after the first, up to the cap."""
    return min(cap, base * 2.0 ** min(attempts - 1, 60))


def is_later(error: SendError) -> bool:
    """Tell whether the server itself said to come back later."""
    return isinstance(error, RateLimitedError)


class RetryBudget:
    """How many retries the clients of one pool may still make: a bucket of tokens.

    Args:
        policy: Gives the size of the bucket, and what a retry costs and a success returns.
    """

    __slots__ = ("policy", "tokens")

    def __init__(self, policy: RetryPolicy) -> None:
        self.policy: RetryPolicy = policy
        self.tokens: float = policy.budget

    def spend(self) -> bool:
        """Take a retry's cost; tell whether there was enough."""
        if self.tokens < self.policy.budget_cost:
            return False
        self.tokens -= self.policy.budget_cost
        return True

    def earn(self) -> None:
        """Put a success's return back."""
        self.tokens = min(self.policy.budget, self.tokens + self.policy.budget_return)


def parse_retry_after(value: str | None, date: str | None) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for (RFC 9110, 10.2.3).

    Args:
        value: The header: digits, or an HTTP date.
        date: The response's own ``Date``, against which an HTTP date is measured, so that the
            clock of this machine does not matter. Without it a date says nothing.

    Returns:
        Seconds from 0 to :data:`LONGEST_RETRY_AFTER`, or None for what is negative or garbage.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        # Not by int(), which refuses thousands of digits; float() makes them infinite.
        seconds = float(text)
        return min(seconds, LONGEST_RETRY_AFTER)
    try:
        until = parsedate_to_datetime(text)
        seconds = (until - parsedate_to_datetime(date or "")).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(seconds, LONGEST_RETRY_AFTER) if seconds >= 0 else None
