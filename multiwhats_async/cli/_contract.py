"""What the vendor documents, what this package assumes, and where an answer differs. Pure rules."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import attrs

DOCUMENTED: Final = "documented"
ASSUMED: Final = "assumed"

SAME: Final = "same"
DIFFERS: Final = "differs"
OPEN: Final = "open"
"""It could not be found out."""

LATER: Final = frozenset({408, 409, 425, 429})
"""Statuses of 4xx that are no plain no: of these the client takes some for "later", some for
unknown."""

KEY_REFUSED: Final = frozenset({401, 403})

SHOWN: Final = 60
"""Characters of a value that are shown."""

MINUTES: Final = 60


@attrs.frozen(kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: What.
        basis: :data:`DOCUMENTED` or :data:`ASSUMED`.
        expected: What was expected.
        seen: What was seen.
        verdict: :data:`SAME`, :data:`DIFFERS` or :data:`OPEN`.
    """

    what: str
    basis: str
    expected: str
    seen: str
    verdict: str

    def to_dict(self) -> dict[str, str]:
        """Return the finding as plain data, ready for JSON."""
        return attrs.asdict(self)


def compared(what: str, basis: str, expected: object, seen: object) -> Finding:
    """Return the finding for a value that should be another one exactly."""
    # True is 1 to Python, and no number to JSON.
    is_same = expected == seen and type(expected) is type(seen)
    return Finding(
        what=what,
        basis=basis,
        expected=shown(expected),
        seen=shown(seen),
        verdict=SAME if is_same else DIFFERS,
    )


def shown(value: object) -> str:
    """Return a value as a person reads it, cut off, without what would steer a terminal."""
    if value is None:
        return "null"
    text = value if isinstance(value, str) else repr(value)
    text = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


# --- the record -------------------------------------------------------------------------------

Check = Callable[[object], bool]


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_text_or_null(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_time(value: object) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"\d{4}(-\d\d){2} \d\d(:\d\d){2}", value))


def _is_object(value: object) -> bool:
    return isinstance(value, Mapping)


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _is_no_file(value: object) -> bool:
    return isinstance(value, str) or (_is_whole(value) and value == 0)


def _is_buttons(value: object) -> bool:
    return value is None or (isinstance(value, list) and all(map(_is_text, value)))


_KINDS: Final[dict[Check, str]] = {
    _is_whole: "a whole number",
    _is_number: "a number",
    _is_text: "a text",
    _is_text_or_null: "a text or null",
    _is_time: "a time such as 2023-04-26 11:11:58",
    _is_object: "an object",
    _is_list: "a list",
    _is_no_file: "0 or an address",
    _is_buttons: "a list of texts or null",
    lambda _: True: "anything",
}
_ANYTHING: Final = next(check for check, name in _KINDS.items() if name == "anything")

RECORD: Final[dict[str, Check]] = {
    **dict.fromkeys(("id", "user_id", "social_media_account_id"), _is_whole),
    **dict.fromkeys(("platform", "from_identifier", "message"), _is_text),
    "file_url": _is_no_file,
    **dict.fromkeys(("queue_type", "message_type", "status"), _is_text),
    "total_credit": _is_number,
    **dict.fromkeys(("target_count", "pending_count", "sent_count"), _is_whole),
    **dict.fromkeys(("delivered_count", "not_delivered_count", "seen_count"), _is_whole),
    **dict.fromkeys(("send_at", "created_at", "updated_at"), _is_time),
    "extra_data": _is_object,
    "targets": _is_list,
}
TARGET: Final[dict[str, Check]] = {
    **dict.fromkeys(("id", "user_id", "queue_id"), _is_whole),
    "target_identifier": _is_text,
    "message": _is_text_or_null,
    "status": _is_text,
    "extra_data": _is_object,
    **dict.fromkeys(("created_at", "updated_at"), _is_time),
}
EXTRA_DATA: Final[dict[str, Check]] = {
    "buttons": _is_buttons,
    "options": _ANYTHING,
    "selectedItemId": _ANYTHING,
}
"""The documented fields, with the types of the documented example."""


@attrs.frozen(kw_only=True)
class Sent:
    """The message that the record is to tell of."""

    sender: str
    to: str
    text: str
    buttons: Sequence[str]


def of_record(record: Mapping[str, Any], sent: Sent, *, now: datetime) -> Iterator[Finding]:
    """Yield what a record differs in from the documented one, and from what is assumed.

    Args:
        record: The record as it came.
        sent: The message.
        now: The time in UTC, naive.
    """
    yield from _fields("record", record, RECORD)
    yield from _fields("record.extra_data", record.get("extra_data"), EXTRA_DATA)
    for name, expected in (
        ("platform", "whatsapp"),
        ("from_identifier", sent.sender),
        ("message", sent.text),
        ("queue_type", "normal"),
        ("message_type", "button"),
        ("target_count", 1),
        ("status", "done"),
    ):
        yield compared(f"record.{name}", DOCUMENTED, expected, record.get(name))
    yield compared("record.total_credit", ASSUMED, 1, record.get("total_credit"))
    yield _zone(record.get("created_at"), now)
    extra = record.get("extra_data")
    if isinstance(extra, Mapping):
        buttons = [*sent.buttons]
        yield compared("record.extra_data.buttons", DOCUMENTED, buttons, extra.get("buttons"))
        chosen = extra.get("selectedItemId")
        yield compared("record.extra_data.selectedItemId", DOCUMENTED, None, chosen)
    targets = record.get("targets")
    if isinstance(targets, list):
        yield compared("record.targets", DOCUMENTED, "1 of them", f"{len(targets)} of them")
        for target in targets[:1]:
            yield from _target(target, record.get("id"), sent)


