"""What goes out and what comes back: a message, and the vendor's record of it.

The models know no JSON. Field names of the record are the vendor's, in snake case.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, Final

import attrs

from ._digest import digest_of
from ._numbers import NumberError, normalise_number
from ._secret import mask_number
from .errors import InvalidMessageError, Problem
from .options import WHATSAPP_LIMITS, MessageLimits

MAX_BUTTONS: Final = 100
"""Ours, also where WhatsApp's limits are off: an endless iterator must not hang the caller."""

MAX_KEY_LENGTH: Final = 200
"""Ours: a key is a name, not a document."""


@attrs.frozen(init=False)
class ButtonMessage:
    """A message with buttons, checked and normalised when it is built.

    Args:
        to: The recipient's number with its country code, in any usual notation.
        message: The text; emoji and line breaks may be used.
        buttons: The texts of the buttons, in their order.
        sender: The sending number with its country code; None takes the client's.
        key: Your own name for this message, unique within a campaign. Messages of the same key
            are sent once. None takes a digest of sender, recipient, text and buttons.
        limits: WhatsApp's limits, on by default; None switches them off.

    Raises:
        InvalidMessageError: Lists every problem of the message at once.
    """

    to: str = attrs.field(repr=mask_number)
    message: str
    buttons: tuple[str, ...]
    sender: str | None = attrs.field(
        default=None, repr=lambda number: repr(number and mask_number(number))
    )
    key: str | None = None
    limits: MessageLimits | None = attrs.field(
        default=WHATSAPP_LIMITS, kw_only=True, repr=False, eq=False
    )

    def __init__(
        self,
        to: str,
        message: str,
        buttons: Iterable[str],
        sender: str | None = None,
        key: str | None = None,
        *,
        limits: MessageLimits | None = WHATSAPP_LIMITS,
    ) -> None:
        problems: list[Problem] = []
        if limits is not None and not isinstance(limits, MessageLimits):  # pyright: ignore[reportUnnecessaryIsInstance]  # a user's
            kind = type(limits).__name__
            problems.append(Problem("limits", f"must be a MessageLimits or None, not {kind}"))
            limits = None
        to = _checked_number("to", to, problems)
        if sender is not None:
            sender = _checked_number("sender", sender, problems)
        labels = _as_labels(buttons)
        if not _is_surely_right(message, labels, limits):
            problems += _text_problems(message, limits)
            problems += _button_problems(labels, limits)
        if key is not None:
            problems += _key_problems(key)
        if problems:
            raise InvalidMessageError(problems)
        # attrs adds it; pyright does not know.
        self.__attrs_init__(  # pyright: ignore[reportAttributeAccessIssue]  # as said above
            to, message, labels or (), sender, key, limits=limits
        )

    def identity(self, sender: str | None = None) -> str:
        """Return the key of this message: its own, or a digest of what it says to whom.

        Args:
            sender: The number that sends it where the message names none.
        """
        return self.digest(sender) if self.key is None else self.key

    def digest(self, sender: str | None = None) -> str:
        """Return a digest of what the message says to whom, in 32 hexadecimal digits.

        Args:
            sender: The number that sends it where the message names none.
        """
        return digest_of((self.sender or sender or "", self.to, self.message, *self.buttons))

    def to_dict(self) -> dict[str, Any]:
        """Return the message as plain data, ready for JSON."""
        return {
            "to": self.to,
            "message": self.message,
            "buttons": list(self.buttons),
            "sender": self.sender,
            "key": self.key,
        }


def _checked_number(field: str, value: object, problems: list[Problem]) -> str:
    """Return the digits of a number, noting in ``problems`` why it is none."""
    if not isinstance(value, str):
        problems.append(
            Problem(field, f"must be text such as '+90 537 493 77 66', not {type(value).__name__}")
        )
        return ""
    try:
        return normalise_number(value)
    except NumberError as error:
        problems.append(Problem(field, f"{mask_number(value.strip())!r} {error}"))
        return ""


def _is_surely_right(
    text: Any, labels: tuple[Any, ...] | None, limits: MessageLimits | None
) -> bool:
    """Tell quickly, as of nearly every message, that nothing is wrong with its text and buttons.

    Where it cannot tell, what follows below looks at each, and says what is wrong.
    """
    if not labels or len(labels) > MAX_BUTTONS:
        return False
    try:
        "".join((text, *labels)).encode()  # refuses what is no text, and half an emoji
        if not text.strip() or not all(map(str.strip, labels)) or len(set(labels)) < len(labels):
            return False
        return limits is None or (
            len(text) <= limits.text
            and len(labels) <= limits.buttons
            and max(map(len, labels)) <= limits.label
        )
    except (TypeError, UnicodeEncodeError):
        return False


