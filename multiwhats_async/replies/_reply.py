"""A customer's choice, as a value."""

from enum import StrEnum
from typing import Any

import attrs

from .._digest import digest_of
from .._secret import mask_number
from ..models import MessageReceipt


class AssumedItemId(StrEnum):
    """What ``extra_data.selectedItemId`` holds. The vendor does not say: you do."""

    LABEL = "label"
    """The text of the button."""
    INDEX_FROM_0 = "index_from_0"
    """Its position, the first being 0."""
    INDEX_FROM_1 = "index_from_1"
    """Its position, the first being 1."""


@attrs.frozen(kw_only=True)
class Reply:
    """One customer's choice.

    Attributes:
        sender: The customer who tapped: the number of the record's target.
        recipient: Your number, which had sent the message.
        label: The text of the button.
        index: Its position among the message's buttons, counted from 0.
        buttons: The buttons of the message.
        queue_id: The id of the message's record: ``receipt.id`` of when it was sent. None where
            the record names none.
        target_id: The id of the record's target, or None.
        message: The text of the message, or None.
        record: The record as it was pushed; ``record.raw`` is its JSON.
    """

    sender: str = attrs.field(repr=mask_number)
    recipient: str = attrs.field(repr=mask_number)
    label: str
    index: int
    buttons: tuple[str, ...]
    queue_id: int | None
    target_id: int | None
    message: str | None = attrs.field(repr=False)
    record: MessageReceipt = attrs.field(repr=False)

    @property
    def key(self) -> str:
        """The same for every delivery of one tap, in 32 hexadecimal digits.

        Of who, to whom, which record and which button; and of when the message was made, since
        a sandbox that is started anew counts its ids from the beginning.
        """
        parts = (
            self.sender,
            self.recipient,
            self.queue_id,
            self.target_id,
            self.index,
            self.label,
            self.record.created_at,
        )
        return digest_of(map(str, parts))

    def to_dict(self) -> dict[str, Any]:
        """Return the reply as plain data, ready for JSON."""
        return {
            "sender": self.sender,
            "recipient": self.recipient,
            "label": self.label,
            "index": self.index,
            "buttons": [*self.buttons],
            "queue_id": self.queue_id,
            "target_id": self.target_id,
            "message": self.message,
            "record": self.record.to_dict(),
        }
