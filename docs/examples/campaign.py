import anyio

from multiwhats_async import AsyncMultiWhats, ButtonMessage, Certainty, SQLiteLedger

guests = {"905300000001": "Ayşe", "905300000002": "Çağrı", "905300000003": "İpek"}


async def main() -> None:
    messages = [
        ButtonMessage(number, f"Merhaba {name} 👋", ["👍 Geliyorum", "⛔ Gelemem"], key=number)
        for number, name in guests.items()
    ]
    ledger = SQLiteLedger("spring.ledger")
    async with (
        AsyncMultiWhats(sender="908503080335") as client,
        client.bulk(messages, ledger=ledger, campaign="spring") as run,
    ):
        async for outcome in run:
            print(outcome.key, outcome.certainty, outcome.earlier or "")
    async for outcome in ledger.outcomes("spring", Certainty.UNKNOWN):
        print("Look into the account for", outcome.key)
    print(await ledger.summary("spring"))


anyio.run(main)
