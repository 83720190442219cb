"""What servers answer: every status, records that are none, bodies and heads beyond reason."""

import gzip
import json
import zlib
from typing import Final

from faults.answers import answer, head, packed, record, record_text
from faults.cases import (
    ACCEPTED,
    RECIPIENT,
    REJECTED,
    STRANGER,
    UNKNOWN,
    Case,
    answered,
    answers,
)
from faults.server import Connection

RECORD: Final = record_text(RECIPIENT)
BOMB: Final = packed(60_000_000)
HTTP_2: Final = b"\0\0\0\4\0\0\0\0\0" + b"\0\0\4\3\0\0\0\0\1\x88\0\0\0"
"""Settings, and the head of an answer."""

STATUSES: Final = tuple(
    Case(
        name=name,
        play=answered(status, b'{"message": "no"}', headers),
        certainty=certainty,
        status=status,
    )
    for name, status, headers, certainty in (
        ("400", 400, (), REJECTED),
        ("401", 401, (), REJECTED),
        ("402", 402, (), REJECTED),
        ("403", 403, (), REJECTED),
        ("404", 404, (), REJECTED),
        ("408", 408, (), UNKNOWN),
        ("409", 409, (), UNKNOWN),
        ("413", 413, (), REJECTED),
        ("422", 422, (), REJECTED),
        ("425", 425, (), REJECTED),
        ("429", 429, (), REJECTED),
        ("500", 500, (), UNKNOWN),
        ("502", 502, (), UNKNOWN),
        ("503", 503, (), UNKNOWN),
        ("503 with Retry-After", 503, (("Retry-After", "0"),), REJECTED),
        ("504", 504, (), UNKNOWN),
    )
)


def _answered_200(name: str, body: bytes) -> Case:
    return Case(name=name, play=answered(200, body), certainty=UNKNOWN, status=200)


RECORDS: Final = (
    Case(name="201", play=answered(201), certainty=ACCEPTED),
    Case(name="byte order mark", play=answered(200, b"\xef\xbb\xbf" + RECORD), certainty=ACCEPTED),
    Case(
        name="NaN",
        play=answered(200, json.dumps(record(RECIPIENT, total_credit=float("nan"))).encode()),
        certainty=ACCEPTED,
    ),
    Case(
        name="duplicate keys",
        play=answered(200, b'{"id": 1, "id": 2, ' + RECORD[1:]),
        certainty=ACCEPTED,
    ),
    Case(
        name="chunks",
        play=answers(
            head(200, [("Transfer-Encoding", "chunked")])
            + b"%x\r\n%s\r\n0\r\n\r\n" % (len(RECORD), RECORD)
        ),
        certainty=ACCEPTED,
    ),
    Case(
        name="answer in two interim steps",
        play=answers(head(100) + head(103) + answer(200, RECORD)),
        certainty=ACCEPTED,
    ),
    Case(
        name="gzip that was not asked for",
        play=answered(200, gzip.compress(RECORD), [("Content-Encoding", "gzip")]),
        certainty=ACCEPTED,
    ),
    Case(
        name="deflate that was not asked for",
        play=answered(200, zlib.compress(RECORD), [("Content-Encoding", "deflate")]),
        certainty=ACCEPTED,
    ),
    Case(
        name="plain error with a success",
        play=answered(200, b'{"success": false, "message": "no credit"}'),
        certainty=REJECTED,
        status=200,
    ),
)

NO_RECORDS: Final = (
    _answered_200("empty", b""),
    _answered_200("HTML", b"<html>Welcome to the hotel's network</html>"),
    _answered_200("null", b"null"),
    _answered_200("list", b"[]"),
    _answered_200("empty object", b"{}"),
    _answered_200("bare number", b"1"),
    _answered_200("bare NaN", b"NaN"),
    _answered_200("100,000 brackets", b"[" * 100_000),
    _answered_200("5,000 digits", b'{"id": %s, "targets": []}' % (b"9" * 5000)),
    _answered_200("no UTF-8", RECORD + b"\xff"),
    _answered_200("two records", RECORD + RECORD),
    _answered_200("answer for another recipient", record_text(STRANGER)),
    Case(name="204", play=answers(head(204)), certainty=UNKNOWN, status=204),
    Case(
        name="corrupt gzip",
        play=answered(200, gzip.compress(RECORD)[:-9] + bytes(9), [("Content-Encoding", "gzip")]),
        certainty=UNKNOWN,
        status=200,
    ),
    Case(
        name="cut gzip",
        play=answered(200, gzip.compress(RECORD)[:-9], [("Content-Encoding", "gzip")]),
        certainty=UNKNOWN,
        status=200,
    ),
    Case(
        name="gzip that is none",
        play=answered(200, RECORD, [("Content-Encoding", "gzip")]),
        certainty=UNKNOWN,
        status=200,
    ),
    Case(
        name="unknown encoding",
        play=answered(200, RECORD, [("Content-Encoding", "br")]),
        certainty=UNKNOWN,
        status=200,
    ),
    Case(
        name="gzip bomb",
        play=answered(200, BOMB, [("Content-Encoding", "gzip")]),
        certainty=UNKNOWN,
        status=200,
    ),
    Case(
        name="body of more than a megabyte",
        play=answered(200, RECORD + b" " * 1_100_000),
        certainty=UNKNOWN,
        status=200,
    ),
    Case(
        name="body that is said to be a gigabyte",
        play=answers(head(200, [("Content-Length", "1000000000")]) + RECORD + b" " * 1_100_000),
        certainty=UNKNOWN,
        status=200,
    ),
    Case(
        name="refusal of more than a megabyte",
        play=answered(422, b" " * 1_100_000),
        certainty=REJECTED,
        status=422,
    ),
)


