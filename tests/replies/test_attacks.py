"""What strangers try on the door for replies, as the documentation's service has it, by hand."""

import hmac
import importlib.util
import json
import logging
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from replies.examples import CUSTOMER, LABELS, body
from serving import serving

from multiwhats_async.replies import MAX_REPLY_BYTES, Reply, ReplyHandler

pytestmark = pytest.mark.anyio

EXAMPLE = Path(__file__).parents[2] / "docs/examples/receive_reply.py"
TOKEN = "a-long-random-one"  # noqa: S105  # a test's
YES = LABELS[0]


class Service:
    """The documented service on a real socket, and what it has taken."""

    def __init__(self, url: str, module: ModuleType) -> None:
        self.url = url
        self.port = int(url.rpartition(":")[2])
        self.handler: ReplyHandler = module.handler

    @property
    def taken(self) -> int:
        """How many replies the program was handed."""
        return len(self.handler._taken)

    def connect(self) -> socket.socket:
        """Return a plain connection."""
        return socket.create_connection(("127.0.0.1", self.port), 10)

    def says(self, data: bytes) -> bytes:
        """Return the answer to some bytes, up to its end."""
        with closing(self.connect()) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """Run the example of the documentation as it stands."""
    monkeypatch.setenv("REPLY_TOKEN", TOKEN)
    spec = importlib.util.spec_from_file_location("receive_reply", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with serving(module.app) as url:
        yield Service(url, module)


def request(data: bytes, *, target: str = f"/replies?token={TOKEN}", more: str = "") -> bytes:
    """Return a delivery as the bytes of a request."""
    head = f"POST {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{more}"
    return f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", f"/replies?token={TOKEN}"),
        ("PUT", f"/replies?token={TOKEN}"),
        ("DELETE", f"/replies?token={TOKEN}"),
        ("TRACE", f"/replies?token={TOKEN}"),
        ("POST", f"/replies/../replies?token={TOKEN}"),
        ("POST", f"//replies?token={TOKEN}"),
        ("POST", f"/REPLIES?token={TOKEN}"),
        ("POST", f"/replies%2f?token={TOKEN}"),
        ("POST", f"/replies%00?token={TOKEN}"),
        ("POST", f"/replies;x?token={TOKEN}"),
        ("POST", f"/?token={TOKEN}"),
    ],
)
def test_another_method_or_path(method: str, target: str, service: Service) -> None:
    """There is one door, and it opens one way."""
    data = request(body(YES), target=target).replace(b"POST", method.encode(), 1)
    assert b" 200 " not in service.says(data).partition(b"\r\n")[0]
    assert service.taken == 0


@pytest.mark.parametrize(
    ("query", "more"),
    [
        ("", ""),
        ("?token=", ""),
        ("?token=%00", ""),
        (f"?token={TOKEN}%20", ""),
        (f"?token={TOKEN}%0d%0aX-Evil:1", ""),
        (f"?Token={TOKEN}", ""),
        (f"?token[]={TOKEN}", ""),
        ("", f"Token: {TOKEN}\r\nAuthorization: Bearer {TOKEN}\r\nCookie: token={TOKEN}\r\n"),
        ("", f"X-Original-URL: /replies?token={TOKEN}\r\n"),
    ],
)
def test_another_token(query: str, more: str, service: Service) -> None:
    """Nothing but the token itself, in its own place; the answer repeats nothing of it."""
    said = service.says(request(body(YES), target=f"/replies{query}", more=more))
    assert said.startswith(b"HTTP/1.1 401 ")
    assert said.endswith(b'{"error": {"code": "unauthorized"}}')
    assert b"evil" not in said.lower()
    assert service.taken == 0


