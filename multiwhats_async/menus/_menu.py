"""A staged menu as frozen data, checked when it is built."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import attrs

from .._secret import shown
from ..errors import InvalidMenuError, InvalidMessageError, TemplateError
from ..models import ButtonMessage
from ..options import WHATSAPP_LIMITS, MessageLimits
from ..templates import Template
from ._graph import Edges, cycles_of, reachable

T = TypeVar("T")

ANY_NUMBER: Final = "10000000000"
"""Stands for a customer where a stage is checked before there is one."""


def _text(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Refuse what is no text; an attrs validator."""
    if not isinstance(value, str):
        where = f"{type(owner).__name__}.{attribute.name}"
        raise InvalidMenuError([f"{where} must be a text, not {shown(value)}"])


def _items(values: object, kind: type[T], field: str) -> tuple[T, ...]:
    """Return any iterable of a type as a tuple; a single text is none."""
    fits = isinstance(values, Iterable) and not isinstance(values, str)
    found: tuple[Any, ...] = tuple(values) if isinstance(values, Iterable) else ()
    if not fits or not all(isinstance(one, kind) for one in found):
        raise InvalidMenuError([f"{field} must be a list of {kind.__name__}, not {shown(values)}"])
    return found


def _targets(values: Iterable[str]) -> tuple[str, ...]:
    return _items(values, str, "Option.targets")


def _options(values: "Iterable[Option]") -> "tuple[Option, ...]":
    return _items(values, Option, "Stage.options")


def _stages(values: "Iterable[Stage]") -> "tuple[Stage, ...]":
    return _items(values, Stage, "Menu.stages")


def _variables(values: Iterable[str]) -> tuple[str, ...]:
    return _items(values, str, "Menu.variables")


_optional_text: Final = attrs.validators.optional(_text)


@attrs.frozen
class Option:
    """One button of a stage.

    Args:
        label: Its text.
        to: The stage that follows. None ends the menu, unless an action says otherwise.
        action: The name of a callback that is run when it is tapped.
        targets: The stages that the action may choose instead of ``to``.
        value: What is remembered of the choice, under the stage's name; None takes the label.
    """

    label: str = attrs.field(validator=_text)
    to: str | None = attrs.field(default=None, kw_only=True, validator=_optional_text)
    action: str | None = attrs.field(default=None, kw_only=True, validator=_optional_text)
    targets: tuple[str, ...] = attrs.field(default=(), converter=_targets, kw_only=True)
    value: str | None = attrs.field(default=None, kw_only=True, validator=_optional_text)

    @property
    def leads_to(self) -> tuple[str, ...]:
        """The stages that may follow."""
        return (*(() if self.to is None else (self.to,)), *self.targets)

    @property
    def remembered(self) -> str:
        """What is remembered of the choice."""
        return self.label if self.value is None else self.value


@attrs.frozen
class Stage:
    """One message of a menu.

    Args:
        name: Its name; ``{name}`` in a later text is what was chosen here.
        text: The message, a template: see :class:`~multiwhats_async.templates.Template`.
        options: Its buttons, at least one: MultiWhats documents no message without.
    """

    name: str = attrs.field(validator=_text)
    text: str = attrs.field(validator=_text)
    options: tuple[Option, ...] = attrs.field(converter=_options)


