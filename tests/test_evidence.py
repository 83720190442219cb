"""Certainty follows from what was written to the wire."""

from types import SimpleNamespace
from typing import Any

import pytest

from multiwhats_async import Certainty
from multiwhats_async._evidence import Evidence, Failure, weigh

pytestmark = pytest.mark.anyio

POST = {"request": SimpleNamespace(method=b"POST")}
CONNECT = {"request": SimpleNamespace(method=b"CONNECT")}
HEAD = ("http11.send_request_headers.started", POST)
ANSWERED = ("http11.receive_response_headers.complete", {"return_value": (b"", 402, b"", [])})
TUNNEL = [
    ("http11.send_request_headers.started", CONNECT),
    ("http11.send_request_body.started", CONNECT),
    ("http11.receive_response_headers.complete", {"return_value": (b"", 200, b"", [])}),
]


async def trace(*events: tuple[str, Any]) -> Evidence:
    """Return the evidence of some trace events."""
    evidence = Evidence()
    for name, info in events:
        await evidence(name, info)
    return evidence


def certainty(evidence: Evidence, *, before_writing: bool = False) -> Certainty:
    """Return what is known of a POST that got no answer."""
    failure = Failure(cause="Error", text="", before_writing=before_writing)
    return weigh(evidence, failure)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([("connection.connect_tcp.started", {})], Certainty.NOT_SENT),
        ([("connection.connect_tcp.failed", {})], Certainty.NOT_SENT),
        ([HEAD], Certainty.UNKNOWN),
        ([HEAD, ("http11.send_request_headers.failed", {})], Certainty.NOT_SENT),
        (
            [
                HEAD,
                ("http11.send_request_body.started", POST),
                ("http11.send_request_headers.failed", {}),
            ],
            Certainty.UNKNOWN,
        ),
        ([HEAD, ("http11.send_request_body.started", POST)], Certainty.UNKNOWN),
        (TUNNEL, Certainty.NOT_SENT),
        ([*TUNNEL, HEAD], Certainty.UNKNOWN),
    ],
)
async def test_what_was_written_decides(events: list[tuple[str, Any]], expected: Certainty) -> None:
    """The rules, one case each; an error that says "before writing" cannot overrule them."""
    evidence = await trace(*events)
    assert certainty(evidence) is expected
    assert certainty(evidence, before_writing=True) is expected


async def test_without_a_trace_only_a_few_errors_are_proof() -> None:
    """A mock tells nothing of its writing."""
    assert certainty(Evidence()) is Certainty.UNKNOWN
    assert certainty(Evidence(), before_writing=True) is Certainty.NOT_SENT


async def test_the_status_is_the_servers_and_not_the_proxys() -> None:
    """A tunnel's 200 is no answer to the message."""
    assert (await trace(*TUNNEL)).status is None
    assert (await trace(*TUNNEL, HEAD, ANSWERED)).status == 402


@pytest.mark.parametrize(
    "event",
    [
        ("http11.send_request_headers.started", {}),
        ("http11.send_request_headers.started", {"request": None}),
        ("http11.receive_response_headers.complete", {"return_value": ()}),
        ("http11.receive_response_headers.complete", {"return_value": (b"", "x")}),
    ],
)
async def test_an_event_that_cannot_be_read_counts_as_written(event: tuple[str, Any]) -> None:
    """The callback never raises into httpcore, and fails closed."""
    assert certainty(await trace(event)) is Certainty.UNKNOWN


async def test_the_watcher_hears_of_every_event() -> None:
    """After it was noted; also of one that cannot be read."""
    heard: list[bool] = []
    evidence = Evidence(lambda: heard.append(evidence.begun))
    for name, info in (("connection.connect_tcp.started", {}), HEAD, (HEAD[0], {})):
        await evidence(name, info)
    assert heard == [False, True, True]


def test_a_failure_proves_nothing_unless_it_says_so() -> None:
    """What an error is silent about counts as written."""
    assert weigh(Evidence(), Failure(cause="Error", text="")) is Certainty.UNKNOWN


def test_writing_that_has_begun_counts_as_written() -> None:
    """Our own transport says so before the first byte: whatever follows, it may have left."""
    evidence = Evidence()
    evidence.traced = True
    assert certainty(evidence) is Certainty.NOT_SENT
    evidence.begin_writing()
    evidence.head_failed = True
    assert (evidence.may_have_left, certainty(evidence)) == (True, Certainty.UNKNOWN)


def test_a_network_that_tells_of_itself() -> None:
    """From then on what is not said to be written was not; who watches hears of it."""
    heard: list[bool] = []
    evidence, unwatched = Evidence(lambda: heard.append(evidence.traced)), Evidence()
    for each in (evidence, unwatched):
        assert certainty(each) is Certainty.UNKNOWN
        each.note_network()
        assert certainty(each) is Certainty.NOT_SENT
    assert heard == [True]
