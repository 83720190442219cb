"""Choices on their way to a real program: what is pushed, in which order, and what comes of it."""

import logging
import threading
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from sandbox.hooks import Hook, running
from sandbox.wire_examples import post

from multiwhats_async.sandbox import Delivery, Emulator, SandboxServer, Webhook, create_app
from multiwhats_async.sandbox._courier import SHOWN_BYTES

FIRST, SECOND = "905374937766", "905300000001"


def settled(emulator: Emulator, delivery_id: int, attempts: int = 1) -> Delivery:
    """Wait until a delivery has had so many attempts; return it."""
    rung = threading.Event()

    class Soon:
        """The bell's listener, without an event loop."""

        def ring(self) -> None:
            rung.set()

    listener: Any = Soon()
    emulator.store.bell._listeners.add(listener)
    try:
        while len(emulator.store.delivery(delivery_id).attempts) < attempts:
            assert rung.wait(20)
            rung.clear()
    finally:
        emulator.store.bell._listeners.remove(listener)
    return emulator.store.delivery(delivery_id)


@pytest.fixture
def hook() -> Iterator[Hook]:
    """Run a program that answers 200."""
    with running(Hook()) as hook:
        yield hook


def test_a_tap_reaches_the_program(hook: Hook) -> None:
    """As JSON, with the token in the address, once."""
    emulator = Emulator(webhook=hook.url + "/replies?token=s3")
    with SandboxServer(emulator, port=0):
        post(emulator)
        emulator.tap(3664, label="👍 Yes")
        delivery = settled(emulator, 1)
    ((path, headers),) = hook.requests
    assert path == "/replies?token=s3"
    assert headers["content-type"] == "application/json"
    assert hook.bodies == [delivery.body]
    assert hook.choices == [(3664, "👍 Yes")]
    assert (delivery.state, delivery.attempts[0].status) == ("delivered", 200)
    assert (delivery.attempts[0].body, delivery.attempts[0].error) == ("{}", None)


@pytest.mark.anyio
async def test_under_any_server(hook: Hook, anyio_backend: str) -> None:
    """The app's own lifespan pushes, on asyncio and on trio."""
    emulator = Emulator(webhook=hook.url)
    post(emulator)
    app = create_app(emulator)
    async with app.router.lifespan_context(app):
        emulator.tap(3664, index=0)
        await anyio.to_thread.run_sync(settled, emulator, 1)
        post(emulator, to=SECOND)
        await anyio.to_thread.run_sync(lambda: emulator.tap(3665, index=1))
        await anyio.to_thread.run_sync(settled, emulator, 2)
    assert hook.choices == [(3664, "👍 Yes"), (3665, "⛔ No")]


def test_the_choices_of_one_customer_stay_in_order() -> None:
    """While the program is busy with one customer's first, the others' are pushed."""
    gate = threading.Event()

    def answer(_hook: Hook, body: Any) -> tuple[int, bytes]:
        if body["id"] == 3664:
            assert gate.wait(20)
        return 200, b""

    with running(Hook(answer)) as hook:
        emulator = Emulator(webhook=hook.url)
        with SandboxServer(emulator, port=0):
            for number in (FIRST, FIRST, SECOND):
                post(emulator, to=number)
            for message in emulator.messages:
                emulator.tap(message.id, index=0)
            settled(emulator, 3)
            hook.wait(2)  # which of two customers' choices comes first is the network's to say
            assert {number for number, _ in hook.choices} == {3664, 3666}
            gate.set()
            settled(emulator, 2)
    assert [number for number, _ in hook.choices][2:] == [3665]


@pytest.mark.parametrize(
    ("status", "answer", "seen", "words"),
    [
        (500, b"bo\xffom", 500, None),
        (302, b"", 302, None),
        (0, b"", None, "the connection broke (RemoteProtocolError)"),
    ],
)
def test_what_is_no_success(
    status: int, answer: bytes, seen: int | None, words: str | None
) -> None:
    """It is noted, and waits for the next attempt; no redirection is followed."""
    with running(Hook(lambda _hook, _body: (status, answer))) as hook:
        emulator = Emulator(webhook=hook.url + "/?token=s3")
        with SandboxServer(emulator, port=0):
            post(emulator)
            emulator.tap(3664, index=0)
            delivery = settled(emulator, 1)
    (attempt,) = delivery.attempts
    assert (delivery.state, attempt.status, attempt.error) == ("waiting", seen, words)
    assert attempt.body == answer.decode(errors="replace")
    assert [path for path, _ in hook.requests] == ["/?token=s3"]


def test_an_answer_without_end_is_cut_off() -> None:
    """A server that says more than anybody reads costs no memory."""
    with running(Hook(lambda _hook, _body: (200, b"x" * 1_000_000))) as hook:
        emulator = Emulator(webhook=hook.url)
        with SandboxServer(emulator, port=0):
            post(emulator)
            emulator.tap(3664, index=0)
            delivery = settled(emulator, 1)
    assert delivery.state == "delivered"
    assert delivery.attempts[0].body == "x" * SHOWN_BYTES


def test_a_program_that_is_started_later_gets_it(hook: Hook) -> None:
    """What found nobody waits; the second attempt, a second later, finds the program."""
    emulator = Emulator(webhook="http://127.0.0.1:1/")
    with SandboxServer(emulator, port=0):
        post(emulator)
        emulator.tap(3664, index=0)
        first = settled(emulator, 1)
        assert first.attempts[0].error == "nothing listens there: is your program running?"
        assert first.state == "waiting"
        emulator.store.set_webhook(Webhook(hook.url))
        emulator.store.replay(1)
        assert settled(emulator, 2).state == "delivered"
    assert hook.choices == [(3664, "👍 Yes")]


def test_a_program_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time is counted over all, whatever it trickles in."""
    monkeypatch.setattr("multiwhats_async.sandbox._courier.TIMEOUT_SECONDS", 0.05)
    gate = threading.Event()

    def answer(_hook: Hook, _body: Any) -> tuple[int, bytes]:
        assert gate.wait(20)
        return 200, b""

    with running(Hook(answer)) as hook:
        emulator = Emulator(webhook=hook.url)
        with SandboxServer(emulator, port=0):
            post(emulator)
            emulator.tap(3664, index=0)
            (attempt,) = settled(emulator, 1).attempts
        gate.set()
    assert attempt.error == "no whole answer within 0.05 seconds"


def test_the_end_of_the_sandbox_waits_for_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """A push that is under way is broken off; the next start takes it up again."""
    gate = threading.Event()

    def answer(_hook: Hook, _body: Any) -> tuple[int, bytes]:
        assert gate.wait(20)
        return 200, b""

    with running(Hook(answer)) as slow:
        emulator = Emulator(webhook=slow.url)
        with caplog.at_level(logging.DEBUG), SandboxServer(emulator, port=0):
            post(emulator)
            emulator.tap(3664, index=0)
            slow.wait(1)
        gate.set()
        assert emulator.store.delivery(1).state == "waiting"
        assert emulator.store.delivery(1).attempts == ()
        with SandboxServer(emulator, port=0):
            assert settled(emulator, 1).state == "delivered"
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
