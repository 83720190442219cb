import anyio

from multiwhats_async import AsyncMultiWhats, ButtonMessage, Certainty

guests = {"905300000001": "Ayşe", "905300000002": "Çağrı", "905300000003": "İpek"}


async def main() -> None:
    messages = (
        ButtonMessage(number, f"Merhaba {name} 👋", ["👍 Geliyorum", "⛔ Gelemem"], key=number)
        for number, name in guests.items()
    )
    async with AsyncMultiWhats(sender="908503080335", rate=20) as client:
        async with client.bulk(messages, max_credits=1_000) as run:
            async for outcome in run:
                if outcome.certainty is not Certainty.ACCEPTED:
                    print(outcome.key, outcome.certainty, outcome.error)
        print(run.report)


anyio.run(main)  # or anyio.run(main, backend="trio")
