"""What a checker must refuse. Each ``type: ignore`` is needed: one that is not is an error."""

from collections.abc import Iterable
from typing import Any

from multiwhats_async import (
    AsyncMultiWhats,
    ButtonMessage,
    MemoryLedger,
    MessageReceipt,
    Outcome,
    Rate,
    RetryPolicy,
    SQLiteLedger,
    Timeouts,
    enqueue_campaign,
)
from multiwhats_async.abc import SharedLedger
from multiwhats_async.integrations.opentelemetry import TelemetryHooks
from multiwhats_async.menus import MemoryMenuStore, Menu, MenuEngine, Stage
from multiwhats_async.replies import Reply, ReplyHandler
from multiwhats_async.testing import MultiWhatsKit

MESSAGE = ButtonMessage("905374937766", "Hi", ["Yes"])


def clients() -> None:
    """Options are named, and of their types."""
    AsyncMultiWhats("KEY", "908503080335")  # type: ignore[call-arg]  # the sender by its name
    AsyncMultiWhats(api_key=17)  # type: ignore[arg-type]  # a text
    AsyncMultiWhats(api_key_in="header")  # type: ignore[arg-type]  # query or json
    AsyncMultiWhats(transport="curl")  # type: ignore[arg-type]  # httpcore or direct
    AsyncMultiWhats(timeout=None)  # type: ignore[arg-type]  # there is no attempt without end
    AsyncMultiWhats(rate="20")  # type: ignore[arg-type]  # a number
    AsyncMultiWhats(retries=3)  # type: ignore[call-arg]  # retry=RetryPolicy(attempts=3)
    Timeouts(5)  # type: ignore[call-arg]  # of which part?
    RetryPolicy(3)  # type: ignore[call-arg]  # of what?
    Rate(20, 0.5)  # type: ignore[call-arg]  # jitter by its name


def frozen(outcome: Outcome, receipt: MessageReceipt) -> None:
    """Nobody changes what became of a message."""
    outcome.attempts = 2  # type: ignore[misc]
    receipt.id = 1  # type: ignore[misc]
    MESSAGE.to = "905374930000"  # type: ignore[misc]


def absent(outcome: Outcome) -> None:
    """What may be None is looked at first."""
    _ = outcome.receipt.id  # type: ignore[union-attr]
    _ = outcome.error.attempts  # type: ignore[union-attr]


async def sending(client: AsyncMultiWhats, dicts: Iterable[dict[str, Any]]) -> None:
    """What is no message is refused before a run is."""
    await client.send("905374937766")  # type: ignore[arg-type]
    await client.send_button_message("905374937766", "Hi", 3)  # type: ignore[arg-type]
    client.bulk(dicts)  # type: ignore[arg-type]
    client.bulk([MESSAGE], on_progress=lambda: None)  # type: ignore[misc, arg-type]
    client.bulk([MESSAGE], ledger="spring.db")  # type: ignore[arg-type]
    client.send(MESSAGE)  # type: ignore[unused-coroutine]  # not awaited


async def ledgers(client: AsyncMultiWhats) -> None:
    """A file of one machine is no ledger of many."""
    ledger = MemoryLedger()
    await enqueue_campaign(ledger, "spring", [MESSAGE], queue=None)  # type: ignore[arg-type]
    shared: SharedLedger = SQLiteLedger("a.db")  # type: ignore[assignment]
    await client.send_many([MESSAGE], ledger=shared)


def answering(client: AsyncMultiWhats, reply: Reply) -> None:
    """The token, and what an id holds, are said and never guessed."""
    ReplyHandler(print)  # type: ignore[call-arg]
    reply.label = "No"  # type: ignore[misc]
    menu = Menu([Stage("start", "Hi", [])], start=None)  # type: ignore[arg-type]
    MenuEngine(menu, client, MemoryMenuStore())  # type: ignore[arg-type]  # the client first


def embedding(kit: MultiWhatsKit) -> None:
    """The hooks and the kit."""
    TelemetryHooks("https://api.multiwhats.app")  # type: ignore[call-arg]  # by its name
    kit.fail_next(429)  # type: ignore[arg-type]  # a text, such as "429"
