import sys

import anyio

from multiwhats_async import AsyncMultiWhats, ButtonMessage, Certainty, RetryPolicy, SQLiteLedger

guests = {"905300000001": "Ayşe", "905300000002": "Çağrı", "905300000003": "İpek"}
arrived = set(sys.argv[1:])  # the numbers that the account lists, as far as you have looked


async def main() -> None:
    messages = [
        ButtonMessage(number, f"Merhaba {name} 👋", ["👍 Geliyorum", "⛔ Gelemem"], key=number)
        for number, name in guests.items()
    ]
    ledger = SQLiteLedger("summer.ledger")
    patient = RetryPolicy(attempts=6, deadline=120)  # of what provably did not arrive
    async with AsyncMultiWhats(sender="908503080335", retry=patient) as client:
        print(await client.send_many(messages, ledger=ledger, campaign="summer"))
    for outcome in [one async for one in ledger.outcomes("summer", Certainty.UNKNOWN)]:
        if outcome.key in arrived:
            await ledger.resolve(outcome.key, Certainty.ACCEPTED, note="listed in the account")
    print(await ledger.summary("summer"))


anyio.run(main)
