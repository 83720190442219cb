"""Asks the vendor: one message, and the requests that cost nothing and reach nobody."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

import anyio
import attrs
import httpx

from .._wire import ENDPOINT
from ..client import AsyncMultiWhats
from ..models import ButtonMessage
from ..outcomes import Certainty, Outcome
from ..retry import RetryPolicy
from ._contract import (
    DIFFERS,
    DOCUMENTED,
    OPEN,
    PROBES,
    SAME,
    Finding,
    Probe,
    Sent,
    of_probe,
    shown,
)
from ._contract import of_record as compare_record

ONCE: Final = RetryPolicy(attempts=1, throttled_attempts=1)
"""One attempt, whatever comes of it: one credit was agreed to."""

PROBE_SECONDS: Final = 20.0
"""For one probe."""

TEXT: Final = "A check of multiwhats-async 👤\nYou need not answer."
BUTTONS: Final = ("👍 Yes", "⛔ No")


@attrs.frozen
class Checked:
    """What was found out.

    Attributes:
        outcome: What became of the message.
        findings: What was looked at.
    """

    outcome: Outcome
    findings: list[Finding]


@attrs.define
class _Seen:
    """The head of the last answer."""

    text: str = "nothing"
    is_json: bool = False
    status: int | None = None

    async def note(self, response: httpx.Response) -> None:
        """Take the head of an answer; httpx calls it with each."""
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        self.status, self.is_json = response.status_code, kind == "application/json"
        self.text = f"{response.status_code}, {shown(kind) or 'no content type'}"


async def check_contract(
    options: dict[str, Any], *, base_url: str, key: str, sender: str, to: str
) -> Checked:
    """Send one message, ask the probes, and compare what comes with what is expected.

    Args:
        options: Further options of the client.
        base_url: Where the API is, checked.
        key: The account's key.
        sender: The number that sends.
        to: The user's own number.
    """
    seen = _Seen()
    async with httpx.AsyncClient(
        trust_env=False,
        timeout=None,  # noqa: S113  # every request here has a deadline of its own
        event_hooks={"response": [seen.note]},
    ) as http:
        message = ButtonMessage(to, TEXT, BUTTONS)
        async with AsyncMultiWhats(
            key, base_url=base_url, sender=sender, retry=ONCE, http_client=http, **options
        ) as client:
            outcome = await client.deliver(message)
        findings = [
            *_of_message(outcome, seen, Sent(sender=sender, to=to, text=TEXT, buttons=BUTTONS))
        ]
        # Where the message could not be brought to the server, no question can.
        probes = () if outcome.certainty is Certainty.NOT_SENT else PROBES
        findings += [of_probe(probe, await _ask(http, base_url, key, probe)) for probe in probes]
    return Checked(outcome, findings)


def _of_message(outcome: Outcome, seen: _Seen, sent: Sent) -> Iterator[Finding]:
    """Yield what the answer to the message says."""
    is_expected = outcome.receipt is not None and seen.status == HTTPStatus.OK and seen.is_json
    yield Finding(
        what="message",
        basis=DOCUMENTED,
        expected="200, application/json, with the record",
        seen=seen.text if outcome.error is None else f"{seen.text}: {outcome.error}",
        verdict=SAME if is_expected else OPEN if seen.status is None else DIFFERS,
    )
    if outcome.receipt is not None:
        now = datetime.now(tz=UTC).replace(tzinfo=None)
        yield from compare_record(outcome.receipt.raw, sent, now=now)


async def _ask(http: httpx.AsyncClient, base_url: str, key: str, probe: Probe) -> int | str:
    """Return the status of a probe's answer, or why there was none; the body is not read."""
    content = json.dumps({"apikey": key}).encode() if probe.body is None else probe.body
    request = http.build_request(
        "POST",
        base_url + (ENDPOINT if probe.path is None else probe.path),
        params=None if probe.key is None else {"apikey": probe.key},
        content=content,
        headers={"content-type": "application/json"},
    )
    with suppress(TimeoutError), anyio.fail_after(PROBE_SECONDS):
        try:
            response = await http.send(request, stream=True)
        except httpx.HTTPError as error:
            return f"no answer ({type(error).__name__})"
        await response.aclose()
        return response.status_code
    return f"no answer within {PROBE_SECONDS:g} s"
