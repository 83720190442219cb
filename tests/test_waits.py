"""What a stop ends at once, and what it leaves alone; and the one shield of a worker."""

from collections.abc import Iterator, Mapping
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from runs import LOST, A, N, R, U, counted
from test_claims import Place, delivering
from vendor import Vendor, answer, message

from multiwhats_async import ButtonMessage, Certainty, Outcome, RetryPolicy
from multiwhats_async._waits import Waits

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(virtual: tuple[str, Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    """Run on a clock that jumps."""
    return virtual


async def test_whatever_waits_ends_now_and_from_now_on() -> None:
    """Both what waits already and what would begin to; nothing of it is an error."""
    waits = Waits()
    ended: list[float] = []

    async def wait() -> None:
        with waits.breakable():
            await anyio.sleep(60)
        ended.append(anyio.current_time())

    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(wait)
        await anyio.sleep(1)
        waits.end()
    await wait()
    assert [moment - began for moment in ended] == pytest.approx([1, 1, 1])
    assert waits.over
    assert not waits._scopes  # nothing is kept of what has ended


async def test_what_does_not_wait_goes_on() -> None:
    """A block that has nothing to wait for is gone through; what it raises is raised."""
    waits = Waits()
    with waits.breakable():
        await anyio.sleep(1)
    waits.end()
    gone_through = []
    with waits.breakable():
        gone_through.append(1)
    assert gone_through == [1]
    with pytest.raises(KeyError), waits.breakable():
        raise KeyError


async def test_a_stop_in_the_moment_in_which_a_place_comes() -> None:
    """No attempt begins, and the place is another's again."""
    vendor = Vendor()
    outcomes: list[Outcome] = []
    async with delivering(vendor) as (deliverer, pace):
        deliverer._isolated = False
        while pace.concurrency.places.try_take():
            pass
        taken = pace.concurrency.places.taken

        async def deliver() -> None:
            outcomes.append(await deliverer.deliver(message()))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(deliver)
            await anyio.wait_all_tasks_blocked()
            pace.concurrency.places.give_back()
            deliverer.waits.end()
        assert pace.concurrency.places.taken == taken - 1
    assert (vendor.total, counted(outcomes)) == (0, {N: 1})
    assert "no attempt was made" in str(outcomes[0].error)


async def test_a_stop_while_the_intent_is_put_on_record() -> None:
    """Nothing is written after it, and the place is given back."""
    vendor = Vendor()
    async with delivering(vendor) as (deliverer, pace):
        place = Place(deliverer.waits.end)
        outcome = await deliverer.deliver(place.message, claim=place)
        assert pace.concurrency.places.taken == 0
    assert (vendor.total, outcome.certainty, place.steps) == (0, N, ["intend"])


@pytest.mark.parametrize(("kind", "certainty"), [(answer(429), R), (LOST, U)])
async def test_a_stop_during_an_attempt(kind: Any, certainty: Certainty) -> None:
    """It is the last: neither the policy nor a hook is asked for another."""
    vendor = Vendor(latency=1.0)
    asked: list[object] = []
    policy = RetryPolicy(should_retry=asked.append)
    outcomes: list[Outcome] = []
    async with delivering(vendor, policy=policy) as (deliverer, _):
        vendor.script[message().to] = [kind]

        async def deliver() -> None:
            outcomes.append(await deliverer.deliver(message()))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(deliver)
            await anyio.sleep(0.5)
            deliverer.waits.end()
    assert [outcome.certainty for outcome in outcomes] == [certainty]
    assert (vendor.total, asked) == (1, [])


class Ended(BaseException):
    """What ends a program, as Ctrl-C does."""


@pytest.mark.parametrize("latency", [0.0, 5.0])
async def test_what_ends_the_program_ends_every_worker(latency: float) -> None:
    """Their shields hold off each other's end: they are told. What is under way is recorded."""
    vendor = Vendor(latency=latency)
    vendor.script[message(0).to] = [answer(429, headers={"Retry-After": "60"}), answer(400)]
    told: list[Outcome] = []

    def source() -> Iterator[ButtonMessage]:
        yield message(0)
        raise Ended

    class Hook:
        def on_outcome(self, outcome: Outcome) -> None:
            told.append(outcome)

    async with vendor.client(max_concurrency=2, hooks=[Hook()]) as client:
        began = anyio.current_time()
        with pytest.raises(BaseExceptionGroup) as caught:
            async with client.bulk(source()) as run:
                await anyio.lowlevel.checkpoint()
        assert anyio.current_time() - began < 10
    assert caught.group_contains(Ended)
    assert vendor.total <= 1
    assert counted(told) in ({R: 1}, {N: 1})
    assert run.progress.in_flight == 0
    assert run.report[A] == 0