async def test_every_token_is_compared_in_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Right or wrong, short or empty: by the one comparison that tells nothing by its length."""
    compared: list[bytes] = []
    compare = hmac.compare_digest

    def watched(given: bytes, expected: bytes) -> bool:
        compared.append(given)
        return compare(given, expected)

    monkeypatch.setattr("multiwhats_async.replies._handler.hmac.compare_digest", watched)
    handler = ReplyHandler(lambda _: None, token=TOKEN, assumed_item_id="label")
    tried = [TOKEN, "a", "", None, b"\xff", TOKEN[:-1], "ü\ud800"]
    for token in tried:
        await handler.handle(b"", token)
    assert len(compared) == len(tried)


def test_a_body_without_end(service: Service) -> None:
    """It is answered once it is over the limit, however much is still to come."""
    with closing(service.connect()) as connection:
        head = f"POST /replies?token={TOKEN} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        connection.sendall(head.encode() + b"\r\n")
        piece = b"10000\r\n" + b"[" * 65_536 + b"\r\n"
        sent = 0
        while sent <= MAX_REPLY_BYTES:
            connection.sendall(piece)
            sent += 65_536
        assert connection.recv(12) == b"HTTP/1.1 413"
    assert service.taken == 0


def test_a_length_that_lies(service: Service) -> None:
    """Too short is another body; too long is never whole, and then nothing was delivered."""
    data = body(YES)
    short = request(data).replace(b"Content-Length: %d" % len(data), b"Content-Length: 5")
    assert b" 400 " in service.says(short).partition(b"\r\n")[0]
    long = request(data).replace(b"Content-Length: %d" % len(data), b"Content-Length: 9999")
    assert b" 200 " not in service.says(long).partition(b"\r\n")[0]
    both = request(data, more="Transfer-Encoding: chunked\r\n")
    assert b" 200 " not in service.says(both).partition(b"\r\n")[0]
    assert service.taken == 0


def test_a_request_in_a_body_is_none(service: Service) -> None:
    """Who has no token gets nowhere by hiding a delivery in one that is refused."""
    inner = request(body(YES))
    said = service.says(request(inner, target="/replies?token=wrong"))
    assert said.startswith(b"HTTP/1.1 401 ")
    assert said.count(b"HTTP/1.1") == 1
    assert service.taken == 0


def test_slow_deliveries_hold_up_no_other(service: Service) -> None:
    """Fifty that never end, and one that is taken meanwhile; of those nothing is."""
    with ExitStack() as open_ones:
        for _ in range(50):
            connection = open_ones.enter_context(closing(service.connect()))
            connection.sendall(request(body(YES, id=1))[:-1])
        assert b" 200 " in service.says(request(body(YES, id=2))).partition(b"\r\n")[0]
    assert service.taken == 1


def test_a_delivery_that_is_replayed(service: Service) -> None:
    """In other words, with other headers, in another order: the same choice is taken once."""
    record: dict[str, Any] = json.loads(body(YES))
    turned = dict(reversed(record.items())) | {"note": "again"}
    with httpx.Client() as client:
        for data in (record, record, turned, record | {"updated_at": "2030-01-01 00:00:00"}):
            answer = client.post(
                f"{service.url}/replies", params={"token": TOKEN}, json=data, headers={"x": "y"}
            )
            assert answer.status_code == 200
    assert service.taken == 1


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/xml", "multipart/form-data; boundary=x", ""]
)
def test_another_content_type(media_type: str, service: Service) -> None:
    """The token opens the door, and the bytes are read as JSON whatever they are said to be."""
    wrong = request(b"<a/>", more=f"Content-Type: {media_type}\r\n")
    assert b" 400 " in service.says(wrong).partition(b"\r\n")[0]
    right = request(body(YES), more=f"Content-Type: {media_type}\r\n")
    assert b" 200 " in service.says(right).partition(b"\r\n")[0]
    assert service.taken == 1


BOMBS = {
    "depth": b"[" * 500_000,
    "depth in the record": b'{"id":1,"extra_data":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
    "digits": b'{"id":' + b"9" * 900_000 + b"}",
    "names": b"{" + b",".join(b'"%d":1' % number for number in range(80_000)) + b"}",
    "a name twice": b'{"id":1,"id":2}',
    "targets": b'{"targets":[' + b",".join([b"{}"] * 300_000) + b"]}",
    "not a number": b'{"id":NaN}',
    "an exponent": b'{"id":1e999999999}',
    "zeros": bytes(900_000),
    "another encoding": '{"id":1}'.encode("utf-16"),
}


@pytest.mark.parametrize("name", list(BOMBS))
def test_json_that_is_meant_to_hurt(name: str, service: Service) -> None:
    """It is answered like any other, and the next delivery is taken."""
    status = service.says(request(BOMBS[name])).split(b" ", 2)[1]
    assert status in (b"400", b"200")
    assert service.taken == 0
    assert b" 200 " in service.says(request(body(YES))).partition(b"\r\n")[0]
    assert service.taken == 1


@pytest.mark.parametrize(
    "item", [f"x\r\n2026-01-01 CRITICAL forged {CUSTOMER}", "\x1b[2J\x1b]0;owned\x07", "\u202egnp"]
)
async def test_no_line_of_the_log_is_forged(item: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever a delivery holds, the log tells of it on one line that a terminal only shows."""

    def fail(_: Reply) -> None:
        raise AssertionError("not handed over")

    handler = ReplyHandler(fail, token=None, assumed_item_id="label")
    with caplog.at_level(logging.DEBUG):
        for data in (body(item), body(YES, from_identifier=item), body(target_item=item)):
            assert (await handler.handle(data, None)).status == 400
    assert len(caplog.messages) == 3
    for message in caplog.messages:
        assert message.isprintable()
        assert CUSTOMER not in message
