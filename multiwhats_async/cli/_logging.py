"""What a process that runs for long says: a line an event on standard error, with its time."""

import logging
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from ._failure import fit_to_show

log: Final = logging.getLogger("multiwhats_async")


class _OneLine(logging.Formatter):
    """Writes a record as one line without secrets; of an error it shows the kind, no traceback.

    Args:
        arguments: Those of the process: a key that stands among them is not shown.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        super().__init__()
        self._arguments = arguments

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="seconds")
        who = "" if record.name == log.name else f"{record.name}: "
        kind = record.exc_info[0] if record.exc_info else None
        why = "" if kind is None else f": {kind.__name__}"
        text = fit_to_show(f"{who}{record.getMessage()}{why}", self._arguments)
        return f"{at} {record.levelname} {text}"


@contextmanager
def logging_to_standard_error(arguments: Sequence[str]) -> Generator[None]:
    """Log on standard error: what the package tells, and the warnings of everybody else.

    Args:
        arguments: Those of the process.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine(arguments))
    root, level = logging.getLogger(), log.level
    root.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.setLevel(level)
        root.removeHandler(handler)
