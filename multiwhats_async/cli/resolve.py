"""``multiwhats resolve``: what an unknown message has turned out to be."""

import anyio
import click

from .._certainty import Certainty
from ..ledger import SQLiteLedger
from ._exits import ALL_ACCEPTED
from ._ledger import existing_ledger


@click.command("resolve")
@click.argument("path", metavar="LEDGER")
@click.argument("key")
@click.argument(
    "word",
    metavar="CERTAINTY",
    type=click.Choice(["accepted", "rejected", "not_sent"]),
)
@click.option("--note", metavar="TEXT", help="What is to be remembered: who looked, and where.")
@click.option("--campaign", metavar="NAME", help="Where several campaigns have the key.")
def command(path: str, key: str, word: str, note: str | None, campaign: str | None) -> int:
    """Record what an unknown message has turned out to be.

    LEDGER is the file in which the campaign is on record, or the file of messages that it belongs
    to; KEY is the message's key, as multiwhats report shows it; CERTAINTY is accepted, rejected or
    not_sent. Nothing is sent by this: what is not_sent is sent by the next multiwhats bulk.
    """
    ledger = SQLiteLedger(existing_ledger(path))

    async def resolve() -> None:
        await ledger.resolve(key, Certainty(word), note=note, campaign=campaign)

    anyio.run(resolve)
    click.echo(f"{key} is {word} now", err=True)
    return ALL_ACCEPTED