def _text_problems(text: object, limits: MessageLimits | None) -> Iterator[Problem]:
    """Yield what is wrong with the text of a message."""
    if not isinstance(text, str):
        yield Problem("message", f"must be text, not {type(text).__name__}")
    elif not text.strip():
        yield Problem("message", "is empty")
    elif not _encodes(text):
        yield Problem("message", "holds half an emoji (a lone surrogate): read it as UTF-8")
    elif limits is not None and len(text) > limits.text:
        yield Problem(
            "message",
            f"has {len(text)} characters, more than WhatsApp's {limits.text}: "
            "shorten it, or pass limits=None to switch WhatsApp's limits off",
        )


def _as_labels(buttons: object) -> tuple[Any, ...] | None:
    """Return the buttons as a tuple, or None where they are no collection of texts."""
    if type(buttons) is list or type(buttons) is tuple:
        return tuple(buttons[: MAX_BUTTONS + 1])
    if isinstance(buttons, str | bytes | Mapping) or not isinstance(buttons, Iterable):
        return None
    return tuple(islice(buttons, MAX_BUTTONS + 1))


def _button_problems(
    labels: tuple[object, ...] | None, limits: MessageLimits | None
) -> Iterator[Problem]:
    """Yield what is wrong with the buttons of a message."""
    if labels is None:
        yield Problem("buttons", "must be a list of texts, such as ['👍 Yes', '⛔ No']")
        return
    if not labels:
        yield Problem("buttons", "is empty: a button message has at least one button")
    if len(labels) > MAX_BUTTONS:
        yield Problem("buttons", f"has more than {MAX_BUTTONS} buttons")
        return
    for place, label in enumerate(labels, start=1):
        yield from _label_problems(place, label, limits)
    if limits is None:
        return
    if len(labels) > limits.buttons:
        yield Problem(
            "buttons",
            f"has {len(labels)} buttons, more than WhatsApp's {limits.buttons}: "
            "split them into two messages, or pass limits=None",
        )
    texts = [label for label in labels if isinstance(label, str)]
    for label in sorted({label for label in texts if texts.count(label) > 1}):
        yield Problem("buttons", f"has {label!r} twice: the customer's choice would be ambiguous")


def _label_problems(place: int, label: object, limits: MessageLimits | None) -> Iterator[Problem]:
    """Yield what is wrong with one button."""
    if not isinstance(label, str):
        yield Problem("buttons", f"button {place} must be text, not {type(label).__name__}")
    elif not label.strip():
        yield Problem("buttons", f"button {place} is empty")
    elif not _encodes(label):
        yield Problem("buttons", f"button {place} holds half an emoji (a lone surrogate)")
    elif limits is not None and len(label) > limits.label:
        yield Problem(
            "buttons",
            f"button {place} {label!r} has {len(label)} characters, "
            f"more than WhatsApp's {limits.label}: shorten it, or pass limits=None",
        )


def _key_problems(key: object) -> Iterator[Problem]:
    """Yield what is wrong with a message's key."""
    if not isinstance(key, str):
        yield Problem("key", f"must be text, not {type(key).__name__}")
    elif not key or len(key) > MAX_KEY_LENGTH or not _encodes(key):
        yield Problem("key", f"must be UTF-8 text of 1 to {MAX_KEY_LENGTH} characters")


def _encodes(text: str) -> bool:
    """Tell whether a text can be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _masked(number: str | None) -> str:
    """Show an identifier of the record with all but its last four digits hidden."""
    return repr(None if number is None else mask_number(number))


def _time_text(time: datetime | None) -> str | None:
    """Write a time as the vendor does."""
    return None if time is None else time.isoformat(sep=" ")


@attrs.frozen(kw_only=True)
class ExtraData:
    """The ``extra_data`` of a record or of one of its targets.

    Attributes:
        buttons: The texts of the buttons, or None.
        options: Not documented beyond null; kept as it came.
        selected_item_id: The vendor's ``selectedItemId``. That it names the tapped button, and
            how, is assumed; kept as it came.
        extra: Fields that this version does not know, and values of an unexpected type.
    """

    buttons: tuple[str, ...] | None = None
    options: Any = attrs.field(default=None, hash=False)
    selected_item_id: Any = attrs.field(default=None, hash=False)
    extra: Mapping[str, Any] = attrs.field(factory=dict, hash=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the data in the vendor's shape, ready for JSON."""
        return {
            "buttons": None if self.buttons is None else list(self.buttons),
            "options": self.options,
            "selectedItemId": self.selected_item_id,
            **self.extra,
        }


