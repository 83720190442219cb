"""Where a customer stands in a menu, and the pure step from there by a reply."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, Self

import attrs

from .._secret import mask_number
from ..errors import InvalidMenuError, TemplateError
from ..models import ButtonMessage
from ..replies import Reply
from ..templates import Template
from ._menu import Menu, Option, Stage

MOST_HISTORY: Final = 20
"""Earlier messages and taps of a session that are remembered, the latest, so that a tap on one of
them, or one that is delivered again, is known for what it is. Ours."""


class OldTaps(StrEnum):
    """What a tap on an earlier message does: WhatsApp keeps its buttons alive."""

    IGNORE = "ignore"
    """Nothing. Costs nothing."""
    REPEAT = "repeat"
    """The message of the stage where the customer stands is sent again. Costs a credit."""
    FOLLOW = "follow"
    """It counts as if the customer stood there still. Costs a credit, and may repeat an action."""


class Meaning(StrEnum):
    """What a reply is to a session."""

    CURRENT = "current"
    """A tap on the message that it waits for."""
    OLD = "old"
    """A tap on an earlier message."""
    DUPLICATE = "duplicate"
    """A tap that has been taken, once more."""
    UNKNOWN = "unknown"
    """A tap on a message, or on a button, that is not of this menu."""


@attrs.frozen(kw_only=True)
class Session:
    """Where one customer stands.

    Attributes:
        sender: Your number.
        customer: The customer's number.
        menu: The name of the menu.
        stage: The name of the stage whose message was sent, or is being sent; None once the menu
            has ended.
        data: What the program gave, and what was chosen, by the stage's name.
        message_id: The id of that message's record. None while it is being sent, and where it is
            unknown whether it went out.
        taken: The keys of the replies that have led here, the latest last.
        history: The earlier messages' ids with their stages, the latest last.
        steps: Messages that were sent, or may have been.
        version: Counts the changes, so that no two programs make the same one.
        updated_at: When it was kept, in seconds since the epoch, by the store's clock.
    """

    sender: str = attrs.field(repr=mask_number)
    customer: str = attrs.field(repr=mask_number)
    menu: str
    stage: str | None
    data: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    message_id: int | None = None
    taken: tuple[str, ...] = attrs.field(default=(), repr=False)
    history: tuple[tuple[int, str], ...] = attrs.field(default=(), repr=False)
    steps: int = 0
    version: int = 0
    updated_at: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the session as plain data, ready for JSON."""
        fields = attrs.asdict(self, recurse=False)
        return fields | {
            "data": dict(self.data),
            "taken": [*self.taken],
            "history": [*map(list, self.history)],
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Return the session that :meth:`to_dict` has given."""
        changed: dict[str, Any] = {
            "taken": tuple(fields["taken"]),
            "history": tuple((number, stage) for number, stage in fields["history"]),
        }
        return cls(**{**fields, **changed})


def meaning_of(menu: Menu, session: Session, reply: Reply) -> tuple[Meaning, Stage | None]:
    """Return what a reply is to a session, and the stage whose button was tapped.

    Where it is unknown whether the stage's message went out, a reply to exactly that text and
    those buttons, from a message that is not known, is the proof that it did. Where a payload
    names no message (``queue_id`` is None), a button of the stage is taken for a tap on it.
    """
    if reply.key in session.taken:
        return Meaning.DUPLICATE, None
    stage = None if session.stage is None or session.stage not in menu else menu[session.stage]
    if stage is not None and _is_current(session, stage, reply):
        return Meaning.CURRENT, stage
    earlier = dict(session.history).get(reply.queue_id) if reply.queue_id is not None else None
    if earlier is not None and earlier in menu:
        return Meaning.OLD, menu[earlier]
    return Meaning.UNKNOWN, None


def option_of(stage: Stage, reply: Reply) -> Option | None:
    """Return the option that was tapped; None where the stage has none of this text any more."""
    return next((option for option in stage.options if option.label == reply.label), None)


def step(
    menu: Menu,
    session: Session,
    reply: Reply,
    *,
    old_taps: OldTaps | str = OldTaps.IGNORE,
    to: str | None = None,
    data: Mapping[str, str] | None = None,
) -> tuple[Session, tuple[ButtonMessage, ...]]:
    """Return where a reply leads, and what is to be sent there. Pure.

    Args:
        menu: The menu.
        session: Where the customer stands.
        reply: What was tapped.
        old_taps: What a tap on an earlier message does.
        to: The stage to go to instead of the option's: an action's choice.
        data: What is remembered beside the choice: an action's result.

    Returns:
        The session, the same where the reply changes nothing; and no message or one. Its
        ``message_id`` is None until the message's record is known.

    Raises:
        TemplateError: A name in the next text has no value.
        InvalidMessageError: With these values the next message cannot be sent.
        InvalidMenuError: ``to`` is no stage.
    """
    meaning, stage = meaning_of(menu, session, reply)
    if meaning is Meaning.OLD and old_taps == OldTaps.REPEAT and session.stage is not None:
        return _enter(menu, session, session.stage, session.data, reply)
    follows = meaning is Meaning.OLD and old_taps == OldTaps.FOLLOW
    option = option_of(stage, reply) if stage and (meaning is Meaning.CURRENT or follows) else None
    if stage is None or option is None:
        return session, ()
    following = option.to if to is None else to
    if following is not None and following not in menu:
        raise InvalidMenuError([f"{following!r} is no stage of {menu.name!r}"])
    if meaning is Meaning.CURRENT and session.message_id is None:  # now it is known
        session = attrs.evolve(session, message_id=reply.queue_id)
    known = {**session.data, stage.name: option.remembered, **(data or {})}
    return _enter(menu, session, following, known, reply)


def first(
    menu: Menu, *, sender: str, customer: str, data: Mapping[str, str]
) -> tuple[Session, tuple[ButtonMessage, ...]]:
    """Return a new session, and the message of its first stage."""
    message = menu.message(menu.start, data, to=customer, sender=sender)
    session = Session(
        sender=sender,
        customer=customer,
        menu=menu.name,
        stage=menu.start,
        data={**data},
        steps=1,
    )
    return session, (message,)


def _enter(
    menu: Menu, session: Session, stage: str | None, data: Mapping[str, str], reply: Reply
) -> tuple[Session, tuple[ButtonMessage, ...]]:
    entered = attrs.evolve(
        session,
        stage=stage,
        data=data,
        message_id=None,
        taken=(*session.taken, reply.key)[-MOST_HISTORY:],
        history=past_of(session),
        steps=session.steps + (stage is not None),
    )
    if stage is None:
        return entered, ()
    message = menu.message(stage, data, to=session.customer, sender=session.sender)
    return entered, (message,)


def past_of(session: Session) -> tuple[tuple[int, str], ...]:
    """Return the messages of a session that are earlier ones once another is sent."""
    if session.message_id is None or session.stage is None:
        return session.history
    return (*session.history, (session.message_id, session.stage))[-MOST_HISTORY:]


def _is_current(session: Session, stage: Stage, reply: Reply) -> bool:
    if reply.queue_id is None:
        return option_of(stage, reply) is not None
    if session.message_id is not None:
        return reply.queue_id == session.message_id
    if reply.queue_id in dict(session.history):
        return False
    try:
        text = Template(stage.text).render(session.data)
    except TemplateError:  # the menu has changed since
        return False
    return reply.message == text and reply.buttons == tuple(one.label for one in stage.options)
