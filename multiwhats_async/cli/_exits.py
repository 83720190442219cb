"""The exit codes, and which one a run has earned. Nothing here is imported from outside."""

from typing import Final

ALL_ACCEPTED: Final = 0
SOME_FAILED: Final = 1
USAGE: Final = 2
NOTHING_SENT: Final = 3
ACCOUNT: Final = 4
NO_ANSWER: Final = 5
BUG: Final = 70
"""EX_SOFTWARE of sysexits.h."""

INTERRUPTED: Final = 130
"""128 and the number of SIGINT, as shells have it."""

_STOPPED: Final = (
    ("refused the API key", ACCOUNT),
    ("no credit left", ACCOUNT),
    ("answered 403 to", ACCOUNT),
    ("got an answer from the server", NO_ANSWER),
    ("has stopped answering", NO_ANSWER),
    ("certificate was refused", NO_ANSWER),
)
"""Words of the reason for which a run stopped. The core gives the reason as a text only; the tests
take every text from the core itself, so that a change of its words is seen."""


def code_of_stop(reason: str | None) -> int | None:
    """Return the exit code that the reason of a stop stands for, or None where it has no own."""
    if reason is None:
        return None
    return next((code for words, code in _STOPPED if words in reason), None)
