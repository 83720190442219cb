"""``multiwhats config``: each setting, and where it comes from."""

import os
from collections.abc import Iterator
from typing import Final

import click
from click.core import ParameterSource

from .._secret import MASK, mask_number
from .._settings import BASE_URL, checked_base_url
from ._exits import ALL_ACCEPTED, USAGE
from ._failure import without_password
from ._options import account_options
from ._screen import write_out

NOT_SET: Final = "not set"

LEDGER: Final = "MULTIWHATS_LEDGER"
REDIS: Final = "MULTIWHATS_REDIS"

WIDTHS: Final = (10, 44)
"""Columns of a setting's name and of its value."""


@click.command("config")
@account_options
@click.pass_context
def command(context: click.Context, /, **options: str | None) -> int:
    """Show each setting, and where it comes from. The key is masked.

    Takes the options of send and bulk, and shows what they would work with. The exit code is 2
    where a setting that sending needs is missing or cannot be used.
    """
    rows = [
        _key(options["api_key"]),
        _sender(context, options["sender"]),
        _base_url(options["base_url"]),
        ("key goes in", str(options["api_key_in"]), _source(context, "api_key_in")),
        *_places(),
    ]
    for name, value, source in rows:
        write_out(f"{name:<{WIDTHS[0]}}  {value:<{WIDTHS[1]}}  {source}")
    missing = any(value == NOT_SET for _, value, _ in rows)
    return USAGE if missing else ALL_ACCEPTED


Row = tuple[str, str, str]


def _key(given: str | None) -> Row:
    if given:
        return "key", MASK, "--api-key"
    if os.environ.get("MULTIWHATS_API_KEY"):
        return "key", MASK, "MULTIWHATS_API_KEY"
    return "key", NOT_SET, "set MULTIWHATS_API_KEY"


def _sender(context: click.Context, given: str | None) -> Row:
    if given is None:
        return "sender", NOT_SET, "set MULTIWHATS_FROM, or give --from"
    return "sender", mask_number(given), _source(context, "sender")


def _base_url(given: str | None) -> Row:
    if given:
        return "base URL", checked_base_url(given), "--base-url"
    from_environment = os.environ.get("MULTIWHATS_BASE_URL")
    if from_environment:
        return "base URL", checked_base_url(from_environment), "MULTIWHATS_BASE_URL"
    return "base URL", BASE_URL, "documented by the vendor"


def _places() -> Iterator[Row]:
    """Yield where a ledger and a queue are, where the environment says so."""
    for label, name in (("ledger", LEDGER), ("redis", REDIS)):
        address = os.environ.get(name)
        if address:
            yield label, without_password(address), name


def _source(context: click.Context, name: str) -> str:
    """Return where the value of an option comes from."""
    option = next(one for one in context.command.params if one.name == name)
    match context.get_parameter_source(name):
        case ParameterSource.COMMANDLINE:
            return option.opts[0]
        case ParameterSource.ENVIRONMENT:
            return str(option.envvar)
        case _:
            return "default"
