"""``multiwhats contract``: whether the vendor does what is documented, and what we assume."""

import os
import sys
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import anyio
import click

from .._secret import mask_number
from .._settings import BASE_URL, checked_base_url
from ..outcomes import Certainty
from ._contract import DIFFERS, OPEN, PROBES, SAME, Finding
from ._exits import ALL_ACCEPTED, NOTHING_SENT, SOME_FAILED
from ._failure import complain, fit_to_show
from ._options import NUMBER, account_of, account_options
from ._probing import Checked, check_contract
from ._report import failure_text
from ._results import as_json
from ._screen import can_ask, write_out
from ._sending import code_of_error

MARKS: Final = {SAME: "ok", DIFFERS: "DIFFERS", OPEN: "not known"}


@click.command("contract")
@click.option("--to", required=True, type=NUMBER, help="Your own number: it gets the message.")
@account_options
@click.option("--json", "is_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--yes", "is_confirmed", is_flag=True, help="Do not ask.")
@click.pass_context
def command(
    context: click.Context, /, to: str, *, is_json: bool, is_confirmed: bool, **account: str
) -> int:
    """See whether the vendor does what is documented and assumed.

    Sends ONE message to your own number, which costs a credit, and compares the answer. Then asks
    what has nothing to charge for and reaches nobody: requests without a recipient. Shows first
    what it will do, and asks. The exit code is 1 where something differs or could not be found out.
    """
    chosen = account_of(**account)
    sender = chosen.sender
    if sender is None:
        raise click.UsageError("no number to send from: give --from, or set MULTIWHATS_FROM")
    chosen.client()  # refuses a missing key, and settings that cannot work
    base_url = checked_base_url(
        chosen.base_url or os.environ.get("MULTIWHATS_BASE_URL") or BASE_URL
    )
    if not is_confirmed and not can_ask():
        raise click.UsageError("there is no terminal to ask on: add --yes to send the message")
    _announce(sender, to, base_url)
    if not is_confirmed and not click.confirm("Go on?", err=True):
        click.echo("Nothing was sent.", err=True)
        return NOTHING_SENT
    key = chosen.api_key or os.environ["MULTIWHATS_API_KEY"]
    options = {"api_key_in": chosen.api_key_in}

    async def run() -> Checked:
        return await check_contract(options, base_url=base_url, key=key, sender=sender, to=to)

    return _tell(anyio.run(run), context.obj or (), is_json=is_json)


def _announce(sender: str, to: str, base_url: str) -> None:
    """Say what will be done, before it is."""
    numbers = f"from {mask_number(sender)} to {mask_number(to)}"
    lines = [
        f"1 message {numbers} through {urlsplit(base_url).netloc}. It costs a credit.",
        "Then, without a recipient, so that they reach nobody and have nothing to charge for:",
        *(f"  {probe.what}" for probe in PROBES),
    ]
    for line in lines:
        click.echo(line, err=True)


def _tell(checked: Checked, arguments: Sequence[str], *, is_json: bool) -> int:
    """Print what was found out; return the exit code."""
    findings = [_fit(finding, arguments) for finding in checked.findings]
    outcome = checked.outcome
    counts = {verdict: sum(one.verdict == verdict for one in findings) for verdict in MARKS}
    if is_json:
        data: dict[str, Any] = {
            "certainty": outcome.certainty.value,
            **counts,
            "findings": [finding.to_dict() for finding in findings],
        }
        write_out(as_json(data, encoding=sys.stdout.encoding))
    else:
        for line in _table(findings):
            write_out(line)
        write_out(_sum(counts))
    if outcome.error is not None:
        complain(failure_text(outcome), arguments)
        if outcome.certainty is not Certainty.UNKNOWN:
            return code_of_error(outcome.error)
    return ALL_ACCEPTED if counts[SAME] == len(findings) else SOME_FAILED


def _fit(finding: Finding, arguments: Sequence[str]) -> Finding:
    """Return a finding without a key or a whole number in it."""
    fields = finding.to_dict()
    return Finding(**{name: fit_to_show(text, arguments) for name, text in fields.items()})


def _table(findings: Sequence[Finding]) -> list[str]:
    """Return the findings as lines; what is expected stands below where it differs."""
    width = max(len(finding.what) for finding in findings)
    lines: list[str] = []
    for finding in findings:
        mark = MARKS[finding.verdict]
        lines.append(
            f"{mark:<9}  {finding.what:<{width}}  {finding.basis:<10}  {finding.seen}".rstrip()
        )
        if finding.verdict != SAME:
            lines.append(f"{'':<9}  {'':<{width}}  {'expected':<10}  {finding.expected}")
    return lines


def _sum(counts: dict[str, int]) -> str:
    """Return the counts in a sentence."""
    text = f"{counts[SAME]} as expected, {counts[DIFFERS]} differ, {counts[OPEN]} not known."
    return f"{text} Please tell us what differs." if counts[DIFFERS] else text
