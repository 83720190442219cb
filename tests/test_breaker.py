"""The breaker's edges: what it counts, from when on, what it forgets, and what is told of it."""

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from multiwhats_async import Breaker
from multiwhats_async._breaker import BreakerState
from multiwhats_async._pacing import (
    POSTPONE_SECONDS,
    AdaptiveLimit,
    Concurrency,
    Pace,
    Pause,
    RateGate,
)

PROBE = "the probe"


def told(
    breaker: BreakerState, results: str, *, now: float = 0.0, who: object = "another"
) -> BreakerState:
    """Tell a breaker of somebody's attempts: ``+`` was answered, ``-`` was not."""
    for sign in results:
        breaker.note(who, answered=sign == "+", now=now)
    return breaker


def breaker_of(**settings: Any) -> BreakerState:
    """Return a breaker that knows the server, and that failures in a row do not open."""
    return told(BreakerState(Breaker(**{"in_a_row": 1_000} | settings)), "+", now=-1_000.0)


@pytest.mark.parametrize(
    ("results", "opens"),
    [
        ("-----", False),  # fewer than least
        ("---------", False),
        ("----------", True),
        ("+++++-----", True),  # half of ten, in whatever order
        ("+-+-+-+-+-", True),
        ("++++++----", False),  # less than half
        ("-----++++++", False),
        ("++++++------", True),
        ("+++++++------", False),  # twelve of which six failed would do; thirteen do not
    ],
)
def test_a_share_of_failures_among_enough_attempts(results: str, *, opens: bool) -> None:
    """Half of at least ten. Answers count as well, or else few failures were many."""
    breaker = breaker_of()
    told(breaker, results)
    assert (breaker.open_until is not None) is opens


def test_attempts_of_one_second_and_of_many_count_alike() -> None:
    """Each once, whichever second it ended in."""
    for step in (0.0, 0.1, 1.0, 2.9):
        breaker = breaker_of()
        for number in range(10):
            assert breaker.open_until is None
            breaker.note(number, answered=number % 2 == 0, now=number * step)
        assert breaker.open_until is not None


def test_what_is_older_than_the_window_does_not_count() -> None:
    """Neither failures nor answers; a second is forgotten when all of it is older."""
    breaker = told(breaker_of(window=30.0), "-----", now=0.0)
    told(breaker, "-----", now=31.0)
    assert breaker.open_until is None
    breaker = told(breaker_of(window=30.0), "-----", now=0.0)
    told(breaker, "-----", now=30.0)
    assert breaker.open_until is not None
    breaker = told(breaker_of(window=30.0), "+" * 100, now=0.0)
    told(breaker, "-" * 10, now=40.0)
    assert breaker.open_until is not None


def test_an_answer_closes_it_and_all_begins_anew() -> None:
    """The failures that opened it are forgotten, and so is the doubled pause."""
    breaker = told(breaker_of(), "-" * 10)
    assert breaker.pending(0.0) == 5.0
    assert breaker.take(PROBE, 5.0)
    told(breaker, "-", now=5.0, who=PROBE)
    assert breaker.pending(5.0) == 10.0
    assert breaker.take(PROBE, 15.0)
    told(breaker, "+", now=15.0, who=PROBE)
    assert breaker.pending(15.0) == 0.0
    told(breaker, "-----", now=15.0)
    assert breaker.open_until is None  # with those of before it would have been open
    told(breaker, "-----", now=15.0)
    assert breaker.pending(15.0) == 5.0


def test_an_answer_that_comes_while_one_probes_closes_it_for_all() -> None:
    """Of an attempt that was under way when it opened; then nobody waits for the probe."""
    breaker = told(breaker_of(in_a_row=1), "-")
    assert breaker.take(PROBE, 5.0)
    assert breaker.pending(5.0) is None
    told(breaker, "+", now=5.0)
    told(breaker, "-", now=6.0, who=PROBE)  # an attempt like others now
    assert breaker.pending(6.0) == 5.0
    assert breaker.pending(11.0) == 0.0


