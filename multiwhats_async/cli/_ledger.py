"""Which ledger a command means, and where its campaign stands."""

import os
import shlex
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import anyio
import attrs
import click

from ..errors import LedgerError
from ..ledger import SQLiteLedger
from ..models import ButtonMessage
from ..outcomes import Summary
from ._failure import KEY_OPTION, NothingSentError

SUFFIX: Final = ".ledger"
"""What the ledger of a file is called beyond the file's own name."""

LOAD: Final = 1_000
"""Messages that are looked up at once."""


@attrs.frozen(kw_only=True)
class Record:
    """Where a campaign is kept on record, and what of it is to be sent.

    Attributes:
        path: The ledger's file.
        campaign: The campaign's name.
        resend_unknown: Whether messages that may have gone out are sent again.
        only_failed: Whether only those are sent that were refused, or tried and not sent.
    """

    path: Path
    campaign: str
    resend_unknown: bool = False
    only_failed: bool = False

    def options(self) -> dict[str, Any]:
        """Return the options of :meth:`~multiwhats_async.AsyncMultiWhats.bulk` for it."""
        return {"ledger": SQLiteLedger(self.path)} | self._choice() | {"campaign": self.campaign}

    def standing(self, messages: Iterator[ButtonMessage], sender: str | None) -> Summary | None:
        """Return where the messages of an input stand, or None where the ledger is new.

        The ledger is left as it was.

        Raises:
            NothingSentError: It cannot be had or trusted, or a message is not what it was.
        """
        if not os.path.lexists(self.path):
            return None
        try:
            return anyio.run(self._standing, messages, sender)
        except LedgerError as error:
            raise NothingSentError(f"nothing was sent: {error}") from None

    async def _standing(self, messages: Iterator[ButtonMessage], sender: str | None) -> Summary:
        async with SQLiteLedger(self.path) as ledger:
            run = await ledger.begin(self.campaign, sender=sender, **self._choice())
            try:
                first = 0
                while block := [*islice(messages, LOAD)]:
                    await run.load(first, block)
                    first += len(block)
                return await run.summary()
            finally:
                await run.withdraw()
                await run.aclose()

    def to_send(self, standing: Summary) -> int:
        """Return how many of an input's messages a run would send."""
        again = standing.unknown if self.resend_unknown else 0
        if self.only_failed:
            return standing.rejected + standing.not_sent + again
        return standing.to_send + again

    def _choice(self) -> dict[str, bool]:
        return {"resend_unknown": self.resend_unknown, "only_failed": self.only_failed}


def record_of(
    path: str,
    ledger: str | None,
    campaign: str | None,
    *,
    no_ledger: bool,
    **choice: bool,
) -> Record | None:
    """Return where the campaign of an input is kept on record, or None where it is not.

    Args:
        path: The input, as the user named it.
        ledger: The ledger that the user named, or None.
        campaign: The campaign's name that the user gave, or None.
        no_ledger: Whether the user wants none.
        choice: The other options of a :class:`Record`.

    Raises:
        click.UsageError: The options do not fit together.
    """
    if no_ledger:
        if ledger is not None or campaign is not None or any(choice.values()):
            raise click.UsageError(
                "--no-ledger keeps no record: leave out --ledger, --campaign, --resend-unknown "
                "and --only-failed"
            )
        return None
    file = Path(path)
    if file.is_file():
        where = ledger_of(path) if ledger is None else Path(ledger)
        return Record(path=where, campaign=campaign or file.name, **choice)
    if ledger is not None and campaign is not None:
        return Record(path=Path(ledger), campaign=campaign, **choice)
    if ledger is not None or campaign is not None or any(choice.values()):
        raise click.UsageError(
            "what is no file has no name: give both --ledger FILE and --campaign NAME"
        )
    return None


def told_counts(standing: Summary) -> str:
    """Return where messages stand, in words, without what there is none of."""
    names = ("accepted", "rejected", "unknown", "not_sent", "pending")
    counts = {name.replace("_", " "): getattr(standing, name) for name in names}
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)


def ledger_of(path: str) -> Path:
    """Return the path of the ledger of an input's file."""
    return Path(path + SUFFIX)


def existing_ledger(path: str) -> Path:
    """Return the ledger that a person means who names it, or the file that it belongs to.

    Raises:
        click.UsageError: There is none.
    """
    if os.path.lexists(ledger_of(path)):
        return ledger_of(path)
    file = Path(path)
    if not os.path.lexists(path) or (file.is_file() and not file.stat().st_size):
        raise click.UsageError(f"there is no ledger {click.format_filename(path)}")
    return Path(path)


def same_command(arguments: Sequence[str]) -> str:
    """Return the command line of this process, without the API key."""
    kept: list[str] = []
    words = iter(arguments)
    for word in words:
        name, equals, _ = word.partition("=")
        if name != KEY_OPTION:
            kept.append(word)
        elif not equals:
            next(words, None)
    return shlex.join(["multiwhats", *kept])
