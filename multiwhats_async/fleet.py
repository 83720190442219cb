"""One campaign over many machines: handed out in chunks, on an engine that exists.

No engine keeps a task from being delivered twice, or some from being lost. So the ledger alone
says what may be sent, and an engine only carries chunks: which one it is, nothing here knows. What
an engine loses, the reconciler puts into its queue again.
"""

import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, Protocol

import anyio
import anyio.lowlevel

from ._bulk import BulkRun
from ._certainty import Certainty
from ._intake import Messages, Source
from ._secret import shown
from ._settings import checked_count, checked_name
from .abc import Campaign, ChunkQueue, SharedLedger, TransactionalQueue
from .campaigns import Chunk, Enqueued
from .client import AsyncMultiWhats
from .errors import CampaignHeldError, ConfigurationError, LedgerError
from .models import ButtonMessage
from .outcomes import Report, StopReason

__all__ = ["enqueue_campaign", "keep_reconciling", "reconcile", "send_chunk"]

logger: logging.Logger = logging.getLogger("multiwhats_async")

CHUNK_SIZE: Final = 200
"""Messages a chunk: 25 tasks a second are 5,000 messages, and a lost worker holds few."""

LOAD: Final = 5_000
"""Messages that are loaded in one transaction."""

SLICE: Final = 500
"""Messages that are read from the input before others have their turn."""

RECONCILE_SECONDS: Final = 5.0

NEEDS_A_PERSON: Final = frozenset(
    {
        StopReason.AUTHENTICATION,
        StopReason.CREDIT,
        StopReason.CERTIFICATE,
        StopReason.REFUSED,
    }
)
"""What stops a run and would stop the next one too: the campaign is paused for all machines."""

NEEDS_TIME: Final = frozenset({StopReason.UNREACHABLE, StopReason.SILENT, StopReason.RATE})
PUT_OFF: Final = 30.0
"""Seconds, up to twice as many, after which a chunk is tried again whose server was silent."""


class Waits(Protocol):
    """What can be waited for: an event of asyncio, of trio, or of anyio."""

    async def wait(self) -> object:
        """Return when it has come."""


async def send_chunk(
    ledger: SharedLedger,
    client: AsyncMultiWhats,
    chunk: Chunk,
    *,
    stopping: Waits | None = None,
) -> Report:
    """Send what of a chunk may be sent now. This is the task of an engine, whichever it is.

    It may be called for one chunk by several workers at once, and again after it has ended: each
    message is claimed by one of them. What is left stays pending, and the reconciler hands the
    chunk out again when it is due. Where the key is refused, the credit is used up, or the server
    refuses everything, the campaign is paused for all machines, until somebody resumes it.

    Args:
        ledger: The ledger, open for as long as the worker lives; else it is opened for the call.
        client: The client, open. Chunks that share it share its limits.
        chunk: The chunk.
        stopping: An event; when it comes, no further attempt begins, and those under way are taken
            to their end.

    Returns:
        The counts of this call. All are 0 where the campaign is paused or cancelled.

    Raises:
        LedgerError: The ledger cannot be reached for longer than its patience, or has no such
            chunk. Nothing is lost: let the engine deliver the chunk again.
        ConfigurationError: The ledger is none that machines can share.
    """
    run = client.bulk(chunk, ledger=ledger)
    try:
        async with run:
            await _take_to_end(run, stopping)
    except CampaignHeldError as error:
        logger.info("Chunk %d is not sent: %s", chunk.id, error)
        return run.report
    report = run.report
    logger.info("Chunk %d of %r: %s", chunk.id, chunk.campaign, _told(report))
    if report.stopped_by in NEEDS_A_PERSON:
        await ledger.pause(chunk.campaign, report.stopped)
        why = f"{chunk.campaign!r} is paused for all: {report.stopped}"
        logger.warning("%s. Resume it when that is mended", why)
    elif report.stopped_by in NEEDS_TIME:
        await ledger.put_off(chunk, PUT_OFF * (1 + random.random()))  # noqa: S311  # no secret
    return report


def _told(report: Report) -> str:
    """Return the counts of a chunk in words, without those of which there is none."""
    counts = ((report[certainty], certainty.value.replace("_", " ")) for certainty in Certainty)
    return ", ".join(f"{count} {word}" for count, word in counts if count) or "nothing to send"


async def _take_to_end(run: BulkRun, stopping: Waits | None) -> None:
    """Wait for the end of a run, or for the moment at which it is to stop."""

    async def stop(event: Waits) -> None:
        await event.wait()
        run.stop("the worker shuts down", counts_rest=True)

    async with anyio.create_task_group() as tasks:
        if stopping is not None:
            tasks.start_soon(stop, stopping)
        async for _ in run:
            pass
        tasks.cancel_scope.cancel()


