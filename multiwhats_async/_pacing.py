"""How many attempts at once, and when the next one may begin.

The decisions are pure state with the time passed in; :class:`Pace` alone waits.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

import anyio
import anyio.lowlevel

from ._breaker import BreakerState
from ._places import Places
from .abc import RateLimiter
from .errors import MultiWhatsError, RateError

logger = logging.getLogger("multiwhats_async")

FIRST_LIMIT: Final = 4
"""Attempts at once with which a client starts, until it has learnt what the server bears."""

CUT_BY_SILENCE: Final = 0.9
CUT_BY_THROTTLE: Final = 0.5
"""As Netflix's concurrency limits and TCP do: a little for slowness, half for a refusal."""

KNEE: Final = 0.9
"""Up to this share of what was too much the limit comes back at once, as in TCP's CUBIC. By one a
round trip it would be three quarters of what the server takes, on average."""

STEP: Final = 0.1
"""The most that one success adds beyond: one more of four would be too much for a small server."""

POSTPONE_SECONDS: Final = 2.0
"""How long telling the others to hold may take: this process holds already."""


class AdaptiveLimit:
    """The number of attempts at once, by additive increase and multiplicative decrease.

    Until the first cut it grows by one with every success, so that it doubles in a round trip,
    as TCP's slow start does. After a cut it does so up to its knee, and from there grows by one
    with every full round of successes. The knee is a little below where it was cut; where it was
    cut on the way there, the server takes less than before, and it grows slowly at once.

    Args:
        ceiling: The user's limit, never exceeded.
    """

    __slots__ = ("_ceiling", "_cut_at", "_knee", "value")

    def __init__(self, ceiling: int) -> None:
        self._ceiling = ceiling
        self.value: float = float(min(FIRST_LIMIT, ceiling))
        self._knee = float("inf")
        self._cut_at = float("-inf")

    def grow(self) -> None:
        """Note a success."""
        step = 1.0 if self.value < self._knee else min(STEP, 1.0 / self.value)
        self.value = min(float(self._ceiling), self.value + step)

    def cut(self, factor: float, *, started: float, now: float) -> None:
        """Note a throttled attempt, or one without an answer.

        Args:
            factor: What remains.
            started: When the attempt began: those that began before the last cut say nothing
                new, else one bad moment of 100 attempts would count 100 times.
            now: The time.
        """
        if started <= self._cut_at:
            return
        self._knee = self.value * (KNEE if self.value >= self._knee else factor)
        self._cut_at = now
        self.value = max(1.0, self.value * factor)


class Concurrency:
    """The limiter in front of the connections, steered by an :class:`AdaptiveLimit`.

    Args:
        ceiling: The most attempts at once.
    """

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self.limit: AdaptiveLimit = AdaptiveLimit(ceiling)
        self.places: Places = Places(int(self.limit.value))

    def grow(self) -> None:
        """Note an attempt that the server answered."""
        if self.limit.value < self.ceiling:  # mostly it has grown as far as it may
            self.limit.grow()
            self._apply()

    def cut(self, factor: float, *, started: float, now: float) -> None:
        """Note a refused attempt, or one without an answer."""
        self.limit.cut(factor, started=started, now=now)
        self._apply()

    def _apply(self) -> None:
        total = int(self.limit.value)
        if total != self.places.total:
            self.places.total = total


class Pause:
    """The moment before which nothing is sent, shared by all that send to one server.

    It is a point in time, merged by the later one, and not a flag: a flag would be cleared by
    whichever request finishes first.
    """

    __slots__ = ("_refused_at", "because", "refusals", "until")

    def __init__(self) -> None:
        self.until: float = float("-inf")
        self.because: str = ""
        self.refusals: int = 0
        self._refused_at = float("-inf")

    def refuse(self, *, started: float, now: float) -> bool:
        """Note that the server has too much to do; tell whether that is news.

        It is none where the attempt began before the last time: a hundred that were under way
        together are one bad moment. ``refusals`` counts these, less what was answered.
        """
        if started <= self._refused_at:
            return False
        self._refused_at = now
        self.refusals += 1
        return True

    def relent(self) -> None:
        """Note that the server answered an attempt: something gets through."""
        if self.refusals:
            self.refusals -= 1

    def extend(self, until: float, because: str) -> None:
        """Pause until a point in time, unless a longer pause holds already."""
        if until > self.until:
            self.until = until
            self.because = because

    def remaining(self, now: float) -> float:
        """Return the seconds of it that are left."""
        return max(0.0, self.until - now)


