"""One life of a campaign: sends what its ledger says is still to be sent, until it is killed.

    python life.py LEDGER BASE_URL BACKEND COUNT [careless]

``careless`` leaves out the intent, as a bulk sender does that records outcomes only.
"""

import sys
from pathlib import Path

import anyio

from multiwhats_async import AsyncMultiWhats, ButtonMessage, SQLiteLedger
from multiwhats_async.ledger._campaign import StoredClaim

CONCURRENCY = 20
CAMPAIGN = "spring"


def messages(count: int) -> list[ButtonMessage]:
    """Return that many different messages."""
    return [
        ButtonMessage(
            str(905_300_000_000 + number), f"Merhaba {number} 👋", ["👍 Evet", "⛔ Hayır"]
        )
        for number in range(count)
    ]


async def _nothing(claim: StoredClaim) -> None:
    """Stand in for the intent without writing it; the fence of the outcome still fits."""
    claim.attempts -= 1
    claim._begun += 1


async def live(ledger: Path, base_url: str, count: int) -> None:
    """Send the campaign, or what is left of it."""
    async with AsyncMultiWhats(
        "KEY", sender="908503080335", base_url=base_url, max_concurrency=CONCURRENCY
    ) as client:
        run = client.bulk(messages(count), ledger=SQLiteLedger(ledger), campaign=CAMPAIGN)
        print("begun", flush=True)  # noqa: T201  # read by the test
        async with run:
            async for _ in run:
                pass
        assert run.report.stopped is None, run.report


if __name__ == "__main__":
    path, url, backend, number, *how = sys.argv[1:]
    if how:
        StoredClaim.intend = _nothing  # type: ignore[method-assign]  # what the test is about
    anyio.run(live, Path(path), url, int(number), backend=backend)
