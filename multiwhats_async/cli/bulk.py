"""``multiwhats bulk``: a file of messages, checked as a whole and then sent, or handed over."""

import os
from typing import Any, BinaryIO, Final
from urllib.parse import urlsplit

import click

from .._settings import BASE_URL, checked_base_url
from ..outcomes import Summary
from ._engines import ENGINES, queue_option, redis_option
from ._exits import ALL_ACCEPTED, NOTHING_SENT, SOME_FAILED
from ._failure import LEDGER_OPTION, NothingSentError
from ._handing import Handing, handing_of
from ._ledger import Record, record_of
from ._opening import encoding_option, name_of, opened
from ._options import Account, account_of, account_options, columns_option
from ._place import ENVIRONMENT
from ._plan import Plan
from ._preflight import expect_country
from ._reading import Checked, check
from ._screen import AUTO, KINDS, can_ask

_NO_RECORD: Final = (
    "No record is kept of what is no file: "
    "to go on after a stop, give --ledger FILE and --campaign NAME"
)


@click.command("bulk")
@click.argument("path", metavar="FILE")
@account_options
@click.option(
    "--max-concurrency", type=click.IntRange(min=1), metavar="N", help="The most messages at once."
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Messages a second for each sender.",
)
@click.option(
    "--max-failures",
    type=click.IntRange(min=1),
    metavar="N",
    help="Stop after so many messages that were not accepted.",
)
@click.option(
    "--max-credits",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Stop before the cost can come above this.",
)
@click.option(
    "--out",
    metavar="FILE",
    help="Write every outcome to a new file: .jsonl or .csv; - is JSONL on standard output.",
)
@click.option(
    LEDGER_OPTION,
    "ledger_name",
    metavar="LEDGER",
    help="Where the campaign is on record: a file, or postgresql://user@host/database, which many "
    f"machines share. [env: {ENVIRONMENT}; default: FILE.ledger, beside the input]",
)
@click.option("--no-ledger", is_flag=True, help="Keep no record: what is stopped cannot go on.")
@click.option(
    "--campaign", metavar="NAME", help="Its name in the ledger. [default: the input's name]"
)
@click.option(
    "--resend-unknown",
    is_flag=True,
    help="Send those again that may have gone out. They may arrive twice.",
)
@click.option(
    "--only-failed", is_flag=True, help="Send only what was refused, or tried and not sent."
)
@click.option(
    "--enqueue",
    "engine",
    type=click.Choice(ENGINES),
    help="Hand the messages to the workers of this engine, instead of sending them here.",
)
@redis_option
@queue_option
@encoding_option
@expect_country
@click.option(
    "--progress",
    "screen_kind",
    type=click.Choice(KINDS),
    default=AUTO,
    show_default=True,
    help="How the run is shown, on standard error.",
)
@columns_option
@click.option("--yes", "is_confirmed", is_flag=True, help="Do not ask.")
@click.option("--dry-run", "is_dry", is_flag=True, help="Check the file, and send nothing.")
@click.pass_context
def command(context: click.Context, /, *, path: str, **options: Any) -> int:
    """Send a file of messages.

    FILE is CSV, JSONL or XLSX; - is standard input. Its columns are to, message and buttons
    (separated by | or a JSON list) or button1, button2, button3; from and key may be added. Every
    other column is a variable: {name} or {name|fallback} in the message or a button takes its
    value. Every row is checked before the first credit is spent.

    Every message is on record in FILE.ledger before it is sent, and so is its outcome: after a
    stop, a crash or a power cut the same command goes on with what is still to be sent. What may
    have gone out is not sent again by itself.

    With a ledger in PostgreSQL several machines may run the same command at once, or --enqueue
    hands the file to their workers: see multiwhats worker and multiwhats campaign.

    Ctrl-C takes what is under way to its end and stops; a second one gives it up.
    """
    record = record_of(
        path,
        options["ledger_name"],
        options["campaign"],
        no_ledger=options["no_ledger"],
        resend_unknown=options["resend_unknown"],
        only_failed=options["only_failed"],
    )
    handing = handing_of(
        context,
        record,
        engine=options["engine"],
        redis=options["redis"],
        queue=options["queue_name"],
    )
    plan = _plan_of(record, handing, **options)
    client = None if options["is_dry"] or handing is not None else plan.account.client()
    is_confirmed: bool = options["is_confirmed"] or options["is_dry"]
    if not is_confirmed and not can_ask():
        raise click.UsageError("there is no terminal to ask on: add --yes to send, or --dry-run")
    with opened(path) as file:
        plan = plan.with_target(file)
        stamp = _stamp(file)
        checked = _checked(file, path, plan, options["expected"])
        standing = plan.standing(file, checked)
        fresh = plan.announce(checked, standing)
        if record is None and not options["no_ledger"]:
            click.echo(_NO_RECORD, err=True)
        if standing is not None and not fresh:
            return _tell_nothing_is_left(standing, only_failed=options["only_failed"])
        if options["is_dry"]:
            return ALL_ACCEPTED
        question = "Send them?" if handing is None else "Hand them over?"
        if not is_confirmed and not click.confirm(question, err=True):
            click.echo("Nothing was sent.", err=True)
            return NOTHING_SENT
        if _stamp(file) != stamp:
            raise NothingSentError(f"nothing was sent: {path} was changed after its check")
        if client is not None:
            return plan.carry_out(client, file, checked)
        assert handing is not None  # noqa: S101  # else there is a client
        return handing.carry_out(plan.rows(file, checked), plan.account.sender)


