"""Concurrency, pause, breaker and rate, on a clock of their own."""

import itertools
from collections.abc import Mapping
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from multiwhats_async import Breaker, Rate
from multiwhats_async._breaker import BreakerState
from multiwhats_async._pacing import AdaptiveLimit, Concurrency, Pace, Pause, RateGate
from multiwhats_async.rate import LocalRate

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(virtual: tuple[str, Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    """Run on a clock that jumps."""
    return virtual


def test_the_limit_starts_low_and_doubles_in_a_round_trip() -> None:
    """Slow start: one more for each success, up to the user's ceiling."""
    limit = AdaptiveLimit(20)
    assert limit.value == 4
    for _ in range(4):
        limit.grow()
    assert limit.value == 8
    for _ in range(100):
        limit.grow()
    assert limit.value == 20
    assert AdaptiveLimit(2).value == 2


def test_after_a_cut_the_limit_grows_by_one_in_a_round_of_successes() -> None:
    """Additive increase, multiplicative decrease."""
    limit = AdaptiveLimit(100)
    for _ in range(60):
        limit.grow()
    limit.cut(0.5, started=0.0, now=1.0)
    assert limit.value == 32
    for _ in range(32):
        limit.grow()
    assert 32.9 < limit.value < 33.1


def test_one_bad_moment_cuts_once() -> None:
    """What began before the last cut says nothing new."""
    limit = AdaptiveLimit(100)
    for _ in range(60):
        limit.grow()
    for _ in range(50):
        limit.cut(0.5, started=0.5, now=1.0)
    assert limit.value == 32
    limit.cut(0.9, started=1.5, now=2.0)
    assert limit.value == pytest.approx(28.8)


def test_the_limit_never_falls_below_one() -> None:
    """Something always gets through."""
    limit = AdaptiveLimit(4)
    for second in range(20):
        limit.cut(0.5, started=second, now=second)
    assert limit.value == 1


def test_a_pause_is_merged_by_the_later_end() -> None:
    """A shorter one that comes later does not shorten it."""
    pause = Pause()
    assert pause.remaining(0.0) == 0
    pause.extend(10.0, "long")
    pause.extend(5.0, "short")
    assert (pause.remaining(4.0), pause.because) == (6.0, "long")
    assert pause.remaining(11.0) == 0


def answered_once(**settings: Any) -> BreakerState:
    """Return a breaker that has seen the server answer."""
    breaker = BreakerState(Breaker(**settings))
    breaker.note("one", answered=True, now=0.0)
    return breaker


def test_the_breaker_opens_after_failures_in_a_row() -> None:
    """Five by default; an answer in between starts the count anew."""
    breaker = answered_once(least=100)
    for _ in range(4):
        breaker.note("one", answered=False, now=1.0)
    breaker.note("one", answered=True, now=1.0)
    for _ in range(4):
        breaker.note("one", answered=False, now=1.0)
    assert breaker.take("one", 1.0)
    breaker.note("one", answered=False, now=1.0)
    assert breaker.pending(2.0) == 4.0


def test_the_breaker_opens_at_a_share_of_failures_within_its_window() -> None:
    """Half of at least ten within thirty seconds; what is older does not count."""
    breaker = answered_once(in_a_row=100)
    for _ in range(4):
        breaker.note("one", answered=True, now=0.0)
    for _ in range(4):
        breaker.note("one", answered=False, now=1.0)
    assert breaker.take("one", 1.0)
    breaker.note("one", answered=False, now=40.0)
    assert breaker.take("one", 40.0)
    for _ in range(9):
        breaker.note("one", answered=False, now=41.0)
    assert breaker.pending(41.0) == 5.0


def test_the_breaker_does_not_open_before_the_first_answer() -> None:
    """A server that never answered is the run's concern: holding would hide a wrong address."""
    breaker = BreakerState(Breaker())
    for _ in range(50):
        breaker.note("one", answered=False, now=1.0)
    assert breaker.take("one", 1.0)


def test_one_probe_at_a_time_and_pauses_that_double() -> None:
    """5, 10, 20, 40, 60, 60 seconds; everybody else waits for the probe."""
    breaker = answered_once(in_a_row=1)
    breaker.note("one", answered=False, now=0.0)
    now = 0.0
    for pause in (5.0, 10.0, 20.0, 40.0, 60.0, 60.0):
        assert breaker.pending(now) == pause
        now += pause
        assert breaker.take("one", now)
        assert breaker.pending(now) is None
        breaker.note("one", answered=False, now=now)
    assert not breaker.exhausted


def test_an_answer_closes_the_breaker_and_resets_its_pause() -> None:
    """Also one that comes late, from an attempt that was not the probe."""
    breaker = answered_once(in_a_row=1)
    breaker.note("one", answered=False, now=0.0)
    breaker.pending(5.0)
    breaker.note("one", answered=False, now=5.0)
    breaker.note("one", answered=True, now=6.0)
    assert breaker.take("one", 6.0)
    breaker.note("one", answered=False, now=7.0)
    assert breaker.pending(7.0) == 5.0


def test_late_failures_do_not_prolong_an_open_breaker() -> None:
    """They belong to the time before it opened."""
    breaker = answered_once(in_a_row=1)
    breaker.note("one", answered=False, now=0.0)
    breaker.note("one", answered=False, now=4.0)
    assert breaker.open_until == 5.0


def test_a_late_failure_is_not_the_probes() -> None:
    """Of an attempt that began before the breaker opened: the probe goes on, and decides."""
    breaker = answered_once(in_a_row=1, probes=1)
    breaker.note("one", answered=False, now=0.0)
    assert breaker.take("probe", 5.0)
    breaker.note("late", answered=False, now=6.0)
    breaker.release("late")
    assert breaker.pending(6.0) is None
    assert not breaker.exhausted
    breaker.note("probe", answered=False, now=7.0)
    assert breaker.exhausted


def test_enough_failed_probes_exhaust_the_breaker() -> None:
    """Then waiting on makes no sense."""
    breaker = answered_once(in_a_row=1, probes=2)
    breaker.note("one", answered=False, now=0.0)
    for now in (100.0, 200.0):
        assert not breaker.exhausted
        assert breaker.take("one", now)
        breaker.note("one", answered=False, now=now)
    assert breaker.exhausted


def test_a_probe_that_came_to_nothing_lets_another_go() -> None:
    """A cancelled probe must not block the run for ever."""
    breaker = answered_once(in_a_row=1)
    breaker.note("one", answered=False, now=0.0)
    assert breaker.take("one", 5.0)
    breaker.release("one")
    assert breaker.take("one", 5.0)


def rate(per_second: float, *, jitter: float = 0.0, random: float = 0.5) -> LocalRate:
    """Return a local rate on the loop's clock."""
    return LocalRate(Rate(per_second, jitter=jitter), random=lambda: random)


async def test_slots_are_evenly_spaced_for_each_sender() -> None:
    """Nobody polls: each is told how long to wait; senders do not share."""
    limiter = rate(4)
    assert [await limiter.reserve("a") for _ in range(4)] == [0, 0.25, 0.5, 0.75]
    assert await limiter.reserve("b") == 0


async def test_unused_time_gives_no_burst() -> None:
    """After a rest the slots are spaced as before."""
    limiter = rate(4)
    await limiter.reserve("a")
    await anyio.sleep(10)
    assert [await limiter.reserve("a") for _ in range(3)] == [0, 0.25, 0.5]


async def test_jitter_is_added_between_two_messages() -> None:
    """Up to that many seconds, at random."""
    limiter = rate(4, jitter=2.0)
    assert [await limiter.reserve("a") for _ in range(3)] == [0, 1.25, 2.5]


def pace(**parts: Any) -> Pace:
    """Return a pace with the loop's own clock."""
    defaults: dict[str, Any] = {"concurrency": Concurrency(100), "pause": Pause(), "rate": None}
    return Pace(**defaults | parts)


async def test_attempts_wait_for_the_pause_and_for_a_place() -> None:
    """No more at once than the limit; none before the pause ends."""
    concurrency, pause = Concurrency(1), Pause()
    paces = pace(concurrency=concurrency, pause=pause)
    pause.extend(anyio.current_time() + 30, "429")
    began = anyio.current_time()
    times: list[float] = []

    async def attempt(name: object) -> None:
        await paces.acquire(name, "a")
        times.append(anyio.current_time() - began)
        await anyio.sleep(1)
        paces.release(name)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(attempt, object())
        tasks.start_soon(attempt, object())
    assert times == pytest.approx([30.0, 31.0])


async def test_a_pause_that_begins_during_the_wait_for_a_slot_is_kept() -> None:
    """After it, slots are spaced: waiting attempts do not come as one burst."""
    pause = Pause()
    paces = pace(pause=pause, rate=RateGate(rate(1)))
    times: list[float] = []
    began = anyio.current_time()

    async def attempt(name: object) -> None:
        await paces.acquire(name, "a")
        times.append(anyio.current_time() - began)
        paces.release(name)

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(attempt, object())
        await anyio.sleep(0.5)
        pause.extend(began + 60, "429")
    gaps = [later - sooner for sooner, later in itertools.pairwise(times[1:])]
    assert times[0] == 0
    assert times[1] >= 60
    assert all(gap > 0.99 for gap in gaps)


async def test_all_wait_while_one_probes() -> None:
    """When the probe is answered, the others go at once."""
    breaker = answered_once(in_a_row=1)
    paces = pace(breaker=breaker)
    now = anyio.current_time()
    paces.note("one", answered=False, started=now, now=now, overloaded=False, silent=False)
    begun: list[float] = []

    async def attempt(name: object) -> None:
        await paces.acquire(name, "a")
        begun.append(anyio.current_time() - now)
        await anyio.sleep(2)
        paces.note(
            name,
            answered=True,
            started=now,
            now=anyio.current_time(),
            overloaded=False,
            silent=False,
        )
        paces.release(name)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(attempt, object())
    assert begun == pytest.approx([5.0, 7.0, 7.0])


async def test_the_place_of_a_cancelled_waiter_is_given_back() -> None:
    """Else a few cancellations would stop everything."""
    pause = Pause()
    paces = pace(concurrency=Concurrency(1), pause=pause)
    pause.extend(anyio.current_time() + 30, "429")
    with anyio.move_on_after(1):
        await paces.acquire("one", "a")
    assert paces.concurrency.places.taken == 0
    await checkpoint()


async def test_results_steer_the_number_of_places() -> None:
    """Answers open, "later" halves, silence takes a tenth."""
    paces = pace()
    tokens = []
    for result in ({"answered": True}, {"overloaded": True}, {"silent": True}, {}):
        fields = {"answered": False, "overloaded": False, "silent": False} | result
        for _ in range(36 if "answered" in result else 1):
            await anyio.sleep(1)
            now = anyio.current_time()
            paces.note("one", started=now, now=now, **fields)
        tokens.append(paces.concurrency.places.total)
    assert tokens == [40, 20, 18, 18]


async def test_a_released_probe_wakes_the_others() -> None:
    """One of them probes instead."""
    breaker = answered_once(in_a_row=1)
    paces = pace(breaker=breaker)
    paces.note(
        "one", answered=False, started=0.0, now=anyio.current_time(), overloaded=False, silent=False
    )
    await paces.acquire("probe", "a")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(paces.acquire, "second", "a")
        await anyio.sleep(1)
        await paces.concurrency.places.take()
        paces.release("another")  # whose attempt began before: the probe goes on
        assert breaker.is_probing
        paces.release("probe")
    assert paces.concurrency.places.taken == 1


def cut_at_100() -> AdaptiveLimit:
    """Return a limit that has found out, and was cut at 100."""
    limit = AdaptiveLimit(100)
    for second in (1.0, 2.0):
        for _ in range(10_000):
            limit.grow()
        limit.cut(0.5, started=second, now=second)
    return limit


def test_after_a_cut_the_limit_is_soon_back_at_nine_tenths() -> None:
    """Within a round trip; from there it grows slowly."""
    limit = cut_at_100()
    assert limit.value == 50
    for _ in range(40):
        limit.grow()
    assert limit.value == 90
    limit.grow()
    assert limit.value == pytest.approx(90 + 1 / 90)


def test_a_cut_on_the_way_back_forgets_what_was_too_much() -> None:
    """The server takes less than before: no second rush to where it was."""
    limit = cut_at_100()
    limit.cut(0.5, started=3.0, now=3.0)
    assert limit.value == 25
    limit.grow()
    assert limit.value == pytest.approx(25 + 1 / 25)


def test_a_bad_moment_is_one_refusal_and_each_answer_takes_one_back() -> None:
    """However many were under way, and however many are answered."""
    pause = Pause()
    assert pause.refuse(started=0.0, now=1.0)
    assert not pause.refuse(started=0.5, now=1.1)
    assert not pause.refuse(started=1.0, now=1.2)
    assert pause.refuse(started=1.5, now=2.0)
    assert pause.refusals == 2
    for _ in range(3):
        pause.relent()
    assert pause.refusals == 0


async def test_a_breaker_that_closes_early_lets_all_go_at_once() -> None:
    """An answer that comes late ends the hold also for those who wait it out already."""
    paces = pace(breaker=answered_once(in_a_row=1))
    paces.note(
        "one", answered=False, started=0.0, now=anyio.current_time(), overloaded=False, silent=False
    )
    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(paces.acquire, number, "a")
        await anyio.sleep(1)
        paces.note(
            "one",
            answered=True,
            started=0.0,
            now=anyio.current_time(),
            overloaded=False,
            silent=False,
        )
    assert anyio.current_time() - began == pytest.approx(1)
