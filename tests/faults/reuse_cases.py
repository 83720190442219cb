"""What kept connections can do to the next message."""

from typing import Final

from faults.answers import answer, record_text
from faults.cases import ACCEPTED, PROBE, STRANGER, UNKNOWN, Case, answers, nobody_there, over_tls
from faults.plays import WHOLE, half_close, say_408, say_408_and_close
from faults.server import Connection, behave

_REUSE = (
    Case(
        name="closed while idle",
        kept=answers(WHOLE, then=Connection.close),
        settled=nobody_there,
        play=behave,
        certainty=ACCEPTED,
    ),
    Case(
        name="reset while idle",
        kept=answers(WHOLE, then=Connection.reset),
        settled=nobody_there,
        play=behave,
        certainty=ACCEPTED,
    ),
    Case(
        name="408 and close, unasked",
        kept=answers(WHOLE, then=say_408_and_close),
        settled=nobody_there,
        play=behave,
        certainty=ACCEPTED,
    ),
    Case(
        name="close races the POST",
        kept=behave,
        play=Connection.close,
        certainty=UNKNOWN,
        posts=0,
    ),
    Case(
        name="reset races the POST",
        kept=behave,
        play=Connection.reset,
        certainty=UNKNOWN,
        posts=0,
    ),
    Case(
        name="half-close races the POST, which is read",
        kept=behave,
        play=half_close,
        certainty=UNKNOWN,
    ),
    Case(
        name="408 races the POST",
        kept=behave,
        play=say_408,
        certainty=UNKNOWN,
        posts=0,
        status=408,
    ),
)

STRAYS: Final = {
    "record": answer(200, record_text(STRANGER)),
    "record of the same recipient": answer(200, record_text(PROBE.to)),
    "record without targets": answer(200, record_text(STRANGER, targets=[])),
    "400": answer(400, b"{}"),
    "429": answer(429, b"{}"),
    "503": answer(503, b"{}", [("Retry-After", "0")]),
    "garbage": b"garbage",
}
"""What may lie unread behind an answer."""

REUSE: Final = (
    *_REUSE,
    *over_tls(*_REUSE),
    *over_tls(
        Case(
            name="goodbye while idle",
            kept=answers(WHOLE, then=Connection.part),
            settled=nobody_there,
            play=behave,
            certainty=ACCEPTED,
        )
    ),
    *(
        Case(
            name=f"left over from before: {what}",
            kept=answers(WHOLE + stray),
            play=behave,
            certainty=ACCEPTED,
            strays=True,
        )
        for what, stray in STRAYS.items()
    ),
)
