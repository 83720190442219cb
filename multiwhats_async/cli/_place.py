"""Where a ledger is: in a file, or in a database that many machines share."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import attrs
import click

from ..ledger import PostgresLedger, SQLiteLedger
from ._failure import LEDGER_OPTION, without_password

ENVIRONMENT: Final = "MULTIWHATS_LEDGER"

ONE_PROCESS: Final = (
    "a ledger in a file belongs to one process: Ctrl-C stops its multiwhats bulk, the same command "
    "goes on, and multiwhats report shows where it stands. Many machines share a ledger at "
    "postgresql://…"
)

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://")
_POSTGRES: Final = ("postgres", "postgresql")


@attrs.frozen(kw_only=True)
class Place:
    """Where a ledger is.

    Attributes:
        path: Its file, or None.
        dsn: The address of its database, with the password, or None.
        is_set: Whether it is named by the environment, not in the command line.
    """

    path: Path | None = None
    dsn: str | None = attrs.field(default=None, repr=False)
    is_set: bool = False

    def __str__(self) -> str:
        return str(self.path) if self.dsn is None else without_password(self.dsn)

    def ledger(self) -> SQLiteLedger | PostgresLedger:
        """Return the ledger, not open.

        Raises:
            ConfigurationError: The address cannot be read, or psycopg is not installed.
        """
        if self.dsn is not None:
            return PostgresLedger(self.dsn)
        assert self.path is not None  # noqa: S101  # it has one of both
        return SQLiteLedger(self.path)

    def words(self, *, option: str = LEDGER_OPTION) -> list[str]:
        """Return what names it in a command line; nothing where the environment does.

        Args:
            option: What stands before it; "" is nothing.
        """
        return [] if self.is_set else [*filter(None, [option, str(self)])]


def place_named(text: str) -> Place:
    """Return the place that a text names: a path, or an address.

    Raises:
        click.UsageError: It is the address of something else, or holds a bare password.
    """
    scheme = _SCHEME.match(text)
    if scheme is None:
        return Place(path=Path(text))
    if scheme[1].lower() not in _POSTGRES:
        raise click.UsageError(
            f"a ledger is a file, or stands at postgresql://user@host/database, not at {scheme[0]}"
        )
    if "@" in text[scheme.end() :].partition("/")[2].partition("?")[0]:
        # libpq would take the password for a port, and say so with a part of it.
        raise click.UsageError(
            "the ledger's address cannot be read: write special characters of a password as "
            "%-escapes, such as %2F for / and %40 for @"
        )
    return Place(dsn=text)


def place_set() -> Place | None:
    """Return the place that the environment names, or None."""
    text = os.environ.get(ENVIRONMENT)
    return attrs.evolve(place_named(text), is_set=True) if text else None


ledger_option: Final[Callable[[Any], Any]] = click.option(
    LEDGER_OPTION,
    "ledger_name",
    metavar="ADDRESS",
    help=f"The ledger that the machines share: postgresql://user@host/database. "
    f"[env: {ENVIRONMENT}]",
)


def shared_ledger(name: str | None) -> tuple[Place, PostgresLedger]:
    """Return the ledger that many machines share, and its place.

    Args:
        name: What the user gave, or None.

    Raises:
        click.UsageError: There is none, or it is a file.
        ConfigurationError: Its address cannot be read.
    """
    place = place_named(name) if name else place_set()
    if place is None:
        raise click.UsageError(
            f"no ledger: set {ENVIRONMENT}, or give {LEDGER_OPTION} postgresql://user@host/database"
        )
    ledger = place.ledger()
    if not isinstance(ledger, PostgresLedger):
        raise click.UsageError(ONE_PROCESS)
    return place, ledger
