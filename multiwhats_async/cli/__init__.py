"""The command line: ``multiwhats send | bulk | check | report | …``, one module a sub-command.

Only click is imported here. Each sub-command is a module of its own, imported when it is called
for, so that ``multiwhats --help`` waits for no HTTP client.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final, NoReturn

import click

from .._version import __version__
from ._exits import BUG, INTERRUPTED

COMMANDS: Final = {
    "send": "Send one message with buttons.",
    "bulk": "Send a file of messages.",
    "check": "Look at a file of messages, and send nothing.",
    "report": "Show what has become of a campaign.",
    "resolve": "Record what an unknown message has turned out to be.",
    "campaign": "See, pause, resume or cancel a campaign of many machines.",
    "worker": "Send what was handed to workers, on any number of machines.",
    "contract": "See whether the vendor does what is documented and assumed.",
    "config": "Show each setting, and where it comes from. The key is masked.",
    "demo": "Watch a bulk send against a sandbox: no account, no network.",
    "sandbox": "Serve the MultiWhats API on this machine, with a phone to look at.",
}
"""Every sub-command with its first line of help; the module that holds it has its name."""


class _LazyGroup(click.Group):
    """Knows its commands by name, and imports one when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # likewise
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f".{cmd_name}", __name__).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # likewise
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=_LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="multiwhats", message="%(prog)s %(version)s")
@click.pass_context
def group(context: click.Context) -> None:
    """WhatsApp button messages through MultiWhats: one, or a file of them.

    \b
    Exit codes
      0    all accepted
      1    some failed, or it is unknown whether they went out
      2    wrong usage
      3    nothing was sent: the input did not pass its check, or cannot be put on record
      4    the API key was refused, or the credit is used up
      5    the server does not answer: the run was stopped
      6    the campaign was paused or cancelled while it was being sent
      130  interrupted
    """  # noqa: D301  # click's own mark for text that is not to be wrapped
    if context.invoked_subcommand is None:
        names = ", ".join(COMMANDS)
        raise click.UsageError(f"no command: name one of {names}, or see multiwhats --help")


def run(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    Args:
        argv: The arguments after the program's name; None takes those of the process.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    sys.exit(_run(arguments))


def _run(arguments: list[str]) -> int:
    """Return the exit code; whatever happens becomes at most one line on standard error."""
    try:
        code: Any = group.main(
            arguments, prog_name="multiwhats", standalone_mode=False, obj=arguments
        )
    except click.Abort:
        return _complain("interrupted", INTERRUPTED, arguments)
    except click.ClickException as error:
        return _complain(error.format_message(), error.exit_code, arguments)
    except Exception as error:  # noqa: BLE001  # the last resort: no traceback reaches a user
        return _explain(error, arguments)
    return int(code or 0)


def _complain(text: str, code: int, arguments: list[str]) -> int:
    from ._failure import complain  # noqa: PLC0415  # only where something went wrong

    complain(text, arguments)
    return code


def _explain(error: Exception, arguments: list[str]) -> int:
    from ._failure import explain  # noqa: PLC0415  # likewise

    text, code = explain(error, is_bug=BUG)
    return _complain(text, code, arguments)
