"""The engine: customers through a menu, each message with the client's own truth."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import pytest
from menus.guests import GUEST, MENU, OTHER, OURS, client_of, reply_to, texts

from multiwhats_async import (
    Certainty,
    ConfigurationError,
    InvalidMenuError,
    InvalidMessageError,
    InvalidReplyError,
    LedgerError,
    NotSentError,
    RejectedError,
    TemplateError,
)
from multiwhats_async.menus import (
    ActionContext,
    ActionResult,
    MemoryMenuStore,
    Menu,
    MenuEngine,
    MenuEvent,
    MenuStore,
    Option,
    Session,
    SQLiteMenuStore,
    Stage,
)
from multiwhats_async.replies import Reply, ReplyHandler
from multiwhats_async.sandbox import Emulator, FaultPlan

pytestmark = pytest.mark.anyio

YES, TAXI, BREAKFAST, THANKS = "👍 Yes", "🚕 Taxi", "🍳 Breakfast", "🙏 Thanks"
ASKED = "Dear Ayşe, may we write to you?"
OFFERED = "What may we do for you?"


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


# --- the way through ------------------------------------------------------------------------


async def test_through_the_menu() -> None:
    """Message, tap, message, to the end."""
    emulator = Emulator()
    async with engine_of(emulator) as engine:
        await start(engine, "+90 537 493 77 66")
        for label, event, stage in (
            (YES, MenuEvent.ADVANCED, "service"),
            (TAXI, MenuEvent.ADVANCED, "confirm"),
            (THANKS, MenuEvent.ENDED, None),
        ):
            result = await engine.handle(tap(emulator, label))
            assert result.event is event
            assert result.session is not None
            assert result.session.stage == stage
            assert (result.outcome is None) == (event is MenuEvent.ENDED)
        assert (await engine.handle(tap(emulator, THANKS))).event is MenuEvent.DUPLICATE
        assert (await engine.handle(tap(emulator, YES, 3664))).event is MenuEvent.DUPLICATE
        assert (await engine.handle(tap(emulator, "⛔ No", 3664))).event is MenuEvent.OLD
        assert repr(engine) == "<MenuEngine 'hotel'>"
    assert texts(emulator) == [ASKED, OFFERED, "We send a taxi. "]
    assert {message.recipient for message in emulator.messages} == {GUEST}


async def test_a_customer_without_a_session() -> None:
    """Nothing, or the menu begins; a second delivery of the tap begins nothing."""
    menu = Menu([Stage("hello", "Hi", [Option("OK")])], "hello", name="hello")
    emulator = Emulator()
    async with engine_of(emulator) as engine:
        await start(engine)
    reply = tap(emulator, YES)
    async with engine_of(emulator) as engine:
        assert (await engine.handle(reply)).event is MenuEvent.NO_SESSION
    async with engine_of(emulator, menu=menu, without_session="start") as engine:
        result = await engine.handle(reply)
        assert (result.event, texts(emulator)) == (MenuEvent.STARTED, [ASKED, "Hi"])
        assert (await engine.handle(reply)).event is MenuEvent.DUPLICATE
        assert (await engine.handle(tap(emulator, "OK"))).event is MenuEvent.ENDED


async def test_a_session_is_replaced() -> None:
    """The late tap on the one before is known for an old one."""
    emulator = Emulator()
    async with engine_of(emulator) as engine:
        await start(engine)
        await start(engine)
        assert (await engine.handle(tap(emulator, YES, 3664))).event is MenuEvent.OLD
        assert (await engine.handle(tap(emulator, YES))).event is MenuEvent.ADVANCED


async def test_earlier_messages() -> None:
    """Sent again, or followed, as the policy says; taps on other messages lead nowhere."""
    emulator = Emulator()
    async with engine_of(emulator, old_taps="repeat") as engine:
        await start(engine)
        await engine.handle(tap(emulator, YES))
        result = await engine.handle(tap(emulator, "⛔ No", 3664))
        assert result.event is MenuEvent.REPEATED
        assert texts(emulator) == [ASKED, OFFERED, OFFERED]
        assert (await engine.handle(tap(emulator, TAXI))).event is MenuEvent.ADVANCED
        assert (await engine.handle(tap(emulator, THANKS))).event is MenuEvent.ENDED
        assert (await engine.handle(tap(emulator, "🔙 Back", 3665))).event is MenuEvent.OLD
    emulator = Emulator()
    async with engine_of(emulator, old_taps="follow") as engine:
        await start(engine)
        await engine.handle(tap(emulator, YES))
        assert (await engine.handle(tap(emulator, "⛔ No", 3664))).event is MenuEvent.ENDED
        odd = attrs.evolve(tap(emulator, YES, 3664), queue_id=9_999)
        assert (await engine.handle(odd)).event is MenuEvent.UNKNOWN
    assert texts(emulator) == [ASKED, OFFERED]


async def test_credits_have_an_end(caplog: pytest.LogCaptureFixture) -> None:
    """A customer who goes round and round is stopped; what costs nothing still works."""
    emulator = Emulator()
    async with engine_of(emulator, max_steps=3) as engine:
        await start(engine)
        assert (await engine.handle(tap(emulator, YES))).event is MenuEvent.ADVANCED
        assert (await engine.handle(tap(emulator, "🔙 Back"))).event is MenuEvent.ADVANCED
        assert (await engine.handle(tap(emulator, YES))).event is MenuEvent.TOO_MANY
        assert (await engine.handle(tap(emulator, "⛔ No"))).event is MenuEvent.ENDED
    assert len(emulator.messages) == 3
    assert "has sent 3 messages" in caplog.text
    assert GUEST not in caplog.text


# --- actions --------------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (None, "We send 🍳 Breakfast. "),
        ("sold_out", "There is none today."),
        ({"note": "At nine."}, "We send 🍳 Breakfast. At nine."),
        (ActionResult(data={"note": "At ten."}), "We send 🍳 Breakfast. At ten."),
        (ActionResult(to="sold_out"), "There is none today."),
    ],
)
async def test_what_an_action_returns(answer: Any, text: str, is_async: bool) -> None:
    """Nothing, a stage, data, or both; from plain and from async code."""
    contexts: list[ActionContext] = []

    def plain(context: ActionContext) -> Any:
        contexts.append(context)
        return answer

    async def awaited(context: ActionContext) -> Any:
        return plain(context)

    emulator = Emulator()
    async with engine_of(emulator, actions={"order": awaited if is_async else plain}) as engine:
        await start(engine)
        await engine.handle(tap(emulator, YES))
        await engine.handle(tap(emulator, BREAKFAST))
    assert texts(emulator)[-1] == text
    (context,) = contexts
    assert (context.stage.name, context.option.label) == ("service", BREAKFAST)
    assert (context.session.data["guest"], context.reply.label) == ("Ayşe", BREAKFAST)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (5, ConfigurationError, "action 'order' returned int"),
        ({"note": 5}, ConfigurationError, "data of action 'order' must be texts"),
        ("consent", InvalidMenuError, "none of its option's targets"),
        ("nowhere", InvalidMenuError, "none of its option's targets"),
    ],
)
async def test_what_an_action_may_not_return(
    answer: Any, error: type[Exception], words: str
) -> None:
    """The customer stands where he stood, and nothing was sent."""
    emulator = Emulator()
    async with engine_of(emulator, actions={"order": lambda _: answer}) as engine:
        await start(engine)
        await engine.handle(tap(emulator, YES))
        with pytest.raises(error, match=words):
            await engine.handle(tap(emulator, BREAKFAST))
        assert len(emulator.messages) == 2
        assert (await engine.handle(tap(emulator, TAXI))).event is MenuEvent.ADVANCED


async def test_an_action_that_fails_is_run_again() -> None:
    """With the next delivery of the tap."""
    calls: list[str] = []

    async def fails_once(context: ActionContext) -> None:
        calls.append(context.option.label)
        if len(calls) == 1:
            raise OSError("no kitchen")

    emulator = Emulator()
    async with engine_of(emulator, actions={"order": fails_once}) as engine:
        await start(engine)
        await engine.handle(tap(emulator, YES))
        reply = tap(emulator, BREAKFAST)
        with pytest.raises(OSError, match="no kitchen"):
            await engine.handle(reply)
        assert (await engine.handle(reply)).event is MenuEvent.ADVANCED
        assert (await engine.handle(reply)).event is MenuEvent.DUPLICATE
    assert len(calls) == 2
    assert len(emulator.messages) == 3


async def test_what_an_engine_cannot_be() -> None:
    """Said when it is built, or before anything is sent."""
    emulator = Emulator()
    async with client_of(emulator, sender=None) as client:
        with pytest.raises(ConfigurationError, match="actions lacks order"):
            MenuEngine(client, MENU, MemoryMenuStore())
        actions = {"order": no_order}
        for options in ({"old_taps": "guess"}, {"without_session": "guess"}):
            with pytest.raises(ConfigurationError, match="guess"):
                MenuEngine(client, MENU, MemoryMenuStore(), actions=actions, **options)  # type: ignore[arg-type]
        engine = MenuEngine(client, MENU, MemoryMenuStore(), actions=actions)
        with pytest.raises(ConfigurationError, match="no sender"):
            await engine.start(GUEST, data={"guest": "Ayşe"})
        with pytest.raises(InvalidMessageError, match="begins with 0"):
            await engine.start("0537", data={"guest": "Ayşe"})
        with pytest.raises(TemplateError, match="guest"):
            await engine.start(GUEST, sender=OURS)
        with pytest.raises(ConfigurationError, match="data must be texts"):
            await engine.start(GUEST, sender=OURS, data={"guest": 5})  # type: ignore[dict-item]
        assert emulator.messages == ()
        await engine.start(GUEST, sender=OURS, data={"guest": "Ayşe"})
        odd = attrs.evolve(tap(emulator, YES), recipient="0537")
        with pytest.raises(InvalidReplyError, match="recipient: begins with 0"):
            await engine.handle(odd)


# --- order ----------------------------------------------------------------------------------


async def test_taps_of_one_customer_are_taken_in_order() -> None:
    """A second tap waits until the first one's message is sent; another customer does not."""
    begun, go_on = anyio.Event(), anyio.Event()

    async def slow(_context: ActionContext) -> None:
        begun.set()
        await go_on.wait()

    emulator = Emulator()
    events: list[tuple[str, MenuEvent]] = []
    async with engine_of(emulator, actions={"order": slow}) as engine:

        async def handle(reply: Reply) -> None:
            result = await engine.handle(reply)
            events.append((reply.sender[-4:], result.event))

        for customer in (OTHER, GUEST):
            await start(engine, customer)
            await engine.handle(tap(emulator, YES))
        first, second = tap(emulator, BREAKFAST), tap(emulator, TAXI)
        others = tap(emulator, TAXI, 3665)
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(handle, first)
                await begun.wait()
                tasks.start_soon(handle, second)
                await anyio.wait_all_tasks_blocked()
                tasks.start_soon(handle, others)
                await anyio.wait_all_tasks_blocked()
                assert events == [("0001", MenuEvent.ADVANCED)]
                go_on.set()
        assert events[1:] == [("7766", MenuEvent.ADVANCED), ("7766", MenuEvent.OLD)]
        assert engine._turns == {}