class RateGate:
    """A rate limiter, and a queue for each sender in which one waits for its slot at a time.

    Args:
        limiter: Hands out the slots.
    """

    def __init__(self, limiter: RateLimiter) -> None:
        self._limiter = limiter
        self._turns: dict[str, anyio.Lock] = {}
        self._held_until = float("-inf")

    def turn(self, sender: str) -> anyio.Lock:
        """Return the lock under which a sender's next message waits."""
        return self._turns.setdefault(sender, anyio.Lock())

    async def reserve(self, sender: str) -> float:
        """Take the next slot of a sender; return the seconds until it comes.

        Raises:
            RateError: No slot can be had.
            ConfigurationError: The limiter is used wrongly.
        """
        try:
            return await self._limiter.reserve(sender)
        except MultiWhatsError:
            raise
        except Exception as error:
            logger.exception("The rate limiter raised")
            raise RateError(f"the rate limiter raised {type(error).__name__}") from None

    async def postpone(self, sender: str, seconds: float, now: float) -> None:
        """Tell all that share the rate to hold, unless they were told of as long a hold."""
        if now + seconds <= self._held_until:
            return  # the same bad moment, which the other attempts under way have met too
        self._held_until = now + seconds
        try:
            with anyio.fail_after(POSTPONE_SECONDS, shield=True):  # a stop must not keep it back
                await self._limiter.postpone(sender, seconds)
        except Exception as error:  # noqa: BLE001  # a hold must not cost a message
            why = f"{type(error).__name__}: {error}"
            logger.warning("The others that share the rate could not be told to hold: %s", why)