HEADS: Final = (
    Case(
        name="header of 200 KB",  # httpx refuses it between two reads; see test_pooled.py
        play=answered(200, RECORD, [("X-Large", "x" * 200_000)]),
        certainty=UNKNOWN,
    ),
    Case(
        name="header with a NUL",
        play=answered(200, RECORD, [("X-Nul", "a\0b")]),
        certainty=UNKNOWN,
    ),
    Case(
        name="two lengths",
        play=answered(200, RECORD, [("Content-Length", "3")]),
        certainty=UNKNOWN,
    ),
    Case(
        name="negative length",
        play=answers(head(200, [("Content-Length", "-5")]) + RECORD),
        certainty=UNKNOWN,
    ),
    Case(
        name="length that is too small",
        play=answers(head(200, [("Content-Length", "9")]) + RECORD),
        strays=True,
        certainty=UNKNOWN,
        status=200,
    ),
    Case(
        name="length that is no number",
        play=answers(head(200, [("Content-Length", "many")]) + RECORD),
        certainty=UNKNOWN,
    ),
    Case(
        name="length and chunks",
        play=answers(
            head(200, [("Content-Length", "3"), ("Transfer-Encoding", "chunked")])
            + b"%x\r\n%s\r\n0\r\n\r\n" % (len(RECORD), RECORD)
        ),
        certainty=ACCEPTED | UNKNOWN,
    ),
    Case(
        name="chunk of a size that is no number",
        play=answers(head(200, [("Transfer-Encoding", "chunked")]) + b"many\r\n" + RECORD),
        certainty=UNKNOWN,
        status=200,
    ),
    Case(
        name="unknown transfer encoding",
        play=answers(head(200, [("Transfer-Encoding", "gzip")]) + gzip.compress(RECORD)),
        certainty=UNKNOWN,
    ),
    Case(
        name="headers without an end",
        play=answers(b"HTTP/1.1 200 OK\r\n" + b"X-More: yes\r\n" * 20_000),
        certainty=UNKNOWN,
    ),
    Case(name="HTTP/2", play=answers(HTTP_2), certainty=UNKNOWN),
    Case(
        name="101",
        play=answers(head(101, [("Upgrade", "websocket"), ("Connection", "Upgrade")])),
        certainty=UNKNOWN,
    ),
    Case(name="status 999", play=answered(999), certainty=UNKNOWN, status=999),
    Case(
        name="no reason",
        play=answers(b"HTTP/1.1 200\r\n\r\n" + RECORD, then=Connection.close),
        certainty=ACCEPTED,
    ),
    Case(
        name="HTTP/1.0",
        play=answers(b"HTTP/1.0 200 OK\r\n\r\n" + RECORD, then=Connection.close),
        certainty=ACCEPTED,
    ),
)


def _redirected(name: str, location: str, status: int = 302) -> Case:
    return Case(
        name=f"{status} to {name}",
        play=answered(status, b"", [("Location", location)]),
        certainty=UNKNOWN,
        status=status,
    )


REDIRECTS: Final = (
    _redirected("itself", "/api/v1/basic/whatsapp/send-dynamic", 307),
    _redirected("itself", "/api/v1/basic/whatsapp/send-dynamic", 308),
    _redirected("itself", "/api/v1/basic/whatsapp/send-dynamic", 301),
    _redirected("itself", "/api/v1/basic/whatsapp/send-dynamic"),
    _redirected("nothing", ""),
    _redirected("two slashes", "//"),
    _redirected("a broken IPv6 address", "http://[::1"),
    _redirected("a host with spaces", "http://a b c/"),
    _redirected("a large address", "http://127.0.0.1/" + "x" * 70_000),
    _redirected("a host that IDNA refuses", "https://\u00b2\u00ad-\u00e4.example/"),
    _redirected("an overlong label", f"https://xn--{'a' * 70}.example/"),
    _redirected("a port that is none", "http://127.0.0.1:99999999/"),
    _redirected("no scheme", "://"),
    _redirected("a script", "javascript:alert(1)"),
    _redirected("bytes beyond ASCII", "/\u00ff\u00fe"),
    _redirected("a user", "http://user:secret@127.0.0.1:1/"),
)