@attrs.frozen(kw_only=True)
class MessageTarget:
    """What became of a message at one recipient, as the vendor records it.

    Attributes:
        id: The target's own id.
        user_id: The account's id.
        queue_id: The id of the record that it belongs to.
        target_identifier: The recipient's number.
        message: A text of its own, or None.
        status: ``"sent"`` is the only documented value; kept as text.
        extra_data: Its ``extra_data``.
        created_at: Naive: the vendor documents no time zone.
        updated_at: Likewise.
        extra: Fields that this version does not know, and values of an unexpected type.
    """

    id: int | None = None
    user_id: int | None = None
    queue_id: int | None = None
    target_identifier: str | None = attrs.field(default=None, repr=_masked)
    message: str | None = None
    status: str | None = None
    extra_data: ExtraData | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the target in the vendor's shape, ready for JSON."""
        return {
            "id": self.id,
            "user_id": self.user_id,
            "queue_id": self.queue_id,
            "target_identifier": self.target_identifier,
            "message": self.message,
            "status": self.status,
            "extra_data": self.extra_data and self.extra_data.to_dict(),
            "created_at": _time_text(self.created_at),
            "updated_at": _time_text(self.updated_at),
            **self.extra,
        }


@attrs.frozen(kw_only=True)
class MessageReceipt:
    """The vendor's record of a message that it accepted (it calls the record a queue).

    A field that is missing, null or of another type than documented is None; in the last case
    its value stands in ``extra``. So a paid result is never lost to a parser.

    Attributes:
        id: The record's id.
        user_id: The account's id.
        social_media_account_id: The id of the connected number.
        platform: ``"whatsapp"``.
        from_identifier: The sending number.
        message: The text.
        file_url: None where the vendor writes the number 0: no file.
        queue_type: ``"normal"``.
        message_type: ``"button"``.
        total_credit: What the message cost, in credits.
        target_count: How many recipients.
        pending_count: How many of them are waiting.
        sent_count: How many were sent to.
        delivered_count: How many were delivered to.
        not_delivered_count: How many could not be delivered to.
        seen_count: How many have seen it.
        status: ``"done"`` is the only documented value; kept as text.
        send_at: Naive: the vendor documents no time zone.
        created_at: Likewise.
        updated_at: Likewise.
        extra_data: The record's ``extra_data``.
        targets: One entry a recipient.
        extra: Fields that this version does not know, and values of an unexpected type.
        raw: The record as it came.
    """

    id: int | None = None
    user_id: int | None = None
    social_media_account_id: int | None = None
    platform: str | None = None
    from_identifier: str | None = attrs.field(default=None, repr=_masked)
    message: str | None = None
    file_url: str | None = None
    queue_type: str | None = None
    message_type: str | None = None
    total_credit: int | float | None = None
    target_count: int | None = None
    pending_count: int | None = None
    sent_count: int | None = None
    delivered_count: int | None = None
    not_delivered_count: int | None = None
    seen_count: int | None = None
    status: str | None = None
    send_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    extra_data: ExtraData | None = None
    targets: tuple[MessageTarget, ...] = ()
    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)
    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False, eq=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the record in the vendor's shape, ready for JSON."""
        return {
            "user_id": self.user_id,
            "social_media_account_id": self.social_media_account_id,
            "platform": self.platform,
            "from_identifier": self.from_identifier,
            "message": self.message,
            "file_url": 0 if self.file_url is None else self.file_url,
            "queue_type": self.queue_type,
            "message_type": self.message_type,
            "total_credit": self.total_credit,
            "target_count": self.target_count,
            "pending_count": self.pending_count,
            "sent_count": self.sent_count,
            "delivered_count": self.delivered_count,
            "not_delivered_count": self.not_delivered_count,
            "seen_count": self.seen_count,
            "status": self.status,
            "send_at": _time_text(self.send_at),
            "created_at": _time_text(self.created_at),
            "updated_at": _time_text(self.updated_at),
            "extra_data": self.extra_data and self.extra_data.to_dict(),
            "id": self.id,
            "targets": [target.to_dict() for target in self.targets],
            **self.extra,
        }