# --- delivery truth -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "error"),
    [("refuse@nth:2,times:1", NotSentError), ("422@nth:2", RejectedError)],
)
async def test_a_message_that_did_not_go_out_takes_the_step_back(
    fault: str, error: type[Exception], tmp_path: Path
) -> None:
    """The reply is taken again when it is pushed again; nobody is sent anything twice."""
    emulator = Emulator(faults=FaultPlan([fault]))
    async with engine_of(emulator, SQLiteMenuStore(tmp_path / "menus.db")) as engine:
        await start(engine)
        reply = tap(emulator, YES)
        with pytest.raises(error):
            await engine.handle(reply)
        assert texts(emulator) == [ASKED]
        assert (await engine.handle(reply)).event is MenuEvent.ADVANCED
        assert (await engine.handle(reply)).event is MenuEvent.DUPLICATE
    assert texts(emulator) == [ASKED, OFFERED]


async def test_a_menu_that_did_not_begin() -> None:
    """There is no session; the next try begins one."""
    emulator = Emulator(faults=FaultPlan(["422@nth:1"]))
    async with engine_of(emulator) as engine:
        outcome = await engine.start(GUEST, data={"guest": "Ayşe"})
        assert outcome.certainty is Certainty.REJECTED
        await start(engine)
        assert (await engine.handle(tap(emulator, YES))).event is MenuEvent.ADVANCED
    other = Emulator(faults=FaultPlan(["422@nth:1"]))
    async with engine_of(other) as engine:
        await engine.start(GUEST, data={"guest": "Ayşe"})
        assert (await engine.handle(tap(emulator, YES, 3664))).event is MenuEvent.NO_SESSION


