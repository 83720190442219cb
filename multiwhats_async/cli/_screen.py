"""What is said while messages are sent, on standard error: a live view, or plain lines."""

import json
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Protocol, Self

import attrs
import click

from ..outcomes import Progress

PLAIN_SECONDS: Final = 10.0
"""Seconds between two lines off a terminal: a log stays readable over hours."""

JSON_SECONDS: Final = 1.0
"""Seconds between two events of a run's progress."""

AUTO: Final = "auto"
PLAIN: Final = "plain"
JSON: Final = "json"
KINDS: Final = (AUTO, PLAIN, JSON)
"""How a run can be shown: as it fits, in plain lines, or as JSON for a program."""

WORDS: Final = {
    "accepted": "green",
    "rejected": "red",
    "not_sent": "yellow",
    "unknown": "magenta",
    "skipped": "cyan",
}
"""The certainties in the order in which they are shown, with their colours."""


@attrs.frozen
class Line:
    """A line of text.

    Attributes:
        text: Its text.
        style: Its colour on a terminal, as rich names it; "" is none.
    """

    text: str
    style: str = ""


class Screen(Protocol):
    """Where a run is shown."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def show(self, progress: Progress) -> None:
        """Show where the run stands."""
        ...

    def say(self, lines: Iterable[Line]) -> None:
        """Print lines that stay."""
        ...

    def tell(self, event: str, data: Mapping[str, Any]) -> None:
        """Tell a program of an event; people read it in other words."""
        ...


class _Entered:
    """What the screens that need no terminal have as context managers."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None


class PlainScreen(_Entered):
    """Lines without colour, for a file, a pipe or a log.

    Args:
        every: Seconds of the run between two lines.
    """

    def __init__(self, *, every: float = PLAIN_SECONDS) -> None:
        self._every = every
        self._next = every

    def show(self, progress: Progress) -> None:
        """Print a line where it is time for one."""
        if progress.elapsed >= self._next:
            self._next = progress.elapsed + self._every
            self.say([Line(progress_line(progress))])

    def say(self, lines: Iterable[Line]) -> None:
        """Print lines."""
        with suppress(OSError):  # whoever read them is gone; the messages go on
            for line in lines:
                click.echo(line.text, err=True)

    def tell(self, event: str, data: Mapping[str, Any]) -> None:
        """Do nothing: the lines say it."""


class JsonScreen(_Entered):
    """One JSON object a line, for a program that watches: progress, notes, the report.

    Args:
        every: Seconds of the run between two events of its progress.
    """

    def __init__(self, *, every: float = JSON_SECONDS) -> None:
        self._every = every
        self._next = 0.0

    def show(self, progress: Progress) -> None:
        """Tell where the run stands, where it is time for it."""
        if progress.elapsed >= self._next:
            self._next = progress.elapsed + self._every
            self.tell("progress", progress.to_dict())

    def say(self, lines: Iterable[Line]) -> None:
        """Tell each line that says something."""
        for line in lines:
            if line.text.strip():
                self.tell("note", {"text": line.text.strip()})

    def tell(self, event: str, data: Mapping[str, Any]) -> None:
        """Write an event."""
        with suppress(OSError):  # whoever read them is gone; the messages go on
            click.echo(json.dumps({"event": event, **data}, ensure_ascii=False), err=True)


def open_screen(
    *, title: str, every: float = PLAIN_SECONDS, plain: bool = False, kind: str = AUTO
) -> Screen:
    """Return the screen that fits where standard error goes, or the one that was asked for.

    Args:
        title: What is being done, for the live view.
        every: Seconds between two plain lines.
        plain: No live view in any case.
        kind: One of :data:`KINDS`.
    """
    if kind == JSON:
        return JsonScreen()
    if plain or kind == PLAIN or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return PlainScreen(every=every)
    from ._live import LiveScreen  # noqa: PLC0415  # rich is imported on a terminal only

    return LiveScreen(title=title)


def progress_line(progress: Progress) -> str:
    """Return where a run stands as one line."""
    parts = [f"{progress.finished:,} {of_total(progress)}"]
    parts += counts(progress)
    if progress.retries:
        parts.append(f"{progress.retries:,} retries")
    parts.append(f"{progress.messages_per_second:,.0f} messages/s")
    if progress.eta is not None and progress.eta >= 1:
        parts.append(f"{duration(progress.eta)} left")
    if progress.paused_for is not None:
        parts.append(pause_text(progress))
    return " · ".join(parts)


def of_total(progress: Progress) -> str:
    """Return how many there are, with the share that is done."""
    if progress.total is None:
        return "done"
    share = progress.finished / progress.total if progress.total else 1
    return f"of {progress.total:,} ({share:.0%})"


def counts(progress: Progress) -> list[str]:
    """Return the counts that are not 0, in words."""
    return [
        f"{getattr(progress, word):,} {word.replace('_', ' ')}"
        for word in WORDS
        if getattr(progress, word)
    ]


def pause_text(progress: Progress) -> str:
    """Return why nothing is sent at the moment."""
    return f"paused for {progress.paused_for or 0:.1f} s: {progress.paused_because}"


def many(count: float, what: str) -> str:
    """Return a count with its word: ``1 message``, ``1,200 messages``."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """Return a time as people read it: ``8 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, left = divmod(minutes, 60)
    if hours:
        return f"{hours} h {left} min"
    return f"{minutes} min {rest} s" if minutes else f"{whole} s"


def can_ask() -> bool:
    """Tell whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def write_out(text: str) -> bool:
    """Print on standard output; whoever closed it has read what he wanted.

    Returns:
        Whether anybody may still be reading.
    """
    try:
        click.echo(text)
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            click.echo(f"multiwhats: could not print the answer: {error.strerror}", err=True)
        # Else Python would complain of it once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True
