"""How a choice is pushed, in which shape and where to: all of it assumed, and said so."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox.wire_examples import EXAMPLE_TIME, post

from multiwhats_async.replies import AssumedItemId
from multiwhats_async.sandbox import Emulator, SandboxError, Webhook, read_template
from multiwhats_async.sandbox.messages import SandboxMessage, Tap
from multiwhats_async.sandbox.pushes import (
    MAX_TEMPLATE_BYTES,
    PLACEHOLDERS,
    checked_url,
    shown_url,
)


@pytest.fixture
def message() -> SandboxMessage:
    """Return the vendor's example as the sandbox keeps it."""
    emulator = Emulator(now=lambda: EXAMPLE_TIME)
    post(emulator)
    return emulator.messages[0]


TAP = Tap(1, "⛔ No", EXAMPLE_TIME)


@pytest.mark.parametrize(
    ("item_id", "item"),
    [
        (AssumedItemId.LABEL, "⛔ No"),
        (AssumedItemId.INDEX_FROM_0, 1),
        (AssumedItemId.INDEX_FROM_1, 2),
    ],
)
def test_what_the_id_holds_is_chosen(
    item_id: AssumedItemId, item: object, message: SandboxMessage
) -> None:
    """A label or an index, as the user assumes."""
    body = Webhook("http://localhost/", item_id).body(message, TAP)
    assert body["extra_data"]["selectedItemId"] == item
    assert body["targets"][0]["extra_data"]["selectedItemId"] == item


def test_a_template_is_filled_in(message: SandboxMessage) -> None:
    """A placeholder alone keeps its type, within a text it is written out, once."""
    template = {
        "event": "reply",
        "n": 5,
        "{label}": None,
        "data": [{name.strip("{}"): name for name in PLACEHOLDERS}],
        "line": "{to} chose {index_from_1} of {buttons}: {label} ({unknown})",
    }
    tap = Tap(0, "{to}", EXAMPLE_TIME)
    assert Webhook(template=template).body(message, tap) == {
        "event": "reply",
        "n": 5,
        "{label}": None,
        "data": [
            {
                "label": "{to}",
                "index_from_0": 0,
                "index_from_1": 1,
                "queue_id": 3664,
                "target_id": 53687,
                "from": "908503080335",
                "to": "905374937766",
                "message": message.text,
                "buttons": ["👍 Yes", "⛔ No"],
                "time": "2023-04-26 11:11:58",
            }
        ],
        "line": '905374937766 chose 1 of ["👍 Yes", "⛔ No"]: {to} ({unknown})',
    }


def test_a_template_from_a_file(tmp_path: Path) -> None:
    """It is the JSON in it."""
    path = tmp_path / "reply.json"
    path.write_text('{"choice": "{label}", "İ": [1, null]}', "utf-8")
    assert read_template(path) == {"choice": "{label}", "İ": [1, None]}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"choice": "Yes"}', "holds no placeholder"),
        (b'{"choice": {label}}', "is no JSON in UTF-8"),
        (b'"\xff{label}"', "is no JSON in UTF-8"),
        (b"[" * 100_000, "nested too deep"),
        (b" " * (MAX_TEMPLATE_BYTES + 1), "a reply is shorter"),
        (b"", "is no JSON"),
    ],
)
def test_a_template_that_is_none(data: bytes, words: str, tmp_path: Path) -> None:
    """The error says what is wrong with it."""
    path = tmp_path / "reply.json"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=words):
        read_template(path)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000/replies?token=secret",
        "http://localhost/",
        "https://LOCALHOST:8443/x",
        "http://[::1]:80/",
        "http://127.9.9.9",
    ],
)
def test_this_machine_is_a_webhook(url: str) -> None:
    """Any loopback address will do."""
    assert checked_url(url, remote=False) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://0.0.0.0/",
        "http://localhost.example.com/",
        "http://127.0.0.1.example.com/",
        "http://localhost./",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://[::ffff:10.0.0.1]/",
        "http://evil.com#@127.0.0.1/",
        "http://evil.com?@127.0.0.1/",
    ],
)
def test_other_machines_are_refused_unless_asked_for(url: str) -> None:
    """Nobody outside gets made-up choices by mistake, or is reached through the sandbox."""
    with pytest.raises(SandboxError, match="--allow-remote-webhook"):
        checked_url(url, remote=False)
    assert checked_url(url, remote=True) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8000",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://",
        "http:///x",
        "http://127.0.0.1@evil.com/",
        "http://evil.com@127.0.0.1/",
        "http://127.0.0.1\\@evil.com/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:x/",
        "http://[::1/",
        "http://127.0.0.1/\r\nHost: evil.com",
        "http://127.0.0.1/ x",
        "http://127.0.0.1/ş",
        "http://127.0.0.1/" + "x" * 2_000,
    ],
)
def test_what_is_no_address(url: str) -> None:
    """Two programs that read an address differently must not be played against each other."""
    for remote in (False, True):
        with pytest.raises(SandboxError, match="is no address"):
            checked_url(url, remote=remote)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "http://127.0.0.1:8000/r?token=s3&x=s4&y",
            "http://127.0.0.1:8000/r?token=****&x=****&****",
        ),
        ("http://u:s3@localhost/", "http://localhost/"),
        ("http://[::1]:80/r", "http://[::1]:80/r"),
        ("http://localhost/#s3", "http://localhost/"),
        ("http://[s3", "****"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, shown: str) -> None:
    """Neither the page nor a repr holds the token."""
    assert shown_url(url) == shown
    assert repr(shown) in repr(Webhook(url))


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_any_template_gives_json(template: Any) -> None:
    """Whatever the user captured, what is pushed is JSON."""
    emulator = Emulator(webhook=Webhook("http://localhost/", template=template))
    post(emulator)
    (delivery,) = emulator.tap(3664, index=0)[1]
    json.dumps(delivery.body)