async def test_an_unknown_message_is_never_sent_again(tmp_path: Path) -> None:
    """Nothing that comes again sends it; a tap on it is the proof that it went out."""
    emulator = Emulator(faults=FaultPlan(["disconnect_after@nth:2"]))
    store = SQLiteMenuStore(tmp_path / "menus.db")
    async with engine_of(emulator, store) as engine:
        await start(engine)
        yes = tap(emulator, YES)
        result = await engine.handle(yes)
        assert result.event is MenuEvent.ADVANCED
        assert result.outcome is not None
        assert result.outcome.certainty is Certainty.UNKNOWN
        assert (await engine.handle(yes)).event is MenuEvent.DUPLICATE
    async with engine_of(emulator, store) as engine:
        assert (await engine.handle(yes)).event is MenuEvent.DUPLICATE
        assert texts(emulator) == [ASKED, OFFERED]
        assert (await engine.handle(tap(emulator, TAXI))).event is MenuEvent.ADVANCED
        assert (await engine.handle(tap(emulator, YES, 3664))).event is MenuEvent.DUPLICATE
    assert texts(emulator) == [ASKED, OFFERED, "We send a taxi. "]


class Crash(BaseException):
    """The process ends here."""


class CrashingStore(MemoryMenuStore):
    """Ends the process before or after one of its writes."""

    def __init__(self) -> None:
        super().__init__()
        self.before: int | None = None
        self.after: int | None = None
        self.writes = 0

    async def save(self, session: Session, *, expected: int) -> bool:
        """Save, unless the process ends."""
        self.writes += 1
        if self.writes == self.before:
            raise Crash
        saved = await super().save(session, expected=expected)
        if self.writes == self.after:
            raise Crash
        return saved


