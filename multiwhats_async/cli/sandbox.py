"""``multiwhats sandbox``: the API on this machine, with a phone to look at."""

import logging
import os
import shutil
import signal
import subprocess
import webbrowser
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final

import click

from ..replies import AssumedItemId
from ..sandbox import (
    Emulator,
    FaultPlan,
    SandboxJournal,
    SandboxServer,
    SandboxStats,
    Webhook,
    read_template,
)
from ._exits import ALL_ACCEPTED
from ._screen import many, write_out

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8787

NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126
"""A shell's own exit codes for a command that cannot be run."""
SIGNALLED: Final = 128
"""A shell's own, to which it adds the signal that ended a command."""


_log: Final = logging.getLogger("multiwhats_async")


@click.group("sandbox", invoke_without_command=True)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help=f"Default: {DEFAULT_PORT}; with exec any free one.",
)
@click.option("--host", default=DEFAULT_HOST, show_default=True, help="A loopback address.")
@click.option("--allow-remote", is_flag=True, help="Let --host be reachable from other machines.")
@click.option("--api-key", metavar="KEY", help="Accept this key only; otherwise any.")
@click.option(
    "--credits", "budget", type=click.IntRange(min=0), metavar="N", help="Credits before 402."
)
@click.option(
    "--webhook",
    metavar="URL",
    help="Where a customer's choice is pushed, such as http://127.0.0.1:8000/replies?token=secret.",
)
@click.option(
    "--allow-remote-webhook", is_flag=True, help="Let --webhook be another machine's address."
)
@click.option(
    "--assume-item-id",
    "item_id",
    type=click.Choice([kind.value for kind in AssumedItemId]),
    default=AssumedItemId.LABEL.value,
    show_default=True,
    help="What selectedItemId holds in a pushed choice; the vendor does not say.",
)
@click.option(
    "--reply-template",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Push the shape of a payload that you captured: JSON with {label}, {to}, {queue_id} ...",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="SPEC",
    help="What goes wrong, such as 429@every:50, disconnect_after@nth:7 or "
    "webhook_duplicate@p:0.1; repeat it for more.",
)
@click.option(
    "--magic-numbers",
    is_flag=True,
    help="Numbers that end in 0401, 0402, 0422, 0429, 0500, 0503 ... are answered so.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of faults with p:.")
@click.option(
    "--db",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Keep messages and deliveries in this file; otherwise they end with the sandbox.",
)
@click.option("--open", "open_page", is_flag=True, help="Open the page in your browser.")
@click.option("--headless", is_flag=True, help="No page, only the APIs.")
@click.pass_context
def command(context: click.Context, /, *, port: int | None, **options: Any) -> int:
    """Serve the MultiWhats API on this machine, with a phone to look at.

    Prints the two lines that point a program at it, and serves until Ctrl-C. Nothing is sent.
    """
    if options["open_page"] and options["headless"]:
        raise click.UsageError("--open shows the page, and --headless has none: choose one.")
    context.obj = {"port": port, **options}
    return ALL_ACCEPTED if context.invoked_subcommand else _serve(context.obj)


