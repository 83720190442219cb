"""Every case, in the groups and the order in which the table tells them."""

from collections.abc import Mapping
from typing import Final

from faults.cases import Case
from faults.connecting_cases import HANDSHAKES, UNREACHED
from faults.content_cases import HEADS, NO_RECORDS, RECORDS, REDIRECTS, STATUSES
from faults.network_cases import ANSWERED, BABBLE, BROKEN, UNANSWERED, WRITING
from faults.reuse_cases import REUSE

GROUPS: Final[Mapping[str, tuple[Case, ...]]] = {
    "The server is not reached": UNREACHED,
    "The TLS handshake fails": HANDSHAKES,
    "The connection ends before the message is read": WRITING,
    "The message is read, and nothing is said of it": UNANSWERED,
    "The answer breaks off": BROKEN,
    "The server says what became of it": STATUSES,
    "The answer is a record": (*ANSWERED, *RECORDS),
    "The answer is a success, and no record": NO_RECORDS,
    "The answer is not HTTP as it should be": (*BABBLE, *HEADS),
    "The answer leads elsewhere": REDIRECTS,
    "The connection was used before": REUSE,
}
CASES: Final = tuple(case for cases in GROUPS.values() for case in cases)
