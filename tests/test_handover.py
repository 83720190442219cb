"""Outcomes between tasks: in order, bounded, and none lost by a cancellation."""

import asyncio

import anyio
import pytest
from anyio.abc import TaskGroup

from multiwhats_async._handover import Handover

pytestmark = pytest.mark.anyio


async def taken(handover: Handover[int]) -> list[int]:
    """Return all that can be taken until its end."""
    items: list[int] = []
    while True:
        try:
            items.append(await handover.take())
        except anyio.EndOfStream:
            return items


async def put_all(handover: Handover[int], tasks: TaskGroup, *items: int) -> None:
    """Begin to put items, each in a task of its own, and wait until those that must wait do."""
    for item in items:
        tasks.start_soon(handover.put, item)
        await anyio.wait_all_tasks_blocked()


async def test_items_come_in_order_and_to_the_last() -> None:
    """What was put before the end is there after it."""
    handover = Handover[int](2)
    async with anyio.create_task_group() as tasks:
        await put_all(handover, tasks, 1, 2, 3, 4)
        for item in (1, 2, 3, 4):
            assert await handover.take() == item
            await anyio.wait_all_tasks_blocked()  # of two let in at once either may go first
        await put_all(handover, tasks, 5)
    handover.end()
    assert await taken(handover) == [5]


async def test_whoever_puts_waits_for_room() -> None:
    """One more item than there is room for waits, and no longer than that."""
    handover = Handover[int](1)
    done = anyio.Event()

    async def put() -> None:
        await handover.put(2)
        done.set()

    await handover.put(1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(put)
        await anyio.wait_all_tasks_blocked()
        assert not done.is_set()
        assert await handover.take() == 1
        await done.wait()
    assert await handover.take() == 2


@pytest.mark.parametrize("is_let_in", [False, True])
async def test_one_that_is_cancelled_gives_its_room_to_the_next(is_let_in: bool) -> None:
    """Also where it was let in at that very moment."""
    handover = Handover[int](1)
    await handover.put(1)
    scope = anyio.CancelScope()

    async def put_in_vain() -> None:
        with scope:
            await handover.put(2)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(put_in_vain)
        await anyio.wait_all_tasks_blocked()
        await put_all(handover, tasks, 3)
        scope.cancel()
        if not is_let_in:
            await anyio.wait_all_tasks_blocked()
        items = [await handover.take(), await handover.take()]
        if items[1] == 2:  # trio had let it in before it was cancelled
            items.append(await handover.take())
    assert [items[0], items[-1]] == [1, 3]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_asyncios_own_cancellation_loses_no_room(anyio_backend: str) -> None:
    """The room of one that is cancelled in the moment in which it is let in is the next one's."""
    handover = Handover[int](1)
    await handover.put(1)
    cancelled = asyncio.create_task(handover.put(2))
    await anyio.wait_all_tasks_blocked()
    following = asyncio.create_task(handover.put(3))
    await anyio.wait_all_tasks_blocked()
    assert await handover.take() == 1
    cancelled.cancel()
    await following
    assert await handover.take() == 3
    assert cancelled.cancelled()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_asyncios_own_cancellation_loses_no_item(anyio_backend: str) -> None:
    """``wait_for`` cancels a reader in the moment in which its item comes: it stays there."""
    handover = Handover[int](1)
    reader = asyncio.create_task(handover.take())
    await anyio.wait_all_tasks_blocked()
    await handover.put(1)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert await handover.take() == 1


async def test_a_reader_that_is_cancelled_has_what_is_there() -> None:
    """It ends where it would wait; what comes later is the next reader's."""
    handover = Handover[int](1)
    assert handover.put_at_once(1)
    assert handover.put_at_once(2) is False  # there is no room
    taken = []
    with anyio.CancelScope() as scope:
        scope.cancel()
        taken.append(await handover.take())
        await handover.take()
    assert scope.cancelled_caught
    assert taken == [1]
    assert handover.put_at_once(2)
    assert await handover.take() == 2


async def test_where_nobody_reads_nobody_waits() -> None:
    """What waits there is dropped, and so is what comes later."""
    handover = Handover[int](1)
    async with anyio.create_task_group() as tasks:
        await put_all(handover, tasks, 1, 2, 3)
        handover.leave()
    await handover.put(4)
    assert await taken(handover) == []


async def test_whoever_waits_for_an_item_sees_that_nobody_reads_any_more() -> None:
    """One who leaves ends it for the other readers too."""
    handover = Handover[int](1)
    ends: list[list[int]] = []

    async def read() -> None:
        ends.append(await taken(handover))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        handover.leave()
        await anyio.wait_all_tasks_blocked()
        left = list(ends)
        handover.end()
    assert left == [[]]


async def test_several_readers_share_the_items() -> None:
    """Each item goes to one of them, and all of them see the end."""
    handover = Handover[int](2)
    items: list[int] = []

    async def read() -> None:
        items.extend(await taken(handover))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        await put_all(handover, tasks, *range(10))
        handover.end()
    assert sorted(items) == [*range(10)]