def test_failures_while_it_is_open_are_no_probes() -> None:
    """What was under way when it opened neither opens it for longer nor counts as a probe."""
    breaker = told(breaker_of(in_a_row=1, probes=1), "-")
    told(breaker, "-----", now=3.0)
    assert breaker.pending(3.0) == 2.0
    assert breaker.take(PROBE, 5.0)
    told(breaker, "-----", now=5.0)
    assert (breaker.pending(5.0), breaker.exhausted) == (None, False)
    told(breaker, "-", now=6.0, who=PROBE)
    assert (breaker.pending(6.0), breaker.exhausted) == (10.0, True)


def test_a_probe_is_taken_once() -> None:
    """Who may not begin is told so; given back, another may."""
    breaker = told(breaker_of(in_a_row=1), "-")
    assert breaker.take(PROBE, 4.9) is False
    assert breaker.take(PROBE, 5.0) is True
    assert breaker.take(PROBE, 5.0) is False
    breaker.release("another")
    assert (breaker.take("another", 5.0), breaker.is_probing) == (False, True)
    breaker.release(PROBE)
    assert breaker.is_probing is False
    assert breaker.take(PROBE, 5.0) is True


def test_a_new_breaker_lets_all_through() -> None:
    """It is closed, knows nothing, and nobody probes."""
    breaker = BreakerState(Breaker(probes=1))
    assert (breaker.pending(0.0), breaker.open_until, breaker.exhausted) == (0.0, None, False)
    assert breaker.knows_the_server is False
    assert all(breaker.take(PROBE, 0.0) for _ in range(5))


def test_a_new_pause_is_none() -> None:
    """It has no reason either; and of two that end at once the first keeps its reason."""
    pause = Pause()
    assert (pause.remaining(0.0), pause.because) == (0.0, "")
    pause.extend(5.0, "first")
    pause.extend(5.0, "second")
    assert pause.because == "first"


def test_refusals_are_counted_by_bad_moments() -> None:
    """What was under way in one is no news; an answer takes one back, and there are never fewer."""
    pause = Pause()
    news = [pause.refuse(started=started, now=1.0) for started in (0.0, 0.5, 1.0)]
    assert (news, pause.refusals) == ([True, False, False], 1)
    assert pause.refuse(started=1.1, now=2.0)
    assert not pause.refuse(started=2.0, now=3.0)
    assert pause.refusals == 2
    for left in (1, 0, 0):
        pause.relent()
        assert pause.refusals == left


def test_an_attempt_that_began_after_a_cut_is_a_new_one() -> None:
    """What was under way in its moment says nothing new."""
    limit = AdaptiveLimit(8)
    for _ in range(4):
        limit.grow()
    limit.cut(0.5, started=0.0, now=1.0)
    limit.cut(0.5, started=1.0, now=2.0)
    assert limit.value == 4.0
    limit.cut(0.5, started=1.1, now=2.0)
    assert limit.value == 2.0


def test_how_the_limit_comes_back() -> None:
    """To a little below where it was cut at once, and slowly from there on."""
    limit = AdaptiveLimit(8)
    limit.cut(0.5, started=1.0, now=2.0)  # of 4, on the way up: it takes no more than 2
    limit.grow()
    assert limit.value == pytest.approx(2.1)
    limit = AdaptiveLimit(8)
    limit.cut(0.5, started=1.0, now=2.0)
    limit.cut(0.5, started=3.0, now=4.0)  # at its knee: 1.8 is below what was too much
    limit.grow()
    assert limit.value == pytest.approx(2.0)
    limit.grow()
    assert limit.value == pytest.approx(2.1)


@pytest.mark.anyio
async def test_whoever_is_cancelled_takes_no_place() -> None:
    """Not even one that is free: nobody would send on it."""
    concurrency = Concurrency(4)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await concurrency.places.take()
    assert scope.cancelled_caught
    assert concurrency.places.taken == 0


def test_how_long_others_are_told() -> None:
    """Two seconds: this process holds already."""
    assert POSTPONE_SECONDS == 2.0


def pace_of(breaker: BreakerState | None) -> Pace:
    """Return a pace with a breaker of its own, or without one as for single messages."""
    return Pace(concurrency=Concurrency(4), pause=Pause(), rate=None, breaker=breaker)


