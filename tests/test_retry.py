"""What may be sent again, and after how long: pure decisions."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vendor import message

from multiwhats_async import (
    Certainty,
    ConfigurationError,
    InvalidRequestError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    RetryDetails,
    RetryPolicy,
    SendError,
)
from multiwhats_async.retry import LONGEST_RETRY_AFTER, RetryBudget, parse_retry_after

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
DATE = format_datetime(NOW, usegmt=True)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("3", 3),
        (" 120 ", 120),
        ("121", 121),
        ("0003", 3),
        ("86401", LONGEST_RETRY_AFTER),
        ("9" * 5000, LONGEST_RETRY_AFTER),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW, usegmt=True), 0),
        (format_datetime(NOW - timedelta(seconds=1), usegmt=True), None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_RETRY_AFTER),
        ("-1", None),
        ("1.5", None),
        ("1e9", None),
        ("inf", None),
        ("nan", None),
        ("soon", None),
        ("", None),
        ("٣", None),
        ("Mon, 99 Foo 2026 12:00:00 GMT", None),
        (None, None),
    ],
)
def test_every_form_of_retry_after(value: str | None, seconds: float | None) -> None:
    """Digits and dates are heeded; what is negative or garbage is not slept on."""
    assert parse_retry_after(value, DATE) == seconds


@pytest.mark.parametrize("date", [None, "", "yesterday"])
def test_a_date_says_nothing_without_the_servers_own(date: str | None) -> None:
    """This machine's clock may be wrong by hours."""
    later = format_datetime(NOW + timedelta(seconds=90), usegmt=True)
    assert parse_retry_after(later, date) is None
    assert parse_retry_after("7", date) == 7


@given(st.text(), st.text())
def test_no_header_whatever_raises(value: str, date: str) -> None:
    """Seconds within a day, or nothing."""
    seconds = parse_retry_after(value, date)
    assert seconds is None or 0 <= seconds <= LONGEST_RETRY_AFTER


@given(st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1)), st.integers(-100_000, 200_000))  # noqa: DTZ001  # UTC is said below
def test_a_date_is_measured_against_the_servers_own(now: datetime, seconds: int) -> None:
    """Whatever both clocks say, what counts lies between them; the past is not slept on."""
    now = now.replace(microsecond=0, tzinfo=UTC)
    until = format_datetime(now + timedelta(seconds=seconds), usegmt=True)
    parsed = parse_retry_after(until, format_datetime(now, usegmt=True))
    assert parsed == (None if seconds < 0 else min(seconds, LONGEST_RETRY_AFTER))


@pytest.mark.parametrize(
    ("error", "may"),
    [
        (NotSentError("x"), True),
        (RateLimitedError("x"), True),
        (InvalidRequestError("x"), False),
        (OutcomeUnknownError("x"), False),
    ],
)
def test_only_what_cannot_double_is_sent_again(error: SendError, may: bool) -> None:
    """Proof, or the server's own word."""
    assert RetryPolicy().may_retry(error) is may


def test_unknown_is_sent_again_only_by_name() -> None:
    """The one option that can double a message says so in its name."""
    assert RetryPolicy(resend_unknown=True).may_retry(OutcomeUnknownError("x"))


def test_delays_double_with_full_jitter_up_to_the_cap() -> None:
    """The range is 0 to base, doubled with each attempt."""
    policy = RetryPolicy(base=1, cap=5)
    for random, expected in ((1.0, [1, 2, 4, 5, 5]), (0.5, [0.5, 1, 2, 2.5, 2.5]), (0.0, [0] * 5)):
        delays = [policy.delay(NotSentError("x"), n, lambda r=random: r) for n in range(1, 6)]  # type: ignore[misc]  # bound early
        assert delays == expected
    assert policy.delay(NotSentError("x"), 10_000, lambda: 1.0) == 5


def test_the_servers_word_is_the_least_delay() -> None:
    """Retry-After is heeded, with jitter on top so that not all come at once."""
    policy = RetryPolicy(throttled_base=1, throttled_cap=20)
    assert policy.delay(RateLimitedError("x", retry_after=7), 1, lambda: 0.5) == 7.5
    assert policy.delay(RateLimitedError("x"), 3, lambda: 1.0) == 4
    assert policy.limit(RateLimitedError("x")) == 5
    assert policy.limit(NotSentError("x")) == 4


def details(error: SendError, delay: float | None) -> RetryDetails:
    """Return what a hook is told."""
    return RetryDetails(
        message=message(), key="k", attempts=1, error=error, delay=delay, elapsed=0.0
    )


