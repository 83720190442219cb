"""One message to its outcome: attempt, certainty, and again where that is safe."""

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import anyio
import anyio.lowlevel
import attrs

from ._certainty import Certainty
from ._evidence import Answer, Silence
from ._hooks import HOOK_SECONDS, Hooks, settle
from ._pacing import Pace
from ._secret import key_in_logs, mask_number
from ._waits import Waits
from ._wire import encode_request, read_result
from ._work import Work
from .abc import Claim, Exchange, Flight
from .errors import CampaignHeldError, ClaimLostError, LedgerError, RateError, SendError
from .models import ButtonMessage
from .options import Timeouts
from .outcomes import Attempt, Outcome
from .retry import RetryBudget, RetryDetails, RetryPolicy, is_later

logger = logging.getLogger("multiwhats_async")

LEAST_SECONDS: Final = 1.0
"""An attempt with less time than this ends in doubt more often than in an answer."""

OVERLOADED: Final = 503
"""RFC 9110, 15.6.4: of a server that has too much to do. Without a Retry-After it does not say what
became of the message, but how many more it takes."""

_NO_TIME: Final = "its deadline leaves no time for an attempt"


class Deliverer:
    """Takes messages to their outcomes. It is a ``Sender``.

    Args:
        exchange: Carries requests.
        pace: Says when an attempt may begin.
        policy: What is sent again.
        budget: What all retries share.
        sender: The number that sends where a message names none, or None.
        timeouts: How long an attempt may take.
        hooks: Objects told of attempts, retries and outcomes.
        random: Gives numbers from 0 to 1, for jitter.
        deadline: Seconds for a message with all its attempts; None takes the policy's.
        isolated: Run each attempt shielded in a task of its own, so that not even asyncio's own
            cancellation of the calling task can tear it. A bulk run's workers are such tasks.
        patient: Wait out a pause of any length, as a bulk run does; otherwise one longer than
            the policy's ``max_retry_after`` fails the message.
        clock: Tells seconds.
        sleep: Waits seconds.
    """

    def __init__(  # noqa: PLR0913  # every collaborator is passed in
        self,
        *,
        exchange: Exchange,
        pace: Pace,
        policy: RetryPolicy,
        budget: RetryBudget,
        sender: str | None,
        timeouts: Timeouts,
        hooks: Iterable[object],
        random: Callable[[], float],
        deadline: float | None = None,
        isolated: bool = True,
        patient: bool = False,
        clock: Callable[[], float] = anyio.current_time,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._exchange = exchange
        self._pace = pace
        self._policy = policy
        self._budget = budget
        self._sender = sender
        self._timeouts = timeouts
        self._random = random
        self._deadline = policy.deadline if deadline is None else deadline
        self._isolated = isolated
        self._patient = patient
        self._clock = clock
        self._sleep = sleep
        self.flights: set[Flight] = set()
        self.waits: Waits = Waits()
        self._hooks = Hooks(hooks, self.waits)

    async def deliver(
        self,
        message: ButtonMessage,
        *,
        key: str | None = None,
        index: int = 0,
        record: Callable[[Outcome], None] | None = None,
        claim: Claim | None = None,
    ) -> Outcome:
        """Send a message, and again where that is safe; return what became of it.

        Args:
            message: The message.
            key: Its key, where the caller has worked it out; None does so here.
            index: Its position in the input.
            record: Called once with the outcome, at once and without awaiting, even where the
                call is cancelled.
            claim: The message's place in a ledger, or None.

        Raises:
            LedgerError: An intent could not be recorded; the outcome is handed over all the same.
        """
        sender = message.sender or self._sender or ""
        work = Work(
            message=message,
            key=message.identity(sender) if key is None else key,
            sender=sender,
            body=encode_request(message, sender),
            index=index,
            began=self._clock(),
            claim=claim,
        )
        try:
            await self._attempts(work)
        except BaseException:
            outcome = self._finish(work, record)
            if record is None:  # nobody else will ever say what became of it
                _log_cancelled(outcome)
            if self._hooks.on_outcome:
                with anyio.move_on_after(HOOK_SECONDS, shield=True):
                    await self._hooks.tell(self._hooks.on_outcome, outcome)
            raise
        outcome = self._finish(work, record)
        if self._hooks.on_outcome:
            await self._hooks.tell(self._hooks.on_outcome, outcome)
        return outcome

    def _finish(self, work: Work, record: Callable[[Outcome], None] | None) -> Outcome:
        """Build the outcome from the last verdict and hand it over at once."""
        verdict, last_error, doubt = work.verdict, None, work.doubt
        if verdict.receipt is None and doubt is not None and doubt is not verdict:
            # An earlier attempt may have gone out: no later one undoes that.
            verdict, last_error = doubt, verdict.error
        outcome = Outcome(
            message=work.message,
            key=work.key,
            certainty=verdict.certainty,
            receipt=verdict.receipt,
            error=verdict.error and verdict.error.with_fields(attempts=work.all_attempts),
            last_error=last_error,
            attempts=work.all_attempts,
            unknown_attempts=work.all_unknown_attempts,
            index=work.index,
            elapsed=self._clock() - work.began,
        )
        if outcome.certainty is Certainty.ACCEPTED:
            self._budget.earn()
        if record is not None:
            record(outcome)
        return outcome

    async def _attempts(self, work: Work) -> None:
        """Attempt until there is an outcome; ``work.verdict`` holds what is known all along."""
        if self._isolated:
            await anyio.lowlevel.checkpoint_if_cancelled()
        while await self._begin(work):
            try:
                attempt = await self._attempt(work)
            finally:
                self._pace.release(work)
            if work.throttled:
                await self._pace.postpone(work.sender, work.hold)
            if attempt is not None:  # only now: a slow hook must not keep the place
                await self._hooks.tell(self._hooks.on_attempt, attempt)
            error = work.verdict.error
            if error is None or self.waits.over:
                return
            delay = await self._plan(work, error)
            if delay is None:
                return
            if work.claim is not None and work.doubt is None:
                await work.claim.postpone()
            if self._hooks.on_retry:
                await self._hooks.tell(self._hooks.on_retry, self._details(work, error, delay))
            with self.waits.breakable():
                await self._sleep(delay)

    async def _begin(self, work: Work) -> bool:
        """Wait until an attempt may begin; tell whether it may."""
        if self.waits.over:
            return False
        if not self._pace.begin_at_once():
            try:
                if not await self._acquire(work):
                    return False
            except RateError as error:
                work.give_up(str(error), cause=type(error).__name__)
                return False
        if work.claim is None and self._deadline is None:
            return True
        begun = await self._intend(work)
        if not begun:
            self._pace.release(work)
        return begun

    async def _acquire(self, work: Work) -> bool:
        """Wait for a place, as long as the message has time; tell whether it was had."""
        longest = None if self._patient else self._policy.max_retry_after
        begun = None
        with self.waits.breakable(), anyio.CancelScope(deadline=self._ends(work)):
            begun = await self._pace.acquire(work, work.sender, longest=longest)
        if begun and self.waits.over:  # a stop that came with the place
            self._pace.release(work)
            return False
        if begun is False:
            paused = self._pace.pause.remaining(self._clock())
            work.give_up(f"the server asked to wait, for {paused:.0f} s more: no attempt was made")
        elif begun is None and not self.waits.over:
            work.give_up(_NO_TIME)
        return bool(begun)

    async def _intend(self, work: Work) -> bool:
        """Put the intent on record, now that its turn has come; tell whether there is time left."""
        try:
            if work.claim is not None and self._has_time(work):
                await work.claim.intend()
                if self._isolated:
                    await anyio.lowlevel.checkpoint_if_cancelled()
                if self.waits.over:  # a stop that came meanwhile: nothing is written
                    return False
        except LedgerError as error:
            is_ours = isinstance(error, CampaignHeldError | ClaimLostError)
            work.give_up(str(error) if is_ours else "its intent could not be recorded")
            self._pace.release(work)
            raise
        except BaseException:
            self._pace.release(work)
            raise
        if self._has_time(work):
            return True
        work.give_up(_NO_TIME)
        return False

    def _has_time(self, work: Work) -> bool:
        return self._ends(work) - self._clock() >= self._least

    @property
    def _least(self) -> float:
        """The seconds without which an attempt is not begun: it would only end in doubt."""
        if self._deadline is None:
            return 0.0
        return min(LEAST_SECONDS, self._timeouts.attempt, self._deadline / 2)

    def _ends(self, work: Work) -> float:
        return float("inf") if self._deadline is None else work.began + self._deadline

    async def _attempt(self, work: Work) -> Attempt | None:
        """Make one attempt and note what it came to; return it where a hook wants to know."""
        flight = self._exchange.flight()
        started = self._clock()
        work.attempts += 1
        timeouts = self._timeouts
        if self._deadline is not None and (left := self._ends(work) - started) < timeouts.attempt:
            timeouts = attrs.evolve(timeouts, attempt=left)
        work.in_flight(flight)
        self.flights.add(flight)
        try:
            if self._isolated:
                result = await self._post(work.body, timeouts, flight)
            else:
                result = await self._exchange.post(work.body, timeouts=timeouts, flight=flight)
            work.verdict = verdict = read_result(result, work.message)
        finally:
            self.flights.discard(flight)
        status = result.status if isinstance(result, Answer) else None
        ended = self._clock()
        self._note(work, status, started=started, now=ended)
        if verdict.mismatch:
            await self._exchange.distrust()
        if logger.isEnabledFor(logging.DEBUG):
            _log(work, ended - started)
        if not self._hooks.on_attempt:
            return None
        return Attempt(
            message=work.message,
            key=work.key,
            number=work.attempts,
            certainty=verdict.certainty,
            status_code=status,
            error=verdict.error,
            elapsed=ended - started,
        )

    async def _post(self, body: bytes, timeouts: Timeouts, flight: Flight) -> Answer | Silence:
        """POST once, in a task of its own, out of reach of whoever cancels the caller."""
        done = anyio.Event()

        async def run() -> None:
            with anyio.CancelScope(shield=True):
                await self._exchange.post(body, timeouts=timeouts, flight=flight)
            done.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            try:
                await done.wait()
            except BaseException:
                flight.interrupt()
                raise
        assert flight.result is not None  # noqa: S101  # the exchange has set it
        return flight.result

    def _note(self, work: Work, status: int | None, *, started: float, now: float) -> None:
        """Tell the pace what the attempt came to, at once: others must not knock meanwhile."""
        error = work.verdict.error
        work.throttled = throttled = error is not None and is_later(error)
        overloaded = throttled or status == OVERLOADED
        self._pace.note(
            work,
            answered=throttled or (status is not None and status < 500),  # noqa: PLR2004  # 5xx
            started=started,
            now=now,
            overloaded=overloaded,
            silent=status is None,
        )
        if error is not None:
            work.proposal = self._policy.delay(error, work.attempts, self._random)
            if overloaded:
                work.hold = self._hold(error, started=started, now=now)

    def _hold(self, error: SendError, *, started: float, now: float) -> float:
        """Have the whole client hold, since the server has too much to do; return the seconds."""
        pause = self._pace.pause
        # One jitter a bad moment: of a hundred the longest would be as long as there is, always.
        random = self._random if pause.refuse(started=started, now=now) else float
        seconds = self._policy.hold(error, pause.refusals, random)
        pause.extend(now + seconds, "the server asked to come back later")
        return seconds

    async def _plan(self, work: Work, error: SendError) -> float | None:
        """Return the seconds after which to attempt again, or None for no more."""
        if work.attempts >= self._policy.limit(error):
            return None
        delay = await self._decide(work, error, work.proposal)
        if delay is None or self._clock() + delay >= self._ends(work):
            return None
        # What the server asked for is held by the pause, a silent server by the breaker.
        if not (is_later(error) or self._pace.holds or self._budget.spend()):
            if not (self._patient and self._pace.knows_the_server):
                return None
            # A run has time: what the budget does not allow now goes later, and nothing fails.
            delay = max(delay, self._random() * self._policy.throttled_cap)
        return delay

    async def _decide(self, work: Work, error: SendError, proposal: float) -> float | None:
        """Return the delay of the policy, or of the user's hook where there is one."""
        may = self._policy.may_retry(error) and error.cause != "SSLCertVerificationError"
        if is_later(error) and not self._patient and proposal > self._policy.max_retry_after + 1:
            may = False
        details = self._details(work, error, proposal if may else None)
        ask = self._policy.should_retry
        if ask is None:
            return details.delay
        answer = None
        try:
            with self.waits.breakable():
                answer = await settle(ask(details))
        except Exception:
            logger.exception("should_retry raised; the policy decides")
            return details.delay
        return None if self.waits.over else self._policy.heed(answer, details, proposal)

    def _details(self, work: Work, error: SendError, delay: float | None) -> RetryDetails:
        return RetryDetails(
            message=work.message,
            key=work.key,
            attempts=work.attempts,
            error=error.with_fields(attempts=work.attempts),
            delay=delay,
            elapsed=self._clock() - work.began,
        )


def _log(work: Work, elapsed: float) -> None:
    """Log one attempt, without the text and with the number masked."""
    verdict = work.verdict
    logger.debug(
        "Attempt %d of the message to %s: %s in %.3f s",
        work.attempts,
        mask_number(work.message.to),
        verdict.certainty,
        elapsed,
        extra={
            "key": key_in_logs(work.key, work.message.to),
            "attempt": work.attempts,
            "certainty": verdict.certainty.value,
            "status_code": verdict.error and verdict.error.status_code,
            "elapsed": elapsed,
        },
    )


def _log_cancelled(outcome: Outcome) -> None:
    """Say what became of a message whose caller is gone."""
    logger.warning(
        "The call was cancelled; the message to %s is %s after %d attempts",
        mask_number(outcome.message.to),
        outcome.certainty,
        outcome.attempts,
        extra={
            "key": key_in_logs(outcome.key, outcome.message.to),
            "certainty": outcome.certainty.value,
        },
    )
