import asyncio
import os

import httpx

guests = {"905300000001": "Ayşe", "905300000002": "Çağrı", "905300000003": "İpek"}


async def send(client: httpx.AsyncClient, number: str, name: str) -> None:
    message = {
        "from": "908503080335",
        "to": number,
        "message": f"Merhaba {name} 👋",
        "type": "button",
        "buttons": ["👍 Geliyorum", "⛔ Gelemem"],
    }
    for attempt in range(3):
        try:
            answer = await client.post(
                os.environ["MULTIWHATS_BASE_URL"] + "basic/whatsapp/send-dynamic",
                params={"apikey": os.environ["MULTIWHATS_API_KEY"]},
                json=message,
            )
            answer.raise_for_status()
        except httpx.HTTPError as error:
            print(number, type(error).__name__)
            await asyncio.sleep(0.1 * 2**attempt)
        else:
            print(number, "sent")
            return


async def main() -> None:
    async with httpx.AsyncClient() as client:
        await asyncio.gather(*(send(client, number, name) for number, name in guests.items()))


asyncio.run(main())
