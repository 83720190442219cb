"""The emulator speaks the documented wire, and keeps and counts what it accepted."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import attrs
import pytest
from sandbox.wire_examples import (
    EXAMPLE_TIME,
    PATH,
    REQUEST,
    RESPONSE,
    payload,
    post,
    request_of,
)

from multiwhats_async.sandbox import Emulator, FaultPlan
from multiwhats_async.sandbox._tally import Fingerprints

KEY = "s3cr3t-key"


def test_example_request_gets_example_answer() -> None:
    """The vendor's request is answered with the vendor's answer, in the same order of fields."""
    response = Emulator(now=lambda: EXAMPLE_TIME).handle(request_of(REQUEST.encode()))
    assert response.status == 200
    assert response.headers == {"content-type": "application/json"}
    compact = json.dumps(json.loads(RESPONSE), ensure_ascii=False, separators=(",", ":"))
    assert response.body == compact.encode()
    assert len(response.body) == 879


def test_answer_has_the_documented_types() -> None:
    """Another message is answered with the example's fields and types at every level."""

    def shape(value: Any) -> Any:
        match value:
            case dict():
                return [(name, shape(inner)) for name, inner in value.items()]
            case list():
                return [shape(value[0])]
            case _:
                return type(value)

    response = Emulator().handle(request_of(payload(to="4915112345678", buttons=["A"])))
    assert shape(json.loads(response.body)) == shape(json.loads(RESPONSE))


def test_ids_count_up_and_bind_target_to_queue() -> None:
    """Each message has the next queue id and target id, and its target names its queue."""
    emulator = Emulator()
    records = [json.loads(emulator.handle(request_of(payload())).body) for _ in range(3)]
    assert [record["id"] for record in records] == [3664, 3665, 3666]
    assert [record["targets"][0]["id"] for record in records] == [53687, 53688, 53689]
    assert all(record["targets"][0]["queue_id"] == record["id"] for record in records)


def test_any_key_that_is_not_empty() -> None:
    """Without a list of keys any will do, but none at all will not."""
    emulator = Emulator()
    assert (emulator.any_key, emulator.api_key) == (True, "sandbox-key")
    assert post(emulator, query=b"apikey=whatever") == 200
    assert post(emulator, query=b"apikey=") == 401
    assert post(emulator, query=b"") == 401


def test_listed_keys() -> None:
    """The first key of a list is the one to use, and no list may be empty or hold nothing."""
    emulator = Emulator(api_keys=(KEY, "b"))
    assert (emulator.any_key, emulator.api_key) == (False, KEY)
    with pytest.raises(ValueError, match="api_keys is empty"):
        Emulator(api_keys=[])
    with pytest.raises(ValueError, match="An API key is empty"):
        Emulator(api_keys=["a", ""])


@pytest.mark.parametrize(
    "text",
    [
        "Şişli'de ığüşöç İIıi 🇹🇷",
        "👩‍👩‍👧‍👦 👍🏽",
        "a\x00b",
        '"\\/\b\f\n\r\t\x7f\u2028',
        "עברית العربية",
        "x" * 5000,
    ],
)
def test_text_comes_back_as_it_went_in(text: str) -> None:
    """Turkish letters, emoji, NUL and control characters survive, escaped or not."""
    for escaped in (True, False):
        body = json.dumps(payload(message=text, buttons=[text]), ensure_ascii=escaped).encode()
        record = json.loads(Emulator().handle(request_of(body)).body)
        assert record["message"] == text
        assert record["extra_data"]["buttons"] == [text]


def test_credit_is_used_up() -> None:
    """After its credits the sandbox answers 402, until it is reset."""
    emulator = Emulator(credits=2)
    assert [post(emulator) for _ in range(4)] == [200, 200, 402, 402]
    assert emulator.stats().credits == 2
    emulator.reset()
    assert post(emulator) == 200


def test_message_is_kept_without_its_key() -> None:
    """A kept message has its request and response, the key masked, unknown fields left out."""
    emulator = Emulator(api_keys=[KEY], now=lambda: EXAMPLE_TIME)
    post(emulator, query=b"", apikey=KEY, further={"deep": [KEY]})
    (message,) = emulator.messages
    assert message.request == payload() | {"apikey": "****"}
    assert message.response == json.loads(RESPONSE)
    assert (message.id, message.sender, message.recipient) == (3664, "908503080335", "905374937766")
    assert (message.text, message.buttons) == (payload()["message"], ("👍 Yes", "⛔ No"))
    assert message.time == EXAMPLE_TIME
    assert KEY not in repr([message, message.request, emulator])
    assert "905374937766" not in repr(message)
    assert "••••••••7766" in repr(message)


