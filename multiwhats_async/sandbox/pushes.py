"""How a customer's choice is pushed to a webhook. All of it is assumed.

The vendor documents that "you can take this information into your own system instantly", and a
field ``selectedItemId`` in ``extra_data``; neither how it is pushed nor what the field holds.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import attrs

from multiwhats_async._secret import MASK
from multiwhats_async.replies import AssumedItemId

from ._answers import stamp_of
from .messages import SandboxError, SandboxMessage, Tap

MAX_URL: Final = 2_000
"""Of a webhook, in characters. Ours: longer ones are no addresses."""

MAX_TEMPLATE_BYTES: Final = 1_000_000

PLACEHOLDERS: Final[dict[str, Callable[[SandboxMessage, Tap], Any]]] = {
    "{label}": lambda _, tap: tap.label,
    "{index_from_0}": lambda _, tap: tap.index,
    "{index_from_1}": lambda _, tap: tap.index + 1,
    "{queue_id}": lambda message, _: message.id,
    "{target_id}": lambda message, _: message.response["targets"][0]["id"],
    "{from}": lambda message, _: message.sender,
    "{to}": lambda message, _: message.recipient,
    "{message}": lambda message, _: message.text,
    "{buttons}": lambda message, _: [*message.buttons],
    "{time}": lambda _, tap: stamp_of(tap.time),
}
"""What a template of the user's may hold. A text that is one of them alone becomes its value,
with its type; within a longer text it is written out."""

_PLACEHOLDER: Final = re.compile("|".join(map(re.escape, PLACEHOLDERS)))


def is_loopback(host: str) -> bool:
    """Return whether a host name means this machine and nothing else, by its text alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@attrs.frozen
class Webhook:
    """Where choices are pushed, and in which form.

    Attributes:
        url: The target; None pushes nowhere.
        item_id: What ``selectedItemId`` holds.
        template: The JSON of another shape, with :data:`PLACEHOLDERS`, or None for the
            documented record.
    """

    url: str | None = attrs.field(default=None, repr=lambda url: repr(url and shown_url(url)))
    item_id: AssumedItemId = AssumedItemId.LABEL
    template: Any = attrs.field(default=None, repr=False)

    def body(self, message: SandboxMessage, tap: Tap) -> Any:
        """Return the JSON that is pushed for a choice."""
        if self.template is not None:
            values = {name: find(message, tap) for name, find in PLACEHOLDERS.items()}
            return _filled(self.template, values)
        return chosen_record(message.response, self._item(tap), tap.time)

    def _item(self, tap: Tap) -> str | int:
        items: dict[AssumedItemId, str | int] = {
            AssumedItemId.LABEL: tap.label,
            AssumedItemId.INDEX_FROM_0: tap.index,
            AssumedItemId.INDEX_FROM_1: tap.index + 1,
        }
        return items[self.item_id]


def chosen_record(record: Mapping[str, Any], item: str | int, time: datetime) -> dict[str, Any]:
    """Return a message's record with the choice in it, on the queue and on its target.

    Args:
        record: The record that was answered when the message was sent.
        item: What ``selectedItemId`` holds.
        time: When the button was tapped.
    """
    stamp = stamp_of(time)
    (target,) = record["targets"]
    return {
        **record,
        "updated_at": stamp,
        "extra_data": {**record["extra_data"], "selectedItemId": item},
        "targets": [
            {
                **target,
                "extra_data": {**target["extra_data"], "selectedItemId": item},
                "updated_at": stamp,
            }
        ],
    }


def read_template(path: Path) -> Any:
    """Return the JSON of a payload that the user captured, its values replaced by placeholders.

    Raises:
        ValueError: It is no JSON, or holds none of :data:`PLACEHOLDERS`.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(MAX_TEMPLATE_BYTES + 1)
    if len(data) > MAX_TEMPLATE_BYTES:
        raise ValueError(f"{path} is over {MAX_TEMPLATE_BYTES:,} bytes: a reply is shorter")
    try:
        template = json.loads(data.decode())
    except RecursionError:
        raise ValueError(f"{path} is nested too deep") from None
    except ValueError as error:
        raise ValueError(f"{path} is no JSON in UTF-8: {error}") from None
    if not any(name in data.decode() for name in PLACEHOLDERS):
        raise ValueError(
            f"{path} holds no placeholder, so every choice would look the same: write one or more "
            f"of {', '.join(PLACEHOLDERS)} where the captured payload has such a value"
        )
    return template


def checked_url(url: str, *, remote: bool) -> str:
    """Return a webhook's address, or raise.

    Args:
        url: The address.
        remote: Whether it may be another machine's.

    Raises:
        SandboxError: It is no address that the sandbox pushes to; its secrets are not repeated.
    """
    parts = _split(url)
    if (
        parts is None
        or parts.scheme not in {"http", "https"}
        or not parts.hostname
        or "@" in parts.netloc
    ):
        raise SandboxError(
            "invalid_webhook",
            "The webhook is no address without a user's name: "
            "write one such as http://127.0.0.1:8000/replies?token=secret",
        )
    if not remote and not is_loopback(parts.hostname):
        raise SandboxError(
            "invalid_webhook",
            f"The webhook's host {parts.hostname!r} may be another machine, and a sandbox's "
            "choices are made up: use 127.0.0.1, ::1 or localhost, or start the sandbox with "
            "--allow-remote-webhook",
        )
    return url


def shown_url(url: str) -> str:
    """Return an address as it may be shown: no user, the values of the query masked."""
    parts = _split(url)
    if parts is None:
        return MASK
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = "" if parts.port is None else f":{parts.port}"
    fields = (field.rpartition("=") for field in parts.query.split("&"))
    query = "&".join(f"{name}{equals}{MASK}" for name, equals, _ in fields)
    return f"{parts.scheme}://{host}{port}{parts.path}" + (f"?{query}" if parts.query else "")


def _split(url: str) -> SplitResult | None:
    """Return the parts of an address, or None where it is none."""
    # "@" and "\\" in the host are read differently by different readers of addresses.
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or {*" \\"} & {*url}:
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is none
    except ValueError:
        return None
    return parts


def _filled(template: Any, values: Mapping[str, Any]) -> Any:
    """Return a template with its placeholders filled in, in texts at any depth."""
    if isinstance(template, dict):
        return {name: _filled(value, values) for name, value in template.items()}
    if isinstance(template, list):
        return [_filled(value, values) for value in template]
    if not isinstance(template, str):
        return template
    if template in values:
        return values[template]
    # One pass: what stands in a value, such as a label "{to}", is not filled in again.
    return _PLACEHOLDER.sub(lambda found: _written(values[found[0]]), template)


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
