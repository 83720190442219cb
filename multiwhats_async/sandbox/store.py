"""What the sandbox keeps, and the customer's side of it: find, tap, push, watch. Thread-safe."""

from collections.abc import Callable, Iterator
from datetime import datetime
from threading import Lock
from typing import Final

from ._bell import Bell
from ._inbox import Inbox, Journal, matching
from ._phone import Phone
from .exchange import SandboxRequest, SandboxResponse
from .faults import FaultPlan
from .messages import (
    Changes,
    Conversation,
    Delivery,
    DeliveryAttempt,
    Refusal,
    SandboxError,
    SandboxMessage,
)
from .pushes import Webhook, checked_url

SHOWN_CHARACTERS: Final = 4_000
"""Of the body of a refused request, and of its answer."""


class Store:
    """What the sandbox keeps. The arguments are those of the emulator.

    Attributes:
        keep: Messages that are kept, the newest.
        bell: Rings at every change.
        faults: What goes wrong.
        last_id: The id of the newest message that was ever kept; 0 where there was none.
    """

    def __init__(
        self,
        *,
        keep: int,
        faults: FaultPlan,
        now: Callable[[], datetime],
        clock: Callable[[], float],
        webhook: Webhook,
        remote_webhook: bool,
        journal: Journal | None,
    ) -> None:
        self.keep: int = keep
        self.bell: Bell = Bell()
        self.faults: FaultPlan = faults
        self.last_id: int = 0
        self._remote_webhook = remote_webhook
        self._journal = journal
        self._lock = Lock()
        self._refused = 0
        self._settings_revision = self._reset_revision = 0
        self._inbox = Inbox(keep)
        self._phone = Phone(
            self._inbox, faults=faults, now=now, clock=clock, save=self._save_delivery
        )
        self.set_webhook(webhook)
        if journal is not None:
            self._restore(journal)

    # --- from the emulator --------------------------------------------------------------------

    def put_message(self, message: SandboxMessage) -> None:
        """Keep a new message."""
        with self._lock:
            self._keep(message)
        self.bell.ring()

    def note_refusal(
        self,
        time: datetime,
        request: SandboxRequest,
        shown: str,
        response: SandboxResponse,
        *,
        recipient: str | None,
        fault: str | None,
    ) -> None:
        """Keep a request whose message was not accepted.

        Args:
            time: When.
            request: The request.
            shown: Its body as it may be shown.
            response: What was answered.
            recipient: The recipient, where it could be read.
            fault: The fault that struck, or None.
        """
        with self._lock:
            self._refused += 1
            refusal = Refusal(
                id=self._refused,
                time=time,
                method=request.method,
                path=request.path,
                status=response.status,
                fault=fault,
                recipient=recipient,
                request=shown[:SHOWN_CHARACTERS],
                response=response.body[:SHOWN_CHARACTERS].decode(errors="replace"),
            )
            self._inbox.refusals.put(refusal, self._inbox.next_revision())
        self.bell.ring()

    def reset(self) -> None:
        """Forget messages, refused requests and deliveries; the webhook stays."""
        with self._lock:
            self._reset_revision = self._inbox.next_revision()
            self._inbox = Inbox(self.keep, revision=self._reset_revision)
            self._phone.reset(self._inbox)
            if self._journal is not None:
                self._journal.clear()
        self.bell.ring()

    def newest(self) -> list[SandboxMessage]:
        """Return the messages that are kept, newest first. A snapshot."""
        with self._lock:
            return self._inbox.messages.newest()

    # --- what is kept -------------------------------------------------------------------------

    def message(self, message_id: int) -> SandboxMessage:
        """Return one message.

        Raises:
            SandboxError: It is not kept.
        """
        with self._lock:
            return self._message(message_id)

    def find_messages(
        self,
        *,
        to: str | None = None,
        sender: str | None = None,
        text: str = "",
        after: int = 0,
        before: int | None = None,
    ) -> Iterator[SandboxMessage]:
        """Yield the messages that are kept and fit, newest first.

        Args:
            to: Only to this number.
            sender: Only from this number.
            text: Only those whose text, buttons or recipient hold it; case and accents make no
                difference.
            after: Only with a greater id.
            before: Only with a smaller id.
        """
        messages = self.newest()
        fitting = (
            message
            for message in messages
            if message.id > after
            and (before is None or message.id < before)
            and to in {None, message.recipient}
            and sender in {None, message.sender}
        )
        return matching(fitting, text) if text else iter(fitting)

    def conversations(self, *, text: str = "", before: int | None = None) -> list[Conversation]:
        """Return the conversations that fit, that of the newest message first.

        Args:
            text: Only those of a message that fits, as in :meth:`find_messages`.
            before: Only those whose newest message has a smaller id.
        """
        fitting = (
            {(one.sender, one.recipient) for one in self.find_messages(text=text)} if text else None
        )
        with self._lock:
            return [
                one
                for one in self._inbox.conversations()
                if (before is None or one.last.id < before)
                and (fitting is None or (one.sender, one.recipient) in fitting)
            ]

    @property
    def refusals(self) -> list[Refusal]:
        """The requests whose message was not accepted, newest first. A snapshot."""
        with self._lock:
            return self._inbox.refusals.newest()

    @property
    def deliveries(self) -> list[Delivery]:
        """The choices on their way to the webhook, newest first. A snapshot."""
        with self._lock:
            return self._inbox.deliveries.newest()

    def delivery(self, delivery_id: int) -> Delivery:
        """Return one delivery.

        Raises:
            SandboxError: It is not kept.
        """
        with self._lock:
            return self._delivery(delivery_id)

    @property
    def revision(self) -> int:
        """The count of changes."""
        return self._inbox.revision

    def changes(self, revision: int) -> Changes:
        """Return what has changed after a revision; 0 for everything."""
        with self._lock:
            inbox = self._inbox
            messages, all_messages = inbox.messages.since(revision)
            deliveries, all_deliveries = inbox.deliveries.since(revision)
            refusals, all_refusals = inbox.refusals.since(revision)
            return Changes(
                revision=inbox.revision,
                whole=all_messages and all_deliveries and all_refusals,
                reset=self._reset_revision > revision,
                settings=self._settings_revision > revision,
                messages=messages,
                deliveries=deliveries,
                refusals=refusals,
            )

    # --- the customer's side ------------------------------------------------------------------

    def tap(
        self, message_id: int, *, index: int | None = None, label: str | None = None
    ) -> tuple[SandboxMessage, tuple[Delivery, ...]]:
        """Tap a button of a message, as the customer; the choice is pushed to the webhook.

        Assumed, from how WhatsApp shows reply buttons: a message can be tapped once.

        Args:
            message_id: The message.
            index: The button, counted from 0; or
            label: Its text, exactly. Of several buttons with this text the first.

        Returns:
            The message as it is now, and what is pushed.

        Raises:
            SandboxError: There is no such message or button, or it was tapped already.
        """
        with self._lock:
            message = self._message(message_id)
            if message.tap is not None:
                raise SandboxError(
                    "already_tapped", f"{message.tap.label!r} was tapped on it already."
                )
            message, deliveries = self._phone.tap(message, _button(message, index, label))
            self._keep(message)
        self.bell.ring()
        return message, deliveries

    @property
    def webhook(self) -> Webhook:
        """Where choices are pushed."""
        return self._phone.webhook

    def set_webhook(self, webhook: Webhook) -> None:
        """Push choices elsewhere from now on.

        Raises:
            SandboxError: It is no address that the sandbox pushes to.
        """
        if webhook.url is not None:
            checked_url(webhook.url, remote=self._remote_webhook)
        with self._lock:
            self._phone.webhook = webhook
        self.settings_changed()

    def settings_changed(self) -> None:
        """Tell those who watch that the faults or the webhook have changed."""
        with self._lock:
            self._settings_revision = self._inbox.next_revision()
        self.bell.ring()

    def replay(self, delivery_id: int) -> Delivery:
        """Push the same once more, to the webhook that is set now.

        Raises:
            SandboxError: It is not kept, or no webhook is set.
        """
        with self._lock:
            delivery = self._phone.replay(self._delivery(delivery_id))
        self.bell.ring()
        return delivery

    def take_up(self) -> None:
        """Begin to push: what an earlier one had in hand is to be pushed again."""
        with self._lock:
            self._phone.take_up()

    def take_delivery(self) -> Delivery | None:
        """Return the next delivery that is to be pushed now, or None; for whoever pushes it."""
        with self._lock:
            return self._phone.take()

    def next_delivery(self) -> float | None:
        """Return in how many seconds the next one may be due; None where nothing waits."""
        with self._lock:
            return self._phone.next_due()

    def note_attempt(self, delivery_id: int, attempt: DeliveryAttempt) -> None:
        """Take what became of an attempt to push a delivery.

        Anything but a 2xx is tried again after 1, 5 and 25 seconds: assumed.
        """
        with self._lock:
            self._phone.note(delivery_id, attempt)
        self.bell.ring()

    # ------------------------------------------------------------------------------------------

    def _restore(self, journal: Journal) -> None:
        messages, deliveries = journal.load()
        for message in messages:
            self.last_id = message.id
            journal.forget_messages(self._inbox.put_message(message))
        for delivery in deliveries:
            self._phone.restore(delivery)

    def _keep(self, message: SandboxMessage) -> None:
        self.last_id = max(self.last_id, message.id)
        gone = self._inbox.put_message(message)
        if self._journal is not None:
            self._journal.save_message(message)
            self._journal.forget_messages(gone)

    def _save_delivery(self, delivery: Delivery, gone: list[Delivery]) -> None:
        if self._journal is not None:
            self._journal.save_delivery(delivery)
            self._journal.forget_deliveries(gone)

    def _message(self, message_id: int) -> SandboxMessage:
        message = self._inbox.messages.get(message_id)
        if message is None:
            raise SandboxError(
                "not_found", f"There is no message {message_id}, or it is not kept any more."
            )
        return message

    def _delivery(self, delivery_id: int) -> Delivery:
        delivery = self._inbox.deliveries.get(delivery_id)
        if delivery is None:
            raise SandboxError(
                "not_found", f"There is no delivery {delivery_id}, or it is not kept any more."
            )
        return delivery


def _button(message: SandboxMessage, index: int | None, label: str | None) -> int:
    """Return the index of the button that is meant."""
    if (index is None) == (label is None):
        raise SandboxError("no_such_button", "Name the button, by its index or by its label.")
    if label is not None and label in message.buttons:
        return message.buttons.index(label)
    if index is not None and 0 <= index < len(message.buttons):
        return index
    raise SandboxError(
        "no_such_button",
        f"There is no such button; there are {[*message.buttons]}, counted from 0.",
    )
