"""OpenTelemetry: a span and metrics for every message, as hooks of a client.

The extra ``opentelemetry``, which is its API alone: your program brings the SDK, and where there
is none, nothing is recorded::

    async with AsyncMultiWhats(hooks=[TelemetryHooks()]) as client:
        await client.send_button_message("905374937766", "Hi 👤", ["👍 Yes", "⛔ No"])

No number, no text, no key of a message and no API key is told to it.
"""

import os
from collections.abc import Mapping
from contextvars import ContextVar
from time import time_ns
from typing import Final
from urllib.parse import urlsplit

import attrs

from .._settings import BASE_URL, checked_base_url
from .._version import __version__
from ..errors import SendError
from ..outcomes import Attempt, Outcome
from . import _conventions as names
from ._web import missing

try:
    from opentelemetry import context, metrics, trace
except ModuleNotFoundError as _error:
    raise missing(_error, "opentelemetry") from _error

__all__ = ["TelemetryHooks"]

_PORTS: Final = {"https": 443, "http": 80}
_SECOND: Final = 1_000_000_000

Attributes = dict[str, str | int | float]


@attrs.frozen
class _Told:
    """An attempt, and when its end was told."""

    attempt: Attempt
    ended: int


class TelemetryHooks:
    """Makes spans and metrics of what a client tells its hooks.

    A message is a span ``send multiwhats``, a child of the span in which you send it, or begin
    the bulk run. It is made when the message has its outcome, and begins when its first attempt
    was due. Each attempt is a child of it. Give it as the first of ``hooks=``: a slow hook
    before it moves its times.

    Args:
        base_url: The client's; None takes ``MULTIWHATS_BASE_URL``, else the documented one. For
            ``server.address`` and ``server.port`` only.
        attempts: Whether each attempt has a span of its own.
        tracer_provider: Where spans go; None takes the global one.
        meter_provider: Where metrics go; None takes the global one.

    Raises:
        ConfigurationError: ``base_url`` is none.
    """

    def __init__(
        self,
        *,
        base_url: str | None = None,
        attempts: bool = True,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        url = os.environ.get("MULTIWHATS_BASE_URL") or BASE_URL if base_url is None else base_url
        self._common = _common(checked_base_url(url))
        self._spans_of_attempts = attempts
        self._tracer = trace.get_tracer(
            names.SCOPE, __version__, tracer_provider, schema_url=names.SCHEMA_URL
        )
        meter = metrics.get_meter(
            names.SCOPE, __version__, meter_provider, schema_url=names.SCHEMA_URL
        )
        buckets = (*names.SECONDS, *names.LONG_SECONDS)
        self._sent = meter.create_counter(
            names.SENT_MESSAGES, "{message}", "Messages of which an attempt was begun."
        )
        self._duration = meter.create_histogram(
            names.OPERATION_DURATION,
            "s",
            "From a message's first attempt to its outcome, pauses included.",
            explicit_bucket_boundaries_advisory=buckets,
        )
        self._attempt_duration = meter.create_histogram(
            names.ATTEMPT_DURATION,
            "s",
            "One attempt of a message.",
            explicit_bucket_boundaries_advisory=buckets,
        )
        self._credits = meter.create_counter(
            names.SPENT_CREDITS, "{credit}", "What the accepted messages cost."
        )
        # The attempts of the message that a task is sending: hooks are called in its own task.
        self._told: ContextVar[tuple[_Told, ...]] = ContextVar("attempts told", default=())

    def on_attempt(self, attempt: Attempt) -> None:
        """Count an attempt, and keep it for the span of its message."""
        attributes = self._judged(attempt.certainty.value, attempt.error)
        self._attempt_duration.record(attempt.elapsed, attributes)
        if self._spans_of_attempts:
            self._told.set((*self._told.get(), _Told(attempt, time_ns())))

    def on_outcome(self, outcome: Outcome) -> None:
        """Count a message, and make its span."""
        told = self._told.get()
        if told:  # of a message that a hook has sent meanwhile there may be others
            self._told.set(tuple(one for one in told if one.attempt.message is not outcome.message))
        attributes = self._judged(outcome.certainty.value, outcome.error)
        ended = time_ns()
        span = self._tracer.start_span(
            names.SPAN,
            kind=trace.SpanKind.PRODUCER,
            attributes=_described(outcome, attributes),
            start_time=ended - _ns(outcome.elapsed),
        )
        within = trace.set_span_in_context(span)
        if span.is_recording():
            for one in told:
                if one.attempt.message is outcome.message:
                    self._make_child(one, within)
            _conclude(span, outcome.error, ended)
        if outcome.attempts:
            # With the span, so that an exemplar leads from a slow bucket to a message.
            self._sent.add(1, attributes, within)
            self._duration.record(outcome.elapsed, attributes, within)
        if outcome.credits > 0:
            self._credits.add(outcome.credits, self._common, within)

    def _make_child(self, one: _Told, within: context.Context) -> None:
        """Make the span of one attempt."""
        attempt = one.attempt
        attributes = self._judged(attempt.certainty.value, attempt.error)
        if attempt.status_code is not None:
            attributes[names.STATUS_CODE] = attempt.status_code
        if attempt.number > 1:
            attributes[names.RESEND_COUNT] = attempt.number - 1
        span = self._tracer.start_span(
            names.ATTEMPT_SPAN,
            within,
            kind=trace.SpanKind.CLIENT,
            attributes=attributes,
            start_time=one.ended - _ns(attempt.elapsed),
        )
        _conclude(span, attempt.error, one.ended)

    def _judged(self, certainty: str, error: SendError | None) -> Attributes:
        """Return what spans and metrics share: few values, and none of a person."""
        attributes = {**self._common, names.CERTAINTY: certainty}
        if error is not None:
            attributes[names.ERROR_TYPE] = _kind_of(error)
        return attributes


def _common(url: str) -> Attributes:
    """Return the attributes that are the same for all messages."""
    parts = urlsplit(url)
    return {
        names.SYSTEM: names.MULTIWHATS,
        names.OPERATION_NAME: names.SEND,
        names.OPERATION_TYPE: names.SEND,
        names.SERVER_ADDRESS: parts.hostname or "",
        names.SERVER_PORT: parts.port or _PORTS[parts.scheme],
    }


def _described(outcome: Outcome, judged: Mapping[str, str | int | float]) -> Attributes:
    """Return the attributes of a message's span."""
    attributes = {**judged, names.ATTEMPTS: outcome.attempts}
    if outcome.unknown_attempts:
        attributes[names.UNKNOWN_ATTEMPTS] = outcome.unknown_attempts
    if outcome.receipt is not None and outcome.receipt.id is not None:
        attributes[names.MESSAGE_ID] = str(outcome.receipt.id)
    if outcome.credits:
        attributes[names.CREDITS] = outcome.credits
    return attributes


def _conclude(span: trace.Span, error: SendError | None, ended: int) -> None:
    """End a span; a failed one says so, and nothing of what the server has said."""
    if error is not None:
        span.set_status(trace.StatusCode.ERROR, type(error).__name__)
    span.end(ended)


def _kind_of(error: SendError) -> str:
    """Return the status that the server answered, or the name of what went wrong."""
    if error.status_code is not None:
        return str(error.status_code)
    return error.cause or type(error).__name__


def _ns(seconds: float) -> int:
    return round(seconds * _SECOND)
