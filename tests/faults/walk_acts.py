"""What a server does in a random walk, each with what may then be said of its message."""

import random
import socket
import ssl
from collections.abc import Callable
from typing import Final

import attrs
from faults.answers import answer, head, record_text
from faults.cases import STRANGER
from faults.server import Connection, Request

from multiwhats_async import Certainty

LONG: Final = 5.0
"""Seconds that no attempt of a walk has."""

TO_ITSELF: Final = ("Location", "/api/v1/basic/whatsapp/send-dynamic")
NO_RECORD: Final = (b"<html>no</html>", b"", b"null", b"[]", b'{"status": "queued"}', b"[" * 5_000)
BAD_WAITS: Final = ("-1", "soon", "inf", "")

OK: Final = frozenset({Certainty.ACCEPTED, Certainty.UNKNOWN})
NO: Final = frozenset({Certainty.REJECTED, Certainty.UNKNOWN})
LATER: Final = NO | {Certainty.NOT_SENT}
"""The server said to come back, and another attempt may have failed before it was written."""
DOUBT: Final = frozenset({Certainty.UNKNOWN})
UNREAD: Final = frozenset({Certainty.NOT_SENT, Certainty.UNKNOWN})


@attrs.frozen
class Exchange:
    """A POST that was read in full, and how it is answered.

    Attributes:
        connection: Where it came.
        request: What was read.
        to: The recipient in it.
        serial: A number that no other has: the id of its record.
        dice: Random numbers of this exchange's own.
    """

    connection: Connection
    request: Request
    to: str
    serial: int
    dice: random.Random

    @property
    def good(self) -> bytes:
        """The answer that it gets when all is well."""
        return answer(200, record_text(self.to, id=self.serial))

    def wait(self, longest: float) -> None:
        """Let some moments pass."""
        self.connection.server.released.wait(self.dice.random() ** 2 * longest)

    def pieces(self, pause: float) -> None:
        """Send the good answer in a few pieces, with pauses between them."""
        cuts = sorted(self.dice.sample(range(1, len(self.good)), 4))
        for start, end in zip([0, *cuts], [*cuts, None], strict=True):
            self.connection.send(self.good[start:end])
            self.connection.server.released.wait(pause)


def good(exchange: Exchange) -> None:
    """Answer with the record, as the vendor does."""
    exchange.connection.send(exchange.good)


def slow(exchange: Exchange) -> None:
    """Answer after some moments."""
    exchange.wait(0.05)
    exchange.connection.send(exchange.good)


def trickle(exchange: Exchange) -> None:
    """Answer in pieces."""
    exchange.pieces(0.002)


def crawl(exchange: Exchange) -> None:
    """Answer in pieces that nobody waits for."""
    exchange.pieces(LONG)


def until_close(exchange: Exchange) -> None:
    """Answer without a length, and end the answer by closing."""
    exchange.connection.send(head(200) + record_text(exchange.to, id=exchange.serial))
    exchange.connection.close()


def good_then_close(exchange: Exchange) -> None:
    """Answer, and close, perhaps across the next POST."""
    exchange.connection.send(exchange.good)
    exchange.wait(0.004)
    exchange.connection.close()


def good_then_reset(exchange: Exchange) -> None:
    """Answer, and reset, perhaps across the next POST."""
    exchange.connection.send(exchange.good)
    exchange.wait(0.004)
    exchange.connection.reset()


def stray_record(exchange: Exchange) -> None:
    """Answer, and answer once more what nobody asked."""
    stray = answer(200, record_text(STRANGER))
    if exchange.dice.random() < 0.5:
        exchange.connection.send(exchange.good + stray)
        return
    exchange.connection.send(exchange.good)
    exchange.wait(0.004)
    exchange.connection.send(stray)


def stray_bytes(exchange: Exchange) -> None:
    """Answer with bytes behind it that are no HTTP."""
    exchange.connection.send(exchange.good + b"\0\r\n?")


def refuse(exchange: Exchange) -> None:
    """Answer no."""
    status = exchange.dice.choice((400, 401, 402, 403, 404, 413, 422))
    exchange.connection.send(answer(status, b'{"message": "no"}'))


def refuse_in_half(exchange: Exchange) -> None:
    """Answer no, and lose the end of why."""
    exchange.connection.send(answer(422, b'{"message": "no"}')[:-5])
    exchange.connection.close()


def error_in_success(exchange: Exchange) -> None:
    """Answer 200 with an error in it."""
    exchange.connection.send(answer(200, b'{"success": false, "error": "no credit"}'))


def later(exchange: Exchange) -> None:
    """Ask to come back later."""
    waits = exchange.dice.choice(((), (("Retry-After", "0"),), (("Retry-After", "soon"),)))
    exchange.connection.send(answer(exchange.dice.choice((429, 425)), b"", waits))


def later_unavailable(exchange: Exchange) -> None:
    """Ask to come back later, by a 503 that says when."""
    exchange.connection.send(answer(503, b"", [("Retry-After", "0")]))


def broken_server(exchange: Exchange) -> None:
    """Answer with a status that says nothing of the message."""
    exchange.connection.send(answer(exchange.dice.choice((500, 502, 503, 504, 408, 409)), b"oh"))


def unavailable_with_a_bad_wait(exchange: Exchange) -> None:
    """Answer 503 with a Retry-After that says nothing."""
    waits = [("Retry-After", exchange.dice.choice(BAD_WAITS))]
    exchange.connection.send(answer(503, b"", waits))


