"""The slots of a shared rate: one schedule, by the server's clock, for all that share it."""

import itertools

import anyio
import pytest
from stores import PostgresStore, RedisStore

from multiwhats_async import Rate
from multiwhats_async.rate._shared import TOLERANCE, SharedRate

pytestmark = pytest.mark.anyio

Store = PostgresStore | RedisStore

AHEAD = 100.0
"""Seconds: a hold of this length sets the schedule's beginning, far from the time of a test."""

NOISE = 0.3
"""Seconds that an answer may take on a busy machine; slots of these tests lie further apart."""


class Clock:
    """A time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def trips_of(rate: SharedRate) -> list[float]:
    """Return a list to which every trip adds by how many seconds it moves the schedule on."""
    trips: list[float] = []
    advance = rate._advance

    async def counted(sender: str, seconds: float) -> float:
        trips.append(seconds)
        return await advance(sender, seconds)

    rate._advance = counted  # type: ignore[method-assign]  # looked at, not changed
    return trips


async def test_slots_follow_the_rate(store: Store) -> None:
    """A new sender begins at once, and each slot is one interval after the last."""
    async with store.rate(1) as rate:
        waits = [await rate.reserve("a") for _ in range(4)]
    assert waits == pytest.approx([0, 1, 2, 3], abs=NOISE)


async def test_two_limiters_share_one_schedule(store: Store) -> None:
    """Ten slots of two machines are ten intervals of the server's schedule, to the microsecond."""
    async with store.rate(4) as here, store.rate(4) as there:
        await here.postpone("a", AHEAD)
        waits = [await limiter.reserve("a") for limiter in (here, there) * 5]
    assert store.next_slot("a") - store.held_until() == pytest.approx(10 / 4, abs=1e-5)
    assert waits == pytest.approx([AHEAD + n / 4 for n in range(10)], abs=NOISE)
    assert all(later > sooner for sooner, later in itertools.pairwise(waits))


async def test_waiters_of_one_limiter_get_different_slots(store: Store) -> None:
    """Many tasks at once are no burst."""
    waits: list[float] = []
    async with store.rate(2) as rate:

        async def take() -> None:
            waits.append(await rate.reserve("a"))

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(take)
    assert sorted(waits) == pytest.approx([0, 0.5, 1, 1.5, 2], abs=NOISE)


async def test_senders_and_names_do_not_disturb_each_other(store: Store) -> None:
    """The rate is one for each sender, under each name."""
    async with store.rate(0.1) as rate, store.rate(0.1, name="other") as other:
        waits = [
            await rate.reserve("a"),
            await rate.reserve("b"),
            await other.reserve("a"),
            await rate.reserve("a"),
        ]
    assert waits == pytest.approx([0, 0, 0, 10], abs=NOISE)


@pytest.mark.parametrize(("per_second", "slots"), [(0.2, 1), (50, 1), (80, 2), (1000, 20)])
async def test_a_trip_reserves_for_a_moment(store: Store, per_second: float, slots: int) -> None:
    """There are at most about 50 trips a second; the slots of one are evenly spaced."""
    clock = Clock()
    async with store.rate(per_second, clock=clock) as rate:
        trips = trips_of(rate)
        await rate.postpone("a", AHEAD)
        waits = [await rate.reserve("a") for _ in range(slots)]
        assert trips == pytest.approx([slots / per_second])
        await rate.reserve("a")
        assert len(trips) == 2
    gaps = [later - sooner for sooner, later in itertools.pairwise(waits)]
    assert gaps == pytest.approx([1 / per_second] * (slots - 1))


async def test_slots_that_are_late_are_dropped(store: Store) -> None:
    """Behind a process that was held up nothing piles up: what is a moment late still goes."""
    clock = Clock()
    async with store.rate(1000, clock=clock) as rate:
        trips = trips_of(rate)
        await rate.reserve("a")
        clock.now += TOLERANCE + 0.0095
        assert [await rate.reserve("a") for _ in range(10)] == [0] * 10  # of 10 to 19 ms
        assert len(trips) == 1
        await rate.reserve("a")
        assert len(trips) == 2
        clock.now += 1
        await rate.reserve("a")
    assert len(trips) == 3


