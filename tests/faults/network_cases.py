"""What networks do to a POST, and servers that crash, hang or babble."""

import itertools
import os
from typing import Final

from faults.answers import answer, head, record_text
from faults.cases import (
    BY_TRACE,
    LARGE,
    NOT_SENT,
    RECIPIENT,
    REJECTED,
    SHORT,
    UNKNOWN,
    Case,
    answers,
    short,
)
from faults.server import Connection

RECORD: Final = record_text(RECIPIENT)
HALF: Final = answer(200, RECORD)[: -len(RECORD) // 2]
NOT_TLS: Final = b"HTTP/1.1 400 Bad Request\r\n\r\n"
CORRUPT: Final = b"\x17\x03\x03\x00\x20" + bytes(32)
"""A TLS record whose checksum cannot be right."""


def close_on_arrival(connection: Connection) -> None:
    """Close before anything is read."""
    connection.close()


def reset_on_arrival(connection: Connection) -> None:
    """Reset before anything is read."""
    connection.reset()


def reset_after_hello(connection: Connection) -> None:
    """Read the client's first bytes, then reset."""
    connection.wait_for_more()
    connection.reset()


def reset_after_head(connection: Connection) -> None:
    """Read no more than the request's head."""
    connection.read_head()
    connection.reset()


def close_after_request(connection: Connection) -> None:
    """Read the request, and close without a word."""
    connection.read_request()
    connection.close()


def reset_after_request(connection: Connection) -> None:
    """Read the request, and reset."""
    connection.read_request()
    connection.reset()


def half_close(connection: Connection) -> None:
    """Say that nothing will be said, and read on."""
    connection.end_sending()
    connection.read_request()
    connection.linger()


def hang(connection: Connection) -> None:
    """Read the request, and never answer."""
    connection.read_request()
    connection.linger()


def hang_before_tls(connection: Connection) -> None:
    """Take the connection, and say nothing."""
    connection.linger()


def stall(connection: Connection) -> None:
    """Never read, until the client has given up."""
    connection.server.released.wait()
    connection.close()


def speak_no_tls(connection: Connection) -> None:
    """Answer a TLS hello in plain text."""
    connection.wait_for_more()
    connection.send(NOT_TLS)
    connection.linger()


def corrupt_record(connection: Connection) -> None:
    """Read the request, and answer with a TLS record that is none."""
    connection.read_request()
    os.write(connection.sock.fileno(), CORRUPT)
    connection.linger()


def promise_for_ever(connection: Connection) -> None:
    """Send one interim answer after the other."""
    connection.read_request()
    while not connection.server.released.wait(SHORT / 10):
        connection.send(head(102))
    connection.close()


def trickle(connection: Connection) -> None:
    """Send the answer's body a byte at a time."""
    connection.read_request()
    connection.send(head(200, [("Content-Length", "1000")]))
    for byte in itertools.cycle(RECORD):
        if connection.server.released.wait(SHORT / 10):
            break
        connection.send(bytes([byte]))
    connection.close()


CASES: Final = (
    Case(name="close on arrival", play=close_on_arrival, certainty=BY_TRACE, posts=0),
    Case(name="reset on arrival", play=reset_on_arrival, certainty=BY_TRACE, posts=0),
    Case(name="reset after the head", play=reset_after_head, certainty=UNKNOWN, posts=0),
    Case(name="reset after the request", play=reset_after_request, certainty=UNKNOWN),
    Case(name="close after the request", play=close_after_request, certainty=UNKNOWN),
    Case(name="half-close that still reads", play=half_close, certainty=UNKNOWN),
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
    Case(name="no HTTP", play=answers(b"220 mail.example ESMTP\r\n\r\n"), certainty=UNKNOWN),
    Case(name="no reply", play=hang, certainty=UNKNOWN, timeouts=short("read")),
    Case(name="no reply, whole deadline", play=hang, certainty=UNKNOWN, timeouts=short("attempt")),
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
        name="endless interim answers",
        play=promise_for_ever,
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
    Case(
        name="TLS hang",
        play=hang_before_tls,
        certainty=NOT_SENT,
        posts=0,
        tls=True,
        handshake=False,
        timeouts=short("connect"),
    ),
    Case(
        name="TLS hang, whole deadline",
        play=hang_before_tls,
        certainty=NOT_SENT,
        posts=0,
        tls=True,
        handshake=False,
        timeouts=short("attempt"),
    ),
    Case(
        name="TLS reset",
        play=reset_after_hello,
        certainty=NOT_SENT,
        posts=0,
        tls=True,
        handshake=False,
    ),
    Case(
        name="TLS close",
        play=close_on_arrival,
        certainty=NOT_SENT,
        posts=0,
        tls=True,
        handshake=False,
    ),
    Case(
        name="no TLS",
        play=speak_no_tls,
        certainty=NOT_SENT,
        posts=0,
        tls=True,
        handshake=False,
    ),
    Case(name="corrupt TLS record", play=corrupt_record, certainty=UNKNOWN, tls=True),
    Case(
        name="TLS, close after the request", play=close_after_request, certainty=UNKNOWN, tls=True
    ),
    Case(
        name="TLS, reset after the request", play=reset_after_request, certainty=UNKNOWN, tls=True
    ),
    Case(
        name="TLS, no reply",
        play=hang,
        certainty=UNKNOWN,
        tls=True,
        timeouts=short("attempt"),
    ),
)
