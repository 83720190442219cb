"""One delivery beside a ledger, a rate and a breaker: what they are told, what is given back."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from test_delivery import LOST, REFUSED, TO
from vendor import SENDER, Vendor, answer, message, record_for

from multiwhats_async import (
    Breaker,
    CampaignHeldError,
    Certainty,
    ClaimLostError,
    LedgerError,
    MultiWhatsError,
    Outcome,
    RateError,
    RetryPolicy,
)
from multiwhats_async._breaker import BreakerState
from multiwhats_async._delivery import Deliverer
from multiwhats_async._pacing import Concurrency, Pace, Pause, RateGate
from multiwhats_async.options import Timeouts
from multiwhats_async.retry import RetryBudget

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(virtual: tuple[str, Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    """Run on a clock that jumps."""
    return virtual


class Place:
    """A claim that keeps what it was asked to record."""

    earlier = doubt = None
    index = attempts = unknown_attempts = 0
    may_send = True

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self.message = message()
        self.key = "k"
        self.steps: list[str] = []
        self._then = then

    async def intend(self) -> None:
        self.steps.append("intend")
        self._then()

    async def postpone(self) -> None:
        self.steps.append("postpone")

    async def settle(self, outcome: Outcome) -> None:
        """Nobody asks for it here."""


class Limiter:
    """Hands out slots at once, or none; keeps the holds that it is told of."""

    def __init__(self, error: MultiWhatsError | None = None) -> None:
        self.error = error
        self.holds: list[float] = []

    async def reserve(self, _: str) -> float:
        if self.error is not None:
            raise self.error
        return 0.0

    async def postpone(self, _: str, seconds: float) -> None:
        self.holds.append(seconds)


@asynccontextmanager
async def delivering(
    vendor: Vendor,
    *,
    limiter: Limiter | None = None,
    policy: RetryPolicy | None = None,
    breaker: BreakerState | None = None,
) -> AsyncIterator[tuple[Deliverer, Pace]]:
    """Open what takes a message to its outcome, and what says when."""
    policy = policy or RetryPolicy()
    async with vendor.client() as client:
        pace = Pace(
            concurrency=Concurrency(4),
            pause=Pause(),
            rate=None if limiter is None else RateGate(limiter),
            breaker=breaker,
        )
        yield (
            Deliverer(
                exchange=client._exchange(),
                pace=pace,
                policy=policy,
                budget=RetryBudget(policy),
                sender=SENDER,
                timeouts=Timeouts(),
                hooks=(),
                random=lambda: 0.5,
            ),
            pace,
        )


def fail(error: BaseException) -> Callable[[], None]:
    """Return what raises an error."""

    def step() -> None:
        raise error

    return step


async def test_an_intent_before_each_attempt_and_a_word_after_one_that_came_to_nothing() -> None:
    """In this order; so that a crash leaves no doubt where there is none."""
    vendor, place = Vendor(), Place()
    vendor.script[TO] = [REFUSED, REFUSED]
    async with delivering(vendor) as (deliverer, _):
        outcome = await deliverer.deliver(place.message, claim=place)
    assert outcome.certainty is Certainty.ACCEPTED
    assert place.steps == ["intend", "postpone", "intend", "postpone", "intend"]


async def test_a_doubt_is_not_recorded_as_nothing() -> None:
    """Where it is sent again though it may have gone out, the record keeps the doubt."""
    vendor, place = Vendor(), Place()
    vendor.script[TO] = [LOST]
    async with delivering(vendor, policy=RetryPolicy(resend_unknown=True)) as (deliverer, _):
        await deliverer.deliver(place.message, claim=place)
    assert place.steps == ["intend", "intend"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (CampaignHeldError("the campaign is paused"), "the campaign is paused"),
        (ClaimLostError("another run has it"), "another run has it"),
        (LedgerError("disk full at /secret"), "its intent could not be recorded"),
    ],
)
async def test_an_intent_that_cannot_be_recorded(error: LedgerError, words: str) -> None:
    """No POST follows, the outcome says why, and the place is given back."""
    vendor, place, told = Vendor(), Place(fail(error)), list[Outcome]()
    async with delivering(vendor) as (deliverer, pace):
        with pytest.raises(type(error)):
            await deliverer.deliver(place.message, claim=place, record=told.append)
        assert pace.concurrency.places.taken == 0
    (outcome,) = told
    assert (outcome.certainty, vendor.total) == (Certainty.NOT_SENT, 0)
    assert str(outcome.error).endswith(f"was not sent: {words}")


async def test_a_stop_that_comes_while_the_intent_is_recorded() -> None:
    """Nothing is written after it, though recording it has not noticed; the place is free."""
    vendor, told = Vendor(), list[Outcome]()
    async with delivering(vendor) as (deliverer, pace):
        with anyio.CancelScope() as scope:
            place = Place(scope.cancel)
            await deliverer.deliver(place.message, claim=place, record=told.append)
        assert pace.concurrency.places.taken == 0
    assert (told[0].certainty, vendor.total) == (Certainty.NOT_SENT, 0)


async def test_an_intent_that_takes_too_long_for_the_deadline() -> None:
    """No attempt is made of what is left, and the place is given back."""
    vendor = Vendor()
    clock = [0.0]
    place = Place(lambda: clock.__setitem__(0, 9.5))
    async with delivering(vendor) as (deliverer, pace):
        deliverer._deadline = 10.0
        deliverer._clock = lambda: clock[0]
        outcome = await deliverer.deliver(place.message, claim=place)
        assert pace.concurrency.places.taken == 0
    assert "its deadline leaves no time" in str(outcome.error)
    assert vendor.total == 0


async def test_later_is_told_to_the_others_once_and_nothing_else_is() -> None:
    """What the server asked for, with a tenth of jitter; before this message tries again."""
    vendor, limiter = Vendor(), Limiter()
    vendor.script[TO] = [answer(429, headers={"retry-after": "7"}), REFUSED]
    async with delivering(vendor, limiter=limiter) as (deliverer, _):
        held: list[int] = []
        vendor.always = lambda *_: held.append(len(limiter.holds))  # type: ignore[func-returns-value]  # None: the record
        await deliverer.deliver(message())
    assert (limiter.holds, held) == ([7.35], [1])
    vendor.script[TO] = [REFUSED, answer(422)]
    async with delivering(vendor, limiter=limiter) as (deliverer, _):
        await deliverer.deliver(message())
    assert limiter.holds == [7.35]


async def test_without_a_slot_the_place_is_given_back() -> None:
    """The message was not sent, and says why; others may have its place."""
    vendor, limiter = Vendor(), Limiter(RateError("no slot"))
    async with delivering(vendor, limiter=limiter) as (deliverer, pace):
        outcome = await deliverer.deliver(message())
        assert pace.concurrency.places.taken == 0
        assert pace.without_rate is limiter.error
    assert (outcome.certainty, vendor.total) == (Certainty.NOT_SENT, 0)
    assert outcome.error is not None
    assert outcome.error.cause == "RateError"


def open_breaker() -> BreakerState:
    """Return a breaker that is open, and may be probed at once."""
    breaker = BreakerState(Breaker(in_a_row=1, pause=1.0))
    breaker.note(None, answered=True, now=-10.0)
    breaker.note(None, answered=False, now=-10.0)
    return breaker


@pytest.mark.parametrize(("status", "holds"), [(200, False), (404, False), (500, True)])
async def test_which_answers_open_the_breaker(status: int, *, holds: bool) -> None:
    """Those that do not speak of the message: 500 is the first."""
    vendor, breaker = Vendor(), BreakerState(Breaker(in_a_row=1))
    breaker.note(None, answered=True, now=0.0)
    if status != 200:
        vendor.script[TO] = [answer(status)]
    async with delivering(vendor, breaker=breaker) as (deliverer, pace):
        await deliverer.deliver(message())
        assert pace.holds is holds


@pytest.mark.parametrize(("status", "refusals"), [(500, 0), (502, 0), (503, 1), (504, 0)])
async def test_which_answers_without_a_time_slow_all_down(status: int, refusals: int) -> None:
    """A 503 says that there is too much to do; the others say nothing of the kind."""
    vendor = Vendor()
    vendor.script[TO] = [answer(status)]
    async with delivering(vendor) as (deliverer, pace):
        outcome = await deliverer.deliver(message())
        assert pace.pause.refusals == refusals
        assert (pace.pause.remaining(anyio.current_time()) > 0) is bool(refusals)
    assert (outcome.certainty, vendor.total) == (Certainty.UNKNOWN, 1)


async def test_a_probe_that_is_not_made_is_given_back() -> None:
    """Another may go at once, where an intent could not be recorded."""
    breaker, place = open_breaker(), Place(fail(LedgerError("disk full")))
    async with delivering(Vendor(), breaker=breaker) as (deliverer, _):
        with pytest.raises(LedgerError):
            await deliverer.deliver(place.message, claim=place)
    assert breaker.pending(anyio.current_time()) == 0.0


async def test_a_probe_that_is_torn_is_given_back() -> None:
    """Likewise where an attempt ends without any result."""
    breaker = open_breaker()
    async with delivering(Vendor(), breaker=breaker) as (deliverer, _):
        deliverer._isolated = False
        deliverer._exchange = Torn(deliverer._exchange)
        with pytest.raises(KeyboardInterrupt):
            await deliverer.deliver(message())
        assert deliverer.flights == set()
    assert breaker.pending(anyio.current_time()) == 0.0


class Torn:
    """An exchange that is ended from outside in the middle, as by Ctrl-C."""

    def __init__(self, exchange: Any) -> None:
        self._exchange = exchange

    def flight(self) -> Any:
        return self._exchange.flight()

    async def post(self, *_: object, **__: object) -> Any:
        raise KeyboardInterrupt


class Watched:
    """An exchange that tells what is under way, and whether it was distrusted."""

    def __init__(self, deliverer: Deliverer) -> None:
        self._deliverer = deliverer
        self._exchange = deliverer._exchange
        self.under_way: list[int] = []
        self.distrusted = 0

    def flight(self) -> Any:
        return self._exchange.flight()

    async def post(self, *arguments: Any, **options: Any) -> Any:
        self.under_way.append(len(self._deliverer.flights))
        return await self._exchange.post(*arguments, **options)

    async def distrust(self) -> None:
        self.distrusted += 1


@pytest.mark.parametrize(("recipient", "distrusted"), [(TO, 0), ("905550001122", 1)])
async def test_what_is_under_way_and_what_is_distrusted(recipient: str, distrusted: int) -> None:
    """A stop finds each attempt; connections are let go only where an answer was another's."""
    vendor = Vendor()
    vendor.script[TO] = [answer(200, json=record_for(recipient))]
    async with delivering(vendor) as (deliverer, _):
        watched = Watched(deliverer)
        deliverer._exchange = watched
        await deliverer.deliver(message())
        assert (watched.under_way, watched.distrusted) == ([1], distrusted)
        assert deliverer.flights == set()
