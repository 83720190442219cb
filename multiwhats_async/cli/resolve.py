"""``multiwhats resolve``: what an unknown message has turned out to be."""

from typing import Final

import anyio
import click

from .._certainty import Certainty
from ._exits import ALL_ACCEPTED
from ._ledger import existing_place
from ._place import ENVIRONMENT, place_set

WORDS: Final = ("accepted", "rejected", "not_sent")


@click.command("resolve")
@click.argument("words", nargs=-1, metavar="[LEDGER] KEY CERTAINTY")
@click.option("--note", metavar="TEXT", help="What is to be remembered: who looked, and where.")
@click.option("--campaign", metavar="NAME", help="Where several campaigns have the key.")
def command(words: tuple[str, ...], note: str | None, campaign: str | None) -> int:
    """Record what an unknown message has turned out to be.

    LEDGER is where the campaign is on record: a file, the file of messages that it belongs to, or
    postgresql://user@host/database; leave it out where MULTIWHATS_LEDGER names it. KEY is the
    message's key, as multiwhats report shows it; CERTAINTY is accepted, rejected or not_sent.
    Nothing is sent by this: what is not_sent is sent by the next multiwhats bulk, or by the
    workers.
    """
    name, key, word = _parted(words)
    ledger = existing_place(name).ledger()

    async def resolve() -> None:
        await ledger.resolve(key, Certainty(word), note=note, campaign=campaign)

    anyio.run(resolve)
    click.echo(f"{key} is {word} now", err=True)
    return ALL_ACCEPTED


def _parted(words: tuple[str, ...]) -> tuple[str | None, str, str]:
    """Return the ledger, which may be left out, the key and the certainty.

    Raises:
        click.UsageError: They are too many, too few, or the last is no certainty.
    """
    least = 2 if place_set() is not None else 3
    if not least <= len(words) <= 3:  # noqa: PLR2004  # the words of the usage line
        raise click.UsageError(
            f"write multiwhats resolve LEDGER KEY CERTAINTY; without LEDGER where {ENVIRONMENT} "
            "names it"
        )
    *names, key, word = words
    if word not in WORDS:
        raise click.UsageError(f"{word!r} is not one of {', '.join(map(repr, WORDS))}")
    return (names[0] if names else None), key, word
