"""The types of replies, menus and templates."""

from collections.abc import Mapping
from typing import assert_type

from multiwhats_async import AsyncMultiWhats, ButtonMessage, Outcome
from multiwhats_async.menus import (
    Action,
    ActionContext,
    ActionResult,
    MemoryMenuStore,
    Menu,
    MenuEngine,
    MenuEvent,
    MenuResult,
    MenuStore,
    Messenger,
    OldTaps,
    Option,
    Session,
    SQLiteMenuStore,
    Stage,
    WithoutSession,
    step,
)
from multiwhats_async.replies import (
    AssumedItemId,
    Reply,
    ReplyHandler,
    ReplyResponse,
    parse_reply,
)
from multiwhats_async.templates import Template

DOOR = "open sesame"


def a_template() -> None:
    """Filled in with texts."""
    template = Template("Hi {name|guest}")
    assert_type(template.render({"name": "Ayşe"}), str)


def a_menu() -> Menu:
    """Written as data, or read."""
    menu = Menu([Stage("start", "Hi", [Option("Yes", to="end"), Option("No")])], "start")
    assert_type(menu.stages, tuple[Stage, ...])
    assert_type(menu.cycles, tuple[tuple[str, ...], ...])
    assert_type(Menu.from_toml(""), Menu)
    assert_type(Menu.load("hotel.toml"), Menu)
    assert_type(menu.stages[0].options[0].to, str | None)
    assert_type(menu.message("start", {}, to="905374937766"), ButtonMessage)
    return menu


async def book(context: ActionContext) -> Mapping[str, str]:
    """An async action that returns data."""
    assert_type(context.session, Session)
    assert_type(context.reply, Reply)
    return {"room": "12"}


def thank(context: ActionContext) -> ActionResult:
    """A sync one that returns a result."""
    return ActionResult(to=context.stage.name)


async def an_engine(client: AsyncMultiWhats, reply: Reply) -> None:
    """Started, and given a reply."""
    store: MenuStore = MemoryMenuStore()
    engine = MenuEngine(client, a_menu(), store, actions={"book": book, "thank": thank})
    assert_type(await engine.start("905374937766", data={"name": "Ayşe"}), Outcome)
    result = await engine.handle(reply)
    assert_type(result, MenuResult)
    assert_type(result.event, MenuEvent)
    assert_type(result.session, Session | None)
    async with SQLiteMenuStore("menus.db") as opened:
        assert_type(opened, SQLiteMenuStore)


ACTIONS: dict[str, Action] = {"book": book, "thank": thank}


def a_step(menu: Menu, session: Session, reply: Reply) -> tuple[Session, tuple[ButtonMessage, ...]]:
    """The pure rule: the session after it, and what is to be sent."""
    after = step(menu, session, reply, old_taps=OldTaps.FOLLOW, data={"name": "Ayşe"})
    assert_type(after, tuple[Session, tuple[ButtonMessage, ...]])
    return after


def a_messenger(client: AsyncMultiWhats, menu: Menu) -> Messenger:
    """What an engine sends with: a client is one."""
    store = MemoryMenuStore()
    MenuEngine(client, menu, store, actions=ACTIONS, without_session=WithoutSession.START)
    return client


def on_reply(reply: Reply) -> None:
    """A sync one; what it returns nobody reads."""
    assert_type(reply.index, int)
    assert_type(reply.queue_id, int | None)


async def on_reply_too(reply: Reply) -> str:
    """An async one."""
    return reply.label


async def a_handler() -> None:
    """From bytes to an answer."""
    ReplyHandler(on_reply, token=None, assumed_item_id=AssumedItemId.LABEL)
    handler = ReplyHandler(on_reply_too, token=DOOR, assumed_item_id="label")
    answer = await handler.handle(b"{}", DOOR)
    assert_type(answer, ReplyResponse)
    assert_type(answer.status, int)
    assert_type(parse_reply(b"{}", assumed_item_id="label"), Reply | None)
