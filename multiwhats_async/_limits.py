"""What bounds the sending of a client, and is shared by its copies."""

import random

import attrs

from ._pacing import Concurrency, RateGate
from ._settings import Settings
from .abc import RateLimiter
from .options import Rate
from .rate import LocalRate
from .retry import RetryBudget


@attrs.frozen(kw_only=True)
class Limits:
    """What bounds the sending, shared by a client and its copies as far as they agree."""

    concurrency: Concurrency
    rate: RateGate | None
    rate_setting: Rate | RateLimiter | None
    budget: RetryBudget


def configured(settings: Settings, old: Limits | None = None) -> tuple[Settings, Limits]:
    """Return settings with their limits; a limit whose setting is the same is the old one."""
    concurrency = None if old is None else old.concurrency
    if concurrency is None or concurrency.ceiling != settings.max_concurrency:
        concurrency = Concurrency(settings.max_concurrency)
    rate = old.rate if old and old.rate_setting == settings.rate else gate(settings.rate)
    budget = None if old is None else old.budget
    if budget is None or budget.policy != settings.retry:
        budget = RetryBudget(settings.retry)
    limits = Limits(concurrency=concurrency, rate=rate, rate_setting=settings.rate, budget=budget)
    return settings, limits


def gate(rate: Rate | RateLimiter | None) -> RateGate | None:
    """Return what keeps a rate, or None where there is none."""
    if rate is None:
        return None
    return RateGate(LocalRate(rate, random=random.random) if isinstance(rate, Rate) else rate)
