"""A hotel's menu, a customer who taps, and a sandbox between them."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from multiwhats_async import AsyncMultiWhats, Certainty, RetryPolicy
from multiwhats_async.menus import (
    ActionContext,
    MemoryMenuStore,
    Menu,
    MenuEngine,
    MenuStore,
    Option,
    Stage,
)
from multiwhats_async.replies import Reply, parse_reply
from multiwhats_async.sandbox import Emulator, mock_transport

OURS, GUEST, OTHER = "908503080335", "905374937766", "905300000001"

YES, TAXI, BREAKFAST, THANKS = "👍 Yes", "🚕 Taxi", "🍳 Breakfast", "🙏 Thanks"
ASKED = "Dear Ayşe, may we write to you?"
OFFERED = "What may we do for you?"

CONSENT = Stage(
    "consent",
    "Dear {guest}, may we write to you?",
    [Option("👍 Yes", to="service"), Option("⛔ No")],
)
SERVICE = Stage(
    "service",
    "What may we do for you?",
    [
        Option("🚕 Taxi", to="confirm", value="a taxi"),
        Option("🍳 Breakfast", action="order", to="confirm", targets=["sold_out"]),
        Option("🔙 Back", to="consent"),
    ],
)
CONFIRM = Stage("confirm", "We send {service}. {note|}", [Option("🙏 Thanks")])
SOLD_OUT = Stage("sold_out", "There is none today.", [Option("OK")])

MENU = Menu(
    [CONSENT, SERVICE, CONFIRM, SOLD_OUT],
    "consent",
    name="hotel",
    variables=["guest", "note"],
    allow_cycles=True,
)


def reply_to(emulator: Emulator, label: str, *, message_id: int | None = None) -> Reply:
    """Return what is pushed where a customer taps a button: of the newest message, or of one."""
    message = emulator.messages[-1] if message_id is None else emulator.store.message(message_id)
    record: dict[str, Any] = json.loads(json.dumps(message.response))
    record["extra_data"]["selectedItemId"] = label
    reply = parse_reply(json.dumps(record).encode(), assumed_item_id="label")
    assert reply is not None
    return reply


def texts(emulator: Emulator) -> list[str]:
    """Return the texts of all messages, oldest first."""
    return [message.text for message in emulator.messages]


@asynccontextmanager
async def client_of(emulator: Emulator, **options: Any) -> AsyncGenerator[AsyncMultiWhats, None]:
    """Open a client of a sandbox in memory, which tries once."""
    async with (
        httpx.AsyncClient(transport=mock_transport(emulator)) as http_client,
        AsyncMultiWhats(
            "KEY",
            base_url="http://127.0.0.1:8787/api/v1/",
            http_client=http_client,
            **{"sender": OURS, "retry": RetryPolicy(attempts=1)} | options,
        ) as client,
    ):
        yield client


def no_order(_context: ActionContext) -> None:
    """Do nothing."""


@asynccontextmanager
async def engine_of(
    emulator: Emulator, store: MenuStore | None = None, menu: Menu = MENU, **options: Any
) -> AsyncGenerator[MenuEngine, None]:
    """Open an engine in front of a sandbox in memory."""
    options = {"actions": {"order": no_order}} | options
    async with (
        client_of(emulator) as client,
        MenuEngine(client, menu, store or MemoryMenuStore(), **options) as engine,
    ):
        yield engine


async def start(engine: MenuEngine, customer: str = GUEST) -> None:
    """Begin the menu for a customer, with success."""
    outcome = await engine.start(customer, data={"guest": "Ayşe"})
    assert outcome.certainty is Certainty.ACCEPTED


def tap(emulator: Emulator, label: str, message_id: int | None = None) -> Reply:
    """Return the reply of a customer who taps."""
    return reply_to(emulator, label, message_id=message_id)