def test_a_hold_is_short_and_doubles_while_nothing_gets_through() -> None:
    """A tenth of what the refused message waits; or what the server says, and a tenth more."""
    policy = RetryPolicy()
    bare = RateLimitedError("x")
    holds = [policy.hold(bare, refusals, lambda: 1.0) for refusals in (1, 2, 3, 20)]
    assert holds == [0.1, 0.2, 0.4, 20.0]
    asked = [
        policy.hold(RateLimitedError("x", retry_after=seconds), 9, lambda: 0.5)
        for seconds in (0, 4, 60)
    ]
    assert asked == [0.0, 4.2, 60.5]


@pytest.mark.parametrize(
    ("answer", "delay", "expected"),
    [
        (True, 3.0, 3.0),
        (True, None, 9.0),
        (False, 3.0, None),
        (None, 3.0, 3.0),
        (None, None, None),
        (0, 3.0, 0.0),
        (1.5, None, 1.5),
        (-1, 3.0, 3.0),
        (float("nan"), 3.0, 3.0),
        (float("inf"), 3.0, 3.0),
        ("yes", 3.0, 3.0),
    ],
)
def test_the_hooks_answer_is_heeded(
    answer: object, delay: float | None, expected: float | None
) -> None:
    """Yes, no, seconds, or nothing; what is no answer leaves it to the policy."""
    error = InvalidRequestError("x")
    assert RetryPolicy().heed(answer, details(error, delay), 9.0) == expected


@pytest.mark.parametrize("answer", [True, 0, 5.0, None])
def test_no_hook_can_resend_an_unknown_message(answer: object) -> None:
    """Only the option with that name can."""
    told = details(OutcomeUnknownError("x"), None)
    assert RetryPolicy().heed(answer, told, 9.0) is None
    if answer is True:
        assert RetryPolicy(resend_unknown=True).heed(answer, told, 9.0) == 9.0


def test_details_become_plain_data() -> None:
    """For a log line."""
    shown = details(NotSentError("x"), 1.0).to_dict()
    assert (shown["delay"], shown["error"]["certainty"]) == (1.0, Certainty.NOT_SENT.value)
    assert RetryPolicy(should_retry=lambda _: True).to_dict()["should_retry"] is True


def test_the_budget_bounds_retries_and_refills_with_success() -> None:
    """Ten retries from full; then ten successes buy one."""
    budget = RetryBudget(RetryPolicy())
    assert [budget.spend() for _ in range(11)] == [True] * 10 + [False]
    for _ in range(10):
        budget.earn()
    assert budget.spend()
    assert not budget.spend()
    for _ in range(1000):
        budget.earn()
    assert budget.tokens == 50


@pytest.mark.parametrize(
    "fields",
    [{"attempts": 0}, {"base": -1}, {"deadline": 0}, {"budget": float("inf")}],
)
def test_a_policy_that_cannot_work_is_refused(fields: dict[str, float]) -> None:
    """By name, when it is built."""
    with pytest.raises(ConfigurationError, match=f"RetryPolicy.{next(iter(fields))}"):
        RetryPolicy(**fields)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("fields", [{"resend_unknown": 1}, {"should_retry": 3}])
def test_a_policy_of_wrong_types_is_refused(fields: dict[str, object]) -> None:
    """``resend_unknown=1`` is no way to say yes to doubling messages."""
    with pytest.raises(ConfigurationError, match=f"RetryPolicy.{next(iter(fields))}"):
        RetryPolicy(**fields)  # type: ignore[arg-type]  # wrong on purpose


def test_the_numbers_to_start_from() -> None:
    """They are documented, and changed on purpose only."""
    assert RetryPolicy().to_dict() == {
        "attempts": 4,
        "base": 0.25,
        "cap": 8.0,
        "throttled_attempts": 5,
        "throttled_base": 1.0,
        "throttled_cap": 20.0,
        "max_retry_after": 120.0,
        "budget": 50.0,
        "budget_cost": 5.0,
        "budget_return": 0.5,
        "deadline": None,
        "resend_unknown": False,
        "should_retry": False,
    }
    assert LONGEST_RETRY_AFTER == 24 * 60 * 60


def test_details_hold_all_that_a_hook_needs() -> None:
    """Under the names of the documentation."""
    told = details(NotSentError("x"), 1.0)
    assert told.to_dict() == {
        "message": told.message.to_dict(),
        "key": "k",
        "attempts": 1,
        "error": told.error.to_dict(),
        "delay": 1.0,
        "elapsed": 0.0,
    }
