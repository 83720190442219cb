import anyio

from multiwhats_async import AsyncMultiWhats, ButtonMessage

guests = {"905300000001": "Ayşe", "905300000002": "Çağrı", "905300000003": "İpek"}


async def main() -> None:
    messages = [
        ButtonMessage(number, f"Merhaba {name} 👋", ["👍 Geliyorum", "⛔ Gelemem"])
        for number, name in guests.items()
    ]
    async with AsyncMultiWhats(sender="908503080335") as client:
        report = await client.send_many(messages)
    for outcome in report.outcomes:
        print(outcome.message.to, outcome.certainty)


anyio.run(main)
