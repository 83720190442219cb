"""One message to its outcome: what is tried again, what is told, what a cancellation leaves."""

import logging
from collections.abc import Mapping
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from vendor import RECIPIENT, Vendor, answer, message, record_for

from multiwhats_async import (
    Attempt,
    Certainty,
    InsufficientCreditError,
    NotSentError,
    Outcome,
    OutcomeUnknownError,
    RateLimitedError,
    RetryDetails,
    RetryPolicy,
)

pytestmark = pytest.mark.anyio

REFUSED = httpx.ConnectError("refused")
LOST = httpx.ReadError("reset")
TO = message().to


@pytest.fixture
def anyio_backend(virtual: tuple[str, Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    """Run on a clock that jumps."""
    return virtual


class Listener:
    """Keeps everything it is told."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self.retries: list[RetryDetails] = []
        self.outcomes: list[Outcome] = []

    def on_attempt(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)

    async def on_retry(self, details: RetryDetails) -> None:
        await anyio.lowlevel.checkpoint()
        self.retries.append(details)

    async def on_outcome(self, outcome: Outcome) -> None:
        await anyio.sleep(0.1)
        self.outcomes.append(outcome)


async def test_what_was_not_sent_is_tried_again_until_it_is() -> None:
    """Proof that nothing left allows another attempt; hooks are told of each step."""
    vendor, listener = Vendor(), Listener()
    vendor.script[TO] = [REFUSED, REFUSED]
    async with vendor.client(hooks=[listener]) as client:
        outcome = await client.deliver(message())
    assert (outcome.certainty, outcome.attempts) == (Certainty.ACCEPTED, 3)
    assert [attempt.certainty for attempt in listener.attempts] == [
        Certainty.NOT_SENT,
        Certainty.NOT_SENT,
        Certainty.ACCEPTED,
    ]
    assert [attempt.number for attempt in listener.attempts] == [1, 2, 3]
    assert [details.attempts for details in listener.retries] == [1, 2]
    assert all(0 <= details.delay <= 0.5 for details in listener.retries if details.delay)
    assert listener.outcomes == [outcome]


async def test_attempts_end_and_the_error_counts_them() -> None:
    """Four in all by default."""
    vendor = Vendor()
    vendor.always = lambda *_: REFUSED
    async with vendor.client() as client:
        with pytest.raises(NotSentError, match="refused") as caught:
            await client.send(message())
    assert (caught.value.attempts, vendor.total) == (4, 4)
    assert caught.value.cause == "ConnectError"
    assert caught.value.__context__ is None


@pytest.mark.parametrize("failure", [LOST, httpx.ReadTimeout("late"), answer(500), answer(503)])
async def test_what_may_have_gone_out_is_never_sent_again(failure: Any) -> None:
    """One POST, whatever the policy's number of attempts."""
    vendor = Vendor()
    vendor.always = lambda *_: failure
    async with vendor.client(retry=RetryPolicy(attempts=9, throttled_attempts=9)) as client:
        with pytest.raises(OutcomeUnknownError, match="may have gone out"):
            await client.send(message())
    assert vendor.total == 1


async def test_unknown_is_sent_again_where_asked_by_name() -> None:
    """The user has decided that twice is better than not at all."""
    vendor = Vendor()
    vendor.script[TO] = [LOST]
    async with vendor.client(retry=RetryPolicy(resend_unknown=True)) as client:
        assert (await client.deliver(message())).attempts == 2


async def test_later_is_heeded_for_as_long_as_the_server_says() -> None:
    """Retry-After is the least; jitter comes on top."""
    vendor = Vendor()
    vendor.script[TO] = [answer(429, headers={"retry-after": "7"})]
    async with vendor.client() as client:
        assert (await client.deliver(message())).attempts == 2
    assert 7 <= vendor.times[1] - vendor.times[0] <= 8


async def test_later_too_often_is_an_error_that_says_so() -> None:
    """Five attempts in all by default."""
    vendor = Vendor()
    vendor.always = lambda *_: answer(429)
    async with vendor.client() as client:
        with pytest.raises(RateLimitedError) as caught:
            await client.send(message())
    assert (caught.value.attempts, caught.value.status_code) == (5, 429)


async def test_one_429_pauses_every_sender_of_the_client() -> None:
    """Others do not knock in the meantime, whatever they send."""
    vendor = Vendor()
    vendor.script[TO] = [answer(429, headers={"retry-after": "60"})]
    async with vendor.client() as client, anyio.create_task_group() as tasks:
        tasks.start_soon(client.deliver, message())
        await anyio.sleep(1)
        began = anyio.current_time()
        await client.deliver(message(1))
        assert anyio.current_time() - began >= 59


async def test_a_pause_beyond_reason_fails_a_single_message_at_once() -> None:
    """The error says how long; the next message is not even tried while it lasts."""
    vendor = Vendor()
    vendor.script[TO] = [answer(429, headers={"retry-after": "600"})]
    async with vendor.client() as client:
        with pytest.raises(RateLimitedError) as caught:
            await client.send(message())
        assert (caught.value.retry_after, caught.value.attempts) == (600, 1)
        with pytest.raises(NotSentError, match=r"to wait, for 60\d s more: no attempt") as second:
            await client.send(message(1))
        assert second.value.attempts == 0
        assert vendor.total == 1
        await anyio.sleep(601)
        assert (await client.deliver(message(1))).certainty is Certainty.ACCEPTED


@pytest.mark.parametrize(("deadline", "policy"), [(3.0, None), (None, 3.0)])
async def test_no_retry_goes_past_the_deadline(
    deadline: float | None, policy: float | None
) -> None:
    """Of the call, or else of the policy."""
    vendor = Vendor()
    vendor.always = lambda *_: answer(429, headers={"retry-after": "7"})
    async with vendor.client(retry=RetryPolicy(deadline=policy)) as client:
        began = anyio.current_time()
        outcome = await client.deliver(message(), deadline=deadline)
        assert anyio.current_time() - began < 3
    assert outcome.attempts == 1


async def test_the_deadline_cuts_the_attempt_itself() -> None:
    """An attempt gets only what is left."""
    vendor = Vendor(latency=20)
    async with vendor.client() as client:
        began = anyio.current_time()
        outcome = await client.deliver(message(), deadline=3)
        assert anyio.current_time() - began == pytest.approx(3)
    assert outcome.certainty is Certainty.UNKNOWN
    assert outcome.error is not None
    assert outcome.error.cause == "Deadline"


async def test_an_attempt_has_a_deadline_of_its_own() -> None:
    """A server that answers after ten minutes is not waited for longer than half a minute."""
    vendor = Vendor(latency=600)
    async with vendor.client() as client:
        began = anyio.current_time()
        outcome = await client.deliver(message())
        assert anyio.current_time() - began == pytest.approx(30)
    assert (outcome.certainty, outcome.attempts, vendor.total) == (Certainty.UNKNOWN, 1, 1)


async def test_a_deadline_that_passes_while_waiting_leaves_the_message_not_sent() -> None:
    """No attempt, no doubt."""
    vendor = Vendor()
    async with vendor.client(rate=0.01) as client:
        await client.deliver(message())
        outcome = await client.deliver(message(1), deadline=5)
    assert (outcome.certainty, outcome.attempts, vendor.total) == (Certainty.NOT_SENT, 0, 1)
    assert "deadline" in str(outcome.error)


async def test_what_an_earlier_attempt_came_to_stands_when_time_runs_out() -> None:
    """A refusal is not forgotten because the second attempt found no slot."""
    vendor = Vendor()
    vendor.script[TO] = [REFUSED]
    async with vendor.client(rate=0.2, retry=RetryPolicy(base=0)) as client:
        outcome = await client.deliver(message(), deadline=2)
    assert outcome.attempts == 1
    assert outcome.error is not None
    assert outcome.error.cause == "ConnectError"


async def test_the_budget_bounds_the_retries_of_all_messages_together() -> None:
    """A dead server is not stormed: ten retries, then one attempt a message."""
    vendor = Vendor()
    vendor.always = lambda *_: REFUSED
    async with vendor.client() as client:
        for number in range(10):
            await client.deliver(message(number))
    assert vendor.total == 10 + 10


async def test_a_spent_budget_costs_nothing_to_what_the_server_asked_for() -> None:
    """To come later is the server's own word, held by the pause."""
    vendor = Vendor()
    vendor.script[TO] = [answer(429)]
    async with vendor.client(retry=RetryPolicy(budget=0)) as client:
        assert (await client.deliver(message())).attempts == 2


@pytest.mark.parametrize("is_async", [False, True])
async def test_should_retry_decides(is_async: bool) -> None:
    """It may say yes to what the policy would not send again, with its own delay."""
    vendor = Vendor()
    vendor.script[TO] = [answer(422)]
    told: list[RetryDetails] = []

    def decide(details: RetryDetails) -> float:
        told.append(details)
        return 30.0

    async def decide_async(details: RetryDetails) -> float:
        await anyio.lowlevel.checkpoint()
        return decide(details)

    policy = RetryPolicy(should_retry=decide_async if is_async else decide)
    async with vendor.client(retry=policy) as client:
        assert (await client.deliver(message())).attempts == 2
    assert vendor.times[1] - vendor.times[0] == pytest.approx(30)
    assert (told[0].delay, told[0].error.attempts) == (None, 1)


async def test_should_retry_can_say_no() -> None:
    """And is then heeded."""
    vendor = Vendor()
    vendor.always = lambda *_: REFUSED
    async with vendor.client(retry=RetryPolicy(should_retry=lambda _: False)) as client:
        assert (await client.deliver(message())).attempts == 1


async def test_should_retry_cannot_resend_an_unknown_message() -> None:
    """Whatever it says."""
    vendor = Vendor()
    vendor.always = lambda *_: LOST
    async with vendor.client(retry=RetryPolicy(should_retry=lambda _: 0.1)) as client:
        assert (await client.deliver(message())).attempts == 1


async def test_should_retry_that_raises_leaves_it_to_the_policy(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A bug in a hook is logged and costs no message."""

    def broken(details: RetryDetails) -> bool:
        raise ZeroDivisionError

    vendor = Vendor()
    vendor.script[TO] = [REFUSED]
    async with vendor.client(retry=RetryPolicy(should_retry=broken)) as client:
        assert (await client.deliver(message())).attempts == 2
    assert "should_retry raised" in caplog.text


async def test_hooks_that_raise_cost_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Each is logged; the next hook is still told."""

    class Broken:
        def on_attempt(self, attempt: Attempt) -> None:
            raise ZeroDivisionError

        async def on_outcome(self, outcome: Outcome) -> None:
            raise ZeroDivisionError

    listener = Listener()
    async with Vendor().client(hooks=[Broken(), listener]) as client:
        assert (await client.send(message())).id == 3664
    assert (len(listener.attempts), len(listener.outcomes)) == (1, 1)
    assert caplog.text.count("A hook raised") == 2
    assert {record.name for record in caplog.records} == {"multiwhats_async"}


async def test_each_attempt_is_logged_at_debug_without_text_or_number(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Structured fields for machines, a masked line for people."""
    caplog.set_level(logging.DEBUG, "multiwhats_async")
    async with Vendor().client() as client:
        await client.deliver(message())
    (record,) = caplog.records
    assert record.message.startswith("Attempt 1 of the message to ••••••••0000: accepted in")
    assert vars(record)["certainty"] == "accepted"


async def test_an_answer_for_another_recipient_is_unknown_and_distrusted() -> None:
    """It belongs to another request, so nothing is known of this one."""
    vendor = Vendor()
    vendor.script[TO] = [httpx.Response(200, json=record_for(RECIPIENT))]
    async with vendor.client() as client:
        with pytest.raises(OutcomeUnknownError, match="another recipient"):
            await client.send(message())


async def test_a_refusal_is_raised_as_its_own_kind() -> None:
    """With the status and what the server said."""
    vendor = Vendor()
    vendor.always = lambda *_: answer(402, json={"message": "no credit left"})
    async with vendor.client() as client:
        with pytest.raises(InsufficientCreditError, match="no credit left") as caught:
            await client.send_button_message(TO, "Hi", ["a"])
    assert caught.value.status_code == 402
    assert vendor.total == 1


async def test_a_cancelled_call_lets_the_attempt_finish_and_tells_the_hooks(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What was written is taken to its outcome, then the caller is gone."""
    vendor, listener = Vendor(latency=5), Listener()
    async with vendor.client(hooks=[listener]) as client:
        with anyio.move_on_after(1) as scope:
            await client.deliver(message())
        assert scope.cancelled_caught
    (outcome,) = listener.outcomes
    assert (outcome.certainty, outcome.attempts) == (Certainty.ACCEPTED, 1)
    assert "The call was cancelled" in caplog.text
    assert TO not in caplog.text


async def test_a_call_cancelled_between_attempts_is_not_sent() -> None:
    """The last proof stands."""
    vendor, listener = Vendor(), Listener()
    vendor.always = lambda *_: answer(429, headers={"retry-after": "50"})
    async with vendor.client(hooks=[listener]) as client:
        with anyio.move_on_after(10):
            await client.deliver(message())
    (outcome,) = listener.outcomes
    assert (outcome.certainty, outcome.attempts) == (Certainty.REJECTED, 1)


async def test_a_call_cancelled_before_any_attempt_is_not_sent() -> None:
    """It waited for its slot."""
    vendor, listener = Vendor(), Listener()
    async with vendor.client(hooks=[listener], rate=0.01) as client:
        await client.deliver(message())
        with anyio.move_on_after(10):
            await client.deliver(message(1))
    outcome = listener.outcomes[1]
    assert (outcome.certainty, outcome.attempts, vendor.total) == (Certainty.NOT_SENT, 0, 1)
    assert "no attempt was made" in str(outcome.error)


async def test_a_cancelled_call_without_hooks_still_logs_its_outcome(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Otherwise nobody would ever know."""
    async with Vendor(latency=5).client() as client:
        with anyio.move_on_after(1):
            await client.deliver(message())
    assert "accepted after 1 attempts" in caplog.text


class Torn(BaseException):
    """Stands for a KeyboardInterrupt: it is no Exception, and nothing may swallow it."""


@pytest.mark.parametrize("in_bulk", [False, True])
async def test_an_attempt_that_is_torn_is_told_as_what_its_evidence_says(in_bulk: bool) -> None:
    """Even where no code of ours got to see an answer."""

    async def tear() -> None:
        raise Torn

    vendor, listener = Vendor(), Listener()
    vendor.script[TO] = [tear]
    async with vendor.client(hooks=[listener]) as client:
        with pytest.raises(BaseExceptionGroup) as caught:  # raised where the run is left
            if in_bulk:
                await client.send_many([message()])
            else:
                await client.deliver(message())
    assert caught.value.split(Torn)[1] is None
    (outcome,) = listener.outcomes
    assert (outcome.certainty, outcome.attempts) == (Certainty.UNKNOWN, 1)
