"""What goes into the emulator and what comes out of it: one request, one answer, as values."""

from collections.abc import Mapping
from enum import Enum
from typing import Final
from urllib.parse import unquote

import attrs

DRIP_PIECE_BYTES: Final = 32
"""How much of an answer a slow drip hands out at once. Chosen: the documented answer, 879 bytes,
becomes 28 pieces."""


class Action(Enum):
    """What the door (a socket, an ASGI app, a transport) does with an answer."""

    RESPOND = "respond"
    """Send it as it is."""
    DRIP = "drip"
    """Send it in pieces of :data:`DRIP_PIECE_BYTES`, with a pause before each."""
    REFUSE = "refuse"
    """Reset the connection before anything is read from it."""
    DROP_BEFORE = "drop_before"
    """The request was read and not processed: drop the connection."""
    DROP_AFTER = "drop_after"
    """The request was processed: drop the connection, and with it the answer."""
    NEVER = "never"
    """Leave the connection open and never answer."""


@attrs.frozen
class SandboxRequest:
    """One HTTP request as a door hands it to the emulator.

    The API key may stand in all of them, so only the method and the path show in the repr.

    Attributes:
        method: The method, in upper case.
        path: The decoded path, without the query.
        query: The query as it came, without the question mark.
        headers: The headers; the names are in lower case.
        body: The body. A door may cut it off once it is over the emulator's cap.
    """

    method: str
    path: str
    query: bytes = attrs.field(default=b"", repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    body: bytes = attrs.field(default=b"", repr=False)


@attrs.frozen
class SandboxResponse:
    """What a door does with one request.

    Attributes:
        status: The HTTP status; 0 where the request is neither processed nor answered.
        headers: The headers, names in lower case; the door adds Content-Length.
        body: The body. With :attr:`Action.DROP_AFTER`, what the client never gets to see.
        delay: Seconds to wait before the door does anything.
        action: What the door does then.
        pause: Seconds before each piece, with :attr:`Action.DRIP`.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = b""
    delay: float = attrs.field(default=0, kw_only=True)
    action: Action = attrs.field(default=Action.RESPOND, kw_only=True)
    pause: float = attrs.field(default=0, kw_only=True)

    @property
    def pieces(self) -> list[bytes]:
        """The body in the pieces of a slow drip."""
        return [
            self.body[start : start + DRIP_PIECE_BYTES]
            for start in range(0, len(self.body), DRIP_PIECE_BYTES)
        ]


def split_target(target: bytes) -> tuple[str, bytes]:
    """Return the decoded path and the raw query of a request target.

    Args:
        target: What stands between the method and the version on the request's first line.

    Returns:
        The path, with bytes that are no UTF-8 replaced, and the query without its question mark.
    """
    path, _, query = target.partition(b"?")
    return unquote(path.decode("latin-1"), errors="replace"), query