@attrs.frozen
class Menu:
    """Stages, and where to begin.

    Args:
        stages: The stages.
        start: The name of the first.
        name: The menu's own name.
        variables: Names in the texts that the program gives: at the start, or from an action.
        allow_cycles: Whether there may be a way back. Each message costs a credit, so with one a
            customer can go round and round at your cost, up to the engine's ``max_steps``.
        limits: WhatsApp's limits for texts and buttons; None switches them off.

    Raises:
        InvalidMenuError: The menu cannot work as it is; lists every problem: stages that are
            unknown, named twice or out of reach, ways back, texts and buttons that cannot be
            sent, names in a text that may have no value when it is reached.
    """

    stages: tuple[Stage, ...] = attrs.field(converter=_stages)
    start: str = attrs.field(validator=_text)
    name: str = attrs.field(default="menu", kw_only=True, validator=_text)
    variables: tuple[str, ...] = attrs.field(default=(), converter=_variables, kw_only=True)
    allow_cycles: bool = attrs.field(default=False, kw_only=True)
    limits: MessageLimits | None = attrs.field(default=WHATSAPP_LIMITS, kw_only=True)

    def __attrs_post_init__(self) -> None:
        problems = dict.fromkeys(_problems(self))
        if problems:
            raise InvalidMenuError(problems)

    def __getitem__(self, name: str) -> Stage:
        return next(stage for stage in self.stages if stage.name == name)

    def __contains__(self, name: object) -> bool:
        return any(stage.name == name for stage in self.stages)

    @property
    def cycles(self) -> tuple[tuple[str, ...], ...]:
        """The ways back, each from a stage to itself; at least one of those that share a stage."""
        return cycles_of(self.start, _edges(self.stages))

    @property
    def actions(self) -> tuple[str, ...]:
        """The names of the actions, each once."""
        options = (option for stage in self.stages for option in stage.options)
        return tuple(dict.fromkeys(option.action for option in options if option.action))

    def message(
        self, stage: str, data: Mapping[str, str], *, to: str, sender: str | None = None
    ) -> ButtonMessage:
        """Return a stage's message for one customer.

        Args:
            stage: The name of the stage.
            data: The values of the names in its text.
            to: The customer's number.
            sender: The number that sends; None takes the client's.

        Raises:
            TemplateError: A name has no value.
            InvalidMessageError: With these values it cannot be sent.
        """
        found = self[stage]
        return ButtonMessage(
            to,
            Template(found.text).render(data),
            [option.label for option in found.options],
            sender,
            limits=self.limits,
        )

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Read a menu that is written in TOML.

        ::

            start = "service"
            variables = ["guest"]

            [stages.service]
            text = "Dear {guest}, what may we do for you?"
            options = [
              { label = "🚕 Taxi", to = "done", action = "book", value = "a taxi" },
              { label = "Nothing" },
            ]

            [stages.done]
            text = "You have chosen {service}."
            options = [{ label = "👍 OK" }]

        The keys are the arguments of :class:`Menu`, :class:`Stage` and :class:`Option`.

        Args:
            text: The TOML.

        Raises:
            InvalidMenuError: It is no TOML, holds other keys or values of another type, or the
                menu cannot work.
        """
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InvalidMenuError([f"this is no TOML: {error}"]) from None
        return cls(**_fields_of(table))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a menu from a file in TOML; see :meth:`from_toml`.

        Raises:
            InvalidMenuError: As there.
            OSError: The file cannot be read.
        """
        try:
            text = Path(path).read_text("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidMenuError([f"{path} is no UTF-8: {error.reason}"]) from None
        return cls.from_toml(text)


def _edges(stages: Iterable[Stage]) -> dict[str, list[str]]:
    """Return which stages may follow each."""
    return {
        stage.name: [name for option in stage.options for name in option.leads_to]
        for stage in stages
    }


def _problems(menu: Menu) -> Iterator[str]:
    names = [stage.name for stage in menu.stages]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield f"stage {name!r} stands {names.count(name)} times: give each its own name"
    if not names:
        yield "there are no stages"
    elif menu.start not in names:
        yield f"start names {shown(menu.start)}, which is no stage: there are {', '.join(names)}"
    edges = _edges(menu.stages)
    within = reachable(menu.start, edges)
    for stage in menu.stages:
        for problem in _stage_problems(stage, menu, edges):
            yield f"stage {stage.name!r}: {problem}"
        yield from _option_problems(stage, names)
        if stage.name not in within and menu.start in names:
            yield f"stage {stage.name!r} is out of reach: no option leads to it from the start"
    if not menu.allow_cycles:
        for cycle in cycles_of(menu.start, edges):
            yield (
                f"{' → '.join(cycle)} is a way back, and each message costs a credit: "
                "allow_cycles=True takes it"
            )


def _stage_problems(stage: Stage, menu: Menu, edges: Edges) -> Iterator[str]:
    """Yield why a stage's message could not be sent."""
    if not stage.name.isidentifier():
        yield "its name must be letters, digits and _, so that a text can name it"
    text = "x"
    try:
        template = Template(stage.text)
        # The shortest that it can become; what the values make of it is known only then.
        text = template.render(dict.fromkeys(template.variables, "x"))
    except TemplateError as error:
        yield f"text: {error}"
    else:
        yield from _unprovided(stage, template, menu, edges)
    try:
        ButtonMessage(ANY_NUMBER, text, [one.label for one in stage.options], limits=menu.limits)
    except InvalidMessageError as error:
        yield from map(str, error.problems)
    labels = [option.label for option in stage.options]
    if menu.limits is None and len({*labels}) < len(labels):  # a rule of WhatsApp's, and of ours
        yield "has a button twice: which option was tapped would be unknown"


def _unprovided(stage: Stage, template: Template, menu: Menu, edges: Edges) -> Iterator[str]:
    """Yield the names in a text that may have no value when it is reached."""
    for name in template.required:
        if name in menu.variables:
            continue
        if name not in edges:
            yield f"text: nothing gives {{{name}}}: name it in variables, or write {{{name}|…}}"
        elif stage.name in {name, *reachable(menu.start, edges, avoiding=name)}:
            yield (
                f"text: {{{name}}} is what was chosen in stage {name!r}, and there is a way "
                f"around it: write {{{name}|…}}"
            )


def _option_problems(stage: Stage, names: list[str]) -> Iterator[str]:
    for option in stage.options:
        where = f"stage {stage.name!r}, option {option.label!r}"
        for name in option.leads_to:
            if name not in names:
                yield f"{where}: {name!r} is no stage"
        if option.targets and option.action is None:
            yield f"{where}: targets are for an action to choose from, and it has none"


def _fields_of(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the menu that a table describes."""
    problems: list[str] = []
    known: dict[str, type[Any]] = {
        "start": str,
        "name": str,
        "variables": list,
        "allow_cycles": bool,
        "stages": dict,
    }
    fields = _checked(table, known, "the menu", problems)
    stages: list[Stage] = []
    for name, stage_table in fields.pop("stages", {}).items():
        where = f"stages.{name}"
        stage = _checked(stage_table, {"text": str, "options": list}, where, problems)
        options = [
            _checked(
                option,
                {"label": str, "to": str, "action": str, "targets": list, "value": str},
                f"{where}, option {number}",
                problems,
            )
            for number, option in enumerate(stage.get("options", []), 1)
        ]
        problems += [
            f"{where}: {key} is missing" for key in ("text", "options") if key not in stage
        ]
        problems += [
            f"{where}, option {number}: label is missing"
            for number, option in enumerate(options, 1)
            if "label" not in option
        ]
        if not problems:
            stages.append(Stage(name, stage["text"], [Option(**option) for option in options]))
    if "start" not in fields:
        problems.append("the menu: start is missing: name its first stage")
    if problems:
        raise InvalidMenuError(problems)
    return {"stages": stages, **fields}


_EXPECTED: Final[dict[type[Any], str]] = {
    bool: "true or false",
    dict: "tables",
    list: "a list",
    str: "a text",
}


def _checked(
    table: Any, known: Mapping[str, type[Any]], where: str, problems: list[str]
) -> dict[str, Any]:
    """Return a table's fields, noting what does not belong there."""
    if not isinstance(table, dict):
        problems.append(f"{where}: must be a table, not {shown(table)}")
        return {}
    fields: dict[str, Any] = {}
    for key, value in table.items():
        kind = known.get(key)
        if kind is None:
            problems.append(f"{where}: there is no {key}: write one of {', '.join(known)}")
        elif not isinstance(value, kind) or (
            key in {"variables", "targets"} and not all(isinstance(one, str) for one in value)
        ):
            problems.append(f"{where}: {key} must be {_EXPECTED[kind]}, not {shown(value)}")
        else:
            fields[key] = value
    return fields