def redirect(exchange: Exchange) -> None:
    """Send the client elsewhere, with its POST."""
    exchange.connection.send(answer(exchange.dice.choice((302, 303, 307, 308)), b"", [TO_ITSELF]))


def no_record(exchange: Exchange) -> None:
    """Answer 200 with what is no record."""
    exchange.connection.send(answer(200, exchange.dice.choice(NO_RECORD)))


def of_a_stranger(exchange: Exchange) -> None:
    """Answer with another message's record."""
    exchange.connection.send(answer(200, record_text(STRANGER)))


def close(exchange: Exchange) -> None:
    """Go without a word."""
    exchange.connection.close()


def reset(exchange: Exchange) -> None:
    """Reset without a word."""
    exchange.connection.reset()


def hang(exchange: Exchange) -> None:
    """Say nothing."""
    exchange.connection.linger()


def half_close(exchange: Exchange) -> None:
    """Say that nothing will be said."""
    if not isinstance(exchange.connection.sock, ssl.SSLSocket):
        exchange.connection.end_sending()
    exchange.connection.linger()


def half(exchange: Exchange) -> None:
    """Send a part of the answer, from the status line to the body, and go, or stay."""
    exchange.connection.send(exchange.good[: exchange.dice.randrange(1, len(exchange.good))])
    exchange.dice.choice((close, reset, hang))(exchange)


def garbage(exchange: Exchange) -> None:
    """Answer with what is no HTTP."""
    exchange.connection.send(exchange.dice.randbytes(200))
    exchange.connection.close()


def tls_cut(exchange: Exchange) -> None:
    """Write half the answer below the encryption, and go."""
    sock = exchange.connection.sock
    if isinstance(sock, ssl.SSLSocket):
        exchange.connection.closed = True
        raw = sock.detach()
        with socket.socket(fileno=raw) as plain:
            plain.sendall(b"\x17\x03\x03\x00\x20" + bytes(20))
    else:
        exchange.connection.close()


@attrs.frozen
class Act:
    """What the server does to a POST that it has read.

    Attributes:
        play: What it does.
        allowed: What may be said of a message whose last POST it was.
        weight: How often it does it.
        is_later: Whether it asks for another attempt.
    """

    play: Callable[[Exchange], None]
    allowed: frozenset[Certainty]
    weight: float = 1.0
    is_later: bool = False

    @property
    def name(self) -> str:
        """Its name in the figures."""
        return self.play.__name__


ACTS: Final = (
    Act(good, OK, 30),
    Act(slow, OK, 6),
    Act(trickle, OK, 3),
    Act(crawl, OK, 0.3),
    Act(until_close, OK, 1),
    Act(good_then_close, OK, 3),
    Act(good_then_reset, OK, 2),
    Act(stray_record, OK, 2),
    Act(stray_bytes, OK, 1),
    Act(refuse, NO, 4),
    Act(refuse_in_half, NO, 1),
    Act(error_in_success, NO, 1),
    Act(later, LATER, 3, is_later=True),
    Act(later_unavailable, LATER, 1, is_later=True),
    Act(broken_server, DOUBT, 3),
    Act(unavailable_with_a_bad_wait, DOUBT, 1),
    Act(redirect, DOUBT, 1),
    Act(no_record, DOUBT, 2),
    Act(of_a_stranger, DOUBT, 1),
    Act(close, DOUBT, 3),
    Act(reset, DOUBT, 3),
    Act(hang, DOUBT, 0.5),
    Act(half_close, DOUBT, 0.3),
    Act(half, DOUBT, 2),
    Act(garbage, DOUBT, 1),
    Act(tls_cut, DOUBT, 1),
)


# --- before a POST is read --------------------------------------------------------------------


def arrive(connection: Connection, dice: random.Random) -> None:
    """Take the connection as one should."""


def close_on_arrival(connection: Connection, dice: random.Random) -> None:
    """Close before anything is read."""
    connection.close()


def reset_on_arrival(connection: Connection, dice: random.Random) -> None:
    """Reset before anything is read."""
    connection.reset()


def reset_after_hello(connection: Connection, dice: random.Random) -> None:
    """Reset once the client has said something, unread."""
    if not isinstance(connection.sock, ssl.SSLSocket):
        connection.wait_for_more()
    connection.reset()


def babble_on_arrival(connection: Connection, dice: random.Random) -> None:
    """Say what nobody can understand, and close."""
    connection.sock.sendall(dice.randbytes(50))
    connection.close()


def hang_on_arrival(connection: Connection, dice: random.Random) -> None:
    """Let what comes wait unread, for longer than anybody waits for an answer."""
    connection.wait_for_more()
    connection.server.released.wait(LONG)
    connection.close()


BEFORE_TLS: Final = {
    arrive: 60,
    close_on_arrival: 3,
    reset_on_arrival: 3,
    reset_after_hello: 2,
    babble_on_arrival: 1,
    hang_on_arrival: 0.3,
}
"""What is done to a new connection. What may have come on it meanwhile is left unread."""


def read_on(connection: Connection, dice: random.Random) -> None:
    """Read the POST as one should."""


def reset_in_the_head(connection: Connection, dice: random.Random) -> None:
    """Reset once a POST begins to come."""
    connection.wait_for_more()
    connection.reset()


def close_in_the_head(connection: Connection, dice: random.Random) -> None:
    """Close soon after a POST begins to come."""
    connection.wait_for_more()
    connection.server.released.wait(dice.random() * 0.02)
    connection.close()


BEFORE_READING: Final = {read_on: 60, reset_in_the_head: 1.5, close_in_the_head: 1.5}
"""What is done to a connection on which a POST begins to come."""
