"""What networks do to a POST, and servers that crash, hang or babble."""

from typing import Final

from faults.answers import head
from faults.cases import (
    ACCEPTED,
    BY_TRACE,
    LARGE,
    REJECTED,
    UNKNOWN,
    Case,
    answers,
    nobody_there,
    over_tls,
    short,
)
from faults.certificates import ASKS, TLS_12, TRUSTED
from faults.plays import (
    HALF,
    RECORD,
    WHOLE,
    answer_late,
    bytewise,
    close_after_request,
    corrupt_body,
    corrupt_record,
    greet,
    half_close,
    hang,
    promise_for_ever,
    refuse_and_stall,
    refuse_in_upload,
    reset_after_head,
    reset_after_request,
    reset_in_upload,
    stall,
    trickle,
    trickle_head,
)
from faults.server import Connection, behave

_ARRIVALS = (
    Case(name="close on arrival", play=Connection.close, certainty=BY_TRACE, posts=0),
    Case(name="reset on arrival", play=Connection.reset, certainty=BY_TRACE, posts=0),
)
_UPLOADS = (
    Case(name="reset after the head", play=reset_after_head, certainty=UNKNOWN, posts=0),
    Case(
        name="reset in the upload",
        play=reset_in_upload,
        certainty=UNKNOWN,
        posts=0,
        message=LARGE,
    ),
    Case(
        name="stalled upload",
        play=stall,
        certainty=UNKNOWN,
        posts=0,
        message=LARGE,
        receive_buffer=2048,
        timeouts=short("write"),
    ),
    Case(
        name="stalled upload, whole deadline",
        play=stall,
        certainty=UNKNOWN,
        posts=0,
        message=LARGE,
        receive_buffer=2048,
        timeouts=short("attempt"),
    ),
    Case(
        name="refusal before the message is read",
        play=refuse_in_upload,
        certainty=REJECTED,
        posts=0,
        status=413,
    ),
    Case(
        name="refusal, and a stalled upload",
        play=refuse_and_stall,
        certainty=UNKNOWN | REJECTED,
        posts=0,
        status_too=frozenset((413,)),
        message=LARGE,
        receive_buffer=2048,
        timeouts=short("write"),
    ),
)

WRITING: Final = (
    *_ARRIVALS,
    *over_tls(*_ARRIVALS),
    Case(
        name="TLS 1.3 that asks for the client's certificate",
        play=behave,
        certainty=BY_TRACE,
        posts=0,
        tls=ASKS,
    ),
    *_UPLOADS,
    *over_tls(*_UPLOADS),
)

_UNANSWERED = (
    Case(name="reset after the request", play=reset_after_request, certainty=UNKNOWN),
    Case(name="close after the request", play=close_after_request, certainty=UNKNOWN),
    Case(name="half-close that still reads", play=half_close, certainty=UNKNOWN),
    Case(name="no reply", play=hang, certainty=UNKNOWN, timeouts=short("read")),
    Case(name="no reply, whole deadline", play=hang, certainty=UNKNOWN, timeouts=short("attempt")),
    Case(
        name="endless interim answers",
        play=promise_for_ever,
        certainty=UNKNOWN,
        timeouts=short("attempt"),
    ),
    Case(
        name="caller gives up, no answer comes",
        play=hang,
        certainty=UNKNOWN,
        timeouts=short("attempt"),
        cancelled=lambda server: server.posts == 1,
    ),
    Case(
        name="caller gives up, the answer comes late",
        play=answer_late,
        certainty=ACCEPTED,
        cancelled=lambda server: server.posts == 1,
    ),
)

UNANSWERED: Final = (
    *_UNANSWERED,
    *over_tls(*_UNANSWERED),
    Case(
        name="TLS 1.2, reset after the request",
        play=reset_after_request,
        certainty=UNKNOWN,
        tls=TLS_12,
    ),
    Case(
        name="TLS 1.2, close after the request",
        play=close_after_request,
        certainty=UNKNOWN,
        tls=TLS_12,
    ),
    Case(
        name="TLS, goodbye after the request",
        play=answers(b"", then=Connection.part),
        certainty=UNKNOWN,
        tls=TRUSTED,
    ),
    Case(name="TLS, corrupt record", play=corrupt_record, certainty=UNKNOWN, tls=TRUSTED),
)

