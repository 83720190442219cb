"""From the bytes that were pushed to a reply. Pure; trusts nothing in them."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from .._converter import make_converter
from .._numbers import NumberError, normalise_number
from .._secret import mask_number, shown
from .._strict import decode_json
from ..errors import ConfigurationError, InvalidReplyError
from ..models import MessageReceipt, MessageTarget
from ._reply import AssumedItemId, Reply

MAX_REPLY_BYTES: Final = 1_000_000
"""Ours: the documented record has 879 bytes."""

MAX_SHOWN: Final = 40
"""Characters of a label that an error shows."""

MAX_DIGITS: Final = 9
"""Of an index that came as text: no message has a thousand million buttons."""

Adapt = Callable[[Any], "Mapping[str, Any] | Reply | None"]
"""Takes the decoded JSON; returns the documented record, a reply, or None where it is no reply."""

_converter: Final = make_converter()


def parse_reply(
    body: bytes, *, assumed_item_id: AssumedItemId | str, adapt: Adapt | None = None
) -> Reply | None:
    """Read a pushed choice.

    Args:
        body: The bytes as they came: JSON in UTF-8, at most :data:`MAX_REPLY_BYTES`.
        assumed_item_id: What ``selectedItemId`` holds: ``"label"``, ``"index_from_0"`` or
            ``"index_from_1"``. The vendor does not document it.
        adapt: For a payload of another shape: takes the decoded JSON and returns the documented
            record, a :class:`Reply`, or None where it is none.

    Returns:
        The reply; None where the record holds no choice, as one that tells of a delivery may
        (assumed).

    Raises:
        InvalidReplyError: The bytes hold no record that can be read. Says what is wrong, without
            repeating them.
        ConfigurationError: ``assumed_item_id`` is none of the three.
    """
    kind = checked_item_id(assumed_item_id)
    data = _decoded(body)
    if adapt is not None:
        try:
            data = adapt(data)
        except Exception as error:
            raise InvalidReplyError(
                f"adapt= has failed on this payload ({type(error).__name__})"
            ) from error
        if data is None or isinstance(data, Reply):
            return data
    if not isinstance(data, Mapping):
        raise InvalidReplyError(
            f"the JSON is no object but {_kind(data)}: give adapt= for a payload of another shape"
        )
    return _reply(_converter.structure(data, MessageReceipt), kind)


def checked_item_id(value: AssumedItemId | str) -> AssumedItemId:
    """Return what ``selectedItemId`` is assumed to hold, or raise."""
    for each in AssumedItemId:
        if isinstance(value, str) and each == value:  # type: ignore[redundant-expr]  # a user's
            return each
    raise ConfigurationError(
        f"assumed_item_id must be one of {', '.join(AssumedItemId)}, not {shown(value)}: "
        "MultiWhats does not document what selectedItemId holds"
    )


def _decoded(body: object) -> Any:
    if not isinstance(body, bytes):
        raise InvalidReplyError(f"the body must be bytes as they came, not {_kind(body)}")
    if len(body) > MAX_REPLY_BYTES:
        raise InvalidReplyError(f"the body is over {MAX_REPLY_BYTES:,} bytes")
    try:
        return decode_json(body)
    except RecursionError:
        raise InvalidReplyError("the JSON is nested too deep") from None
    except ValueError:  # bad UTF-8, bad JSON, a name twice, NaN, a number of thousands of digits
        raise InvalidReplyError("the body is no strict JSON in UTF-8") from None


def _reply(record: MessageReceipt, kind: AssumedItemId) -> Reply | None:
    target, item = _choice(record)
    if item is None:
        return None
    own = record.extra_data.buttons if record.extra_data else None
    buttons = own or (target.extra_data.buttons if target.extra_data else None)
    if not buttons:
        raise InvalidReplyError("extra_data.buttons is missing: which button it was is unknown")
    index = _index(item, buttons, kind)
    return Reply(
        sender=_number("targets[].target_identifier", target.target_identifier),
        recipient=_number("from_identifier", record.from_identifier),
        label=buttons[index],
        index=index,
        buttons=buttons,
        queue_id=target.queue_id if record.id is None else record.id,
        target_id=target.id,
        message=record.message if target.message is None else target.message,
        record=record,
    )


def _choice(record: MessageReceipt) -> tuple[MessageTarget, Any]:
    """Return who has chosen, and the id of what; None for no choice."""
    chosen = [target for target in record.targets if _item(target) is not None]
    if len(chosen) > 1:
        raise InvalidReplyError(f"{len(chosen)} targets have a choice: one customer taps at a time")
    queue_item = _item(record)
    if not chosen and queue_item is None:
        return MessageTarget(), None
    if not chosen and len(record.targets) != 1:
        raise InvalidReplyError(
            f"there are {len(record.targets)} targets, and the choice stands at none of them: "
            "who has tapped is unknown"
        )
    target = chosen[0] if chosen else record.targets[0]
    target_item = _item(target)
    if None not in {queue_item, target_item} and queue_item != target_item:
        raise InvalidReplyError("the record and its target name different choices")
    return target, queue_item if target_item is None else target_item


def _item(holder: MessageReceipt | MessageTarget) -> Any:
    item = holder.extra_data.selected_item_id if holder.extra_data else None
    if item is not None and (isinstance(item, bool) or not isinstance(item, str | int)):
        raise InvalidReplyError(f"selectedItemId is {_kind(item)}, neither a text nor a number")
    return item


def _index(item: str | int, buttons: tuple[str, ...], kind: AssumedItemId) -> int:
    """Return the position of the chosen button, counted from 0."""
    if kind is AssumedItemId.LABEL:
        found = [index for index, label in enumerate(buttons) if label == item]
        if len(found) == 1:
            return found[0]
        problem = "is none of the buttons" if not found else "is the text of several buttons"
        raise InvalidReplyError(
            f"selectedItemId {_shown(item)} {problem}; it is assumed to be a label: "
            "see assumed_item_id"
        )
    first = 0 if kind is AssumedItemId.INDEX_FROM_0 else 1
    index = _whole(item) - first
    if not 0 <= index < len(buttons):
        raise InvalidReplyError(
            f"selectedItemId {_shown(item)} is outside {first} to {first + len(buttons) - 1}; "
            "it is assumed to be an index: see assumed_item_id"
        )
    return index


def _whole(item: str | int) -> int:
    if isinstance(item, int):
        return item
    if item.isascii() and item.isdigit() and len(item) <= MAX_DIGITS:
        return int(item)
    raise InvalidReplyError(
        f"selectedItemId {_shown(item)} is no whole number; it is assumed to be an index: "
        "see assumed_item_id"
    )


def _number(field: str, value: str | None) -> str:
    if value is None:
        raise InvalidReplyError(f"{field} is missing")
    try:
        return normalise_number(value)
    except NumberError as error:
        raise InvalidReplyError(f"{field}: {mask_number(value[:MAX_SHOWN])!r} {error}") from None


def _shown(item: str | int) -> str:
    text = str(item) if isinstance(item, str) or abs(item) < 10**MAX_DIGITS else "(a huge number)"
    text = text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"
    return repr(_LONG_NUMBER.sub(lambda found: mask_number(found[0]), text))


def _kind(value: object) -> str:
    if value is None:
        return "null"
    return _KINDS.get(type(value), f"of type {type(value).__name__}")  # what adapt= may return


_KINDS: Final[dict[type[Any], str]] = {
    bool: "true or false",
    dict: "an object",
    float: "a number",
    int: "a number",
    list: "a list",
    str: "a text",
}

_LONG_NUMBER: Final = re.compile(r"\d{7,}")
"""It may be a customer's, whatever the field is meant for."""
