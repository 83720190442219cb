"""Every public name that can be called, with arguments that work: each is spoilt in turn."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs
import httpx
from fuzz.values import nasty, written_in_json
from vendor import RESPONSE, SENDER, Vendor, message

import multiwhats_async as api
from multiwhats_async import AsyncMultiWhats, MemoryLedger
from multiwhats_async.menus import Menu, Option, Stage
from multiwhats_async.replies import parse_reply
from multiwhats_async.templates import Template

KEY = "K3Y-that-stays-in"
NOWHERE = "postgresql://someone@127.0.0.1:9/none"
"""An address at which nobody answers: what is wrong is to be told before anybody is asked."""

Arguments = Mapping[str, Any]


@attrs.frozen
class Entry:
    """Something to call, with arguments that work.

    Attributes:
        call: Called with a server that counts, and the arguments; what it returns is awaited.
        good: Arguments that work; each is spoilt in turn.
        words: What an error about an argument says, where that is not its name.
        unreachable: Whether good arguments lead to a server that is not there.
    """

    call: Callable[..., Any]
    good: Arguments
    words: Mapping[str, str] = attrs.field(factory=dict)
    unreachable: bool = False
    values: Callable[[], Iterable[tuple[str, Any]]] = nasty


def plain(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return what calls something that needs no server."""
    return lambda _, **arguments: call(**arguments)


def a_client(vendor: Vendor, **options: Any) -> AsyncMultiWhats:
    """Return a client of that server."""
    http = httpx.AsyncClient(transport=httpx.MockTransport(vendor))
    given = {"api_key": KEY, "sender": SENDER, "http_client": http} | options
    return AsyncMultiWhats(given.pop("api_key"), **given)


async def new_client(vendor: Vendor, **options: Any) -> None:
    """Make a client and send with it."""
    async with a_client(vendor, **options) as client:
        await client.send(message())


def method(name: str) -> Callable[..., Any]:
    """Return what calls a method of an open client."""

    async def call(vendor: Vendor, **arguments: Any) -> None:
        async with a_client(vendor) as client:
            await getattr(client, name)(**arguments)

    return call


async def copied(vendor: Vendor, **options: Any) -> None:
    """Change options, and send."""
    async with a_client(vendor) as client:
        await client.with_options(**options).send(message())


async def bulk(vendor: Vendor, **arguments: Any) -> None:
    """Run a bulk to its end."""
    async with a_client(vendor) as client, client.bulk(**arguments) as run:
        async for _ in run:
            pass


def on_ledger(name: str) -> Callable[..., Any]:
    """Return what calls a method of a ledger that has one unknown message."""

    async def call(vendor: Vendor, **arguments: Any) -> None:
        vendor.always = lambda *_: httpx.ReadError("reset")
        async with MemoryLedger() as ledger, a_client(vendor) as client:
            given = [message(key="one")]
            async with client.bulk(given, ledger=ledger, campaign="spring"):
                pass
            vendor.posts.clear()
            answer = getattr(ledger, name)(**arguments)
            if hasattr(answer, "__aiter__"):
                async for _ in answer:
                    pass
            else:
                await answer

    return call


def fields_of(kind: type) -> Arguments:
    """Return the defaults of an options class."""
    return {field.name: field.default for field in attrs.fields(kind)}


SENDING = {"timeout": 5.0, "deadline": 60.0}
RUNNING = {
    "messages": [message()],
    "max_concurrency": 3,
    "rate": 100.0,
    "max_failures": 1,
    "max_credits": 5.0,
    "deadline": 60.0,
    "on_progress": None,
}
RECORDED = {"messages": [message()], "ledger": None, "campaign": None}
TEXTS = {"to": "905374937766", "message": "Merhaba", "buttons": ["👍", "⛔"]}
CLIENT = {
    "api_key": KEY,
    "sender": SENDER,
    "api_key_in": "query",
    "timeout": 5.0,
    "max_concurrency": 4,
    "rate": 5.0,
    "retry": api.RetryPolicy(),
    "hooks": (),
    "breaker": None,
}
OPENED = {"base_url": "http://127.0.0.1:9/", "http_client": None, "keepalive": 2.0}
SHARED = {"rate": 5.0, "name": "spring", "patience": 1.0}


def a_queue() -> Any:
    """Return a queue that takes everything."""

    class Queue:
        async def put(self, chunks: Any) -> None:
            pass

    return Queue()


def a_shared_ledger() -> Any:
    """Return a shared ledger that nobody answers."""
    return api.PostgresLedger(NOWHERE, patience=0.001)


async def chunk_sent(vendor: Vendor, **arguments: Any) -> None:
    """Send a chunk."""
    async with a_client(vendor) as client:
        await api.send_chunk(**{"client": client} | arguments)


def entry(call: Callable[..., Any], good: Arguments, **words: str) -> Entry:
    """Return an entry."""
    return Entry(call, good, words)


