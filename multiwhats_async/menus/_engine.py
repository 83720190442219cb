"""Takes customers through a menu: reply, step, message, each sent with the client's own truth."""

import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from types import TracebackType
from typing import Final, Protocol, Self

import anyio
import attrs

from .._certainty import Certainty
from .._numbers import NumberError, normalise_number
from .._settings import checked_count
from ..errors import ConfigurationError, InvalidReplyError, MultiWhatsError
from ..models import ButtonMessage
from ..outcomes import Outcome
from ..replies import Reply
from ..templates import Template
from ._actions import Action, ActionContext, ActionResult, check_texts, run
from ._menu import Menu
from ._results import MenuEvent, MenuResult
from ._session import (
    MOST_HISTORY,
    Meaning,
    OldTaps,
    Session,
    first,
    meaning_of,
    option_of,
    past_of,
    step,
)
from ._stores import MenuStore

MOST_STEPS: Final = 100
"""Messages of one session. Ours: each costs a credit, and a menu with a way back has no end."""

MOST_CONFLICTS: Final = 10
"""How often a step is taken anew because another program was faster."""

_log: Final = logging.getLogger("multiwhats_async")


class Messenger(Protocol):
    """What an engine sends with: an :class:`~multiwhats_async.AsyncMultiWhats`."""

    @property
    def sender(self) -> str | None:
        """The number that sends where a message names none."""
        ...

    async def deliver(self, message: ButtonMessage) -> Outcome:
        """Send a message; return what became of it."""
        ...


class WithoutSession(StrEnum):
    """What a tap of a customer does who has no session, or whose session has expired."""

    IGNORE = "ignore"
    """Nothing. Costs nothing."""
    START = "start"
    """The menu begins. Costs a credit."""


