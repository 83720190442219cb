"""Nothing personal is in a span, a metric or a log record: no number, no text, no key."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import anyio
import attrs
import pytest
from faults.answers import record_answer
from faults.server import Connection, RawServer
from faults.transports import TRANSPORTS
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, generate_latest
from test_secrets import KEYS, SENDER, assert_clean, echoed

from multiwhats_async import ButtonMessage, RetryPolicy
from multiwhats_async._secret import key_in_logs
from multiwhats_async.integrations.opentelemetry import TelemetryHooks
from multiwhats_async.integrations.prometheus import PrometheusHooks

pytestmark = pytest.mark.anyio
KEY = KEYS["special"]
NUMBER = "905374937766"
TEXTS = ("Your blood test", "Thanks", "Call me")
MESSAGES = [
    ButtonMessage(f"90537493776{end}", TEXTS[0], TEXTS[1:], key=f"guest +90 537 493 776{end}")
    for end in range(6, 10)
]


def play(connection: Connection) -> None:
    """Refuse and repeat everything, accept, say "later", and break off, in turn."""
    request = connection.read_request()
    number = len(connection.server.requests)
    if number == 1:
        connection.send(echoed(KEY, 422))
    elif number == 2:
        connection.send(record_answer(request.body))
    elif number == 3:
        connection.send(echoed(KEY, 429))
    else:
        connection.reset()


@pytest.fixture
def server() -> Iterator[RawServer]:
    """Run a server that does something else to each message."""
    server = RawServer(play).start()
    yield server
    server.stop()


@attrs.frozen
class Kept:
    """Everything that is told of messages."""

    spans: InMemorySpanExporter
    reader: InMemoryMetricReader
    registry: CollectorRegistry
    hooks: tuple[object, ...]

    @classmethod
    def make(cls) -> "Kept":
        spans, reader, registry = (
            InMemorySpanExporter(),
            InMemoryMetricReader(),
            CollectorRegistry(),
        )
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(spans))
        counts = PrometheusHooks()
        registry.register(counts)
        telemetry = TelemetryHooks(
            tracer_provider=tracers, meter_provider=MeterProvider(metric_readers=[reader])
        )
        return cls(spans, reader, registry, (telemetry, counts))

    def text(self) -> str:
        """Return all of it, as it would be exported."""
        data = self.reader.get_metrics_data()
        assert data is not None
        told = [span.to_json() for span in self.spans.get_finished_spans()]
        return "\n".join([*told, data.to_json(), generate_latest(self.registry).decode()])


def assert_impersonal(text: str) -> None:
    """Assert that nobody can be told from a text."""
    assert_clean(text, KEY)
    written = json.dumps(text) + text
    for one in MESSAGES:
        assert one.to not in written
        assert one.to[-7:] not in "".join(written.split())
    for words in TEXTS:
        assert words not in written


@pytest.mark.parametrize("transport", list(TRANSPORTS))
@pytest.mark.parametrize("bulk", [False, True])
async def test_nothing_personal_is_told(
    bulk: bool, transport: str, server: RawServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even where the server repeats what it was sent, at the lowest level of every logger."""
    caplog.set_level(logging.DEBUG)
    kept, way = Kept.make(), TRANSPORTS[transport]
    once = RetryPolicy(attempts=1, throttled_attempts=1, throttled_base=0.0)
    async with way.opened(
        KEY, base_url=server.url, sender=SENDER, hooks=kept.hooks, retry=once, max_concurrency=1
    ) as client:
        if bulk:
            await client.send_many(MESSAGES)
        else:
            for each in MESSAGES:
                await client.deliver(each)
            with anyio.CancelScope() as scope:
                scope.cancel()
                await client.deliver(MESSAGES[0])
    spans = kept.spans.get_finished_spans()
    told = {(span.attributes or {})["multiwhats.certainty"] for span in spans}
    assert {"accepted", "rejected", "unknown"} <= told
    assert_impersonal(kept.text())
    ours = [record for record in caplog.records if record.name == "multiwhats_async"]
    assert len(ours) >= 4
    for record in caplog.records:
        assert_impersonal(f"{record.getMessage()} {vars(record)!r} {json.dumps(extra(record))}")


def extra(record: logging.LogRecord) -> dict[str, Any]:
    """Return what a record has beyond every record's own fields."""
    bare = vars(logging.makeLogRecord({}))
    return {name: value for name, value in vars(record).items() if name not in bare}


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        (NUMBER, "••••••••7766"),
        ("guest-905374937766-2", "guest-••••••••7766-2"),
        ("+90 537 493 77 66", "•••••••••••••7 66"),
        ("05374937766", "•••••••7766"),
        ("order-2026112700017", "order-2026112700017"),
        ("spring/12", "spring/12"),
        ("0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef"),
    ],
)
def test_a_key_in_a_log(key: str, shown: str) -> None:
    """The recipient's number is masked however it is written; other names stay as they are."""
    assert key_in_logs(key, NUMBER) == shown
