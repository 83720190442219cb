"""The engine's delivery truth: whatever fails or ends, no message is sent twice, none by guess."""

import asyncio
import json
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from menus.guests import (
    ASKED,
    GUEST,
    MENU,
    OFFERED,
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
    Certainty,
    ConfigurationError,
    LedgerError,
    NotSentError,
    RejectedError,
)
from multiwhats_async.menus import (
    MemoryMenuStore,
    MenuEngine,
    MenuEvent,
    Session,
    SQLiteMenuStore,
)
from multiwhats_async.replies import Reply, ReplyHandler
from multiwhats_async.sandbox import Emulator, FaultPlan

pytestmark = pytest.mark.anyio


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


class CancellingStore(MemoryMenuStore):
    """Has whoever uses it cancelled at one of its calls, before or behind the work."""

    def __init__(self) -> None:
        super().__init__()
        self.scope = anyio.CancelScope()
        self.at = 0
        self.behind = False

    async def load(self, menu: str, sender: str, customer: str) -> Session | None:
        """Load a session."""
        await self._strike(1)
        session = await super().load(menu, sender, customer)
        await self._strike(0)
        return session

    async def save(self, session: Session, *, expected: int) -> bool:
        """Save a session."""
        await self._strike(1)
        saved = await super().save(session, expected=expected)
        await self._strike(0)
        return saved

    async def _strike(self, count: int) -> None:
        self.at -= count
        if self.at == 0 and self.behind == (count == 0):
            self.scope.cancel()
        await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("at", [1, 2, 3])
async def test_every_point_at_which_the_request_may_be_cancelled(at: int, behind: bool) -> None:
    """A step that has begun is finished; the tap that is pushed again sends nothing twice."""
    emulator, store = Emulator(), CancellingStore()
    async with engine_of(emulator, store) as engine:
        await start(engine)
        yes = tap(emulator, YES)
        store.at, store.behind = at, behind
        with store.scope:
            await engine.handle(yes)
        assert store.scope.cancel_called
        has_begun = at > 1
        assert texts(emulator) == [ASKED, OFFERED][: 1 + has_begun]
        event = (await engine.handle(yes)).event
        assert event is (MenuEvent.DUPLICATE if has_begun else MenuEvent.ADVANCED)
        assert texts(emulator) == [ASKED, OFFERED]
        assert (await engine.handle(tap(emulator, TAXI))).event is MenuEvent.ADVANCED


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


class FailingStore(MemoryMenuStore):
    """Fails from one of its writes on."""

    def __init__(self) -> None:
        super().__init__()
        self.good_writes = 100

    async def save(self, session: Session, *, expected: int) -> bool:
        """Save, or fail."""
        self.good_writes -= 1
        if self.good_writes < 0:
            raise LedgerError("the disk is full")
        return await super().save(session, expected=expected)


async def test_a_store_that_fails_once_the_message_is_sent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The caller hears that it was sent; the tap on it is the proof."""
    emulator, store = Emulator(), FailingStore()
    async with engine_of(emulator, store) as engine:
        store.good_writes = 1
        await start(engine)
        assert "It could not be kept what became of a message of 'hotel'" in caplog.text
        assert GUEST not in caplog.text
        store.good_writes = 1
        yes = tap(emulator, YES)
        assert (await engine.handle(yes)).event is MenuEvent.ADVANCED
        assert (await engine.handle(yes)).event is MenuEvent.DUPLICATE
        store.good_writes = 100
        assert (await engine.handle(tap(emulator, TAXI))).event is MenuEvent.ADVANCED
    assert len(emulator.messages) == 3


async def test_a_store_that_fails_once_the_message_is_refused() -> None:
    """The caller hears that it was refused; whether it went out is unknown to the store."""
    emulator, store = Emulator(faults=FaultPlan(["422@nth:2"])), FailingStore()
    async with engine_of(emulator, store) as engine:
        await start(engine)
        store.good_writes = 1
        yes = tap(emulator, YES)
        with pytest.raises(RejectedError):
            await engine.handle(yes)
        assert (await engine.handle(yes)).event is MenuEvent.DUPLICATE
    assert texts(emulator) == [ASKED]


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


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_task_that_is_cancelled_past_all_shields_finishes_its_step(
    anyio_backend: str,
) -> None:
    """As asyncio's own cancellation is, and as often as it likes."""
    emulator = Emulator()
    writes: list[Session] = []
    written = anyio.Event()

    class Slow(MemoryMenuStore):
        async def save(self, session: Session, *, expected: int) -> bool:
            saved = await super().save(session, expected=expected)
            writes.append(session)
            written.set()
            await anyio.wait_all_tasks_blocked()
            return saved

    store = Slow()
    async with engine_of(emulator, store) as engine:
        await start(engine)
        written = anyio.Event()
        task = asyncio.get_running_loop().create_task(engine.handle(tap(emulator, YES)))
        await written.wait()
        for _ in range(3):
            task.cancel()
            await anyio.lowlevel.checkpoint()
        with pytest.raises(asyncio.CancelledError):
            await task
        session = await store.load("hotel", OURS, GUEST)
        assert session is not None
        assert (session.stage, session.message_id) == ("service", 3665)
        assert (await engine.handle(tap(emulator, TAXI))).event is MenuEvent.ADVANCED
    assert len(emulator.messages) == 3


@pytest.mark.parametrize("point", ["before the intent", "behind it", "before the id"])
async def test_every_point_at_which_a_start_may_end(point: str) -> None:
    """Nobody is sent anything by itself; the tap on what did go out is taken."""
    emulator, store = Emulator(), CrashingStore()
    async with engine_of(emulator, store) as engine:
        if point == "behind it":
            store.after = 1
        else:
            store.before = 1 if point == "before the intent" else 2
        with pytest.raises(Crash):
            await start(engine)
        assert len(emulator.messages) == (point == "before the id")
        store.before = store.after = None
        if point == "before the id":
            assert (await engine.handle(tap(emulator, YES))).event is MenuEvent.ADVANCED
        else:
            await start(engine)
            assert texts(emulator) == [ASKED]
            assert (await engine.handle(tap(emulator, YES))).event is MenuEvent.ADVANCED