class MenuEngine:
    """Takes customers through a menu. An async context manager: it opens and closes its store.

    ::

        async with MenuEngine(client, menu, SQLiteMenuStore("guests.db")) as engine:
            await engine.start("905374937766", data={"guest": "Ayşe"})
            ...
            await engine.handle(reply)  # or ReplyHandler(engine.handle, …)

    Taps of one customer are taken one after the other, in the order in which they came. The step
    is in the store before its message is sent, and its record's id behind it. So, whatever ends
    the process in between, no message is sent twice:

    - a message that was provably not sent, or was refused, takes the step back and raises: the
      reply that is pushed again is taken again;
    - one of which it is unknown whether it went out stays so; it is never sent again by itself. A
      tap on it is the proof that it did, and the menu goes on.

    An action is run before its step is in the store: where the process ends in between, the
    message is refused, or two programs get the same tap at once, it is run again.

    A step that has begun is finished though its caller is cancelled: it takes as long as the
    client's attempts, which ``RetryPolicy(deadline=…)`` limits.

    Args:
        client: What sends.
        menu: The menu.
        store: Where sessions are kept.
        actions: The callbacks by the names that the menu's options give, sync or async.
        old_taps: What a tap on an earlier message does.
        without_session: What a tap without a session does.
        max_steps: Messages of one session at the most.

    Raises:
        ConfigurationError: An action is missing, or an argument cannot work.
    """

    def __init__(
        self,
        client: Messenger,
        menu: Menu,
        store: MenuStore,
        *,
        actions: Mapping[str, Action] | None = None,
        old_taps: OldTaps | str = OldTaps.IGNORE,
        without_session: WithoutSession | str = WithoutSession.IGNORE,
        max_steps: int = MOST_STEPS,
    ) -> None:
        self._client = client
        self._menu = menu
        self._store = store
        self._actions = dict(actions or {})
        missing = [name for name in menu.actions if name not in self._actions]
        if missing:
            raise ConfigurationError(f"actions lacks {', '.join(missing)}, which the menu names")
        try:
            self._old_taps = OldTaps(old_taps)
            self._without_session = WithoutSession(without_session)
        except ValueError as error:
            raise ConfigurationError(str(error)) from None
        if self._without_session is WithoutSession.START:
            _check_start(menu)
        self._max_steps = checked_count("max_steps", max_steps)
        self._turns: dict[tuple[str, str], _Turn] = {}

    def __repr__(self) -> str:
        return f"<MenuEngine {self._menu.name!r}>"

    async def __aenter__(self) -> Self:
        await self._store.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self._store.aclose()

    async def start(
        self,
        customer: str,
        *,
        data: Mapping[str, str] | None = None,
        sender: str | None = None,
    ) -> Outcome:
        """Send the first stage's message. A session that the customer has is replaced.

        Args:
            customer: The number with its country code, in any usual notation.
            data: The values of the menu's ``variables``.
            sender: The number that sends; None takes the client's.

        Returns:
            What became of the message. Where it was not sent or refused, there is no session.

        Raises:
            InvalidMessageError: A number is none, or the message cannot be sent.
            TemplateError: A name in the text has no value.
            LedgerError: The session cannot be kept; nothing was sent.
        """
        # Checked and normalised as every message is.
        probe = ButtonMessage(customer, "x", ["x"], sender or self._client.sender)
        if probe.sender is None:
            raise ConfigurationError(
                "no sender: give one to AsyncMultiWhats or to start(), or set MULTIWHATS_FROM"
            )
        check_texts("data", data or {})
        session, (message,) = first(
            self._menu, sender=probe.sender, customer=probe.to, data=data or {}
        )
        async with self._turn(probe.sender, probe.to):
            for _ in range(MOST_CONFLICTS):
                kept = await self._store.load(self._menu.name, probe.sender, probe.to)
                done = await self._move(kept, _replacing(kept, session), message)
                if done is not None:
                    return done[1]
        raise self._crowded()

    async def handle(self, reply: Reply) -> MenuResult:
        """Take a reply; fit for :class:`~multiwhats_async.replies.ReplyHandler`.

        Args:
            reply: What the customer has tapped.

        Returns:
            What it has led to.

        Raises:
            SendError: The next message was provably not sent, or was refused. The session stands
                where it stood, and the same reply may be handled again.
            LedgerError: The session cannot be read or kept; nothing was sent.
            InvalidMessageError: The next message cannot be sent as it is; nothing was.
            Exception: What an action has raised; nothing was sent.
        """
        sender = _number("recipient", reply.recipient)
        customer = _number("sender", reply.sender)
        async with self._turn(sender, customer):
            for _ in range(MOST_CONFLICTS):
                session = await self._store.load(self._menu.name, sender, customer)
                result = (
                    await self._begin(session, reply, sender=sender, customer=customer)
                    if session is None or not session.steps
                    else await self._advance(session, reply)
                )
                if result is not None:
                    _raise_for(result.outcome)
                    return result
        raise self._crowded()

    async def _begin(
        self, kept: Session | None, reply: Reply, *, sender: str, customer: str
    ) -> MenuResult | None:
        """Take the reply of a customer without a session."""
        if self._without_session is WithoutSession.IGNORE:
            return MenuResult(MenuEvent.NO_SESSION)
        session, (message,) = first(self._menu, sender=sender, customer=customer, data={})
        session = attrs.evolve(session, taken=(reply.key,))
        done = await self._move(kept, _replacing(kept, session), message)
        return None if done is None else MenuResult(MenuEvent.STARTED, *done)

    async def _advance(self, session: Session, reply: Reply) -> MenuResult | None:
        """Take the reply of a customer with a session; None where another program was faster."""
        meaning, stage = meaning_of(self._menu, session, reply)
        repeats = meaning is Meaning.OLD and self._old_taps is OldTaps.REPEAT
        if meaning is Meaning.OLD and (self._old_taps is OldTaps.IGNORE or session.stage is None):
            return MenuResult(MenuEvent.OLD, session)
        option = None if stage is None else option_of(stage, reply)
        if stage is None or option is None:
            duplicate = meaning is Meaning.DUPLICATE
            return MenuResult(MenuEvent.DUPLICATE if duplicate else MenuEvent.UNKNOWN, session)
        if session.steps >= self._max_steps and (repeats or option.leads_to):
            _log.warning(
                "A session of menu %r has sent %d messages", self._menu.name, session.steps
            )
            return MenuResult(MenuEvent.TOO_MANY, session)
        answer = ActionResult()
        if option.action is not None and not repeats:
            context = ActionContext(session, reply, stage, option)
            answer = await run(option.action, self._actions[option.action], context)
        following, messages = step(
            self._menu,
            session,
            reply,
            old_taps=self._old_taps,
            to=answer.to,
            data=answer.data,
        )
        if not messages:
            ended = attrs.evolve(following, version=session.version + 1)
            kept = await self._store.save(ended, expected=session.version)
            return MenuResult(MenuEvent.ENDED, ended) if kept else None
        done = await self._move(session, following, messages[0])
        event = MenuEvent.REPEATED if repeats else MenuEvent.ADVANCED
        return None if done is None else MenuResult(event, *done)

    async def _move(
        self, before: Session | None, after: Session, message: ButtonMessage
    ) -> tuple[Session | None, Outcome] | None:
        """Keep a step, send its message, and keep what became of it.

        Returns:
            The session as it is now, and the outcome; None where another program was faster.
        """
        moves: list[tuple[Session | None, Outcome] | None] = []
        errors: list[BaseException] = []

        async def move() -> None:
            # A cancellation in between would leave it unknown what the client knows in a moment.
            with anyio.CancelScope(shield=True):
                try:
                    moves.append(await self._moved(before, after, message))
                except BaseException as error:  # noqa: BLE001  # raised again, below
                    errors.append(error)

        # In a task of its own, because asyncio's own cancellation goes through every shield.
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(move)
        if errors:
            raise errors[0]
        return moves[0]

    async def _moved(
        self, before: Session | None, after: Session, message: ButtonMessage
    ) -> tuple[Session | None, Outcome] | None:
        version = 0 if before is None else before.version
        after = attrs.evolve(after, version=version + 1)
        if not await self._store.save(after, expected=version):
            return None
        try:
            outcome = await self._client.deliver(message)
        except MultiWhatsError:  # nothing was sent
            await self._keep(self._taken_back(before, after))
            raise
        if outcome.certainty is Certainty.ACCEPTED:
            number = None if outcome.receipt is None else outcome.receipt.id
            after = attrs.evolve(after, message_id=number, version=after.version + 1)
            return await self._keep(after), outcome
        if outcome.certainty is Certainty.UNKNOWN:
            return after, outcome
        return await self._keep(self._taken_back(before, after)), outcome

    async def _keep(self, session: Session) -> Session:
        """Keep what became of a message. Where that fails, its intent stands: it is unknown."""
        try:
            # Where another program has gone on meanwhile, by a tap on that very message, it is
            # right.
            await self._store.save(session, expected=session.version - 1)
        except Exception:  # noqa: BLE001  # the outcome is what the caller must hear of
            _log.exception("It could not be kept what became of a message of %r", self._menu.name)
        return session

    def _taken_back(self, before: Session | None, after: Session) -> Session:
        """Return the session as it was before a step, in the version behind it."""
        none = attrs.evolve(after, stage=None, taken=(), steps=0)  # the same as no session
        return attrs.evolve(before or none, version=after.version + 1)

    def _crowded(self) -> ConfigurationError:
        return ConfigurationError(
            f"{MOST_CONFLICTS} times another program has changed the session meanwhile: let one "
            "program take the replies of one customer"
        )

    @asynccontextmanager
    async def _turn(self, sender: str, customer: str) -> AsyncGenerator[None, None]:
        """Wait until all that came before for one customer is done."""
        key = (sender, customer)
        turn = self._turns.setdefault(key, _Turn())
        turn.waiting += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.waiting -= 1
            if not turn.waiting:
                del self._turns[key]


