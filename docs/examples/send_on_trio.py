import trio

from multiwhats_async import AsyncMultiWhats


async def main() -> None:
    async with AsyncMultiWhats(sender="908503080335") as client:
        with trio.move_on_after(60):
            receipt = await client.send_button_message("905374937766", "Hi 👤", ["👍 Yes"])
            print(receipt.id, receipt.status)


trio.run(main)
