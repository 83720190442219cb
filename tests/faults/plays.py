"""What servers do to a connection that is more than an answer."""

import itertools
import os
from typing import Final

from faults.answers import answer, head, record_text
from faults.cases import LARGE, RECIPIENT, SHORT
from faults.server import Connection

RECORD: Final = record_text(RECIPIENT)
WHOLE: Final = answer(200, RECORD)
HALF: Final = WHOLE[: -len(RECORD) // 2]
NOT_TLS: Final = b"HTTP/1.1 400 Bad Request\r\n\r\n"
CORRUPT: Final = b"\x17\x03\x03\x00\x20" + bytes(32)
"""A TLS record whose checksum cannot be right."""
NO_CIPHER: Final = b"\x15\x03\x03\x00\x02\x02\x28"
"""A TLS alert: the handshake has failed."""
TIMED_OUT: Final = answer(408, b"", [("Connection", "close")])
TOO_LARGE: Final = answer(413, b"{}", [("Connection", "close")])
UPLOADED: Final = len(LARGE.message) // 4
"""Bytes of a large message, after which it is well on its way."""


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


def reset_in_upload(connection: Connection) -> None:
    """Read a part of the message, and reset."""
    connection.read_head()
    connection.read_some(UPLOADED)
    connection.reset()


def refuse_in_upload(connection: Connection) -> None:
    """Refuse a message before it is there, and read on."""
    connection.read_head()
    connection.send(TOO_LARGE)
    connection.end_sending()
    connection.linger()


def refuse_and_stall(connection: Connection) -> None:
    """Refuse a message before it is there, and read no further."""
    connection.read_head()
    connection.send(TOO_LARGE)
    connection.server.released.wait()
    connection.close()


def half_close(connection: Connection) -> None:
    """Say that nothing will be said, and read on."""
    connection.end_sending()
    connection.read_request()
    connection.linger()


def hang(connection: Connection) -> None:
    """Read the request, and never answer."""
    connection.read_request()
    connection.linger()


def answer_late(connection: Connection) -> None:
    """Read the request, and answer after a while."""
    request = connection.read_request()
    connection.server.released.wait(SHORT)
    connection.send(connection.server.answer_to(request))


def stall(connection: Connection) -> None:
    """Never read, until the client has given up."""
    connection.server.released.wait()
    connection.close()


def greet(connection: Connection) -> None:
    """Speak before the client does, as a mail server."""
    connection.send(b"220 mail.example ESMTP\r\n\r\n")
    connection.linger()


def speak_no_tls(connection: Connection) -> None:
    """Answer a TLS hello in plain text."""
    connection.wait_for_more()
    connection.send(NOT_TLS)
    connection.linger()


def refuse_tls(connection: Connection) -> None:
    """Refuse to shake hands."""
    connection.wait_for_more()
    connection.send(NO_CIPHER)
    connection.linger()


def corrupt_record(connection: Connection) -> None:
    """Read the request, and answer with a TLS record that is none."""
    connection.read_request()
    os.write(connection.sock.fileno(), CORRUPT)
    connection.linger()


def corrupt_body(connection: Connection) -> None:
    """Spoil the TLS stream in the middle of a body."""
    connection.read_request()
    connection.send(HALF)
    os.write(connection.sock.fileno(), CORRUPT)
    connection.linger()


def promise_for_ever(connection: Connection) -> None:
    """Send one interim answer after the other."""
    connection.read_request()
    while not connection.server.released.wait(SHORT / 10):
        connection.send(head(102))
    connection.close()


def trickle_head(connection: Connection) -> None:
    """Send one header after the other, and no end of them."""
    connection.read_request()
    connection.send(b"HTTP/1.1 200 OK\r\n")
    while not connection.server.released.wait(SHORT / 10):
        connection.send(b"X-More: yes\r\n")
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


def bytewise(connection: Connection) -> None:
    """Send a whole answer, each byte in a packet of its own."""
    connection.read_request()
    for byte in WHOLE:
        connection.send(bytes([byte]))


def say_408(connection: Connection) -> None:
    """Say that the request took too long, and read on."""
    connection.send(TIMED_OUT)
    connection.linger()


def say_408_and_close(connection: Connection) -> None:
    """Say that the request took too long, and close."""
    connection.send(TIMED_OUT)
    connection.close()
