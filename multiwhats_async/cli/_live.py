"""The live view: a bar and the counts, on a terminal. The only module that imports rich."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..outcomes import Progress
from ._screen import WORDS, Line, duration, of_total, pause_text


class LiveScreen:
    """A bar that grows, and below it the counts.

    Args:
        title: What is being done.
        console: Where to; None takes standard error.
    """

    def __init__(self, *, title: str, console: Console | None = None) -> None:
        self._title = title
        self._console = Console(stderr=True, highlight=False) if console is None else console
        self._live = Live(
            console=self._console,
            auto_refresh=False,  # the run tells four times a second; no thread is needed
            redirect_stdout=False,  # results may be going there
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show(self, progress: Progress) -> None:
        """Draw where the run stands."""
        with suppress(OSError):  # the terminal is gone; the messages go on
            self._live.start()
            self._live.update(self._view(progress), refresh=True)

    def say(self, lines: Iterable[Line]) -> None:
        """Print lines above the bar, or below it once it has ended."""
        with suppress(OSError):
            for line in lines:
                self._console.print(Text(line.text, style=line.style), soft_wrap=True)

    def tell(self, event: str, data: Mapping[str, Any]) -> None:
        """Do nothing: the view says it."""

    def _view(self, progress: Progress) -> RenderableType:
        bar = Table.grid(padding=(0, 1), expand=True)
        for ratio in (None, 1, None, None):
            bar.add_column(ratio=ratio, no_wrap=True)
        left = progress.eta if progress.queued or progress.in_flight else None
        bar.add_row(
            Text(self._title, style="bold"),
            ProgressBar(
                total=progress.total,
                completed=progress.finished,
                pulse=progress.total is None,
                style="bright_black",
                complete_style="green",
                finished_style="green",
            ),
            f"{progress.finished:,} {of_total(progress)}",
            Text(
                f"{progress.messages_per_second:,.0f}/s"
                + (f", {duration(left)} left" if left is not None else ""),
                style="bright_black",
            ),
        )
        parts: list[RenderableType] = [bar, _counts(progress)]
        if progress.paused_for is not None:
            parts.append(Text(pause_text(progress), style="yellow"))
        return Group(*parts)


def _counts(progress: Progress) -> Text:
    """Return the counts in their colours; those of 0 are left out, to fit a narrow terminal."""
    line = Text(no_wrap=True, overflow="ellipsis")
    for word, style in WORDS.items():
        if count := getattr(progress, word):
            line.append(f"{word.replace('_', ' ')} {count:,}  ", style=style)
    if progress.retries:
        line.append(f"retries {progress.retries:,}  ")
    line.append(f"in flight {progress.in_flight:,}  credits {progress.credits:,}")
    return line
