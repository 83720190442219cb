"""The options that every sending command has: which account, which server, which number."""

import os
from collections.abc import Callable
from typing import Any, Final, Literal, TypeVar

import attrs
import click

from .._numbers import NumberError, normalise_number
from .._secret import mask_number
from ..client import AsyncMultiWhats
from ._failure import KEY_OPTION
from ._names import Naming, UnreadableError

Command = TypeVar("Command", bound=Callable[..., Any])


class Number(click.ParamType[str]):
    """A phone number in any usual notation, to its digits."""

    name = "number"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the digits, or refuse the value without showing the whole of it."""
        try:
            return normalise_number(value)
        except NumberError as error:
            self.fail(f"{mask_number(value.strip())!r} {error}", param, ctx)


NUMBER: Final = Number()


@attrs.frozen(kw_only=True)
class Account:
    """Which account sends, through which server.

    Attributes:
        api_key: The key; None takes ``MULTIWHATS_API_KEY``.
        api_key_in: Where it is sent.
        base_url: Where the API is; None takes ``MULTIWHATS_BASE_URL``, else the documented one.
        sender: The number that sends, or None.
    """

    api_key: str | None = attrs.field(repr=False)
    api_key_in: Literal["query", "json"]
    base_url: str | None
    sender: str | None = attrs.field(repr=False)

    def client(self, **options: Any) -> AsyncMultiWhats:
        """Return a client for this account, on the transport that is made for many messages.

        Args:
            options: Further options of :class:`~multiwhats_async.AsyncMultiWhats`.

        Raises:
            click.UsageError: There is no key.
            ConfigurationError: A setting cannot work.
        """
        if not (self.api_key or os.environ.get("MULTIWHATS_API_KEY")):
            raise click.UsageError(
                "no API key: set MULTIWHATS_API_KEY. "
                "To try without an account, run: multiwhats demo"
            )
        return AsyncMultiWhats(
            self.api_key or None,
            sender=self.sender,
            base_url=self.base_url,
            api_key_in=self.api_key_in,
            transport="direct",
            **options,
        )


def account_options(command: Command) -> Command:
    """Give a command the options of an :class:`Account`; it gets them as ``account=``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def account_of(
    *, sender: str | None, base_url: str | None, api_key: str | None, api_key_in: str
) -> Account:
    """Return the account that the options of :func:`account_options` describe."""
    return Account(
        api_key=api_key,
        api_key_in="json" if api_key_in == "json" else "query",
        base_url=base_url,
        sender=sender,
    )


def _columns(
    _context: click.Context, _parameter: click.Parameter, pairs: tuple[str, ...]
) -> dict[str, str]:
    """Return the names of columns that were chosen by hand, by field."""
    columns: dict[str, str] = {}
    for pair in pairs:
        field, equals, name = (part.strip() for part in pair.partition("="))
        if not equals or not name:
            raise click.BadParameter(f"{pair!r} is no FIELD=NAME, such as to='Misafir Telefonu'")
        if columns.setdefault(field, name) != name:
            raise click.BadParameter(f"{field} has two columns, {columns[field]!r} and {name!r}")
    try:
        Naming(columns)
    except UnreadableError as error:
        raise click.BadParameter(str(error)) from None
    return columns


columns_option: Final = click.option(
    "--column",
    "columns",
    multiple=True,
    callback=_columns,
    metavar="FIELD=NAME",
    help="Take a field (to, message, button1, …) from the column of that name. Again for more.",
)
"""Gives a command ``columns``: the names of columns that are chosen by hand, by field."""

_OPTIONS: Final[tuple[Callable[[Any], Any], ...]] = (
    click.option(
        "--from",
        "sender",
        type=NUMBER,
        envvar="MULTIWHATS_FROM",
        help="The number that sends, with its country code. [env: MULTIWHATS_FROM]",
    ),
    click.option(
        "--base-url",
        metavar="URL",
        help="Where the API is. [env: MULTIWHATS_BASE_URL; default: the vendor's]",
    ),
    click.option(
        KEY_OPTION,
        "api_key",
        metavar="KEY",
        help="Discouraged: other users of this machine can read it. Set MULTIWHATS_API_KEY.",
    ),
    click.option(
        "--api-key-in",
        type=click.Choice(["query", "json"]),
        default="query",
        show_default=True,
        help="Where the key is sent; the vendor documents both.",
    ),
)