@attrs.define
class _Turn:
    lock: anyio.Lock = attrs.field(factory=anyio.Lock)
    waiting: int = 0


def _check_start(menu: Menu) -> None:
    """Refuse a menu that no tap can begin."""
    names = Template(menu[menu.start].text).required
    if names:
        raise ConfigurationError(
            f"without_session='start' cannot begin with {menu.start!r}: nobody gives "
            f"{', '.join(f'{{{name}}}' for name in names)} then. Write {{{names[0]}|…}}, or use "
            "'ignore'"
        )


def _replacing(kept: Session | None, session: Session) -> Session:
    """Return a new session that knows the messages and taps of the one it replaces."""
    if kept is None:
        return session
    return attrs.evolve(
        session,
        history=past_of(kept),
        taken=(*kept.taken, *session.taken)[-MOST_HISTORY:],
    )


def _number(field: str, number: str) -> str:
    try:
        return normalise_number(number)
    except NumberError as error:
        raise InvalidReplyError(f"{field}: {error}") from None


def _raise_for(outcome: Outcome | None) -> None:
    """Raise where the one who pushes should push again: nothing has reached the customer."""
    if outcome is not None and outcome.certainty not in {Certainty.ACCEPTED, Certainty.UNKNOWN}:
        assert outcome.error is not None  # noqa: S101 - it has a receipt or an error
        raise outcome.error