@pytest.mark.parametrize("ago", [0.5, 3600])
async def test_time_that_was_not_used_gives_no_burst(store: Store, ago: float) -> None:
    """The schedule lags behind by a tolerance at most; an idle sender begins anew."""
    async with store.rate(1) as rate:
        await rate.reserve("a")
        store.rewind("a", ago)
        waits = [await rate.reserve("a") for _ in range(3)]
    assert waits == pytest.approx([0, 1, 2], abs=NOISE)


async def test_a_moment_lost_on_the_way_is_made_up(store: Store) -> None:
    """The schedule goes on from where it was, not from now: round trips cost no rate."""
    async with store.rate(1) as rate:
        await rate.reserve("a")
        store.rewind("a", 0.5)
        before = store.next_slot("a")
        await rate.reserve("a")
        late = store.next_slot("a") - 1 - before
    assert 0.5 - TOLERANCE <= late < 0.5 + NOISE


async def test_jitter_moves_the_schedule_on(store: Store) -> None:
    """Each slot is followed by a pause of its own."""
    numbers = iter([0.5, 0.25, 1.0])
    async with store.rate(Rate(2, jitter=4), random=lambda: next(numbers)) as rate:
        await rate.postpone("a", AHEAD)
        waits = [await rate.reserve("a") for _ in range(3)]
    assert waits == pytest.approx([AHEAD, AHEAD + 2.5, AHEAD + 4], abs=NOISE)
    assert store.next_slot("a") - store.held_until() == pytest.approx(8.5, abs=1e-5)


async def test_a_hold_is_for_everybody(store: Store) -> None:
    """Every sender on every machine, also one that has not sent yet; other names go on."""
    async with store.rate(1) as here, store.rate(1) as there, store.rate(1, name="x") as other:
        await there.reserve("b")
        await here.postpone("a", AHEAD)
        waits = [
            await here.reserve("a"),
            await there.reserve("b"),
            await there.reserve("new"),
            await there.reserve("new"),
            await other.reserve("a"),
        ]
    assert waits == pytest.approx([AHEAD, AHEAD, AHEAD, AHEAD + 1, 0], abs=NOISE)


async def test_a_shorter_hold_does_not_shorten_a_longer_one(store: Store) -> None:
    """The later end counts."""
    async with store.rate(1) as rate:
        await rate.postpone("a", AHEAD)
        until = store.held_until()
        await rate.postpone("a", 1)
    assert store.held_until() == until


async def test_a_hold_drops_the_slots_at_hand(store: Store) -> None:
    """They were to come before its end."""
    async with store.rate(1000) as rate:
        await rate.reserve("a")
        await rate.postpone("b", AHEAD)
        assert await rate.reserve("a") == pytest.approx(AHEAD, abs=NOISE)


async def test_slots_that_a_hold_has_overtaken_are_not_used(store: Store) -> None:
    """Their trip was under way when the hold came."""
    async with store.rate(1) as rate:
        advance, overtaken = rate._advance, []

        async def slow(sender: str, seconds: float) -> float:
            wait = await advance(sender, seconds)
            if not overtaken:
                overtaken.append(wait)
                await rate.postpone(sender, AHEAD)
            return wait

        rate._advance = slow  # type: ignore[method-assign]  # looked at, not changed
        assert await rate.reserve("a") == pytest.approx(AHEAD, abs=NOISE)
    assert overtaken == pytest.approx([0], abs=NOISE)


async def test_keys_of_redis_are_gone_once_idle(redis_store: RedisStore) -> None:
    """A sender that has stopped leaves nothing behind."""
    async with redis_store.rate(0.1) as rate:
        await rate.postpone("a", 5)
        await rate.reserve("a")
    keys = ("slot:a", "hold")
    lives = [int(redis_store.command("PTTL", f"multiwhats_rate:{{default}}:{k}")) for k in keys]
    assert lives == pytest.approx([16_000, 5_000], abs=NOISE * 1000)


async def test_tables_are_made_by_many_at_once(postgres_store: PostgresStore) -> None:
    """All machines of a fleet start together."""
    async with anyio.create_task_group() as tasks:

        async def start() -> None:
            async with postgres_store.rate(1) as rate:
                await rate.reserve("a")

        for _ in range(8):
            tasks.start_soon(start)
    async with postgres_store.rate(1) as rate:
        assert await rate.reserve("a") == pytest.approx(8, abs=2)