def _plan_of(record: Record | None, handing: Handing | None, **options: Any) -> Plan:
    """Return what the options ask for."""
    names = ("sender", "base_url", "api_key", "api_key_in")
    account = account_of(**{name: options[name] for name in names})
    limits = ("max_concurrency", "rate", "max_failures", "max_credits")
    return Plan(
        account=account,
        encoding=options["encoding"],
        columns=options["columns"],
        out=options["out"],
        record=record,
        through=_server(account) if handing is None else f"the workers of {handing.engine.name}",
        screen_kind=options["screen_kind"],
        limits={name: options[name] for name in limits},
    )


def _server(account: Account) -> str:
    url = account.base_url or os.environ.get("MULTIWHATS_BASE_URL") or BASE_URL
    return urlsplit(checked_base_url(url)).netloc


def _checked(file: BinaryIO, path: str, plan: Plan, expected: tuple[str, ...]) -> Checked:
    """Return the input, looked through as a whole.

    Raises:
        click.UsageError: No number is given to send from.
        NothingSentError: Something in it needs mending.
    """
    checked = check(
        file,
        encoding=plan.encoding,
        sender=plan.account.sender,
        columns=plan.columns,
        expected=expected,
    )
    if checked.lacks_sender:
        raise click.UsageError(
            "no number to send from: give --from, set MULTIWHATS_FROM, or add a column from"
        )
    _refuse_bad(checked, path)
    return checked


def _tell_nothing_is_left(standing: Summary, *, only_failed: bool) -> int:
    """Say that there is nothing to send, and how to send it anew; return the exit code."""
    if only_failed:
        text = "no message was refused, or tried and not sent"
    else:
        text = (
            "every message has its outcome. "
            "To send all of them anew, name a new campaign: --campaign NAME"
        )
    click.echo(f"Nothing was sent: {text}", err=True)
    return ALL_ACCEPTED if standing.accepted == standing.total else SOME_FAILED


def _stamp(file: BinaryIO) -> tuple[int, int]:
    """Return what changes when somebody saves the file while the question is on the screen."""
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns


def _refuse_bad(checked: Checked, path: str) -> None:
    """List what is wrong with the input, if anything is.

    Raises:
        NothingSentError: Something is.
    """
    name = name_of(path)
    for problem in checked.problems:
        click.echo(f"  {problem}", err=True)
    if checked.bad > len({problem.line for problem in checked.problems}):
        click.echo("  …", err=True)
    if checked.unreadable is not None:
        raise NothingSentError(f"nothing was sent: {name}: {checked.unreadable}")
    if checked.bad:
        total = checked.good + checked.bad
        raise NothingSentError(
            f"nothing was sent: {checked.bad:,} of {total:,} rows of {name} need mending"
        )
    if not checked.good:
        raise NothingSentError(f"nothing was sent: {name} has a header and no rows")