ENTRIES: dict[str, list[Entry]] = {
    "AsyncMultiWhats": [
        entry(new_client, CLIENT, api_key="key", hooks="hook"),
        entry(lambda _, **options: AsyncMultiWhats(KEY, sender=SENDER, **options), OPENED),
        entry(copied, CLIENT, api_key="key", hooks="hook"),
        entry(method("send_button_message"), TEXTS | SENDING | {"sender": SENDER, "key": "k"}),
        entry(method("send"), {"message": message()} | SENDING),
        entry(method("deliver"), {"message": message()} | SENDING),
        entry(method("send_many"), RUNNING, messages="message"),
        entry(bulk, RUNNING, messages="message"),
        entry(
            bulk,
            RECORDED | {"resend_unknown": False, "only_failed": False},
            messages="message",
            campaign="ledger",
        ),
        entry(method("send_many"), {"messages": [message()], "ledger": None}, messages="message"),
    ],
    "ButtonMessage": [
        entry(plain(api.ButtonMessage), TEXTS | {"sender": SENDER, "key": "k", "limits": None})
    ],
    "MessageLimits": [entry(plain(api.MessageLimits), fields_of(api.MessageLimits))],
    "Breaker": [entry(plain(api.Breaker), fields_of(api.Breaker))],
    "Timeouts": [
        entry(plain(api.Timeouts), fields_of(api.Timeouts)),
        entry(plain(api.Timeouts.of), {"value": 5.0}, value="timeout"),
    ],
    "Rate": [
        entry(plain(api.Rate), {"per_second": 5.0, "jitter": 0.0}),
        entry(plain(api.Rate.of), {"value": 5.0}, value="per_second"),
    ],
    "RetryPolicy": [entry(plain(api.RetryPolicy), fields_of(api.RetryPolicy))],
    "Chunk": [
        entry(
            plain(api.Chunk.from_json), {"text": '{"chunk": 1, "campaign": "spring"}'}, text="task"
        )
    ],
    "MemoryLedger": [
        entry(on_ledger("summary"), {"campaign": "spring"}),
        entry(on_ledger("outcomes"), {"campaign": "spring", "certainty": None}),
        entry(
            on_ledger("resolve"),
            {
                "campaign": "spring",
                "key": "one",
                "certainty": api.Certainty.ACCEPTED,
                "note": "seen",
            },
        ),
    ],
    "SQLiteLedger": [entry(plain(api.SQLiteLedger), {"path": "spring.ledger"}, path="ledger")],
    "PostgresLedger": [
        entry(
            plain(api.PostgresLedger), {"dsn": NOWHERE, "lease": 60.0, "patience": 1.0}, dsn="dsn"
        )
    ],
    "PostgresRate": [
        entry(plain(api.PostgresRate), {"dsn": NOWHERE} | SHARED, dsn="dsn", rate="r")
    ],
    "RedisRate": [
        entry(plain(api.RedisRate), {"url": "redis://127.0.0.1:9"} | SHARED, url="url", rate="r")
    ],
    "enqueue_campaign": [
        Entry(
            plain(api.enqueue_campaign),
            {
                "ledger": a_shared_ledger(),
                "campaign": "spring",
                "messages": [message()],
                "queue": a_queue(),
                "sender": SENDER,
                "chunk_size": 10,
            },
            unreachable=True,
        )
    ],
    "reconcile": [
        Entry(
            plain(api.reconcile),
            {"ledger": a_shared_ledger(), "queue": a_queue()},
            unreachable=True,
        )
    ],
    "send_chunk": [
        Entry(
            chunk_sent,
            {"ledger": a_shared_ledger(), "chunk": api.Chunk(1, "spring")},
            unreachable=True,
        )
    ],
    "make_converter": [
        Entry(
            lambda _, field: api.make_converter().structure(
                RESPONSE | dict.fromkeys(RESPONSE, field), api.MessageReceipt
            ),
            {"field": None},
            values=written_in_json,
        )
    ],
    "configure_converter": [
        entry(plain(api.configure_converter), {"converter": api.make_converter()})
    ],
}
"""What a caller gives something to, by its public name."""

MODULES: list[Entry] = [
    entry(plain(Template), {"text": "Merhaba {name}"}, text=""),
    entry(plain(parse_reply), {"body": b"{}", "assumed_item_id": "label"}, body=""),
    entry(plain(Option), {"label": "A", "to": "b", "action": None, "targets": (), "value": "x"}),
    entry(plain(Stage), {"name": "a", "text": "A", "options": [Option("A")]}),
    entry(
        plain(Menu),
        {
            "name": "m",
            "start": "a",
            "stages": [Stage("a", "A", [Option("A")])],
            "variables": (),
            "limits": None,
        },
    ),
]
"""What stands in modules of its own."""