@pytest.mark.parametrize(
    "point", ["before the intent", "behind it", "before the id", "behind it all"]
)
async def test_every_point_at_which_the_process_may_end(point: str) -> None:
    """The tap that is pushed again is taken once; no message is sent twice, none by guess."""
    emulator = Emulator()
    store = CrashingStore()
    async with engine_of(emulator, store) as engine:
        await start(engine)
        yes = tap(emulator, YES)
        writes = store.writes
        match point:
            case "before the intent":
                store.before = writes + 1
            case "behind it":
                store.after = writes + 1
            case "before the id":
                store.before = writes + 2
            case _:
                store.after = writes + 2
        with pytest.raises(Crash):
            await engine.handle(yes)
        sent_before = len(emulator.messages)
        store.before = store.after = None
        event = (await engine.handle(yes)).event
        if point == "before the intent":
            assert (event, sent_before, len(emulator.messages)) == (MenuEvent.ADVANCED, 1, 2)
        else:
            assert event is MenuEvent.DUPLICATE
            assert len(emulator.messages) == sent_before == (1 if point == "behind it" else 2)
        if len(emulator.messages) == 2:
            assert (await engine.handle(tap(emulator, TAXI))).event is MenuEvent.ADVANCED
        else:  # a new start leads out of it
            await start(engine)
            assert (await engine.handle(tap(emulator, YES))).event is MenuEvent.ADVANCED