async def enqueue_campaign(
    ledger: SharedLedger,
    campaign: str,
    messages: Messages,
    *,
    queue: ChunkQueue | TransactionalQueue,
    sender: str | None = None,
    chunk_size: int = CHUNK_SIZE,
) -> Enqueued:
    """Put the messages of a campaign on record, and hand them to the workers in chunks.

    Nothing is sent before all of the input is on record: what is wrong with it costs nothing. A
    queue in the ledger's own database gets the chunks in the transaction that hands them over. The
    same call once more adds what is new, and goes on where it was broken off.

    Args:
        ledger: The ledger; one that is not open is opened and closed.
        campaign: The campaign's name; it is made where it is new.
        messages: The messages, from a sync or async iterable of any length.
        queue: Where the workers take chunks from.
        sender: The number that sends where a message names none. Whatever its client says, a
            worker sends from this one.
        chunk_size: Messages a chunk.

    Returns:
        How many messages and chunks were handed over.

    Raises:
        ConfigurationError: An argument cannot work.
        InvalidMessageError: The input holds what is no message. Nothing was handed over.
        CampaignHeldError: The campaign is paused or cancelled.
        LedgerError: The ledger cannot be written, or a key stands for another message.
    """
    checked_name("campaign", campaign)
    checked_count("chunk_size", chunk_size)
    _check_ledger(ledger)
    source = Source(messages, sender)
    source.check()
    await ledger.open()
    try:
        run = await ledger.begin(campaign, sender=sender)
        try:
            await _load(run, source)
            enqueued, chunks = await ledger.hand_over(run, queue=queue, chunk_size=chunk_size)
        finally:
            with anyio.CancelScope(shield=True), suppress(LedgerError):
                await run.aclose()
    finally:
        await ledger.aclose()
    await _put(queue, chunks)
    return enqueued


async def reconcile(ledger: SharedLedger, queue: ChunkQueue | TransactionalQueue) -> int:
    """Take over what dead runs hold, and put into the queue what is due. One pass.

    Due is a chunk that holds messages to send, and that no worker has begun for a while: its task
    was lost, its worker has died, it was paused, or its messages were to be tried later. Any
    number of machines may do this at once.

    Args:
        ledger: The ledger.
        queue: The queue.

    Returns:
        How many chunks were put into the queue.

    Raises:
        LedgerError: The ledger cannot be reached.
    """
    _check_ledger(ledger)
    chunks = await ledger.due(queue=queue)
    await _put(queue, chunks)
    return len(chunks)


async def keep_reconciling(
    ledger: SharedLedger,
    queue: ChunkQueue | TransactionalQueue,
    *,
    every: float = RECONCILE_SECONDS,
    on_pass: Callable[[], None] = lambda: None,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
) -> None:
    """Reconcile until it is cancelled, whatever fails meanwhile.

    Args:
        ledger: The ledger.
        queue: The queue.
        every: Seconds between two passes.
        on_pass: Called after each pass that succeeded: a worker that cannot is not healthy.
        sleep: Waits seconds.
    """
    while True:
        try:
            count = await reconcile(ledger, queue)
        except LedgerError as error:
            logger.warning("No chunk can be handed out: %s", error)
        else:
            on_pass()
            if count:
                logger.info("%d chunks were put into the queue again", count)
        await sleep(every)


async def _put(queue: ChunkQueue | TransactionalQueue, chunks: tuple[Chunk, ...]) -> None:
    """Put chunks into a queue that is not in the ledger's database."""
    if not chunks or isinstance(queue, TransactionalQueue):
        return
    try:
        await queue.put(chunks)
    except Exception as error:  # noqa: BLE001  # whatever an engine raises: they are on record
        cause: BaseException = error
        while isinstance(cause, BaseExceptionGroup):  # of an engine that has tasks of its own
            cause = cause.exceptions[0]
        logger.warning(
            "%d chunks could not be put into the queue (%s); they are put there later",
            len(chunks),
            type(cause).__name__,  # its text may hold the address of the queue, with a password
        )


async def _load(run: Campaign, source: Source) -> None:
    """Load an input as a whole; what was loaded of one that is refused is taken back."""
    first = 0
    try:
        while block := await _read_block(source):
            await run.load(first, block)
            first += len(block)
    except Exception:
        with suppress(LedgerError):  # what is left there is handed to nobody
            await run.withdraw()
        raise


async def _read_block(source: Source) -> list[ButtonMessage]:
    block: list[ButtonMessage] = []
    while len(block) < LOAD:
        pulled = await source.pull_async() if source.is_async else source.pull()
        if pulled is None:
            break
        block.append(pulled[1])
        if len(block) % SLICE == 0:
            await anyio.lowlevel.checkpoint()
    return block


def _check_ledger(ledger: SharedLedger) -> None:
    if not isinstance(ledger, SharedLedger):  # pyright: ignore[reportUnnecessaryIsInstance]  # a user's
        raise ConfigurationError(
            f"ledger must be one that machines can share, a PostgresLedger, not {shown(ledger)}"
        )
