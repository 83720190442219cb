"""What the worker of every engine does alike: chunks, the reconciler, coming back."""

import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

import anyio
import attrs

from ..abc import SharedLedger
from ..campaigns import Chunk
from ..client import AsyncMultiWhats
from ..errors import ConfigurationError, MultiWhatsError
from ..fleet import RECONCILE_SECONDS, Waits, send_chunk

DEFAULT_CHUNKS_AT_ONCE: Final = 2
"""While the last messages of one wait for their answers, the next one is under way already."""

DEFAULT_REDELIVER_AFTER: Final = 10.0
"""Seconds without a sign of life after which an engine hands a chunk to another worker."""

DEFAULT_RECONCILE_EVERY: Final = RECONCILE_SECONDS

FIRST_DELAY: Final = 5.0
LONGEST_DELAY: Final = 300.0
"""Seconds until a chunk that failed is tried again: doubled each time, up to five minutes."""

COME_BACK: Final = 2.0
"""Seconds between two attempts to reach an engine's server that is gone."""

E = TypeVar("E", bound=BaseException)

_log: Final = logging.getLogger("multiwhats_async")


@attrs.define
class Activity:
    """What a worker does, for whoever watches over it. Read from any thread.

    Attributes:
        in_flight: Chunks that it sends now.
        finished: Chunks that it has sent what was to be sent of, or as far as it was told to stop.
        failed: Chunks that could not be sent, and that the engine hands out again.
        refused: Tasks that held no chunk.
        reconciled_at: When the reconciler last succeeded, by ``clock``, or None.
        clock: Tells seconds; only differences of it count.
    """

    in_flight: int = 0
    finished: int = 0
    failed: int = 0
    refused: int = 0
    reconciled_at: float | None = None
    clock: Callable[[], float] = time.monotonic

    @property
    def reconciled_ago(self) -> float | None:
        """Seconds since the reconciler last succeeded, or None where it has not yet."""
        return None if self.reconciled_at is None else self.clock() - self.reconciled_at

    def on_pass(self) -> None:
        """Note that the reconciler has succeeded."""
        self.reconciled_at = self.clock()


@attrs.frozen
class Chunks:
    """Takes the tasks of an engine, whichever it is, and sends the chunks that they hold.

    Args:
        ledger: The ledger of the chunks; open.
        client: Sends them; open.
        activity: Counts them.
        at_once: Lets only so many be sent at once.
    """

    ledger: SharedLedger
    client: AsyncMultiWhats
    activity: Activity
    at_once: anyio.CapacityLimiter

    async def take(self, text: str | bytes, *, failures: int, stopping: Waits) -> float | None:
        """Send the chunk that a task holds.

        Args:
            text: The task.
            failures: How often it has failed before.
            stopping: When to begin nothing more.

        Returns:
            None where the engine may forget the task. Where something failed: seconds after which
            the engine is to hand it out again. Until then the task stays in the queue, so that
            the reconciler adds no second one.

        Raises:
            ConfigurationError: It is no chunk: it will be none the next time either.
        """
        try:
            chunk = Chunk.from_json(text if isinstance(text, bytes) else str(text))
        except ConfigurationError:
            self.activity.refused += 1
            # Nothing of its text: whose it is, and what it says of whom, nobody here knows.
            raise ConfigurationError(
                "A task holds no chunk of a campaign: another program put it into the queue. "
                "It is refused, and not tried again"
            ) from None
        async with self.at_once:
            self.activity.in_flight += 1
            try:
                await send_chunk(self.ledger, self.client, chunk, stopping=stopping)
            except Exception as error:  # noqa: BLE001  # the chunk comes again
                self.activity.failed += 1
                delay = min(FIRST_DELAY * 2.0 ** min(failures, 10), LONGEST_DELAY)
                _log.warning("%s failed, again in %.0f s: %s", chunk.key, delay, told(error))
                return delay
            finally:
                self.activity.in_flight -= 1
        self.activity.finished += 1
        return None


async def keep_serving(serve: Callable[[], Awaitable[None]], *, stopping: anyio.Event) -> None:
    """Run an engine until it is told to stop; where its server goes away, come back.

    Args:
        serve: Runs it, and returns once ``stopping`` is set and what was under way has ended.
        stopping: When to stop.

    Raises:
        ConfigurationError: The engine cannot run as it is set up.
    """
    while not stopping.is_set():
        try:
            await serve()
        except Exception as error:  # noqa: BLE001  # also groups of errors
            if (wrong := found(error, ConfigurationError)) is not None:
                raise wrong from None
            _log.warning("the engine failed, again in %.0f s: %s", COME_BACK, told(error))
            with anyio.move_on_after(COME_BACK):
                await stopping.wait()


async def run_beside(
    main: Callable[[], Awaitable[None]], *others: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    """Run something to its end, and others beside it, which end with it.

    Raises:
        Exception: What the main one raised, as it is and in no group.
    """
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        for other in others:
            tasks.start_soon(other)
        try:
            await main()
        except Exception as error:  # noqa: BLE001  # raised again, below
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure


def told(error: BaseException) -> str:
    """Return what may be logged of an error.

    Our own say nothing secret. The messages of others may hold a password, a number or a text:
    of these the kind is told, and where they were raised.
    """
    if isinstance(error, MultiWhatsError):
        return f"{type(error).__name__}: {error}"
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(told(each) for each in error.exceptions)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {frames[-1].name}, line {frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


def found(error: BaseException, kind: type[E]) -> E | None:
    """Return the first error of a kind, also where it stands in a group."""
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, (found(each, kind) for each in error.exceptions)), None)
    return error if isinstance(error, kind) else None