async def test_a_cancelled_step_is_finished() -> None:
    """What has begun to be sent is not left unknown by a web request that is given up."""
    emulator = Emulator()
    entered = anyio.Event()

    class Slow(MemoryMenuStore):
        async def save(self, session: Session, *, expected: int) -> bool:
            entered.set()
            await anyio.lowlevel.checkpoint()
            return await super().save(session, expected=expected)

    store = Slow()
    async with engine_of(emulator, store) as engine:
        await start(engine)
        entered = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.handle, tap(emulator, YES))
            await entered.wait()
            tasks.cancel_scope.cancel()
        session = await store.load("hotel", OURS, GUEST)
        assert session is not None
        assert (session.stage, session.message_id) == ("service", 3665)


async def test_a_client_that_is_closed_takes_the_step_back() -> None:
    """Nothing was sent: the next program takes the tap."""
    emulator, store = Emulator(), MemoryMenuStore()
    async with client_of(emulator) as client:
        engine = MenuEngine(client, MENU, store, actions={"order": no_order})
        await start(engine)
    yes = tap(emulator, YES)
    with pytest.raises(ConfigurationError):
        await engine.handle(yes)
    async with engine_of(emulator, store) as engine:
        assert (await engine.handle(yes)).event is MenuEvent.ADVANCED


async def test_two_programs_on_one_file(tmp_path: Path) -> None:
    """A tap that both get is taken by one of them."""
    emulator = Emulator()
    path = tmp_path / "menus.db"
    async with (
        engine_of(emulator, SQLiteMenuStore(path)) as one,
        engine_of(emulator, SQLiteMenuStore(path)) as other,
    ):
        await start(one)
        events: list[MenuEvent] = []

        async def handle(engine: MenuEngine, reply: Reply) -> None:
            events.append((await engine.handle(reply)).event)

        for label in (YES, TAXI, THANKS):
            reply = tap(emulator, label)
            async with anyio.create_task_group() as tasks:
                for engine in (one, other, one, other):
                    tasks.start_soon(handle, engine, reply)
    assert texts(emulator) == [ASKED, OFFERED, "We send a taxi. "]
    assert sorted(events) == sorted(
        [MenuEvent.ADVANCED, MenuEvent.ADVANCED, MenuEvent.ENDED] + [MenuEvent.DUPLICATE] * 9
    )


@pytest.mark.parametrize("act", ["start", "advance", "end"])
async def test_a_store_that_never_agrees(act: str) -> None:
    """It has an end, and nothing is sent."""
    emulator = Emulator()

    class Stubborn(MemoryMenuStore):
        stubborn = False

        async def save(self, session: Session, *, expected: int) -> bool:
            return not self.stubborn and await super().save(session, expected=expected)

    store = Stubborn()
    async with engine_of(emulator, store) as engine:
        await start(engine)
        store.stubborn = True
        with pytest.raises(ConfigurationError, match="another program has changed the session"):
            if act == "start":
                await start(engine)
            else:
                await engine.handle(tap(emulator, YES if act == "advance" else "⛔ No"))
    assert len(emulator.messages) == 1


async def test_a_store_that_fails_sends_nothing(tmp_path: Path) -> None:
    """No message whose step is not on record."""
    emulator = Emulator()
    store = SQLiteMenuStore(tmp_path / "menus.db")
    async with engine_of(emulator, store) as engine:
        await start(engine)
        assert store._database is not None
        store._database.execute("PRAGMA query_only = ON")
        with pytest.raises(LedgerError):
            await engine.handle(tap(emulator, YES))
    assert len(emulator.messages) == 1


async def test_behind_a_reply_handler() -> None:
    """As a web service uses it: 500 where nothing went out, so that it is pushed again."""
    emulator = Emulator(faults=FaultPlan(["422@nth:2"]), webhook="http://127.0.0.1:1/")
    async with engine_of(emulator) as engine:
        await start(engine)
        handler = ReplyHandler(engine.handle, token=None, assumed_item_id="label")
        (delivery,) = emulator.tap(3664, label=YES)[1]
        body = json.dumps(delivery.body).encode()
        assert [(await handler.handle(body, None)).status for _ in range(3)] == [500, 200, 200]
    assert texts(emulator) == [ASKED, OFFERED]
