"""The types of the client, of bulk runs, and of what they return, as a checker sees them."""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Any, assert_type

import cattrs
import httpx

from multiwhats_async import (
    WHATSAPP_LIMITS,
    AsyncMultiWhats,
    Attempt,
    Breaker,
    BulkRun,
    ButtonMessage,
    Certainty,
    ExtraData,
    MessageLimits,
    MessageReceipt,
    MessageTarget,
    Outcome,
    Progress,
    Rate,
    Report,
    RetryDetails,
    RetryPolicy,
    SendError,
    StopReason,
    Summary,
    Timeouts,
    __version__,
    configure_converter,
    make_converter,
)

MESSAGE = ButtonMessage("905374937766", "Hi", ["Yes"], sender="908503080335", key="17")


async def one_message() -> None:
    """A client, its options, and what it sends."""
    client = AsyncMultiWhats(
        "KEY",
        sender="908503080335",
        timeout=30,
        rate=Rate(20, jitter=0.1),
        retry=RetryPolicy(attempts=2, should_retry=lambda details: details.attempts < 2),
        http_client=httpx.AsyncClient(),
        api_key_in="json",
        transport="direct",
        breaker=Breaker(),
    )
    async with client as entered:
        assert_type(entered, AsyncMultiWhats)
    assert_type(client.sender, str | None)
    copy = client.with_options(timeout=Timeouts(attempt=5), rate=20, breaker=None)
    assert_type(copy, AsyncMultiWhats)
    assert_type(await client.send_button_message("90", "Hi", ("Yes",)), MessageReceipt)
    assert_type(await client.send(MESSAGE, timeout=1, deadline=None), MessageReceipt)
    assert_type(await client.deliver(MESSAGE), Outcome)
    assert_type(MESSAGE.to, str)
    assert_type(MESSAGE.buttons, tuple[str, ...])
    assert_type(MESSAGE.limits, MessageLimits | None)
    assert_type(MESSAGE.identity(), str)


async def several() -> AsyncIterator[ButtonMessage]:
    """An async input."""
    yield MESSAGE


def a_few() -> Iterator[ButtonMessage]:
    """A sync one."""
    yield MESSAGE


async def told(progress: Progress) -> None:
    """An async callback."""
    assert_type(progress.total, int | None)
    assert_type(progress.eta, float | None)
    assert_type(progress[Certainty.ACCEPTED], int)


async def many(client: AsyncMultiWhats) -> None:
    """A run over each kind of input, with either kind of callback."""
    assert_type(client.bulk([MESSAGE]), BulkRun)
    assert_type(client.bulk(a_few(), on_progress=print), BulkRun)
    async with client.bulk(several(), on_progress=told, max_credits=1.5) as run:
        assert_type(run, BulkRun)
        async for outcome in run:
            assert_type(outcome, Outcome)
        assert_type(run.progress, Progress)
        run.stop("enough", counts_rest=True)
        run.abort()
    assert_type(run.report, Report)
    assert_type(run.report.stopped_by, StopReason | None)
    assert_type(run.report.credits, int | float)
    report = await client.send_many([MESSAGE])
    assert_type(report.outcomes, tuple[Outcome, ...])
    assert_type(report.to_dict(), dict[str, Any])


def outcomes(outcome: Outcome, attempt: Attempt, details: RetryDetails, summary: Summary) -> None:
    """What became of a message."""
    assert_type(outcome.certainty, Certainty)
    assert_type(outcome.receipt, MessageReceipt | None)
    assert_type(outcome.error, SendError | None)
    assert_type(outcome.credits, int | float)
    assert_type(outcome.earlier, Certainty | None)
    assert_type(attempt.status_code, int | None)
    assert_type(details.delay, float | None)
    assert_type(details.error.certainty, Certainty)
    assert_type(summary.to_send, int)


def of_the_package(limits: MessageLimits = WHATSAPP_LIMITS) -> None:
    """What is neither sent nor returned by a client."""
    assert_type(limits.label, int)
    version: str = __version__
    assert_type(len(version), int)
    converter = make_converter()
    assert_type(converter, cattrs.Converter)
    configure_converter(converter)
    assert_type(converter.structure({}, MessageReceipt), MessageReceipt)


def records(receipt: MessageReceipt) -> None:
    """The vendor's record: what it leaves out is None."""
    assert_type(receipt.id, int | None)
    assert_type(receipt.created_at, datetime | None)
    assert_type(receipt.targets, tuple[MessageTarget, ...])
    assert_type(receipt.targets[0].extra_data, ExtraData | None)
    assert_type(receipt.total_credit, int | float | None)
