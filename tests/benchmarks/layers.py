"""What each layer of the library costs a message: CPU time beside a run without it.

    python tests/benchmarks/layers.py

The server is none, so that nothing but the library is measured. Blocks are interleaved; the
figures are medians over rounds, and only their ratios count.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median
from typing import Any, Final

import anyio
import attrs
from _null import NullClient, NullExchange
from instructions import Hook, messages
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from multiwhats_async import MemoryLedger, RetryPolicy, SQLiteLedger
from multiwhats_async.integrations.opentelemetry import TelemetryHooks
from multiwhats_async.integrations.prometheus import PrometheusHooks

BLOCK: Final = 2_000
ROUNDS: Final = 5
WORKERS: Final = 100


@attrs.frozen(kw_only=True)
class Layer:
    """One thing that is on.

    Attributes:
        name: Its name.
        client: Options of the client.
        run: Makes options of the run, from a folder and a number that no other run has.
    """

    name: str
    client: Callable[[], dict[str, Any]] = dict
    run: Callable[[Path, int], dict[str, Any]] = lambda _folder, _number: {}


def ledger_of(kind: Callable[[Path], Any]) -> Callable[[Path, int], dict[str, Any]]:
    """Return the options of a run with a ledger of that kind."""
    return lambda folder, number: {
        "ledger": kind(folder / f"{number}.db"),
        "campaign": "spring",
    }


class NullExporter(SpanExporter):
    """Takes spans nowhere, so that their making is measured and not their way."""

    def export(self, spans: object) -> SpanExportResult:
        """Drop them."""
        return SpanExportResult.SUCCESS


def telemetry(**options: Any) -> dict[str, Any]:
    """Return the options of a client whose messages are recorded by OpenTelemetry's SDK."""
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(NullExporter()))
    meters = MeterProvider(metric_readers=[InMemoryMetricReader()])
    hooks = TelemetryHooks(tracer_provider=tracers, meter_provider=meters, **options)
    return {"hooks": [hooks]}


PATIENT: Final = RetryPolicy(base=0.0, cap=0.0, budget=10**9)

LAYERS: Final = (
    Layer(name="bare"),
    Layer(name="evidence", client=lambda: {"exchange": NullExchange(evidence=True)}),
    Layer(
        name="retry, each tenth refused",
        client=lambda: {"exchange": NullExchange(refused=10), "retry": PATIENT},
    ),
    Layer(name="breaker off", client=lambda: {"breaker": None}),
    Layer(name="rate", client=lambda: {"rate": 10_000_000.0}),
    Layer(name="hooks", client=lambda: {"hooks": [Hook()]}),
    Layer(name="Prometheus", client=lambda: {"hooks": [PrometheusHooks()]}),
    Layer(name="OpenTelemetry without SDK", client=lambda: {"hooks": [TelemetryHooks()]}),
    Layer(name="OpenTelemetry", client=telemetry),
    Layer(name="OpenTelemetry, message spans", client=lambda: telemetry(attempts=False)),
    Layer(name="ledger in memory", run=ledger_of(lambda _: MemoryLedger())),
    Layer(name="ledger in SQLite", run=ledger_of(SQLiteLedger)),
)


async def measure(layer: Layer, folder: Path, number: int) -> float:
    """Send a block; return the CPU time of the process for a message, in microseconds."""
    batch = messages(BLOCK)
    async with AsyncExitStack() as stack:
        client = NullClient(max_concurrency=WORKERS, **layer.client())
        await stack.enter_async_context(client)
        began = time.process_time()
        async with client.bulk(batch, **layer.run(folder, number)) as run:
            async for _ in run:
                pass
        spent = time.process_time() - began
    assert run.report.accepted == BLOCK
    return spent / BLOCK * 1e6


async def measure_all() -> dict[str, Any]:
    """Interleave blocks of all layers; return their medians, and each beside the bare run."""
    times: dict[str, list[float]] = {layer.name: [] for layer in LAYERS}
    with tempfile.TemporaryDirectory() as folder:
        for round_ in range(ROUNDS):
            for place, layer in enumerate(LAYERS):
                spent = await measure(layer, Path(folder), round_ * len(LAYERS) + place)
                times[layer.name].append(spent)
    bare = median(times["bare"])
    return {
        name: {"us": round(median(spent), 1), "ratio": round(median(spent) / bare, 2)}
        for name, spent in times.items()
    }


if __name__ == "__main__":
    for backend in ("asyncio", "trio"):
        result = anyio.run(measure_all, backend=backend)
        sys.stdout.write(json.dumps({"backend": backend, "layers": result}) + "\n")
