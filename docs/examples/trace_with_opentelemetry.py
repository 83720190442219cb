import anyio
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

from multiwhats_async import AsyncMultiWhats, ButtonMessage
from multiwhats_async.integrations.opentelemetry import TelemetryHooks

spans = TracerProvider()
spans.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter()))
trace.set_tracer_provider(spans)
figures = MeterProvider([PeriodicExportingMetricReader(ConsoleMetricExporter())])
metrics.set_meter_provider(figures)


async def main() -> None:
    messages = [ButtonMessage(str(905300000001 + one), "Hi 👤", ["👍 Yes"]) for one in range(3)]
    async with AsyncMultiWhats(sender="908503080335", hooks=[TelemetryHooks()]) as client:
        with trace.get_tracer("shop").start_as_current_span("spring campaign"):
            print(await client.send_many(messages))


anyio.run(main)
spans.shutdown()
figures.shutdown()
