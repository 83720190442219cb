"""Places for so many at once."""

import asyncio

import anyio
import pytest
from anyio.abc import TaskGroup

from multiwhats_async._places import Places

pytestmark = pytest.mark.anyio


class Queue:
    """Tasks that take a place each, and note it."""

    def __init__(self, places: Places, tasks: TaskGroup) -> None:
        self.places = places
        self.tasks = tasks
        self.taken: list[str] = []

    async def _take(self, name: str, scope: anyio.CancelScope) -> None:
        with scope:
            await self.places.take()
            self.taken.append(name)

    async def ask(self, name: str) -> anyio.CancelScope:
        """Let one more ask for a place, and wait until it has it or waits."""
        scope = anyio.CancelScope()
        self.tasks.start_soon(self._take, name, scope)
        await anyio.wait_all_tasks_blocked()
        return scope


async def test_a_free_place_is_taken_at_once() -> None:
    """And no more than there are."""
    places = Places(2)
    assert [places.try_take() for _ in range(3)] == [True, True, False]
    places.give_back()
    assert places.try_take()


async def test_whoever_waits_longest_is_next() -> None:
    """Nobody who comes later is served before."""
    places = Places(1)
    await places.take()
    async with anyio.create_task_group() as tasks:
        queue = Queue(places, tasks)
        for name in "abc":
            await queue.ask(name)
        for count in range(1, 4):
            places.give_back()
            assert not places.try_take()
            await anyio.wait_all_tasks_blocked()
            assert queue.taken == [*"abc"][:count]


async def test_more_places_let_more_in_and_fewer_take_none_away() -> None:
    """Those that are taken are given back before another is let in."""
    places = Places(1)
    await places.take()
    async with anyio.create_task_group() as tasks:
        queue = Queue(places, tasks)
        for name in "abc":
            await queue.ask(name)
        places.total = 3
        await anyio.wait_all_tasks_blocked()
        assert (sorted(queue.taken), places.taken) == (["a", "b"], 3)
        places.total = 1
        for taken in (2, 1):
            places.give_back()
            assert places.taken == taken
        places.give_back()
        await anyio.wait_all_tasks_blocked()
        assert (queue.taken[2:], places.taken, places.total) == (["c"], 1, 1)


async def test_one_that_is_cancelled_keeps_no_place() -> None:
    """Neither while it waits, nor in the moment in which it is handed one."""
    places = Places(1)
    await places.take()
    async with anyio.create_task_group() as tasks:
        queue = Queue(places, tasks)
        scopes = [await queue.ask(name) for name in "abc"]
        scopes[0].cancel()
        await anyio.wait_all_tasks_blocked()
        scopes[1].cancel()
        places.give_back()
        await anyio.wait_all_tasks_blocked()
        if queue.taken == ["b"]:  # trio had handed it the place before
            places.give_back()
            await anyio.wait_all_tasks_blocked()
        assert queue.taken[-1] == "c"
    assert places.taken == 1


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_asyncios_own_cancellation_keeps_no_place(anyio_backend: str) -> None:
    """Also of a task that has been handed one and has not run since."""
    places = Places(1)
    await places.take()
    waiting = asyncio.create_task(places.take())
    await anyio.wait_all_tasks_blocked()
    places.give_back()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert places.taken == 0