@pytest.mark.anyio
async def test_what_a_pace_tells_of_its_breaker() -> None:
    """Open, spent, known: each yes or no; without a breaker all are no."""
    alone = pace_of(None)
    assert (alone.holds, alone.is_exhausted, alone.knows_the_server) == (False, False, False)
    new = pace_of(BreakerState(Breaker()))
    assert (new.holds, new.is_exhausted, new.knows_the_server) == (False, False, False)
    breaker = told(breaker_of(in_a_row=1, probes=1), "-")
    paced = pace_of(breaker)
    assert (paced.holds, paced.is_exhausted, paced.knows_the_server) == (True, False, True)
    assert breaker.take(PROBE, 5.0)
    told(breaker, "-", now=5.0, who=PROBE)
    assert paced.is_exhausted is True


@pytest.mark.anyio
async def test_for_how_long_a_pace_holds_and_why() -> None:
    """The pause comes first, as it is the server's own word; then the breaker; then nothing."""
    assert pace_of(None).held(0.0) == (None, None)
    assert pace_of(breaker_of()).held(0.0) == (None, None)
    paced = pace_of(told(breaker_of(in_a_row=1), "-"))
    assert paced.held(2.0) == (3.0, "the server does not answer")
    assert paced.held(7.0) == (0.0, "the server does not answer")
    paced.pause.extend(4.0, "it said so")
    assert paced.held(1.0) == (3.0, "it said so")
    assert paced.held(4.5) == (0.5, "the server does not answer")


@pytest.mark.anyio
async def test_a_pause_that_is_too_long_is_told_as_no() -> None:
    """Neither waited for nor passed over."""
    paced = pace_of(None)
    paced.pause.extend(anyio.current_time() + 100, "it said so")
    assert await paced.acquire(object(), "a", longest=1.0) is False


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("told", "refusals"),
    [
        ({"answered": True, "overloaded": False, "silent": False}, 1),
        ({"answered": True, "overloaded": True, "silent": False}, 2),
        ({"answered": False, "overloaded": False, "silent": True}, 2),
        ({"answered": False, "overloaded": False, "silent": False}, 2),
    ],
    ids=["answered", "overloaded", "silent", "a 500"],
)
async def test_only_what_gets_through_takes_a_refusal_back(
    told: dict[str, bool], refusals: int
) -> None:
    """Then the next hold is shorter; "later" is an answer as well, and none of these."""
    paced = pace_of(None)
    for started in (0.0, 2.0):
        paced.pause.refuse(started=started, now=started + 1.0)
    paced.note(object(), started=0.0, now=anyio.current_time(), **told)
    assert paced.pause.refusals == refusals


@pytest.mark.anyio
async def test_the_longest_pause_is_waited_for() -> None:
    """One that is just as long as the longest is; it is over when its time has come."""
    now = [0.0]

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    paced = Pace(
        concurrency=Concurrency(4), pause=Pause(), rate=None, clock=lambda: now[0], sleep=sleep
    )
    paced.pause.extend(2.0, "it said so")
    assert await paced.acquire(object(), "a", longest=2.0) is True
    assert now == [2.0]


@pytest.mark.anyio
async def test_a_stop_does_not_keep_a_hold_from_the_others() -> None:
    """They are told to hold even where the one who tells them is being cancelled."""
    held: list[float] = []

    class Limiter:
        async def reserve(self, _: str) -> float:
            return 0.0

        async def postpone(self, _: str, seconds: float) -> None:
            await anyio.lowlevel.checkpoint()
            held.append(seconds)

    gate = RateGate(Limiter())
    with anyio.CancelScope() as scope:
        scope.cancel()
        await gate.postpone("a", 7.0, now=0.0)
    assert held == [7.0]


def test_what_leaves_the_window_within_a_second_does_not_count() -> None:
    """The window ends where it ends, and not with the second in which it does."""
    breaker = told(breaker_of(least=4, share=0.5, window=10), "---", now=0.5)
    told(breaker, "+", now=10.0)
    told(breaker, "-", now=10.5)
    assert breaker.open_until is None
    told(breaker, "--", now=10.5)
    assert breaker.open_until is not None