class Pace:
    """Lets one attempt after the other begin: concurrency, shared pause, breaker, rate.

    Args:
        concurrency: How many at once.
        pause: The pause shared with all that send to the same server.
        rate: Slots in time, or None.
        breaker: Holds a bulk run while the server does not answer, or None.
        clock: Tells seconds.
        sleep: Waits seconds.
    """

    def __init__(
        self,
        *,
        concurrency: Concurrency,
        pause: Pause,
        rate: RateGate | None,
        breaker: BreakerState | None = None,
        clock: Callable[[], float] = anyio.current_time,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self.concurrency = concurrency
        self.pause = pause
        self.rate = rate
        self.breaker = breaker
        self._clock = clock
        self._sleep = sleep
        self._breaker_moved: anyio.Event | None = None  # made by the first that waits
        self.without_rate: RateError | None = None

    @property
    def holds(self) -> bool:
        """Whether the breaker is open: attempts are held, whatever their number."""
        return self.breaker is not None and self.breaker.open_until is not None

    @property
    def is_exhausted(self) -> bool:
        """Whether the breaker has probed a silent server often enough."""
        return self.breaker is not None and self.breaker.exhausted

    def held(self, now: float) -> tuple[float | None, str | None]:
        """Return for how many seconds no attempt begins, and why, or None for both."""
        paused = self.pause.remaining(now)
        if paused:
            return paused, self.pause.because
        if self.breaker is not None and self.breaker.open_until is not None:
            return max(0.0, self.breaker.open_until - now), "the server does not answer"
        return None, None

    @property
    def knows_the_server(self) -> bool:
        """Whether the server has answered this run before."""
        return self.breaker is not None and self.breaker.knows_the_server

    def begin_at_once(self) -> bool:
        """Take a place where nothing is to be waited for, as mostly; tell whether."""
        if self.rate is not None or not self._is_open():
            return False
        return self.concurrency.places.try_take()

    async def acquire(self, borrower: object, sender: str, *, longest: float | None = None) -> bool:
        """Wait until an attempt may begin.

        Pauses are waited for first, and one message a sender waits for its slot in time: so a
        slow or held run does not keep the places that others could use.

        Args:
            borrower: Who asks for a place; give it back with :meth:`release`.
            sender: Whose rate counts.
            longest: The longest pause in seconds that is waited for; None is no limit.

        Returns:
            Whether a place was taken: False where a pause is longer than ``longest``.

        Raises:
            RateError: There is no slot to be had; ``without_rate`` keeps it.
        """
        while self._is_open() or await self._wait_until_open(longest):
            if self.rate is None:
                await self.concurrency.places.take()
            else:
                async with self.rate.turn(sender):
                    await self._take_with_slot(self.rate, sender)
            # A pause that began meanwhile costs the slot: after it, nothing may come as a burst.
            if self._may_begin(borrower):
                return True
            self.release(borrower)
        return False

    async def _take_with_slot(self, rate: RateGate, sender: str) -> None:
        """Wait for a place, and then for the sender's next slot in time."""
        await self.concurrency.places.take()
        try:
            await anyio.lowlevel.checkpoint()  # a stop that came meanwhile costs no slot
            await self._sleep(await self._slot(rate, sender))
        except BaseException:
            self.concurrency.places.give_back()
            raise

    async def _slot(self, rate: RateGate, sender: str) -> float:
        try:
            return await rate.reserve(sender)
        except RateError as error:
            self.without_rate = error
            raise

    async def postpone(self, sender: str, seconds: float) -> None:
        """Tell all that share the rate that the server has said "later"."""
        if self.rate is not None:
            await self.rate.postpone(sender, seconds, self._clock())

    def release(self, borrower: object) -> None:
        """Give the place back; where it was that of a probe without a result, another may go."""
        self.concurrency.places.give_back()
        if self.breaker is not None and self.breaker.is_probing:
            self.breaker.release(borrower)
            if not self.breaker.is_probing:
                self._wake()

    def _is_open(self) -> bool:
        """Tell whether nothing is to be waited for, as mostly."""
        breaker = self.breaker
        return (breaker is None or breaker.open_until is None) and (
            self.pause.until <= self._clock()
        )

    async def _wait_until_open(self, longest: float | None) -> bool:
        """Wait for the pause and for the breaker; tell whether that was worth while."""
        while True:
            now = self._clock()
            paused = self.pause.remaining(now)
            held = 0.0 if self.breaker is None else self.breaker.pending(now)
            if paused:
                if longest is not None and paused > longest:
                    return False
                await self._sleep(paused)
            elif held == 0:
                return True
            else:  # an answer that comes late may end it sooner
                self._breaker_moved = self._breaker_moved or anyio.Event()
                with anyio.move_on_after(held):
                    await self._breaker_moved.wait()

    def _may_begin(self, borrower: object) -> bool:
        now = self._clock()
        if self.pause.remaining(now):
            return False
        return self.breaker is None or self.breaker.take(borrower, now)

    def note(
        self,
        borrower: object,
        *,
        answered: bool,
        started: float,
        now: float,
        overloaded: bool,
        silent: bool,
    ) -> None:
        """Take the result of one attempt.

        Args:
            borrower: Who made it.
            answered: Whether the server gave an answer that speaks of this message: "later", or
                no 5xx.
            started: When the attempt began.
            now: The time.
            overloaded: Whether the server said that it has too much to do.
            silent: Whether there was no answer at all.
        """
        if overloaded:
            self.concurrency.cut(CUT_BY_THROTTLE, started=started, now=now)
        elif silent:
            self.concurrency.cut(CUT_BY_SILENCE, started=started, now=now)
        elif answered:
            self.concurrency.grow()
            self.pause.relent()
        if self.breaker is not None:
            open_until = self.breaker.open_until
            self.breaker.note(borrower, answered=answered, now=now)
            if self.breaker.open_until != open_until:
                self._wake()

    def _wake(self) -> None:
        """Let those look again whom the breaker holds."""
        moved, self._breaker_moved = self._breaker_moved, None
        if moved is not None:
            moved.set()
