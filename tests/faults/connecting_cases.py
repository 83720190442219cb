"""There is no connection, or none yet: always proof that nothing was sent."""

from typing import Final

from faults import certificates as shown
from faults.cases import NOT_SENT, Case, short
from faults.plays import refuse_tls, reset_after_hello, speak_no_tls
from faults.server import Connection, behave

UNREACHED: Final = (
    Case(name="refused", play=behave, certainty=NOT_SENT, posts=0, door="closed"),
    Case(
        name="backlog full",
        play=behave,
        certainty=NOT_SENT,
        posts=0,
        door="crowded",
        timeouts=short("connect"),
    ),
    Case(
        name="backlog full, whole deadline",
        play=behave,
        certainty=NOT_SENT,
        posts=0,
        door="crowded",
        timeouts=short("attempt"),
    ),
    Case(
        name="unknown name",
        play=behave,
        certainty=NOT_SENT,
        posts=0,
        tls=shown.TRUSTED,
        host=shown.NAME,
    ),
    *(
        Case(
            name=f"overlong label{of}",
            play=behave,
            certainty=NOT_SENT,
            posts=0,
            tls=shown.TRUSTED,
            host=f"{prefix}{'a' * 70}.invalid",
            heals=False,
        )
        for of, prefix in (("", ""), (" of another alphabet", "xn--"))
    ),
)


def _unshaken(name: str, **changes: object) -> Case:
    """Return a case of a handshake that fails."""
    fields: dict[str, object] = {"play": behave, "tls": shown.TRUSTED, **changes}
    return Case(name=name, certainty=NOT_SENT, posts=0, **fields)  # type: ignore[arg-type]  # as in Case


HANDSHAKES: Final = (
    _unshaken("certificate of an unknown authority", tls=shown.STRANGERS),
    _unshaken("certificate of another host", tls=shown.OTHER_HOST),
    _unshaken("certificate that has expired", tls=shown.EXPIRED),
    _unshaken("TLS 1.2 that asks for the client's certificate", tls=shown.ASKS_12),
    _unshaken("TLS hang", play=Connection.linger, handshake=False, timeouts=short("connect")),
    _unshaken(
        "TLS hang, whole deadline",
        play=Connection.linger,
        handshake=False,
        timeouts=short("attempt"),
    ),
    _unshaken("TLS reset on arrival", play=Connection.reset, handshake=False),
    _unshaken("TLS reset", play=reset_after_hello, handshake=False),
    _unshaken("TLS close", play=Connection.close, handshake=False),
    _unshaken("TLS refused", play=refuse_tls, handshake=False),
    _unshaken("no TLS", play=speak_no_tls, handshake=False),
    _unshaken(
        "caller gives up in the handshake",
        play=Connection.linger,
        handshake=False,
        cancelled=lambda server: server.connections == 1,
    ),
)
