"""Texts with ``{names}`` in them: strict, so that no value can do more than stand in its place.

``{name}`` is a value, ``{name|fallback}`` one that may be missing or blank, ``{{`` and ``}}`` are
braces. Nothing else: no attributes, no formats, no second reading of what was filled in.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

from .errors import TemplateError

_TOKEN: Final = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]")
_BRACES: Final = {"{{": "{", "}}": "}"}


class Template:
    """One text, read once and filled in many times.

    Args:
        text: The text.

    Attributes:
        text: The text.
        variables: The names in it, each once, in their order.
        required: Those without a fallback.

    Raises:
        TemplateError: It is no text, a brace stands alone, or what stands between two is no
            name. Says where, and the way out.
    """

    __slots__ = ("_parts", "required", "text", "variables")

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # a user
            raise TemplateError(f"a text is needed, not {type(text).__name__}")
        self.text: str = text
        self._parts = _parsed(text)
        names = [part for part in self._parts if isinstance(part, tuple)]
        self.variables: tuple[str, ...] = tuple(dict.fromkeys(name for name, _ in names))
        self.required: tuple[str, ...] = tuple(
            dict.fromkeys(name for name, fallback in names if fallback is None)
        )

    def __repr__(self) -> str:
        return f"Template({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __reduce__(self) -> tuple[type["Template"], tuple[str]]:
        return Template, (self.text,)

    def render(self, values: Mapping[str, str]) -> str:
        """Return the text with its names filled in.

        Args:
            values: A text for each name; further ones do not matter.

        Raises:
            TemplateError: A name without a fallback has no value, or a blank one. Lists all.
        """
        pieces: list[str] = []
        missing: list[str] = []
        for part in self._parts:
            if isinstance(part, str):
                pieces.append(part)
                continue
            name, fallback = part
            value = values.get(name)
            if value is None or not value.strip():
                if fallback is None:
                    missing.append(name)
                    continue
                value = fallback
            pieces.append(value)
        if missing:
            names = ", ".join(f"{{{name}}}" for name in dict.fromkeys(missing))
            raise TemplateError(
                f"no value for {names}: give one, or write a fallback such as {{{missing[0]}|…}}"
            )
        return "".join(pieces)


def _parsed(text: str) -> tuple[str | tuple[str, str | None], ...]:
    """Return the literal texts and the names with their fallbacks, in order."""
    parts: list[str | tuple[str, str | None]] = []
    end = 0
    for token in _TOKEN.finditer(text):
        parts.append(text[end : token.start()])
        end = token.end()
        found = token[0]
        if found in _BRACES:
            parts.append(_BRACES[found])
        elif len(found) == 1:
            raise TemplateError(
                f"{found!r} at character {token.start() + 1} stands alone: "
                f"write {found * 2} for the brace itself"
            )
        else:
            parts.append(_variable(found, token.start() + 1))
    parts.append(text[end:])
    return tuple(part for part in parts if part)


def _variable(found: str, position: int) -> tuple[str, str | None]:
    name, bar, fallback = found[1:-1].partition("|")
    # Two ways to write one letter are one name, whichever the keyboard has written.
    name = unicodedata.normalize("NFC", name.strip())
    if not name.isidentifier():
        raise TemplateError(
            f"{found!r} at character {position} is no name: write letters, digits and _, as in "
            "{name} or {name|fallback}; and {{ for the brace itself"
        )
    return name, fallback if bar else None
