"""What the test API says of what the sandbox keeps, in the shapes of ``openapi.json``."""

from datetime import datetime
from typing import Any

import attrs

from multiwhats_async.options import WHATSAPP_LIMITS

from .faults import KINDS, FaultPlan
from .messages import Changes, Conversation, Delivery, Refusal, SandboxMessage, Tap
from .pushes import Webhook, shown_url

Json = dict[str, Any]


def time_view(time: datetime) -> str:
    """Return a time of the emulator's clock, which is in UTC."""
    return time.isoformat(timespec="milliseconds") + "Z"


def message_summary(message: SandboxMessage) -> Json:
    """Return a message as it stands in lists."""
    return {
        "id": message.id,
        "target_id": message.response["targets"][0]["id"],
        "time": time_view(message.time),
        "from": message.sender,
        "to": message.recipient,
        "text": message.text,
        "buttons": [*message.buttons],
        "fault": message.fault,
        "advice": advice_of(message),
        "tap": None if message.tap is None else tap_view(message.tap),
    }


def message_view(message: SandboxMessage) -> Json:
    """Return a message with its request and response."""
    return {
        **message_summary(message),
        "request": message.request,
        "response": message.response,
        "delivery_ids": [*message.delivery_ids],
    }


def tap_view(tap: Tap) -> Json:
    """Return a customer's choice."""
    return {"index": tap.index, "label": tap.label, "time": time_view(tap.time)}


def conversation_view(conversation: Conversation) -> Json:
    """Return a conversation."""
    return {
        "from": conversation.sender,
        "to": conversation.recipient,
        "count": conversation.count,
        "last": message_summary(conversation.last),
    }


def refusal_view(refusal: Refusal) -> Json:
    """Return a request whose message was not accepted."""
    view = attrs.asdict(refusal)
    view["to"] = view.pop("recipient")
    return {**view, "time": time_view(refusal.time)}


def delivery_summary(delivery: Delivery) -> Json:
    """Return a delivery as it stands in lists."""
    return {
        "id": delivery.id,
        "message_id": delivery.message_id,
        "from": delivery.sender,
        "to": delivery.customer,
        "label": delivery.label,
        "time": time_view(delivery.time),
        "url": None if delivery.url is None else shown_url(delivery.url),
        "state": delivery.state,
        "fault": delivery.fault,
        "replay_of": delivery.replay_of,
        "attempts": [
            {**attrs.asdict(attempt), "time": time_view(attempt.time)}
            for attempt in delivery.attempts
        ],
    }


def delivery_view(delivery: Delivery) -> Json:
    """Return a delivery with what is pushed."""
    return {**delivery_summary(delivery), "body": delivery.body}


def webhook_view(webhook: Webhook) -> Json:
    """Return where choices are pushed."""
    return {
        "url": None if webhook.url is None else shown_url(webhook.url),
        "item_id": webhook.item_id.value,
        "template": webhook.template is not None,
    }


def faults_view(plan: FaultPlan, *, magic_numbers: dict[str, str]) -> Json:
    """Return what goes wrong."""
    return {
        "items": [
            {"kind": fault.kind, "text": str(fault), "seen": seen, "struck": struck}
            for fault, seen, struck in plan.counts()
        ],
        "kinds": {**KINDS},
        "magic_numbers": magic_numbers,
        "seed": plan.seed,
    }


def changes_view(changes: Changes, stats: Json) -> Json:
    """Return what has changed."""
    return {
        "revision": changes.revision,
        "reset": changes.reset,
        "more": not changes.whole,
        "messages": [message_summary(message) for message in changes.messages],
        "deliveries": [delivery_summary(delivery) for delivery in changes.deliveries],
        "refusals": [refusal_view(refusal) for refusal in changes.refusals],
        "settings": changes.settings,
        "stats": stats,
    }


def advice_of(message: SandboxMessage) -> list[str]:
    """Return where a message passes WhatsApp's limits: Meta's documents, not the vendor's."""
    limits = WHATSAPP_LIMITS
    found: list[str] = []
    if len(message.text) > limits.text:
        found.append(
            f"The text has {len(message.text):,} characters; WhatsApp takes {limits.text:,}."
        )
    if len(message.buttons) > limits.buttons:
        found.append(f"There are {len(message.buttons)} buttons; WhatsApp shows {limits.buttons}.")
    found += [
        f"Button {number} has {len(label)} characters; WhatsApp takes {limits.label}."
        for number, label in enumerate(message.buttons, 1)
        if len(label) > limits.label
    ][:3]
    if len(set(message.buttons)) < len(message.buttons):
        found.append("Two buttons have the same text: which was tapped cannot be told.")
    return found
