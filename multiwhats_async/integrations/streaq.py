"""Campaigns over many machines with streaQ: the queue stands in Redis, workers run on trio too.

The extra ``streaq``. Needs Redis 7 or later, or Valkey: streaQ brings functions of its own::

    queue = StreaqQueue("redis://queue.example")
    async with PostgresLedger(dsn) as ledger:
        await enqueue_campaign(ledger, "spring", messages, queue=queue, sender=sender)

and on every machine::

    async with PostgresLedger(dsn) as ledger, AsyncMultiWhats() as client:
        await run_worker(ledger, client, queue)

Redis may lose what it was told last, and even all of it: the ledger does not, and the reconciler
puts the chunks into the queue again.
"""

import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any, Final

import anyio
from anyio.abc import TaskStatus
from anyio.streams.memory import MemoryObjectReceiveStream
from coredis.exceptions import RedisError, UnknownCommandError
from streaq import StreaqRetry, Worker
from streaq.task import Task
from streaq.types import StreamMessage

from .._secret import Secret
from ..abc import SharedLedger
from ..campaigns import Chunk
from ..client import AsyncMultiWhats
from ..errors import ConfigurationError
from ..fleet import keep_reconciling
from . import _engine
from ._engine import Activity, Chunks

DEFAULT_NAME: Final = "multiwhats"
"""The queue's name in Redis."""

TASK: Final = "multiwhats_chunk"

FORGET_AFTER: Final = timedelta(hours=1)
"""For how long a chunk in the queue keeps a second one of its id out. streaQ forgets an id when
its task ends, at once; where Redis has lost the task and not the id, this is what frees it."""


class StreaqQueue:
    """Puts chunks into streaQ. A chunk that waits or is being sent is not put in twice.

    Args:
        url: The address of the Redis server; a password in it is never shown.
        name: The queue's name. Ledgers that share a Redis server need a name each: their chunks
            are told apart by their numbers only.

    Raises:
        ConfigurationError: The address cannot be read.
    """

    def __init__(self, url: str, *, name: str = DEFAULT_NAME) -> None:
        self.name = name
        try:
            self._url = Secret(url)
            self.worker()
        except (ValueError, TypeError, RedisError):  # its message may hold the password
            raise ConfigurationError("url is no address of a Redis server") from None

    def __repr__(self) -> str:
        return f"<StreaqQueue {self.name}>"

    async def put(self, chunks: Sequence[Chunk]) -> None:
        """Put chunks into the queue.

        Raises:
            ConfigurationError: The server is older than Redis 7.
            Exception: It cannot be reached, or refuses.
        """
        worker = self.worker()
        tasks: list[Task[Any, Any]] = []
        for chunk in chunks:
            task = worker.registry[TASK].enqueue(chunk.to_json())
            task.id = chunk.key
            tasks.append(task)
        with _old_server_told():
            async with worker:
                await worker.enqueue_many(tasks)

    def worker(
        self,
        chunks: Chunks | None = None,
        stopping: anyio.Event | None = None,
        **options: Any,
    ) -> "_Worker":
        """Return a worker of this queue, which lasts as long as its connection."""
        return _Worker(
            chunks, stopping, redis_url=self._url.reveal(), queue_name=self.name, **options
        )


class _Worker(Worker[Any]):
    """streaQ's worker, stopped by an event instead of by signals, which are the process's own.

    Its tasks are JSON: streaQ's own choice is pickle, by which whoever can write into that Redis
    could run any code in every worker.
    """

    def __init__(self, chunks: Chunks | None, stopping: anyio.Event | None, **options: Any) -> None:
        super().__init__(
            serializer=partial(json.dumps, default=_kind_of), deserializer=json.loads, **options
        )
        self._chunks = chunks
        self._stopping = stopping
        self._leaving = anyio.Event()
        self.task(name=TASK, expire=FORGET_AFTER, max_tries=None, ttl=0)(self._take)

    async def signal_handler(self, scope: anyio.CancelScope) -> None:
        """Stop when told to. Where the server is lost, what runs here must end as well."""
        assert self._stopping is not None  # noqa: S101  # only one that runs comes here
        try:
            await self._stopping.wait()
            scope.cancel("told to stop")
        finally:
            self._leaving.set()

    async def run_consumers(
        self,
        receive: MemoryObjectReceiveStream[StreamMessage],
        renew_scope: anyio.CancelScope,
        produce_scope: anyio.CancelScope,
        *,
        task_status: TaskStatus[anyio.CapacityLimiter] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Close the stream as well: streaQ closes its copies only, and Python warns of the rest."""
        with receive:
            await super().run_consumers(
                receive, renew_scope, produce_scope, task_status=task_status
            )

    async def _take(self, text: str) -> None:
        assert self._chunks is not None  # noqa: S101  # likewise
        failures = self.registry[TASK].context.tries - 1
        delay = await self._chunks.take(text, failures=failures, stopping=self._leaving)
        if delay is not None:
            raise StreaqRetry("the chunk could not be sent", delay=timedelta(seconds=delay))


async def run_worker(  # the public face: one argument an option
    ledger: SharedLedger,
    client: AsyncMultiWhats,
    queue: StreaqQueue,
    *,
    chunks_at_once: int = _engine.DEFAULT_CHUNKS_AT_ONCE,
    redeliver_after: float = _engine.DEFAULT_REDELIVER_AFTER,
    reconcile_every: float = _engine.DEFAULT_RECONCILE_EVERY,
    stopping: anyio.Event | None = None,
    activity: Activity | None = None,
) -> None:
    """Send chunks until told to stop, and reconcile beside it. On asyncio and on trio.

    Args:
        ledger: The ledger of the campaigns; open.
        client: Sends the messages; open.
        queue: Where the chunks come from.
        chunks_at_once: How many chunks this worker sends at once.
        redeliver_after: Seconds without a sign of life after which others take its chunks. They
            look once in that time, so that it may take twice as long.
        reconcile_every: Seconds between two passes of the reconciler.
        stopping: When set, no further message is begun, and the call returns once those under
            way have ended: after a POST's own deadline at most. The rest stays pending.
        activity: Is kept up to date.

    Raises:
        ConfigurationError: The server is older than Redis 7.
    """
    stopping = anyio.Event() if stopping is None else stopping
    activity = Activity() if activity is None else activity
    chunks = Chunks(ledger, client, activity, anyio.CapacityLimiter(chunks_at_once))

    async def serve() -> None:
        worker = queue.worker(
            chunks,
            stopping,
            concurrency=chunks_at_once,
            prefetch=1,
            idle_timeout=redeliver_after,
        )
        with _old_server_told():
            await worker.run_async()

    await _engine.run_beside(
        partial(_engine.keep_serving, serve, stopping=stopping),
        partial(keep_reconciling, ledger, queue, every=reconcile_every, on_pass=activity.on_pass),
    )


@contextmanager
def _old_server_told() -> Generator[None]:
    """Say in its own words what streaQ's first command means to a server that has it not."""
    try:
        yield
    except Exception as error:
        if _engine.found(error, UnknownCommandError) is None:
            raise
        raise ConfigurationError("streaQ needs Redis 7 or later, or Valkey") from None


def _kind_of(value: object) -> str:
    """Return what stands for an exception in a result, which nobody reads."""
    return type(value).__name__
