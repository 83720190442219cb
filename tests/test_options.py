"""Options are checked where they are written, by name."""

import json

import pytest

from multiwhats_async import Breaker, ConfigurationError, MessageLimits, Rate, RetryPolicy, Timeouts


@pytest.mark.parametrize("kind", [Timeouts, MessageLimits, Breaker, RetryPolicy])
def test_defaults_are_valid_and_become_plain_data(kind: type) -> None:
    """Each stands as it is documented, and prints as JSON."""
    assert json.loads(json.dumps(kind().to_dict()))
    assert Rate(2).to_dict() == {"per_second": 2, "jitter": 0.0}


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), True, "5", None])
def test_what_is_no_number_above_0_is_refused(value: object) -> None:
    """The error names the class, the field and the value."""
    with pytest.raises(ConfigurationError, match=r"Timeouts\.attempt must be a number above 0"):
        Timeouts(attempt=value)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ConfigurationError, match=r"Rate\.per_second"):
        Rate(value)  # type: ignore[arg-type]  # likewise
    with pytest.raises(ConfigurationError, match="timeout must be a number of seconds above 0"):
        Timeouts.of(value)  # type: ignore[arg-type]  # likewise


@pytest.mark.parametrize("value", [-0.1, float("nan"), "0"])
def test_what_is_below_0_is_refused(value: object) -> None:
    """No pause may be negative."""
    with pytest.raises(ConfigurationError, match=r"Rate\.jitter must be 0 or more"):
        Rate(1, jitter=value)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("value", [0, 1.5, True, "3"])
def test_what_is_no_count_is_refused(value: object) -> None:
    """A count is a whole number of at least 1."""
    with pytest.raises(ConfigurationError, match=r"MessageLimits\.buttons must be a whole number"):
        MessageLimits(buttons=value)  # type: ignore[arg-type]  # wrong on purpose


def test_a_number_stands_for_the_whole_attempt() -> None:
    """The short form of a timeout, and of a rate."""
    assert Timeouts.of(60) == Timeouts(attempt=60, connect=5, write=60, read=60)
    assert Timeouts.of(2).connect == 2
    assert Timeouts.of(Timeouts(read=3)) == Timeouts(read=3)
    assert Rate.of(Rate(3)) == Rate.of(3)
