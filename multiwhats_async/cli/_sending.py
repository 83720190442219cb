"""A bulk run as the command line drives it: shown, recorded, and stopped by a signal."""

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any, Final, Protocol

import anyio
import anyio.abc
import attrs

from .._bulk import BulkRun
from .._certainty import Certainty
from ..client import AsyncMultiWhats
from ..errors import (
    NOT_TRIED,
    AuthenticationError,
    InsufficientCreditError,
    LedgerError,
    SendError,
)
from ..models import ButtonMessage
from ..outcomes import Outcome, Report, StopReason
from ._exits import ACCOUNT, ALL_ACCEPTED, HELD, INTERRUPTED, NO_ANSWER, SOME_FAILED
from ._failure import NothingSentError
from ._reading import ChangedError
from ._screen import Line, Screen, many

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
MAX_FAILURES_SHOWN: Final = 10
"""Messages that were not accepted and are listed at the end; ``--out`` has them all."""

_BY_REASON: Final = {
    StopReason.AUTHENTICATION: ACCOUNT,
    StopReason.CREDIT: ACCOUNT,
    StopReason.CERTIFICATE: NO_ANSWER,
    StopReason.UNREACHABLE: NO_ANSWER,
    StopReason.SILENT: NO_ANSWER,
    StopReason.RATE: NO_ANSWER,
    StopReason.CAMPAIGN: HELD,
}
"""The reasons of a stop that have a code of their own."""


