import anyio
from prometheus_client import REGISTRY, generate_latest

from multiwhats_async import AsyncMultiWhats
from multiwhats_async.integrations.prometheus import PrometheusHooks

hooks = PrometheusHooks()
REGISTRY.register(hooks)  # a service serves it with prometheus_client.start_http_server(9100)


async def main() -> None:
    async with AsyncMultiWhats(sender="908503080335", hooks=[hooks]) as client:
        await client.send_button_message("905374937766", "Hi 👤", ["👍 Yes"])
    print(generate_latest(REGISTRY).decode())


anyio.run(main)
