"""Prometheus: counts of what becomes of messages, as hooks of a client.

The extra ``prometheus``::

    hooks = PrometheusHooks()
    prometheus_client.REGISTRY.register(hooks)
    client = AsyncMultiWhats(hooks=[hooks])

Counts only: no number, no text, no key. A worker has them already, at ``/metrics``.
"""

from collections import Counter
from collections.abc import Iterable

from .._certainty import Certainty
from ..outcomes import Attempt, Outcome
from ._web import missing

try:
    from prometheus_client.core import CounterMetricFamily, Metric
    from prometheus_client.registry import Collector
except ModuleNotFoundError as _error:
    raise missing(_error, "prometheus", package="prometheus_client") from _error

__all__ = ["PrometheusHooks"]


class PrometheusHooks(Collector):
    """Counts what a client tells its hooks; a registry of prometheus_client collects it.

    Clients of one event loop may share it.
    """

    def __init__(self) -> None:
        self._messages = Counter[Certainty]()
        self._attempts = Counter[Certainty]()
        self._credits: int | float = 0
        self._seconds = 0.0

    def on_attempt(self, attempt: Attempt) -> None:
        """Count an attempt."""
        self._attempts[attempt.certainty] += 1
        self._seconds += attempt.elapsed

    def on_outcome(self, outcome: Outcome) -> None:
        """Count a message."""
        self._messages[outcome.certainty] += 1
        self._credits += max(0, outcome.credits)

    def collect(self) -> Iterable[Metric]:
        """Return what is read off at the moment: a registry calls this."""
        yield _by_certainty(
            "multiwhats_messages",
            "Messages by what became of them; not_sent ones are tried again.",
            self._messages,
        )
        yield _by_certainty(
            "multiwhats_attempts", "Attempts by what was known after each.", self._attempts
        )
        yield CounterMetricFamily(
            "multiwhats_attempt_seconds", "Seconds that attempts took.", value=self._seconds
        )
        yield CounterMetricFamily(
            "multiwhats_credits", "What the accepted messages cost.", value=self._credits
        )


def _by_certainty(name: str, text: str, counts: Counter[Certainty]) -> Metric:
    family = CounterMetricFamily(name, text, labels=["certainty"])
    for certainty in Certainty:
        family.add_metric([certainty.value], counts[certainty])
    return family
