"""What went wrong, in one line that hides what must not be shown."""

import os
import re
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import click

from .._secret import MASK, Secret, masked
from ..errors import ConfigurationError, InvalidMessageError, LedgerError, RateError
from ._exits import NOTHING_SENT, USAGE

EXTRAS: Final = {
    "click": "cli",
    "rich": "cli",
    "starlette": "sandbox",
    "uvicorn": "sandbox",
    "trio": "trio",
    "openpyxl": "xlsx",
    "psycopg": "postgres",
    "pgqueuer": "pgqueuer",
    "coredis": "streaq",
    "streaq": "streaq",
    "prometheus_client": "worker",
}
"""Which extra brings a package that is missing."""

KEY_OPTION: Final = "--api-key"
LEDGER_OPTION: Final = "--ledger"
REDIS_OPTION: Final = "--redis"

NO_SECRETS: Final = (MASK, "sandbox")
"""The sandbox's own key is a word of this program's sentences."""

_PASSWORD: Final = re.compile(r"(://[^\s:@/?#]*):[^\s/]*@|[?&](?:ssl)?password=[^\s&]*")
"""In an address, as libpq and Redis read it: after the user, or among what follows the ?."""

_PYTHON_ONLY: Final = re.compile(r",? or pass limits=None( to switch WhatsApp's limits off)?")


class NothingSentError(click.ClickException):
    """The input did not pass its check, or cannot be put on record."""

    exit_code = NOTHING_SENT


def without_password(text: str) -> str:
    """Return an address, or a text that holds one, without the password in it."""
    return _PASSWORD.sub(lambda found: f"{found[1]}@" if found[1] else "", text)


def for_the_command_line(text: str) -> str:
    """Return a text of the core without advice that only a Python program can follow."""
    return _PYTHON_ONLY.sub("", text)


def missing_extra(package: str) -> str:
    """Return the line that says how to install a package that is missing."""
    return f"{package} is not installed: pip install 'multiwhats-async[{EXTRAS[package]}]'"


def complain(text: str, arguments: Sequence[str] = ()) -> None:
    """Print one line on standard error, with numbers masked and every secret taken out.

    Args:
        text: What to say.
        arguments: Those of the process: a key that stands among them is not shown either.
    """
    with suppress(OSError):  # nobody reads standard error any more
        click.echo(f"multiwhats: {fit_to_show(text, arguments)}", err=True)


def fit_to_show(text: str, arguments: Sequence[str] = ()) -> str:
    """Return a text as one line, with numbers masked, the API key and passwords taken out."""
    line = without_password(" ".join(text.split()))
    for key in _keys(arguments):
        line = Secret(key).redact(line)
    return masked(line)


def explain(error: Exception, *, is_bug: int) -> tuple[str, int]:
    """Return the line and the exit code for an error that reached the top.

    Args:
        error: The error.
        is_bug: The code for one that should not have come up here.
    """
    if os.environ.get("MULTIWHATS_DEBUG") == "1":
        traceback.print_exception(error, file=sys.stderr)
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, click.ClickException):  # out of a task
        return error.format_message(), error.exit_code
    package = _missing_package(error)
    if package is not None:
        return missing_extra(package), USAGE
    if isinstance(error, ConfigurationError | LedgerError | RateError):
        return str(error), USAGE
    if isinstance(error, InvalidMessageError):
        return for_the_command_line(f"nothing was sent: {error}"), NOTHING_SENT
    what = f"unexpected {type(error).__name__}: {error}"
    return f"{what}: this is a bug, please report it (MULTIWHATS_DEBUG=1 shows where)", is_bug


def _missing_package(error: BaseException | None) -> str | None:
    """Return which package of an extra an error is about, or None."""
    while isinstance(error, ImportError):
        package = (error.name or "").partition(".")[0]
        if isinstance(error, ModuleNotFoundError) and package in EXTRAS:
            return package
        error = error.__cause__
    return None


def _keys(arguments: Sequence[str]) -> list[str]:
    """Return every API key that this process was given."""
    keys = [os.environ.get("MULTIWHATS_API_KEY", "")]
    for place, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name == KEY_OPTION:
            keys.append(value if equals else "".join(arguments[place + 1 : place + 2]))
    return [key for key in keys if key and key not in NO_SECRETS]
