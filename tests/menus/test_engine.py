"""The engine: customers through a menu, one tap after the other."""

import json
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import pytest
from menus.guests import (
    ASKED,
    BREAKFAST,
    GUEST,
    MENU,
    OFFERED,
    OTHER,
    OURS,
    TAXI,
    THANKS,
    YES,
    client_of,
    engine_of,
    no_order,
    start,
    tap,
    texts,
)

from multiwhats_async import (
    ConfigurationError,
    InvalidMenuError,
    InvalidMessageError,
    InvalidReplyError,
    TemplateError,
)
from multiwhats_async.menus import (
    ActionContext,
    ActionResult,
    MemoryMenuStore,
    Menu,
    MenuEngine,
    MenuEvent,
    Option,
    Stage,
)
from multiwhats_async.replies import Reply
from multiwhats_async.sandbox import Emulator

pytestmark = pytest.mark.anyio


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
            fields = json.loads(json.dumps(result.to_dict()))
            assert (fields["event"], fields["session"]["stage"]) == (event, stage)
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
                MenuEngine(client, MENU, MemoryMenuStore(), actions=actions, **options)  # type: ignore[arg-type]  # wrong on purpose
        with pytest.raises(ConfigurationError, match="max_steps must be a whole number"):
            MenuEngine(client, MENU, MemoryMenuStore(), actions=actions, max_steps=0)
        with pytest.raises(ConfigurationError, match=r"nobody gives \{guest\} then"):
            MenuEngine(client, MENU, MemoryMenuStore(), actions=actions, without_session="start")
        engine = MenuEngine(client, MENU, MemoryMenuStore(), actions=actions)
        with pytest.raises(ConfigurationError, match="no sender"):
            await engine.start(GUEST, data={"guest": "Ayşe"})
        with pytest.raises(InvalidMessageError, match="begins with 0"):
            await engine.start("0537", data={"guest": "Ayşe"})
        with pytest.raises(TemplateError, match="guest"):
            await engine.start(GUEST, sender=OURS)
        with pytest.raises(ConfigurationError, match="data must be texts"):
            await engine.start(GUEST, sender=OURS, data={"guest": 5})  # type: ignore[dict-item]  # likewise
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
