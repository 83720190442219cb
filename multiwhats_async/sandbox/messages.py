"""What the sandbox keeps, as values: messages, taps, refused requests, pushed choices."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import attrs

from multiwhats_async._secret import mask_number

WAITING: Final = "waiting"
"""Not pushed yet, or to be pushed again."""
DELIVERED: Final = "delivered"
"""Answered with a 2xx."""
FAILED: Final = "failed"
"""Given up after the last attempt."""
DROPPED: Final = "dropped"
"""Kept back by a fault."""
UNSET: Final = "unset"
"""There was no webhook to push to."""


@attrs.frozen
class Tap:
    """A customer's choice.

    Attributes:
        index: The button, counted from 0.
        label: Its text.
        time: When, by the emulator's clock.
    """

    index: int
    label: str
    time: datetime


@attrs.frozen
class SandboxMessage:
    """One message that the sandbox accepted.

    Attributes:
        id: The queue's id, as in the answer.
        sender: The number in ``from``.
        recipient: The number in ``to``.
        text: The message.
        buttons: The buttons' labels.
        request: The documented fields of the request; a key that stood among them is masked.
        response: The record that was answered.
        time: When, by the emulator's clock.
        fault: What kept the answer from the client or spoilt it; None where it went out whole.
        tap: The customer's choice, or None.
        delivery_ids: The deliveries by which the choice is pushed.
    """

    id: int
    sender: str = attrs.field(repr=mask_number)
    recipient: str = attrs.field(repr=mask_number)
    text: str
    buttons: tuple[str, ...]
    request: Mapping[str, Any] = attrs.field(repr=False, eq=False)
    response: Mapping[str, Any] = attrs.field(repr=False, eq=False)
    time: datetime
    fault: str | None = None
    tap: Tap | None = None
    delivery_ids: tuple[int, ...] = ()


@attrs.frozen
class Refusal:
    """One request whose message was not accepted.

    Attributes:
        id: Counted from 1.
        time: When, by the emulator's clock.
        method: The method.
        path: The path, without the query.
        status: The status; 0 where nothing was answered.
        fault: The fault that struck, or None.
        recipient: The recipient, where it could be read.
        request: The body, keys masked, cut off.
        response: What was answered, cut off.
    """

    id: int
    time: datetime
    method: str
    path: str
    status: int
    fault: str | None
    recipient: str | None = attrs.field(repr=lambda to: repr(to and mask_number(to)))
    request: str = attrs.field(repr=False)
    response: str = attrs.field(repr=False)


@attrs.frozen
class DeliveryAttempt:
    """One attempt to push a choice.

    Attributes:
        time: When it began, by the emulator's clock.
        seconds: How long it took.
        status: The HTTP status, or None where there was none.
        error: Why there was no answer, or None.
        body: What was answered, cut off.
    """

    time: datetime
    seconds: float
    status: int | None = None
    error: str | None = None
    body: str = ""


@attrs.frozen
class Delivery:
    """One choice on its way to the webhook. How the vendor pushes it is not documented: assumed.

    Attributes:
        id: Counted from 1.
        message_id: The message that was tapped.
        sender: The number that had sent it.
        customer: The number that tapped.
        label: The text of the button.
        time: When it was made, by the emulator's clock.
        url: The target with its secrets, or None where there was no webhook.
        state: :data:`WAITING`, :data:`DELIVERED`, :data:`FAILED`, :data:`DROPPED` or
            :data:`UNSET`.
        body: The JSON that is pushed.
        fault: The fault that struck, or None.
        replay_of: The delivery that this one repeats, or None.
        attempts: What has been tried, oldest first.
    """

    id: int
    message_id: int
    sender: str = attrs.field(repr=mask_number)
    customer: str = attrs.field(repr=mask_number)
    label: str
    time: datetime
    url: str | None = attrs.field(repr=False)
    state: str
    body: Any = attrs.field(repr=False, eq=False)
    fault: str | None = None
    replay_of: int | None = None
    attempts: tuple[DeliveryAttempt, ...] = ()


@attrs.frozen
class Conversation:
    """What one number has sent to one customer.

    Attributes:
        sender: The number that sends.
        recipient: The customer.
        count: Messages that are kept.
        last: The newest.
    """

    sender: str = attrs.field(repr=mask_number)
    recipient: str = attrs.field(repr=mask_number)
    count: int
    last: SandboxMessage


@attrs.frozen
class Changes:
    """What has changed after a revision.

    Attributes:
        revision: The revision now.
        whole: Whether all of it stands here; otherwise read anew.
        reset: Whether everything before it was forgotten.
        settings: Whether the faults or the webhook may have changed.
        messages: New or tapped, oldest change first.
        deliveries: New or changed.
        refusals: New.
    """

    revision: int
    whole: bool
    reset: bool
    settings: bool
    messages: list[SandboxMessage]
    deliveries: list[Delivery]
    refusals: list[Refusal]


class SandboxError(ValueError):
    """Something that was asked of the sandbox cannot be done.

    Attributes:
        code: One word for programs: ``not_found``, ``already_tapped``, ``no_such_button``,
            ``no_webhook`` or ``invalid_webhook``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code: str = code

    def __str__(self) -> str:
        return str(self.args[1])
