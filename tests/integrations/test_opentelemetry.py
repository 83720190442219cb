"""Spans and metrics: what stands in them, whose children they are, and what never does."""

import sys
from collections.abc import Mapping
from typing import Any

import anyio
import attrs
import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode
from runs import LOST, REFUSED, run_all
from vendor import Vendor, answer, message, messages, record_for

from multiwhats_async import ConfigurationError
from multiwhats_async.integrations import _conventions as names
from multiwhats_async.integrations.opentelemetry import TelemetryHooks
from multiwhats_async.outcomes import Attempt

pytestmark = pytest.mark.anyio
TO = message().to


@pytest.fixture
def anyio_backend(virtual: tuple[str, Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    """Run on a clock that jumps."""
    return virtual


@attrs.frozen
class Watched:
    """Hooks, and what came of them."""

    hooks: TelemetryHooks
    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader
    tracer: trace.Tracer

    def spans(self, name: str = names.SPAN) -> list[ReadableSpan]:
        """Return the spans of a name, in the order in which they ended."""
        return [span for span in self.exporter.get_finished_spans() if span.name == name]

    def points(self, name: str) -> list[Any]:
        """Return the points of a metric."""
        data = self.reader.get_metrics_data()
        assert data is not None
        return [
            point
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]


def watch(**options: Any) -> Watched:
    """Return hooks whose spans and metrics are kept."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    sampler = options.pop("sampler", None)
    tracers, meters = TracerProvider(sampler=sampler), MeterProvider(metric_readers=[reader])
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    hooks = TelemetryHooks(tracer_provider=tracers, meter_provider=meters, **options)
    return Watched(hooks, exporter, reader, tracers.get_tracer("the caller"))


@pytest.fixture
def watched() -> Watched:
    """Hooks with their defaults."""
    return watch()


def attributes(span: ReadableSpan) -> dict[str, Any]:
    """Return the attributes of a span."""
    return dict(span.attributes or {})


COMMON = {
    "messaging.system": "multiwhats",
    "messaging.operation.name": "send",
    "messaging.operation.type": "send",
    "server.address": "api.multiwhats.app",
    "server.port": 443,
}


async def test_a_message_is_a_span_and_each_attempt_its_child(watched: Watched) -> None:
    """With the caller's span as its parent, and every attribute of the page of names."""
    vendor = Vendor(latency=1.0)
    vendor.script[TO] = [answer(429, headers={"retry-after": "7"})]
    async with vendor.client(hooks=[watched.hooks]) as client:
        with watched.tracer.start_as_current_span("the caller's") as caller:
            receipt = await client.send(message())
    (span,) = watched.spans()
    assert span.parent == caller.get_span_context()
    assert (span.kind, span.status.status_code) == (SpanKind.PRODUCER, StatusCode.UNSET)
    assert attributes(span) == COMMON | {
        "multiwhats.certainty": "accepted",
        "multiwhats.attempts": 2,
        "messaging.message.id": str(receipt.id),
        "multiwhats.credits": receipt.total_credit,
    }
    assert 9.0 <= seconds(span) <= 10.0
    first, second = watched.spans(names.ATTEMPT_SPAN)
    assert first.parent == second.parent == span.get_span_context()
    assert (first.kind, second.kind) == (SpanKind.CLIENT, SpanKind.CLIENT)
    assert attributes(first) == COMMON | {
        "multiwhats.certainty": "rejected",
        "error.type": "429",
        "http.response.status_code": 429,
    }
    assert (first.status.status_code, first.status.description) == (
        StatusCode.ERROR,
        "RateLimitedError",
    )
    assert attributes(second) == COMMON | {
        "multiwhats.certainty": "accepted",
        "http.response.status_code": 200,
        "http.request.resend_count": 1,
    }
    assert (seconds(first), seconds(second)) == (1.0, 1.0)


def seconds(span: ReadableSpan) -> float:
    """Return how long a span took."""
    assert span.start_time is not None
    assert span.end_time is not None
    return (span.end_time - span.start_time) / 1e9


async def test_what_is_unknown_says_so(watched: Watched) -> None:
    """The name of what went wrong, and how many attempts may have gone out."""
    vendor = Vendor()
    vendor.script[TO] = [REFUSED, LOST]
    async with vendor.client(hooks=[watched.hooks]) as client:
        await client.deliver(message())
    (span,) = watched.spans()
    assert (span.status.status_code, span.status.description) == (
        StatusCode.ERROR,
        "OutcomeUnknownError",
    )
    told = attributes(span)
    assert {name: told[name] for name in set(told) - set(COMMON)} == {
        "multiwhats.certainty": "unknown",
        "multiwhats.attempts": 2,
        "multiwhats.unknown_attempts": 1,
        "error.type": "ReadError",
    }
    assert [attributes(one)["error.type"] for one in watched.spans(names.ATTEMPT_SPAN)] == [
        "ConnectError",
        "ReadError",
    ]


async def test_a_bulk_run_has_the_span_in_which_it_is_begun_as_parent(watched: Watched) -> None:
    """Each message once, its attempts beneath it, whatever else the workers send meanwhile."""
    vendor = Vendor(latency=0.01)
    vendor.always = lambda _, count: REFUSED if count % 3 == 0 else None
    async with vendor.client(hooks=[watched.hooks]) as client:
        with watched.tracer.start_as_current_span("campaign") as caller:
            run = client.bulk(messages(60))
            outcomes = await run_all(run)
    assert [span.parent for span in watched.spans()] == [caller.get_span_context()] * 60
    beneath: dict[int, int] = {}
    for attempt in watched.spans(names.ATTEMPT_SPAN):
        assert attempt.parent is not None
        beneath[attempt.parent.span_id] = beneath.get(attempt.parent.span_id, 0) + 1
    assert sum(beneath.values()) == sum(outcome.attempts for outcome in outcomes) == vendor.total
    for span in watched.spans():
        assert beneath[span.get_span_context().span_id] == attributes(span)["multiwhats.attempts"]


async def test_a_message_that_a_hook_sends_keeps_its_attempts_to_itself(watched: Watched) -> None:
    """Within the task of the message that the hook was told of."""

    class Fallback:
        async def on_attempt(self, attempt: Attempt) -> None:
            if attempt.message.to == TO and attempt.number == 1:
                await client.deliver(message(1))

        on_outcome = None

    vendor = Vendor()
    vendor.script[TO] = [REFUSED]
    async with vendor.client(hooks=[watched.hooks, Fallback()]) as client:
        await client.deliver(message())
    first, second = watched.spans()
    parents = [span.parent.span_id for span in watched.spans(names.ATTEMPT_SPAN) if span.parent]
    inner, outer = (span.get_span_context().span_id for span in (first, second))
    assert parents == [inner, outer, outer]


async def test_metrics_count_messages_attempts_and_credits(watched: Watched) -> None:
    """By certainty and by what went wrong; the buckets are those of the page of names."""
    vendor = Vendor(latency=0.2)
    vendor.script[TO] = [REFUSED]
    vendor.script[message(1).to] = [answer(422)]
    async with vendor.client(hooks=[watched.hooks]) as client:
        await run_all(client.bulk(messages(3)))
    sent = {
        (point.attributes[names.CERTAINTY], point.attributes.get(names.ERROR_TYPE)): point.value
        for point in watched.points("messaging.client.sent.messages")
    }
    assert sent == {("accepted", None): 2, ("rejected", "422"): 1}
    durations = watched.points("messaging.client.operation.duration")
    assert sum(point.count for point in durations) == 3
    assert {point.explicit_bounds for point in durations} == {names.SECONDS + names.LONG_SECONDS}
    attempts = watched.points("multiwhats.client.attempt.duration")
    assert sum(point.count for point in attempts) == 4
    assert all(set(COMMON) <= set(point.attributes) for point in durations + attempts)
    (spent,) = watched.points("multiwhats.client.spent.credits")
    assert (spent.value, spent.attributes) == (2, COMMON)


async def test_a_duration_leads_to_the_span_of_its_message(watched: Watched) -> None:
    """By an exemplar, so that a slow bucket can be looked into."""
    async with Vendor(latency=0.2).client(hooks=[watched.hooks]) as client:
        await client.deliver(message())
    (point,) = watched.points("messaging.client.operation.duration")
    (span,) = watched.spans()
    assert [one.span_id for one in point.exemplars] == [span.get_span_context().span_id]


async def test_a_message_that_was_not_tried_counts_as_none_sent(watched: Watched) -> None:
    """The conventions say so; its span says why."""
    async with Vendor().client(hooks=[watched.hooks], rate=0.01) as client:
        await client.deliver(message())
        with anyio.move_on_after(10):
            await client.deliver(message(1))
    (point,) = watched.points("messaging.client.sent.messages")
    assert point.value == 1
    told = attributes(watched.spans()[1])
    assert (told["multiwhats.attempts"], told["error.type"]) == (0, "NotTried")


async def test_attempts_may_go_without_a_span() -> None:
    """Half as many spans, and the same metrics."""
    watched = watch(attempts=False)
    async with Vendor().client(hooks=[watched.hooks]) as client:
        await client.deliver(message())
    assert len(watched.spans()) == 1
    assert watched.spans(names.ATTEMPT_SPAN) == []
    assert sum(p.count for p in watched.points("multiwhats.client.attempt.duration")) == 1


async def test_what_is_not_sampled_makes_no_children() -> None:
    """Metrics are told all the same."""
    watched = watch(sampler=ALWAYS_OFF)
    async with Vendor().client(hooks=[watched.hooks]) as client:
        await client.deliver(message())
        await client.deliver(message(1))
    assert watched.exporter.get_finished_spans() == ()
    (point,) = watched.points("messaging.client.sent.messages")
    assert point.value == 2


async def test_a_record_without_an_id_and_without_a_price(watched: Watched) -> None:
    """What the vendor leaves out is left out."""
    vendor = Vendor()
    record = record_for(TO)
    del record["id"], record["total_credit"]
    vendor.script[TO] = [answer(200, json=record)]
    async with vendor.client(hooks=[watched.hooks]) as client:
        await client.deliver(message())
    (span,) = watched.spans()
    assert attributes(span) == COMMON | {
        "multiwhats.certainty": "accepted",
        "multiwhats.attempts": 1,
    }
    assert watched.points("multiwhats.client.spent.credits") == []


async def test_without_an_sdk_nothing_is_recorded_and_all_is_sent() -> None:
    """The global providers are none until a program sets them."""
    vendor = Vendor()
    async with vendor.client(hooks=[TelemetryHooks()]) as client:
        assert (await client.deliver(message())).receipt is not None
    assert vendor.total == 1


@pytest.mark.parametrize(
    ("given", "environment", "place"),
    [
        ("http://127.0.0.1:8787", None, ("127.0.0.1", 8787)),
        (None, "http://localhost/api", ("localhost", 80)),
        (None, None, ("api.multiwhats.app", 443)),
    ],
)
def test_the_server_is_that_of_the_client(
    given: str | None,
    environment: str | None,
    place: tuple[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Found as the client finds it."""
    if environment is not None:
        monkeypatch.setenv("MULTIWHATS_BASE_URL", environment)
    common = TelemetryHooks(base_url=given)._common
    assert (common["server.address"], common["server.port"]) == place


def test_a_base_url_that_is_none_is_refused() -> None:
    """Before a client is made with it."""
    with pytest.raises(ConfigurationError, match="base_url"):
        TelemetryHooks(base_url="ftp://somewhere")


@pytest.mark.parametrize(
    ("module", "package"),
    [("opentelemetry", "opentelemetry"), ("prometheus", "prometheus_client")],
)
def test_a_missing_extra_is_named(
    module: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the command that installs it."""
    whole = f"multiwhats_async.integrations.{module}"
    monkeypatch.delitem(sys.modules, whole, raising=False)
    for name in [one for one in sys.modules if one.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"needs {package}: pip install .*\[{module}\]"):
        __import__(whole)
