"""Whether a message is the one that a test expects, and the nearest one where none is."""

import json
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher, ndiff
from typing import Final

import attrs

from ..sandbox import SandboxMessage

COMPARED: Final = 200
"""Messages among which the nearest one is looked for, the newest: a diff is for a person."""


@attrs.frozen(kw_only=True)
class Expected:
    """What a test expects of a message; None leaves it open.

    Attributes:
        to: The recipient.
        sender: The number that sends.
        text: The whole text.
        containing: A part of the text.
        buttons: The labels of the buttons.
    """

    to: str | None = None
    sender: str | None = None
    text: str | None = None
    containing: str | None = None
    buttons: tuple[str, ...] | None = None

    def fits(self, message: SandboxMessage) -> bool:
        """Tell whether a message is such a one."""
        return all(wanted == sent for _, wanted, sent in self.pairs(message))

    def pairs(self, message: SandboxMessage) -> Iterator[tuple[str, str, str]]:
        """Yield the name of each expected field, what is expected, and what was sent."""
        for name, wanted, sent in (
            ("to", self.to, message.recipient),
            ("from", self.sender, message.sender),
            ("text", self.text, message.text),
        ):
            if wanted is not None:
                yield name, wanted, sent
        if self.containing is not None:
            is_there = self.containing in message.text
            yield "contains", self.containing, self.containing if is_there else message.text
        if self.buttons is not None:
            yield "buttons", _listed(self.buttons), _listed(message.buttons)

    def likeness(self, message: SandboxMessage) -> float:
        """Return how near a message comes, from 0 up to the number of expected fields."""
        return sum(
            1 if wanted == sent else SequenceMatcher(None, wanted, sent).ratio() / 2
            for _, wanted, sent in self.pairs(message)
        )


def explain(
    expected: Expected, messages: Sequence[SandboxMessage], refused: Iterable[str] = ()
) -> str:
    """Return why no message fits, with the nearest one beside what is expected.

    Args:
        expected: What the test expects.
        messages: What was sent, oldest first.
        refused: What was asked of the sandbox and not accepted, in words.
    """
    notes = [f"Not accepted: {text}" for text in refused]
    if not messages:
        return "\n".join(["No message was sent.", *notes])
    nearest = max(messages[-COMPARED:], key=expected.likeness)
    pairs = [*expected.pairs(nearest)]
    differing = [name for name, wanted, sent in pairs if wanted != sent]
    width = max(len(name) for name, _, _ in pairs)
    said = f"The nearest, message {nearest.id}, differs in {', '.join(differing)}:"
    lines = [f"No message fits; {len(messages)} sent. {said}"]
    for name, wanted, sent in pairs:
        difference = [f"  {wanted}"] if wanted == sent else _difference(wanted, sent)
        names = [name] + [""] * (len(difference) - 1)
        lines += [
            f"  {label:<{width}}  {line}" for label, line in zip(names, difference, strict=True)
        ]
    return "\n".join([*lines, "(- expected, + sent)", *notes])


def _difference(wanted: str, sent: str) -> list[str]:
    lines = ndiff(wanted.split("\n"), sent.split("\n"))
    return [line.rstrip("\n") for line in lines]


def _listed(buttons: Iterable[str]) -> str:
    return json.dumps([*buttons], ensure_ascii=False)
