import anyio

from multiwhats_async import AsyncMultiWhats


async def main() -> None:
    async with AsyncMultiWhats(sender="908503080335") as client:  # key: MULTIWHATS_API_KEY
        receipt = await client.send_button_message("905374937766", "Hi 👤", ["👍 Yes", "⛔ No"])
        print(receipt.id, receipt.status, receipt.total_credit, receipt.targets[0].status)


anyio.run(main)
