"""Every case, in the groups and the order in which the table tells them."""

from typing import Final

import attrs
from faults.cases import Case
from faults.connecting_cases import HANDSHAKES, UNREACHED
from faults.content_cases import HEADS, NO_RECORDS, RECORDS, REDIRECTS, STATUSES
from faults.network_cases import ANSWERED, BABBLE, BROKEN, UNANSWERED, WRITING
from faults.reuse_cases import REUSE


@attrs.frozen
class Group:
    """Cases that mean the same to who sends.

    Attributes:
        title: What they have in common.
        means: What that means for the message.
        cases: The cases.
    """

    title: str
    means: str
    cases: tuple[Case, ...]


GROUPS: Final = (
    Group(
        "The server is not reached",
        "Nothing was written. The message may be sent again, and by default is.",
        UNREACHED,
    ),
    Group(
        "The TLS handshake fails",
        "Nothing was written either. A refused certificate is not tried again.",
        HANDSHAKES,
    ),
    Group(
        "The connection ends before the message is read",
        "What was handed to the network may have arrived: the client cannot see how far it came. "
        "Only where nothing was handed over it is `not_sent`.",
        WRITING,
    ),
    Group(
        "The message is read, and nothing is said of it",
        "The person may get it. It is never sent again by itself.",
        UNANSWERED,
    ),
    Group(
        "The answer breaks off",
        "A status that was seen is kept in the error. A success without its record is `unknown`: "
        "its body may have held an error.",
        BROKEN,
    ),
    Group(
        "The server says what became of it",
        "Its word is taken, where it is clear.",
        STATUSES,
    ),
    Group("The answer is a record", "The message was taken.", (*ANSWERED, *RECORDS)),
    Group(
        "The answer is a success, and no record",
        "Something answered, perhaps not the vendor. The message may have been taken.",
        NO_RECORDS,
    ),
    Group(
        "The answer is not HTTP as it should be",
        "It cannot be read without guessing, so nothing is taken from it.",
        (*BABBLE, *HEADS),
    ),
    Group(
        "The answer leads elsewhere",
        "No redirect is followed: a second POST would be a second message.",
        REDIRECTS,
    ),
    Group(
        "The connection was used before",
        "A connection that has ended, or holds what nobody asked for, is not used again. Where it "
        "ends under the message, that one is `unknown`.",
        REUSE,
    ),
)
CASES: Final = tuple(case for group in GROUPS for case in group.cases)