class Messages(Protocol):
    """Messages that know how many they are and where each one stands in its file."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[ButtonMessage]: ...

    def line_of(self, index: int) -> int:
        """Return the line of the message at a position."""
        ...


@attrs.define(kw_only=True)
class Sent:
    """What a run came to.

    Attributes:
        report: Its counts.
        expected: How many messages there were.
        attempts: Attempts that were begun.
        failed: Messages that were tried, and not accepted.
        failures: The first of them by line, each with its line.
        problems: What went wrong beside the messages, each as a sentence.
        is_interrupted: Whether a signal stopped it.
        earlier: What was known before of the messages that were skipped, counted.
        report_words: What names the campaign to ``multiwhats report``, or None.
        ways_on: The commands that go on with the campaign, in their order.
        note: What is to be said of these commands, or None.
        is_shared: Whether others may be sending the campaign, too.
    """

    report: Report
    expected: int
    attempts: int = 0
    failed: int = 0
    failures: list[tuple[int, Outcome]] = attrs.field(factory=list)
    problems: list[str] = attrs.field(factory=list)
    is_interrupted: bool = False
    earlier: Counter[Certainty] = attrs.field(factory=Counter)
    report_words: str | None = None
    ways_on: list[str] = attrs.field(factory=list)
    note: str | None = None
    is_shared: bool = False

    @property
    def exit_code(self) -> int:
        """The exit code that it has earned."""
        report = self.report
        if self.is_interrupted:
            return INTERRUPTED
        code = code_of_stop(report.stopped_by)
        if code is not None:
            return code
        failed_before = self.earlier.total() - self.earlier[Certainty.ACCEPTED]
        is_whole = report.accepted + report.skipped - failed_before == self.expected
        return ALL_ACCEPTED if is_whole and not self.problems else SOME_FAILED


def code_of_stop(reason: StopReason | None) -> int | None:
    """Return the exit code that the reason of a stop stands for, or None where it has no own."""
    return None if reason is None else _BY_REASON.get(reason)


def code_of_error(error: SendError | None) -> int:
    """Return the exit code for what became of one message."""
    if error is None:
        return ALL_ACCEPTED
    is_account = isinstance(error, AuthenticationError | InsufficientCreditError)
    return ACCOUNT if is_account else SOME_FAILED


async def send_all(
    client: AsyncMultiWhats,
    messages: Messages,
    *,
    screen: Screen,
    on_outcome: Callable[[int, Outcome], None],
    **limits: Any,
) -> Sent:
    """Send messages, with the progress on the screen; signals stop it, and never tear it.

    Args:
        client: An open client.
        messages: What to send.
        screen: Where the progress is shown.
        on_outcome: Told of every outcome, with the line of its message. Where it raises an
            OSError the run stops.
        limits: Further options of :meth:`~multiwhats_async.AsyncMultiWhats.bulk`.
    """
    run = client.bulk(messages, on_progress=screen.show, **limits)
    sent = Sent(report=run.report, expected=len(messages))
    driver = _Driver(
        run=run,
        sent=sent,
        screen=screen,
        messages=messages,
        on_outcome=on_outcome,
        is_on_record=limits.get("ledger") is not None,
    )
    async with anyio.create_task_group() as tasks:
        await tasks.start(driver.heed_signals)
        await driver.drive()
        tasks.cancel_scope.cancel()
    sent.report = run.report
    return sent


@attrs.define(kw_only=True)
class _Driver:
    """Takes a run to its end, and heeds the signals on the way."""

    run: BulkRun
    sent: Sent
    screen: Screen
    messages: Messages
    on_outcome: Callable[[int, Outcome], None] | None
    is_on_record: bool

    async def drive(self) -> None:
        """Take the run to its end."""
        is_begun = False
        try:
            async with self.run:
                is_begun = True
                async for outcome in self.run:
                    self._take(outcome)
        except LedgerError as error:
            if not is_begun:
                raise NothingSentError(f"nothing was sent: {error}") from None
            self.sent.problems.append(f"Stopped, because nothing more can be recorded: {error}")
        except ChangedError as error:
            if not is_begun:
                text = f"nothing was sent: the file was changed after its check: {error}"
                raise NothingSentError(text) from None
            self.sent.problems.append(f"The file was changed while it was being sent: {error}")

    def _take(self, outcome: Outcome) -> None:
        """Record one outcome."""
        line = self.messages.line_of(outcome.index)
        self.sent.attempts += outcome.attempts
        if outcome.earlier is not None:
            self.sent.earlier[outcome.earlier] += 1
        error = outcome.error
        # Those that were not tried are told by the reason of the stop and by their count.
        if error is not None and error.cause == NOT_TRIED and self.is_on_record:
            self.run.stop(counts_rest=True)
        if error is not None and error.cause != NOT_TRIED:
            self.sent.failed += 1
            self.sent.failures.append((line, outcome))
            self.sent.failures.sort(key=itemgetter(0))
            del self.sent.failures[MAX_FAILURES_SHOWN:]
        if self.on_outcome is None:
            self._note_unrecorded(line, outcome)
            return
        try:
            self.on_outcome(line, outcome)
        except OSError as problem:
            # Sending on would spend credits on messages of which no record is kept.
            self.on_outcome = None
            self.run.stop("the results can no longer be written")
            self.sent.problems.append(f"The results are not complete: {problem.strerror}")
            self._note_unrecorded(line, outcome)

    def _note_unrecorded(self, line: int, outcome: Outcome) -> None:
        """Say of a message that may have gone out, and is in no file, what became of it."""
        if outcome.certainty in (Certainty.ACCEPTED, Certainty.UNKNOWN):
            self.sent.problems.append(f"Not recorded: line {line:,} was {outcome.certainty}")

    async def heed_signals(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Stop the run at the first signal, give up what is under way at the second."""
        try:
            with anyio.open_signal_receiver(*SIGNALS) as signals:
                task_status.started()
                async for _ in signals:
                    self._interrupt()
        except NotImplementedError:  # asyncio on Windows: Ctrl-C comes as a KeyboardInterrupt
            task_status.started()

    def _interrupt(self) -> None:
        under_way = self.run.progress.in_flight
        if self.sent.is_interrupted:
            self.run.abort("interrupted twice")
            text = f"Giving up {many(under_way, 'message')}: what was written is unknown."
        else:
            self.sent.is_interrupted = True
            self.run.stop("interrupted")
            text = (
                f"Stopping: what is under way ({many(under_way, 'message')}) is taken to its end. "
                "Once more gives it up."
            )
        self.screen.say([Line(text, "yellow")])
