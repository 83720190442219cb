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

from .._keys import SeenKeys
from ..errors import LedgerError
from ..ledger import PostgresLedger, SQLiteLedger
from ..ledger._standing import standing_of
from ..models import ButtonMessage
from ..outcomes import Summary
from ._failure import KEY_OPTION, LEDGER_OPTION, REDIS_OPTION, NothingSentError, without_password
from ._place import ENVIRONMENT, Place, place_named, place_set

SUFFIX: Final = ".ledger"
"""What the ledger of a file is called beyond the file's own name."""

_MAGIC: Final = b"SQLite format 3"

LOAD: Final = 1_000
"""Messages that are looked up at once."""


@attrs.frozen(kw_only=True)
class Record:
    """Where a campaign is kept on record, and what of it is to be sent.

    Attributes:
        place: Where the ledger is.
        campaign: The campaign's name.
        resend_unknown: Whether messages that may have gone out are sent again.
        only_failed: Whether only those are sent that were refused, or tried and not sent.
    """

    place: Place
    campaign: str
    resend_unknown: bool = False
    only_failed: bool = False

    @property
    def is_begun(self) -> bool:
        """Whether a run may have been there before: always where others can have it."""
        return self.place.path is None or os.path.lexists(self.place.path)

    def options(self) -> dict[str, Any]:
        """Return the options of :meth:`~multiwhats_async.AsyncMultiWhats.bulk` for it."""
        return {"ledger": self.place.ledger()} | self._choice() | {"campaign": self.campaign}

    def standing(self, messages: Iterator[ButtonMessage], sender: str | None) -> Summary | None:
        """Return where the messages of an input stand, or None where they are new.

        The ledger is left as it was.

        Raises:
            NothingSentError: It cannot be had or trusted, a message is not what it was, or the
                campaign is paused or cancelled.
        """
        if not self.is_begun:
            return None
        ledger = self.place.ledger()
        try:
            if isinstance(ledger, PostgresLedger):
                return anyio.run(self._among_others, ledger, messages, sender)
            return anyio.run(self._alone, ledger, messages, sender)
        except LedgerError as error:
            raise NothingSentError(f"nothing was sent: {error}") from None

    async def _alone(
        self, ledger: SQLiteLedger, messages: Iterator[ButtonMessage], sender: str | None
    ) -> Summary:
        async with ledger:
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

    async def _among_others(
        self, ledger: PostgresLedger, messages: Iterator[ButtonMessage], sender: str | None
    ) -> Summary | None:
        seen = SeenKeys()
        try:
            return await standing_of(
                ledger, self.campaign, messages, sender=sender, is_new=seen.add
            )
        finally:
            seen.close()

    def words_of_report(self) -> list[str]:
        """Return what names the campaign to ``multiwhats report``."""
        words = self.place.words(option="")
        return words if self.place.dsn is None else [*words, "--campaign", self.campaign]

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
    place = place_set() if ledger is None else place_named(ledger)
    file = Path(path)
    if file.is_file():
        beside = ledger_of(path)
        if place is not None and place.is_set:
            _refuse_another(place, beside)
        return Record(place=place or Place(path=beside), campaign=campaign or file.name, **choice)
    if place is not None and campaign is not None:
        return Record(place=place, campaign=campaign, **choice)
    if place is not None or campaign is not None or any(choice.values()):
        raise click.UsageError(
            "what is no file has no name: give both --ledger FILE and --campaign NAME"
        )
    return None


def _refuse_another(place: Place, beside: Path) -> None:
    """Refuse to begin a campaign anew in the ledger of the environment.

    Raises:
        click.UsageError: It was begun in the ledger beside its file.
    """
    if not os.path.lexists(beside) or place.path == beside:
        return
    raise click.UsageError(
        f"this file has a ledger beside it, {beside}, and {ENVIRONMENT} names {place}, where its "
        f"messages would be sent once more. Say which you mean: {LEDGER_OPTION} {beside}, or "
        f"{LEDGER_OPTION} with that other one"
    )


def told_counts(standing: Summary) -> str:
    """Return where messages stand, in words, without what there is none of."""
    names = ("accepted", "rejected", "unknown", "not_sent", "in_flight", "pending")
    counts = {name.replace("_", " "): getattr(standing, name) for name in names}
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)


def ledger_of(path: str) -> Path:
    """Return the path of the ledger of an input's file."""
    return Path(path + SUFFIX)


def existing_place(name: str | None) -> Place:
    """Return the place of the ledger that a person means.

    Args:
        name: The ledger, or the file that it belongs to; None is what the environment names.

    Raises:
        click.UsageError: There is none.
    """
    place = place_named(name) if name else place_set()
    if place is None:
        raise click.UsageError(f"no ledger: name it, or set {ENVIRONMENT}")
    if place.path is None:
        return place
    beside = ledger_of(str(place.path))
    if os.path.lexists(beside):
        return attrs.evolve(place, path=beside)
    if not os.path.lexists(place.path) or (place.path.is_file() and not place.path.stat().st_size):
        raise click.UsageError(f"there is no ledger {click.format_filename(place.path)}")
    _refuse_messages(place)
    return place


def _refuse_messages(place: Place) -> None:
    """Refuse a file of messages whose campaign is where the environment says.

    Raises:
        click.UsageError: It is one.
    """
    path, other = place.path, place_set()
    if path is None or other is None or other.path == path or not path.is_file():
        return
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) == _MAGIC:
            return
    campaign = shlex.quote(path.name)
    raise click.UsageError(
        f"there is no ledger beside {click.format_filename(path)}. If its campaign is in {other}, "
        f"as {ENVIRONMENT} says, leave the file out and add --campaign {campaign}"
    )


def same_command(arguments: Sequence[str]) -> str:
    """Return the command line of this process, without the API key and passwords."""
    kept: list[str] = []
    words = iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        if name in (LEDGER_OPTION, REDIS_OPTION):
            kept += [name, without_password(value if equals else next(words, ""))]
        elif name != KEY_OPTION:
            kept.append(word)
        elif not equals:
            next(words, None)
    return shlex.join(["multiwhats", *kept])


def lacks_password(arguments: Sequence[str]) -> bool:
    """Tell whether a password stands in this process's command line, which is not shown."""
    return any(without_password(word) != word for word in arguments)
