"""The program's own code in a menu: what it is told, and what it may want."""

from collections.abc import Awaitable, Callable, Mapping
from inspect import isawaitable
from typing import Any

import attrs

from ..errors import ConfigurationError, InvalidMenuError
from ..replies import Reply
from ._menu import Option, Stage
from ._session import Session


@attrs.frozen
class ActionContext:
    """What an action is told.

    Attributes:
        session: Where the customer stands, before the step.
        reply: What was tapped.
        stage: The stage whose button it was.
        option: The button.
    """

    session: Session
    reply: Reply
    stage: Stage
    option: Option


@attrs.frozen(kw_only=True)
class ActionResult:
    """What an action wants.

    Attributes:
        to: The stage to go to; None goes where the option leads.
        data: What is to be remembered, for later texts.
    """

    to: str | None = None
    data: Mapping[str, str] = attrs.field(factory=dict)


Answer = ActionResult | str | Mapping[str, str] | None
"""What an action returns: all of it, a stage, what is to be remembered, or nothing."""

Action = Callable[[ActionContext], Awaitable[Answer] | Answer]


async def run(name: str, action: Action, context: ActionContext) -> ActionResult:
    """Run an action; return what it wants, checked.

    Raises:
        ConfigurationError: It returned something else than it may.
        InvalidMenuError: It wants to go where its option does not lead.
        Exception: What it raised.
    """
    answer: Any = action(context)
    if isawaitable(answer):
        answer = await answer
    if answer is None:
        result = ActionResult()
    elif isinstance(answer, ActionResult):
        result = answer
    elif isinstance(answer, str):
        result = ActionResult(to=answer)
    elif isinstance(answer, Mapping):
        result = ActionResult(data=answer)
    else:
        raise ConfigurationError(
            f"action {name!r} returned {type(answer).__name__}: return a stage's name, a "
            "mapping of texts, an ActionResult or None"
        )
    check_texts(f"data of action {name!r}", result.data)
    if result.to is not None and result.to not in context.option.leads_to:
        problem = (
            f"action {name!r} wants to go to {result.to!r}, which is none of its option's "
            f"targets {[*context.option.leads_to]}"
        )
        raise InvalidMenuError([problem])
    return result


def check_texts(what: str, data: Mapping[Any, Any]) -> None:
    """Refuse values that no text can show."""
    if not all(isinstance(text, str) for pair in data.items() for text in pair):
        raise ConfigurationError(f"{what} must be texts by name: it is what later texts show")
