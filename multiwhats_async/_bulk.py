"""A bulk run: messages in, outcomes out, memory bounded by the concurrency.

Workers pull messages from the source, take each to its outcome through a ``Sender``, and put the
outcomes into a bounded stream: whoever reads slowly slows the sending, nothing piles up. It is a
context manager and not an async generator, because yielding inside a task group is unsafe
(PEP 789).
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Final, Self

import anyio
import anyio.lowlevel
import attrs

from ._handover import Handover
from ._hooks import settle
from ._intake import Intake, Item, Tally
from ._pacing import Pace
from ._secret import key_in_logs
from ._stopping import Stop, StopRules
from ._waits import Waits
from .abc import Claim, Flight, Sender
from .errors import (
    CampaignHeldError,
    ClaimLostError,
    ConfigurationError,
    LedgerError,
    MultiWhatsError,
)
from .outcomes import Outcome, Progress, Report, StopReason

logger = logging.getLogger("multiwhats_async")

OnProgress = Callable[[Progress], Awaitable[None] | None]

PROGRESS_SECONDS: Final = 0.25
"""How often ``on_progress`` is told: often enough for the eye."""


@attrs.frozen(kw_only=True)
class BulkOptions:
    """What a run was asked for.

    Attributes:
        workers: How many messages are worked on at once.
        max_failures: Stop after so many messages that were not accepted; None is no limit.
        max_credits: Begin no message that could take the cost above this; None is no limit.
        deadline: Stop after so many seconds; None is no limit.
        silent_start: See :class:`~multiwhats_async._stopping.StopRules`.
        on_progress: Told where the run stands, or None.
    """

    workers: int
    max_failures: int | None = None
    max_credits: float | None = None
    deadline: float | None = None
    silent_start: int | None = None
    on_progress: OnProgress | None = None


class BulkRun:
    """A running bulk send: an async context manager and an async iterator of outcomes.

    Leaving the block waits: where it was never iterated, for every message; where the iteration
    was left early, only for those in flight (as :meth:`stop`). Leaving it by an exception stops
    too. Every message that was taken from the input gets an outcome, whatever happens.

    Args:
        intake: Hands out the messages of the input.
        check: Refuses a client that is not open, or not in this loop.
        sender: Takes one message to its outcome.
        flights: The attempts under way, for :meth:`abort`.
        waits: What the sender waits for, which a stop ends.
        pace: What the sender waits for, to show it.
        options: What was asked for.
        clock: Tells seconds.
    """

    def __init__(
        self,
        intake: Intake,
        *,
        check: Callable[[], None],
        sender: Sender,
        flights: set[Flight],
        waits: Waits,
        pace: Pace,
        options: BulkOptions,
        clock: Callable[[], float] = anyio.current_time,
    ) -> None:
        self._check = check
        self._intake = intake
        self._sender = sender
        self._flights = flights
        self._waits = waits
        self._pace = pace
        self._options = options
        self._clock = clock
        self._rules = StopRules(
            max_failures=options.max_failures, silent_start=options.silent_start
        )
        self._tally = Tally()
        self._in_flight = 0
        self._sending = 0
        self._entered = False
        self._began: float | None = None
        self._ended: float | None = None
        self._stopped: Stop | None = None
        self._sends = True
        self._reads_on = True
        self._counts_rest = False
        self._iterated = False
        self._failure: Exception | None = None
        self._pulls: set[anyio.CancelScope] = set()
        self._turn = anyio.Lock()
        self._finished_one: anyio.Event | None = None  # made by the first that waits

    # --- what a user calls --------------------------------------------------------------------

    @property
    def progress(self) -> Progress:
        """Where the run stands now: an immutable snapshot."""
        began, now, stop = self._began, self._ended, self._stopped
        paused_for, because = None, None
        if began is None:
            began = now = 0.0
        elif now is None:
            now = self._clock()
            paused_for, because = self._pace.held(now)
        return Progress(
            **self._tally.by_word(),
            retries=self._tally.retries,
            credits=self._tally.credits,
            elapsed=now - began,
            stopped_by=stop.reason if stop else None,
            stopped=stop.text if stop else None,
            total=self._intake.total,
            in_flight=self._in_flight,
            paused_for=paused_for,
            paused_because=because,
        )

    @property
    def report(self) -> Report:
        """The counts: of the whole run after the block, so far within it."""
        return Report.of(self.progress)

    def stop(self, why: str = "stop() was called", *, counts_rest: bool = False) -> None:
        """Begin no further attempt; those under way are taken to their end.

        From a collection the rest is reported as ``not_sent``; from an iterator it is not read.
        An async input that is being waited for is cancelled in its waiting, which ends an async
        generator.

        Args:
            why: The reason, for the report.
            counts_rest: Count what was not tried, instead of telling it message by message: of a
                million it takes a moment instead of most of a minute. Also for a run that has
                stopped already.
        """
        self._counts_rest = self._counts_rest or counts_rest
        self._stop(Stop(StopReason.CALLER, why), reads_on=False)

    def abort(self, why: str = "abort() was called") -> None:
        """Stop, and end the attempts under way at once: what was written becomes ``unknown``.

        Args:
            why: The reason, for the report.
        """
        self.stop(why)
        for flight in tuple(self._flights):
            flight.abandon()

    def __aiter__(self) -> Self:
        self._iterated = True
        return self

    async def __anext__(self) -> Outcome:
        if self._began is None:
            raise ConfigurationError("Begin the run first: async with client.bulk(...) as run")
        self._iterated = True
        try:
            return await self._outcomes.take()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        if self._entered:
            raise ConfigurationError("This run was begun already: call bulk() for a new one")
        self._check()
        self._entered = True
        await self._intake.open(lambda: self._stopped is None)
        self._began = self._clock()
        self._outcomes = Handover[Outcome](self._options.workers)
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._run)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._ended is None and error is not None:
            self.stop(f"the block was left by {type(error).__name__}")
            self._interrupt()
            logger.warning("A bulk run was left by %s; it drains", type(error).__name__)
        elif self._ended is None and self._iterated:
            self.stop("the iteration was left")
        self._outcomes.leave()  # nobody reads any more: no worker waits for a reader
        try:
            # Without the exception: it is the caller's, and leaves the block as it is.
            await self._tasks.__aexit__(None, None, None)
        finally:
            await self._close()
        if self._failure is not None and error is None:
            raise self._failure

    async def _close(self) -> None:
        """Let go of the input; a ledger that cannot be written any more has said so before."""
        try:
            await self._intake.aclose()
        except LedgerError as error:
            self._failure = self._failure or error

    # --- the tasks ----------------------------------------------------------------------------

    async def _run(self) -> None:
        """Run the workers to their end, with those who watch over them."""
        options = self._options
        try:
            async with anyio.create_task_group() as watchers:
                watchers.start_soon(self._watch_for_cancellation)
                if options.deadline is not None:
                    watchers.start_soon(self._watch_the_clock, options.deadline)
                if options.on_progress is not None:
                    watchers.start_soon(self._show_progress, options.on_progress)
                async with anyio.create_task_group() as workers:
                    for _ in range(min(options.workers, self._intake.total or options.workers)):
                        workers.start_soon(self._work)
                watchers.cancel_scope.cancel()
        finally:
            self._ended = self._clock()
            await self._account_for_the_rest()
            self._outcomes.end()
        if options.on_progress is not None:
            await self._tell_progress(options.on_progress)

    async def _account_for_the_rest(self) -> None:
        """Count what a cancelled run left of its input."""
        with anyio.CancelScope(shield=True), suppress(LedgerError):
            self._tally.add_untried(await self._intake.rest(self._tally.finished))

    async def _watch_for_cancellation(self) -> None:
        """Where the run is cancelled, tell the workers, which are shielded."""
        try:
            await anyio.sleep_forever()
        finally:
            self._halt()

    async def _watch_the_clock(self, seconds: float) -> None:
        await anyio.sleep(seconds)
        stop = Stop(StopReason.DEADLINE, f"its deadline of {seconds:g} s passed")
        self._stop(stop, reads_on=False)

    async def _show_progress(self, on_progress: OnProgress) -> None:
        while True:
            await self._tell_progress(on_progress)
            await anyio.sleep(PROGRESS_SECONDS)

    async def _tell_progress(self, on_progress: OnProgress) -> None:
        try:
            await settle(on_progress(self.progress))
        except Exception:
            logger.exception("on_progress raised; the run is not affected")

    async def _work(self) -> None:
        """Take one message after the other to its outcome.

        Under one shield for all of them: what tears an attempt leaves a message in doubt. A stop
        ends what is waited for, and a cancellation of the run does so by way of :meth:`_halt`.
        """
        with anyio.CancelScope(shield=True):
            try:
                while (pulled := await self._pull()) is not None:
                    outcome = await self._take_to_outcome(pulled)
                    if not self._outcomes.put_at_once(outcome):
                        await self._outcomes.put(outcome)
            except anyio.get_cancelled_exc_class():
                self._fail(MultiWhatsError("The input was cancelled from within"))
            except Exception as error:  # noqa: BLE001  # kept, and raised when the block is left
                self._fail(error)
            except BaseException:
                self._halt()  # the other workers' shields hold off even this
                raise

    def _fail(self, error: Exception) -> None:
        """Stop; keep what broke the input or the ledger."""
        if isinstance(error, CampaignHeldError):
            self._stop(Stop(StopReason.CAMPAIGN, str(error)), reads_on=False)
            return
        self._failure = self._failure or error
        if isinstance(error, LedgerError):
            stop = Stop(StopReason.LEDGER, f"its ledger failed: {error}")
        else:
            stop = Stop(StopReason.INPUT, f"{type(error).__name__} in the input")
        self._stop(stop, reads_on=False)

    async def _pull(self) -> Item | None:
        """Pull the next message, or None where no more is to be taken."""
        pulled = None
        if not self._intake.is_async:
            try:
                pulled = await self._next()
            except CampaignHeldError as error:
                self._fail(error)
                pulled = await self._next()  # the rest of a collection is told all the same
        else:
            scope = anyio.CancelScope()  # a stop ends the waiting for what does not come
            self._pulls.add(scope)
            try:
                with scope:
                    async with self._turn:
                        pulled = await self._next()
            finally:
                self._pulls.discard(scope)
        self._in_flight += pulled is not None
        return pulled

    async def _next(self) -> Item | None:
        return await self._intake.pull() if self._takes_more else None

    @property
    def _takes_more(self) -> bool:
        """Whether the input is read on: a stopped run leaves an iterator as it stands."""
        if self._sends:
            return True
        return not self._counts_rest and (self._reads_on or self._intake.total is not None)

    async def _take_to_outcome(self, item: Item) -> Outcome:
        """Send a message, unless the run is stopped or its key has its outcome."""
        if self._failure is None:
            # Also once the run is stopped: a message that has its outcome was not "not sent".
            try:
                await self._intake.admit(item)
            except LedgerError as error:
                self._fail(error)  # whether it is to be sent cannot be told: none is
        limit = self._options.max_credits
        if item.is_skipped:
            outcome = item.skipped()
        elif self._sends and (limit is None or await self._may_cost(limit)):
            return await self._deliver(item)
        else:
            outcome = self._not_tried(item)
        self._record(item, [], outcome)
        await anyio.lowlevel.checkpoint()
        return outcome

    async def _deliver(self, item: Item) -> Outcome:
        """Take one message through the sender."""
        outcomes: list[Outcome] = []
        self._sending += 1
        try:
            await self._sender.deliver(
                item.message,
                key=item.key,
                index=item.index,
                record=partial(self._record, item, outcomes),
                claim=item.claim,
            )
        except ClaimLostError:
            logger.warning("Another run has taken over %s; it is not sent here", _told(item))
        except LedgerError as error:
            self._fail(error)
        except ConfigurationError as error:  # of a rate that is not open, or not in this loop
            self._failure = self._failure or error
            self._stop(Stop(StopReason.RATE, f"its rate cannot be used: {error}"), reads_on=False)
        finally:
            self._sending -= 1
            self._wake()
            if item.claim is not None and outcomes:
                await self._settle(item.claim, item, outcomes[0])
        return outcomes[0]

    async def _settle(self, claim: Claim, item: Item, outcome: Outcome) -> None:
        """Put the outcome on record, before anybody is told of it."""
        try:
            await claim.settle(outcome)
        except ClaimLostError as error:
            logger.warning("The outcome of %s came too late: %s", _told(item), error)
        except LedgerError as error:
            self._fail(error)

    def _not_tried(self, item: Item) -> Outcome:
        """Return the outcome of a message that the run was stopped before."""
        return item.not_tried(self._stopped.text if self._stopped else "the run was cancelled")

    def _record(self, item: Item, outcomes: list[Outcome], outcome: Outcome) -> None:
        """Note an outcome at once: from here on it is counted, whatever is cancelled."""
        outcomes.append(outcome)
        self._in_flight -= 1
        before = 0 if item.claim is None else item.claim.unknown_attempts
        self._tally.add(outcome, doubts_before=before)
        stop = self._rules.judge(outcome) if self._stopped is None else None
        if self._stopped is None and self._pace.without_rate is not None:
            stop = Stop(StopReason.RATE, str(self._pace.without_rate))
        if stop is None and self._pace.is_exhausted:
            stop = Stop(StopReason.SILENT, "the server has stopped answering")
        if stop is not None:
            self._stop(stop, reads_on=True)

    async def _may_cost(self, limit: float) -> bool:
        """Wait until one more message cannot take the cost above the limit; tell whether it may."""
        while self._sends:
            # An unknown message may have cost its credit, one under way may come to cost it.
            if self._tally.worst_cost(self._sending + 1) <= limit:
                break
            if not self._sending:
                text = f"one more message could cost more than max_credits={limit:g}"
                self._stop(Stop(StopReason.MAX_CREDITS, text), reads_on=True)
                break
            self._finished_one = self._finished_one or anyio.Event()
            await self._finished_one.wait()
        return self._sends

    def _wake(self) -> None:
        """Let those look again who wait for a message to finish."""
        finished, self._finished_one = self._finished_one, None
        if finished is not None:
            finished.set()

    def _stop(self, stop: Stop, *, reads_on: bool) -> None:
        """Begin no further attempt; end what waits for one."""
        self._reads_on = self._reads_on and reads_on
        if self._ended is None and self._stopped is None:
            self._stopped = stop
            told = {"stopped_by": stop.reason.value}
            logger.info("The bulk run stops: %s", stop.text, extra=told)
        self._send_no_more()
        if not self._reads_on:
            self._pull_no_more()

    def _halt(self) -> None:
        """Have the workers end: the run is cancelled, or one of them met what ends the program."""
        self._counts_rest = True
        self._send_no_more()
        self._pull_no_more()
        self._interrupt()

    def _send_no_more(self) -> None:
        self._sends = False
        self._waits.end()
        self._wake()

    def _pull_no_more(self) -> None:
        """End the waiting for a message that is to come."""
        for scope in tuple(self._pulls):
            scope.cancel()

    def _interrupt(self) -> None:
        """End the attempts that provably have not written anything."""
        for flight in tuple(self._flights):
            flight.interrupt()


def _told(item: Item) -> str:
    """Return the key of a message for a log."""
    return key_in_logs(item.key, item.message.to)