def _target(target: Any, queue_id: object, sent: Sent) -> Iterator[Finding]:
    yield from _fields("target", target, TARGET)
    if isinstance(target, Mapping):
        yield from _fields("target.extra_data", target.get("extra_data"), EXTRA_DATA)
        yield compared("target.queue_id", DOCUMENTED, queue_id, target.get("queue_id"))
        yield compared("target.status", DOCUMENTED, "sent", target.get("status"))
        number = target.get("target_identifier")
        yield compared("target.target_identifier", ASSUMED, sent.to, number)


def _fields(what: str, given: object, documented: Mapping[str, Check]) -> Iterator[Finding]:
    """Yield a finding for each field that is missing, of another type or new; else one for all."""
    count = f"{len(documented)} fields of the documented types"
    if not isinstance(given, Mapping):
        yield Finding(
            what=what, basis=DOCUMENTED, expected=count, seen=_kind(given), verdict=DIFFERS
        )
        return
    wrong = [
        Finding(
            what=f"{what}.{name}",
            basis=DOCUMENTED,
            expected=_KINDS[check],
            seen=_kind(given[name]) if name in given else "missing",
            verdict=DIFFERS,
        )
        for name, check in documented.items()
        if name not in given or not check(given[name])
    ]
    new = [
        Finding(
            what=f"{what}.{shown(str(name))}",
            basis=DOCUMENTED,
            expected="no such field",
            seen=_kind(given[name]),
            verdict=DIFFERS,
        )
        for name in given
        if name not in documented
    ]
    yield from wrong + new
    if not wrong + new:
        yield Finding(what=what, basis=DOCUMENTED, expected=count, seen=count, verdict=SAME)


def _kind(value: object) -> str:
    """Return what kind of value it is, without its content: it may be somebody's."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    for check in (_is_time, _is_text, _is_whole, _is_number, _is_list):
        if check(value):
            return _KINDS[check]
    return "an object"


def _zone(stamp: object, now: datetime) -> Finding:
    """Say how far the vendor's clock is from UTC: no zone is documented."""
    expected = "UTC, within a quarter of an hour"
    try:
        ahead = datetime.fromisoformat(str(stamp)).replace(tzinfo=None) - now
    except ValueError:
        seen, verdict = "no time", OPEN
    else:
        minutes = round(ahead.total_seconds() / MINUTES / 15) * 15
        hours = f"{abs(minutes) / MINUTES:g} h {'ahead of' if minutes > 0 else 'behind'} UTC"
        seen, verdict = (hours, DIFFERS) if minutes else (expected, SAME)
    return Finding(
        what="record.created_at", basis=ASSUMED, expected=expected, seen=seen, verdict=verdict
    )


# --- the statuses -----------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Probe:
    """A request that costs nothing and reaches nobody: it names no recipient.

    Attributes:
        what: What is asked.
        path: Its path below the base URL; None is the documented endpoint.
        body: What is sent; None is an object with the user's own key, and nothing else.
        key: A key for the query; None sends none.
        refuses_key: Whether the answer should speak of the key.
    """

    what: str
    path: str | None = None
    body: bytes | None = b"{}"
    key: str | None = None
    refuses_key: bool = False

    @property
    def expected(self) -> str:
        """What is assumed of its answer."""
        if self.refuses_key:
            return "401 or 403"
        return "a 4xx that says no, and nothing of the key" if self.body is None else "a 4xx"


PROBES: Final = (
    Probe(what="no such path, no key", path="basic/whatsapp/no-such-path"),
    Probe(what="a body that is no JSON, no key", body=b"{"),
    Probe(what="no data, a key that is none", key="this-is-no-key", refuses_key=True),
    Probe(what="no data, your key in the JSON", body=None),
)


def of_probe(probe: Probe, status: int | str) -> Finding:
    """Return what the answer to a probe says of what is assumed.

    Args:
        probe: The probe.
        status: The status, or why there was none.
    """
    return Finding(
        what=probe.what,
        basis=ASSUMED,
        expected=probe.expected,
        seen=str(status),
        verdict=_verdict(probe, status),
    )


def _verdict(probe: Probe, status: int | str) -> str:
    if isinstance(status, str) or status in LATER:
        return OPEN
    if probe.refuses_key:
        return SAME if status in KEY_REFUSED else DIFFERS
    if not 400 <= status < 500:  # noqa: PLR2004  # the client's errors
        return DIFFERS
    return DIFFERS if probe.body is None and status in KEY_REFUSED else SAME