def test_reprs_show_no_key() -> None:
    """Neither a request nor an emulator shows a key."""
    request = request_of(payload(apikey=KEY), query=b"apikey=s3cr3t-key")
    assert repr(request) == f"SandboxRequest(method='POST', path='{PATH}')"
    assert repr(Emulator(api_keys=[KEY])) == "<Emulator 1 keys, 0 accepted>"
    assert repr(Emulator()) == "<Emulator any key, 0 accepted>"


def test_messages_are_bounded() -> None:
    """Only the newest messages are kept, the counters go on."""
    emulator = Emulator(keep=3)
    for number in range(5):
        post(emulator, message=f"n{number}")
    assert [message.text for message in emulator.messages] == ["n2", "n3", "n4"]
    assert emulator.stats().accepted == 5


def test_stats_and_reset() -> None:
    """The counters tell what happened, and reset begins anew; but no id comes twice."""
    emulator = Emulator(faults=FaultPlan(["refuse@nth:1", "timeout@nth:2"]))
    emulator.accept()
    emulator.accept()
    for to in ("905374937766", "905374937766", "905374937766", "905374937767", "1"):
        post(emulator, to=to)
    assert attrs.asdict(emulator.stats()) == {
        "requests": 5,
        "accepted": 3,
        "credits": 3,
        "by_status": {200: 3, 422: 1},
        "dropped": {"refuse": 1, "timeout": 1},
        "recipients": 2,
        "sent_twice": 1,
    }
    emulator.reset()
    assert emulator.stats() == type(emulator.stats())()
    assert emulator.messages == ()
    assert json.loads(emulator.handle(request_of(payload())).body)["id"] == 3664 + 3


def test_sent_twice_tells_messages_apart() -> None:
    """Twice is the same sender, recipient, text and buttons; three times counts once."""
    emulator = Emulator()
    for changes in (
        {},
        {"message": "other"},
        {"buttons": ["👍 Yes"]},
        {"sender": "908503080336"},
        {"to": "905374937767"},
        {"buttons": ["👍 Yes⛔ No"]},
    ):
        post(emulator, **changes)
    assert emulator.stats().sent_twice == 0
    for _ in range(3):
        post(emulator)
    assert emulator.stats().sent_twice == 1


def test_fingerprints_match_whole_entries_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A digest that lies across two kept ones is new, one that is kept is not."""

    class FakeDigest:
        def __init__(self, data: bytes, **_: object) -> None:
            self.data = data

        def digest(self) -> bytes:
            return b"bb" + bytes(json.loads(self.data)[0], "ascii")

    monkeypatch.setattr("multiwhats_async.sandbox._tally.blake2b", FakeDigest)
    seen = Fingerprints()
    assert [seen.add([text]) for text in ("abcdef", "ghijkl", "defghi", "ghijkl")] == [
        True,
        True,
        True,
        False,
    ]
    assert len(seen) == 3
    assert not seen.add(["defghi"])  # found across two entries first, then as one of its own


def test_time_is_naive_and_passes() -> None:
    """Every answer has the clock's time, in seconds, without a zone."""
    times = iter(EXAMPLE_TIME + timedelta(seconds=n, microseconds=999_999) for n in range(2))
    emulator = Emulator(now=lambda: next(times))
    stamps = [
        json.loads(emulator.handle(request_of(payload())).body)["created_at"] for _ in range(2)
    ]
    assert stamps == ["2023-04-26 11:11:58", "2023-04-26 11:11:59"]


def test_threads() -> None:
    """Eight threads lose no message, no id and no count."""
    emulator = Emulator(faults=FaultPlan(["500@every:10"]), magic_numbers=False)

    def work(thread: int) -> int:
        numbers = (f"9053{thread}{number:07}" for number in range(500))
        return sum(post(emulator, to=number) == 200 for number in numbers)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(8))) == 3600
    stats = emulator.stats()
    assert (stats.requests, stats.accepted, stats.recipients, stats.sent_twice) == (
        4000,
        3600,
        3600,
        0,
    )
    assert stats.by_status == {200: 3600, 500: 400}
    assert {message.id for message in emulator.messages} == set(range(3664, 3664 + 3600))
