"""The exit codes. Nothing here is imported from outside."""

from typing import Final

ALL_ACCEPTED: Final = 0
SOME_FAILED: Final = 1
USAGE: Final = 2
NOTHING_SENT: Final = 3
ACCOUNT: Final = 4
NO_ANSWER: Final = 5
HELD: Final = 6
BUG: Final = 70
"""EX_SOFTWARE of sysexits.h."""

INTERRUPTED: Final = 130
"""128 and the number of SIGINT, as shells have it."""
