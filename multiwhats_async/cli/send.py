"""``multiwhats send``: one message."""

import sys
from typing import Final

import anyio
import click

from .._secret import mask_number
from ..client import AsyncMultiWhats
from ..errors import InvalidMessageError
from ..models import ButtonMessage, MessageReceipt
from ..outcomes import Outcome
from ._exits import INTERRUPTED
from ._failure import NothingSentError, complain, for_the_command_line
from ._options import account_of, account_options
from ._report import failure_text
from ._results import as_json
from ._screen import PlainScreen, many, write_out
from ._sending import Sent, code_of_error, send_all

STANDARD_INPUT: Final = "-"

LONGEST_WAIT: Final = 120.0
"""Seconds after which no further attempt is begun: a server that asks to come back in an hour is
not waited for. The number is that of ``RetryPolicy.max_retry_after``."""


@click.command("send")
@click.option("--to", required=True, metavar="NUMBER", help="The recipient, with country code.")
@click.option("--message", required=True, metavar="TEXT", help="The text; - reads standard input.")
@click.option(
    "--button",
    "buttons",
    required=True,
    multiple=True,
    metavar="TEXT",
    help="A button; repeat it for more.",
)
@account_options
@click.option("--json", "is_json", is_flag=True, help="Print the outcome as JSON, numbers whole.")
def command(
    to: str,
    message: str,
    buttons: tuple[str, ...],
    *,
    is_json: bool,
    **account: str,
) -> int:
    """Send one message with buttons.

    Prints the vendor's record of it. A message that may or may not have gone out is not sent
    again; the exit code is 1 then.
    """
    chosen = account_of(**account)
    try:
        text = _standard_input() if message == STANDARD_INPUT else message
        built = ButtonMessage(to, text, buttons)
    except InvalidMessageError as error:
        raise NothingSentError(for_the_command_line(f"nothing was sent: {error}")) from None
    if chosen.sender is None:
        raise click.UsageError("no number to send from: give --from, or set MULTIWHATS_FROM")
    return _tell(anyio.run(_send, chosen.client(), built), is_json=is_json)


async def _send(client: AsyncMultiWhats, message: ButtonMessage) -> tuple[Sent, Outcome]:
    """Send as a run of one, which signals can stop and give up without tearing it."""
    outcomes: list[Outcome] = []
    async with client:
        sent = await send_all(
            client,
            _Single((message,)),
            screen=PlainScreen(),
            on_outcome=lambda _line, outcome: outcomes.append(outcome),
            deadline=LONGEST_WAIT,
        )
    return sent, outcomes[0]


class _Single(tuple[ButtonMessage, ...]):
    """One message, which stands in no file."""

    __slots__ = ()

    def line_of(self, index: int) -> int:  # noqa: ARG002  # one message, one line
        """Return the line of the message."""
        return 1


def _tell(result: tuple[Sent, Outcome], *, is_json: bool) -> int:
    """Print what became of the message; return the exit code."""
    sent, outcome = result
    if is_json:
        write_out(as_json(outcome.to_dict(), encoding=sys.stdout.encoding))
    elif outcome.receipt is not None:
        write_out(_receipt_text(outcome.receipt, to=outcome.message.to))
    if outcome.error is not None:
        complain(failure_text(outcome))
    return INTERRUPTED if sent.is_interrupted else code_of_error(outcome.error)


def _receipt_text(receipt: MessageReceipt, *, to: str) -> str:
    """Return the vendor's record in one line; it may lack any of its fields."""
    parts = [f"Accepted: message {receipt.id or '(no id)'} to {mask_number(to)}"]
    if receipt.status is not None:
        parts.append(f"status {receipt.status}")
    if receipt.total_credit is not None:
        parts.append(many(receipt.total_credit, "credit"))
    return ", ".join(parts)


def _standard_input() -> str:
    """Return standard input without its last line end."""
    try:
        text = sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise click.UsageError("--message -: standard input is not UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r")