@command.command("exec", context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND")
@click.pass_context
def run_command(context: click.Context, /, *, words: tuple[str, ...]) -> int:
    """Run a command against a sandbox of its own, and end with its exit code.

    The command finds MULTIWHATS_BASE_URL and MULTIWHATS_API_KEY in its environment:

    \b
      multiwhats sandbox --fault 429@every:5 exec -- pytest tests
    """  # noqa: D301  # click's own mark for text that is not to be wrapped
    program = shutil.which(words[0])
    if program is None:
        click.echo(f"{words[0]}: there is no such command.", err=True)
        return NOT_FOUND
    with _server(context.obj, default_port=0) as server:
        try:
            server.start()
        except OSError as error:
            raise click.UsageError(str(error.strerror)) from None
        try:
            if context.obj["open_page"]:
                webbrowser.open(server.url)
            code = _run([program, *words[1:]], os.environ | server.env)
        finally:
            server.stop()
        _tell(server.emulator.stats())
    return code


def _serve(options: dict[str, Any]) -> int:
    """Serve until Ctrl-C."""
    with _server(options, default_port=DEFAULT_PORT) as server:
        try:
            server.serve_forever(on_start=partial(_introduce, options))
        except OSError as error:
            raise click.UsageError(str(error.strerror)) from None
        _tell(server.emulator.stats())
    return ALL_ACCEPTED


def _introduce(options: dict[str, Any], server: SandboxServer) -> None:
    """Print how to use it."""
    for name, value in server.env.items():
        write_out(f"export {name}={value}")
    page = "" if options["headless"] else f" Look at it on {server.url}"
    click.echo(f"The sandbox answers; Ctrl-C ends it. Nothing is sent.{page}", err=True)
    if options["open_page"]:
        webbrowser.open(server.url)


class _Warnings(logging.Handler):
    """Says a warning of the package in one line: a file that cannot be written, say."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(record.getMessage(), err=True)


@contextmanager
def _server(options: dict[str, Any], *, default_port: int) -> Generator[SandboxServer]:
    """Make the server that the options describe; close its file in the end."""
    with ExitStack() as stack:
        handler = _Warnings(logging.WARNING)
        _log.addHandler(handler)
        stack.callback(_log.removeHandler, handler)
        try:
            server = _built(options, stack, default_port)
        except (ValueError, OSError) as error:
            raise click.UsageError(
                str(error).replace("pass allow_remote=True", "add --allow-remote")
            ) from None
        yield server


def _built(options: dict[str, Any], stack: ExitStack, default_port: int) -> SandboxServer:
    """Return the server; what is to be closed in the end goes on the stack."""
    path, port, template = options["db"], options["port"], options["reply_template"]
    webhook = Webhook(
        options["webhook"],
        AssumedItemId(options["item_id"]),
        None if template is None else read_template(template),
    )
    journal = None if path is None else SandboxJournal(path)
    if journal is not None:
        stack.callback(journal.close)
    emulator = Emulator(
        api_keys=None if options["api_key"] is None else [options["api_key"]],
        credits=options["budget"],
        faults=FaultPlan(options["faults"], seed=options["seed"]),
        magic_numbers=options["magic_numbers"],
        webhook=webhook,
        remote_webhook=options["allow_remote_webhook"],
        journal=journal,
    )
    return SandboxServer(
        emulator,
        host=options["host"],
        port=default_port if port is None else port,
        allow_remote=options["allow_remote"],
        page=not options["headless"],
    )


def _run(words: list[str], env: dict[str, str]) -> int:
    """Run a command to its end; a signal is the command's to answer."""
    try:
        process = subprocess.Popen(words, env=env)  # noqa: S603 - the user's own command
    except OSError as error:
        click.echo(f"{words[0]}: {error.strerror}", err=True)
        return NOT_EXECUTABLE
    # On Ctrl-C the terminal tells the command too; what ends a service tells this process alone.
    previous = {
        signal.SIGINT: signal.signal(signal.SIGINT, _leave_it),
        signal.SIGTERM: signal.signal(signal.SIGTERM, partial(_pass_on, process)),
    }
    try:
        code = process.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return code if code >= 0 else SIGNALLED - code


def _leave_it(_number: int, _frame: FrameType | None) -> None:
    """Do nothing about a signal."""


def _pass_on(process: "subprocess.Popen[bytes]", number: int, _frame: FrameType | None) -> None:
    """Hand a signal on."""
    process.send_signal(number)


def _tell(stats: SandboxStats) -> None:
    """Print what was counted."""
    click.echo(
        f"{many(stats.requests, 'request')} read, {many(stats.accepted, 'message')} accepted, "
        f"{many(stats.credits, 'credit')}, {stats.sent_twice:,} sent twice",
        err=True,
    )
