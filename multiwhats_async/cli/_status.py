"""Where a run that is under way stands, in a small file beside its ledger.

The ledger itself belongs to the run alone: a second process that opened it would have to share
SQLite's locks with one that may be killed at any moment. So the run tells its counts once a second
in a file of their own, and takes it away in the end. What a killed run leaves behind is not
believed: its ledger is free then, and is read instead.
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import attrs

from ..ledger._figures import MOST_STEPS, Course
from ..ledger._place import owner_of
from ..outcomes import Progress, Summary
from ._screen import Line, Screen

SUFFIX: Final = ".status.json"
"""What the file is called beyond the ledger's own name."""

EVERY_SECONDS: Final = 1.0

MAX_BYTES: Final = 100_000


@attrs.frozen(kw_only=True)
class Status:
    """What a run has told.

    Attributes:
        pid: Its process.
        at: When it told so, in seconds since 1970.
        campaign: The name of the campaign.
        progress: Where it stands: the fields of a progress.
        width: Seconds of a step of its course.
        course: Of each step: how many messages were accepted, and how many were not.
    """

    pid: int
    at: float
    campaign: str
    progress: Mapping[str, Any]
    width: float
    course: tuple[tuple[int, int], ...]

    def summary(self) -> Summary:
        """Return its counts as a summary. What was skipped has its outcome from an earlier run."""
        told = self.progress
        return Summary(
            campaign=self.campaign,
            pending=told["queued"] or 0,
            not_sent=told["not_sent"],
            in_flight=told["in_flight"],
            accepted=told["accepted"],
            rejected=told["rejected"],
            unknown=told["unknown"],
            credits=told["credits"],
        )

    def over_time(self) -> Course | None:
        """Return its outcomes over time, or None where there is none."""
        steps = tuple(
            (place, accepted, others)
            for place, (accepted, others) in enumerate(self.course)
            if accepted or others
        )
        begun = self.at - self.progress["elapsed"]
        return Course(start=begun, width=self.width, steps=steps) if steps else None


class StatusScreen:
    """A screen that tells where the run stands in a file, too.

    Nothing that goes wrong with the file stops the run: it is for those who watch.

    Args:
        screen: The screen.
        ledger: The ledger's file.
        campaign: The campaign's name.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        screen: Screen,
        ledger: Path,
        campaign: str,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._screen = screen
        self._path = status_of(ledger)
        self._campaign = campaign
        self._clock = clock
        self._next = 0.0
        self._width = EVERY_SECONDS
        self._course: list[list[int]] = []
        self._told = (0, 0)

    def __enter__(self) -> Self:
        self._screen.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        self._screen.__exit__(kind, error, traceback)

    def show(self, progress: Progress) -> None:
        """Show where the run stands, and tell it where it is time for it."""
        self._screen.show(progress)
        self._count(progress)
        if progress.elapsed >= self._next:
            self._next = progress.elapsed + EVERY_SECONDS
            with suppress(OSError):
                self._write(progress)

    def say(self, lines: Iterable[Line]) -> None:
        """Print lines that stay."""
        self._screen.say(lines)

    def tell(self, event: str, data: Mapping[str, Any]) -> None:
        """Tell a program of an event."""
        self._screen.tell(event, data)

    def _count(self, progress: Progress) -> None:
        """Add what has come in to its step; where there are too many, two become one."""
        while progress.elapsed >= self._width * MOST_STEPS:
            self._width *= 2
            pairs = [self._course[place : place + 2] for place in range(0, len(self._course), 2)]
            self._course = [[*map(sum, zip(*pair, strict=True))] for pair in pairs]
        place = int(progress.elapsed / self._width)
        self._course += [[0, 0] for _ in range(place + 1 - len(self._course))]
        others = progress.rejected + progress.unknown + progress.not_sent
        accepted_before, others_before = self._told
        self._course[place][0] += progress.accepted - accepted_before
        self._course[place][1] += others - others_before
        self._told = (progress.accepted, others)

    def _write(self, progress: Progress) -> None:
        told = {
            "pid": os.getpid(),
            "at": self._clock(),
            "campaign": self._campaign,
            "progress": progress.to_dict(),
            "width": self._width,
            "course": self._course,
        }
        # Whole or not at all; a link that somebody has put there is not followed.
        fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123  # of a descriptor
            json.dump(told, file)
        fresh.replace(self._path)


def status_of(ledger: Path) -> Path:
    """Return the path of the file beside a ledger."""
    return ledger.with_name(ledger.name + SUFFIX)


def running(ledger: Path) -> Status | None:
    """Return what the run has told that has a ledger, or None where none has it.

    Only where the system tells which process has a file locked (Linux): elsewhere a run that goes
    on cannot be told from one that was killed.

    Args:
        ledger: The ledger's file, which this process has not open.
    """
    status = _read(status_of(ledger))
    return status if status is not None and owner_of(ledger) == status.pid else None


def _read(path: Path) -> Status | None:
    try:
        with path.open("rb") as file:
            told = json.loads(file.read(MAX_BYTES))
        status = Status(
            pid=int(told["pid"]),
            at=float(told["at"]),
            campaign=str(told["campaign"]),
            progress=Progress().to_dict() | told["progress"],
            width=float(told["width"]),
            course=tuple((int(accepted), int(others)) for accepted, others in told["course"]),
        )
        status.summary()
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return status