_BROKEN = (
    Case(
        name="half a status line",
        play=answers(b"HTTP/1.1 20", then=Connection.close),
        certainty=UNKNOWN,
    ),
    Case(
        name="half a head",
        play=answers(b"HTTP/1.1 200 OK\r\nContent-Le", then=Connection.reset),
        certainty=UNKNOWN,
    ),
    Case(
        name="head in a trickle",
        play=trickle_head,
        certainty=UNKNOWN,
        timeouts=short("attempt"),
    ),
    Case(
        name="body in a trickle",
        play=trickle,
        certainty=UNKNOWN,
        status=200,
        timeouts=short("attempt"),
    ),
    Case(
        name="half a body, then nothing",
        play=answers(HALF, then=Connection.linger),
        certainty=UNKNOWN,
        status=200,
        timeouts=short("read"),
    ),
    Case(
        name="half a body, then close",
        play=answers(HALF, then=Connection.close),
        certainty=UNKNOWN,
        status=200,
    ),
    Case(
        name="half a body, then reset",
        play=answers(HALF, then=Connection.reset),
        certainty=UNKNOWN,
        status=200,
    ),
    Case(
        name="half a chunk",
        play=answers(
            head(200, [("Transfer-Encoding", "chunked")]) + b"40\r\n" + RECORD[:10],
            then=Connection.close,
        ),
        certainty=UNKNOWN,
        status=200,
    ),
    Case(
        name="chunks without the last",
        play=answers(
            head(200, [("Transfer-Encoding", "chunked")]) + b"%x\r\n%s\r\n" % (len(RECORD), RECORD),
            then=Connection.close,
        ),
        certainty=UNKNOWN,
        status=200,
    ),
    Case(
        name="cut until-close body",
        play=answers(head() + RECORD[:-5], then=Connection.close),
        certainty=UNKNOWN,
        status=200,
    ),
    Case(
        name="refusal whose body is lost",
        play=answers(head(422, [("Content-Length", "99")]) + b"{", then=Connection.reset),
        certainty=REJECTED,
        status=422,
    ),
)

BROKEN: Final = (
    *_BROKEN,
    *over_tls(*_BROKEN),
    Case(
        name="TLS, half a status line, then goodbye",
        play=answers(b"HTTP/1.1 20", then=Connection.part),
        certainty=UNKNOWN,
        tls=TRUSTED,
    ),
    Case(
        name="TLS, half a body, then goodbye",
        play=answers(HALF, then=Connection.part),
        certainty=UNKNOWN,
        status=200,
        tls=TRUSTED,
    ),
    Case(
        name="TLS, cut until-close body, then goodbye",
        settled=nobody_there,
        play=answers(head() + RECORD[:-5], then=Connection.part),
        certainty=UNKNOWN,
        status=200,
        tls=TRUSTED,
    ),
    Case(
        name="TLS, half a body, then a corrupt record",
        play=corrupt_body,
        certainty=UNKNOWN,
        status=200,
        status_too=frozenset((None,)),
        tls=TRUSTED,
    ),
)

_WHOLE = (
    Case(name="a record", play=behave, certainty=ACCEPTED),
    Case(name="a record, byte by byte", play=bytewise, certainty=ACCEPTED),
    Case(
        name="a record, then close",
        play=answers(WHOLE, then=Connection.close),
        settled=nobody_there,
        certainty=ACCEPTED,
    ),
    Case(
        name="a record, then reset",
        play=answers(WHOLE, then=Connection.reset),
        settled=nobody_there,
        certainty=ACCEPTED,
    ),
    Case(
        name="until-close body",
        play=answers(head() + RECORD, then=Connection.close),
        certainty=ACCEPTED,
    ),
)

ANSWERED: Final = (
    *_WHOLE,
    *over_tls(*_WHOLE),
    Case(name="TLS 1.2, a record", play=behave, certainty=ACCEPTED, tls=TLS_12),
    Case(
        name="TLS, until-close body, then goodbye",
        settled=nobody_there,
        play=answers(head() + RECORD, then=Connection.part),
        certainty=ACCEPTED,
        tls=TRUSTED,
    ),
)

BABBLE: Final = (
    Case(name="no HTTP", play=answers(b"220 mail.example ESMTP\r\n\r\n"), certainty=UNKNOWN),
    Case(name="a greeting before the request", play=greet, certainty=BY_TRACE, posts=0),
)
