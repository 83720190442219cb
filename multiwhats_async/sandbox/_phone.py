"""The customer's side: a tap, and how the choice gets to the webhook.

A value machine: it says what is to be pushed and takes what became of it; the clock is passed in.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import attrs

from . import faults as kinds
from ._inbox import Inbox
from ._outbox import HOLD_SECONDS, RETRY_SECONDS, Outbox
from .faults import FaultPlan
from .messages import (
    DELIVERED,
    DROPPED,
    FAILED,
    UNSET,
    WAITING,
    Delivery,
    DeliveryAttempt,
    SandboxError,
    SandboxMessage,
    Tap,
)
from .pushes import Webhook

SUCCESS: Final = range(200, 300)


class Phone:
    """Every customer's phone. Not thread-safe: the emulator holds its lock.

    Args:
        inbox: What is kept.
        faults: What goes wrong on the way to the webhook.
        now: The clock that is shown.
        clock: The clock that schedules, in seconds.
        save: Called with each delivery that is new or has changed, and those forgotten for it.
    """

    def __init__(
        self,
        inbox: Inbox,
        *,
        faults: FaultPlan,
        now: Callable[[], datetime],
        clock: Callable[[], float],
        save: Callable[[Delivery, list[Delivery]], None],
    ) -> None:
        self.webhook = Webhook()
        self._inbox = inbox
        self._outbox = Outbox()
        self._faults = faults
        self._now = now
        self._clock = clock
        self._save = save
        self._last_id = 0

    def restore(self, delivery: Delivery) -> None:
        """Take a delivery of an earlier run up again."""
        self._last_id = max(self._last_id, delivery.id)
        self._inbox.deliveries.put(delivery, self._inbox.next_revision())

    def take_up(self) -> None:
        """Push again what waits and is in nobody's hands: the one who had it is gone."""
        for delivery in self._inbox.deliveries:
            if delivery.state == WAITING and delivery.id not in self._outbox:
                self._outbox.again(delivery.id, due=self._clock())

    def tap(
        self, message: SandboxMessage, index: int
    ) -> tuple[SandboxMessage, tuple[Delivery, ...]]:
        """Return a message as it is after a tap, and what is pushed for it."""
        tap = Tap(index, message.buttons[index], self._now())
        strikes = self._faults.for_delivery(message.recipient) if self.webhook.url else {}
        body = self.webhook.body(message, tap)
        made: list[Delivery] = []
        for _ in range(2 if kinds.WEBHOOK_DUPLICATE in strikes else 1):
            self._last_id += 1
            delivery = Delivery(
                id=self._last_id,
                message_id=message.id,
                sender=message.sender,
                customer=message.recipient,
                label=tap.label,
                time=tap.time,
                url=self.webhook.url,
                state=WAITING,
                body=body,
                fault=", ".join(strikes) or None,
            )
            if self.webhook.url is None:
                delivery = attrs.evolve(delivery, state=UNSET)
            elif kinds.WEBHOOK_DROP in strikes:
                delivery = attrs.evolve(delivery, state=DROPPED)
            else:
                self._schedule(delivery.id, strikes)
            made.append(delivery)
            self._keep(delivery)
        numbers = tuple(delivery.id for delivery in made)
        return attrs.evolve(message, tap=tap, delivery_ids=numbers), tuple(made)

    def replay(self, delivery: Delivery) -> Delivery:
        """Push the same once more, to the webhook that is set now, whatever the faults."""
        if self.webhook.url is None:
            raise SandboxError("no_webhook", "No webhook is set: set one, then replay.")
        self._last_id += 1
        again = attrs.evolve(
            delivery,
            id=self._last_id,
            time=self._now(),
            url=self.webhook.url,
            state=WAITING,
            fault=None,
            replay_of=delivery.id,
            attempts=(),
        )
        self._keep(again)
        self._outbox.again(again.id, due=self._clock())
        return again

    def take(self) -> Delivery | None:
        """Return the next delivery that is due, or None."""
        number = self._outbox.take(self._clock())
        return None if number is None else self._inbox.deliveries[number]

    def next_due(self) -> float | None:
        """Return in how many seconds the next one may be due; None where nothing waits."""
        due = self._outbox.next_due()
        return None if due is None else max(0.0, due - self._clock())

    def note(self, delivery_id: int, attempt: DeliveryAttempt) -> None:
        """Take what became of an attempt to push a delivery."""
        delivery = self._inbox.deliveries.get(delivery_id)
        if delivery is None:  # a reset came between
            return
        attempts = (*delivery.attempts, attempt)
        if attempt.status in SUCCESS:
            state = DELIVERED
        elif len(attempts) > len(RETRY_SECONDS):
            state = FAILED
        else:
            state = WAITING
            pause = RETRY_SECONDS[len(attempts) - 1]
            self._outbox.again(delivery_id, due=self._clock() + pause)
        self._keep(attrs.evolve(delivery, state=state, attempts=attempts))

    def reset(self, inbox: Inbox) -> None:
        """Forget what was to be pushed; ids go on, for what is under way still comes back."""
        self._inbox = inbox
        self._outbox = Outbox()

    def _schedule(self, delivery_id: int, strikes: dict[str, kinds.Fault]) -> None:
        now = self._clock()
        reorder = strikes.get(kinds.WEBHOOK_REORDER)
        if reorder is not None:
            seconds = HOLD_SECONDS if reorder.seconds is None else reorder.seconds
            self._outbox.hold(delivery_id, until=now + seconds)
            return
        delay = strikes.get(kinds.WEBHOOK_DELAY)
        self._outbox.put(delivery_id, due=now + ((delay and delay.seconds) or 0.0))

    def _keep(self, delivery: Delivery) -> None:
        self._save(delivery, self._inbox.deliveries.put(delivery, self._inbox.next_revision()))
