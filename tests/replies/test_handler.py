"""The door for pushed choices: who is let in, and that each is taken once."""

import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import anyio
import pytest
from replies.examples import CUSTOMER, LABELS, body

from multiwhats_async import ConfigurationError, OutcomeUnknownError
from multiwhats_async.replies import Reply, ReplyHandler

pytestmark = pytest.mark.anyio

TOKEN = "t0k3n-ü"  # noqa: S105 - a test's
YES, NO = LABELS


class Program:
    """Keeps what it is handed."""

    def __init__(self) -> None:
        self.labels: list[str] = []
        self.error: Exception | None = None
        self.seconds = 0.0

    async def take(self, reply: Reply) -> None:
        """Take a reply, or fail."""
        self.labels.append(reply.label)
        if self.error is not None:
            raise self.error

    def clock(self) -> float:
        """Return the time that a test has set."""
        return self.seconds


@pytest.fixture
def program() -> Program:
    """Return a program that takes everything."""
    return Program()


def handler_of(program: Program, **options: Any) -> ReplyHandler:
    """Return a handler in front of a program."""
    defaults = {"token": TOKEN, "assumed_item_id": "label", "clock": program.clock}
    return ReplyHandler(program.take, **(defaults | options))


async def said(handler: ReplyHandler, data: bytes, token: Any = TOKEN) -> tuple[int, str]:
    """Return the status, and the word that was answered."""
    status, answer = await handler.handle(data, token)
    fields = json.loads(answer)
    return status, fields.get("status") or fields["error"]["code"]


async def test_a_choice_is_taken_once(program: Program) -> None:
    """A second delivery is acknowledged, and not handed over again."""
    handler = handler_of(program)
    assert await said(handler, body(YES)) == (200, "accepted")
    assert await said(handler, body(YES)) == (200, "duplicate")
    assert await said(handler, body(NO)) == (200, "accepted")
    assert program.labels == [YES, NO]
    assert repr(handler) == "<ReplyHandler 2 remembered>"


async def test_code_that_is_not_async(program: Program) -> None:
    """A plain function will do."""
    taken: list[str] = []
    handler = ReplyHandler(
        lambda reply: taken.append(reply.label), token=None, assumed_item_id="label"
    )
    assert await said(handler, body(YES), None) == (200, "accepted")
    assert taken == [YES]


@pytest.mark.parametrize(
    "token", [None, "", "t0k3n", "t0k3n-u", TOKEN + " ", b"x", "\ud800", "T0K3N-Ü", "x" * 10_000]
)
async def test_another_token_is_refused(token: Any, program: Program) -> None:
    """Before the body is looked at."""
    handler = handler_of(program)
    assert await said(handler, body(YES), token) == (401, "unauthorized")
    assert await said(handler, b"x" * 2_000_000, token) == (401, "unauthorized")
    assert program.labels == []


async def test_the_token_as_bytes(program: Program) -> None:
    """As some frameworks hand it over."""
    assert await said(handler_of(program), body(YES), TOKEN.encode()) == (200, "accepted")


@pytest.mark.parametrize("token", ["", " "])
def test_an_empty_token_is_none(token: str, program: Program) -> None:
    """An unset variable of the environment does not open the door."""
    with pytest.raises(ConfigurationError, match="token is empty"):
        handler_of(program, token=token)


def test_what_is_assumed_is_checked_at_once(program: Program) -> None:
    """Not with the first customer."""
    with pytest.raises(ConfigurationError, match="assumed_item_id"):
        handler_of(program, assumed_item_id="labels")


@pytest.mark.parametrize("name", ["max_body", "remember_seconds", "remember_most"])
def test_numbers_that_cannot_work(name: str, program: Program) -> None:
    """They are refused, with their name."""
    with pytest.raises(ConfigurationError, match=f"{name} must be a"):
        handler_of(program, **{name: 0})


async def test_an_answer_repeats_nothing(program: Program) -> None:
    """Why a delivery cannot be read stands in the log."""
    answer = await handler_of(program).handle(body("no such button"), TOKEN)
    assert answer == (400, b'{"error": {"code": "invalid_reply"}}')


async def test_what_is_no_reply(program: Program, caplog: pytest.LogCaptureFixture) -> None:
    """Too large, unreadable, without a choice: each has its answer, and none is handed over."""
    handler = handler_of(program, max_body=5_000)
    assert await said(handler, b"x" * 5_001) == (413, "too_large")
    with caplog.at_level(logging.WARNING, "multiwhats_async"):
        assert await said(handler, b"[" * 5_000) == (400, "invalid_reply")
        assert await said(handler, body("no such button")) == (400, "invalid_reply")
    assert await said(handler, body()) == (200, "ignored")
    assert program.labels == []
    assert CUSTOMER not in caplog.text


async def test_a_body_that_is_read_piece_by_piece(program: Program) -> None:
    """No more than the limit is read, and nothing for a wrong token; what is left is closed."""
    handler = handler_of(program, max_body=5_000)
    read: list[int] = []
    closed: list[bool] = []

    async def chunks(data: bytes) -> AsyncGenerator[bytes, None]:
        try:
            for start in range(0, len(data), 1_000):
                read.append(start)
                yield data[start : start + 1_000]
        finally:
            closed.append(True)

    assert (await handler.handle_stream(chunks(body(YES)), TOKEN)).status == 200
    assert program.labels == [YES]
    assert len(read) == len(body(YES)) // 1_000 + 1
    read.clear()
    assert (await handler.handle_stream(chunks(b"x" * 100_000), TOKEN)).status == 413
    assert len(read) == 6
    assert closed == [True, True]
    unread = chunks(b"x")
    assert (await handler.handle_stream(unread, "wrong")).status == 401
    assert len(read) == 6
    await unread.aclose()

    class Pieces:
        """An iterable that has nothing to close."""

        def __aiter__(self) -> AsyncIterator[bytes]:
            return chunks(body(NO))

    assert (await handler.handle_stream(Pieces(), TOKEN)).status == 200


@pytest.mark.parametrize("grouped", [False, True])
async def test_what_may_have_sent_is_not_called_again(
    program: Program, caplog: pytest.LogCaptureFixture, grouped: bool
) -> None:
    """A message may have gone out: a second call could send a second one."""
    error = OutcomeUnknownError("no answer")
    program.error = ExceptionGroup("tasks", [ValueError(), error]) if grouped else error
    handler = handler_of(program)
    assert await said(handler, body(YES)) == (200, "unknown")
    assert await said(handler, body(YES)) == (200, "duplicate")
    assert program.labels == [YES]
    assert "on_reply may have sent a message; the reply is not taken again" in caplog.text


async def test_a_group_of_plain_failures_is_called_again(program: Program) -> None:
    """Nothing in it says that a message may have gone out."""
    program.error = ExceptionGroup("tasks", [ValueError()])
    handler = handler_of(program)
    assert [await said(handler, body(YES)) for _ in range(2)] == [(500, "failed")] * 2
    assert program.labels == [YES] * 2


async def test_code_that_fails_gets_it_again(
    program: Program, caplog: pytest.LogCaptureFixture
) -> None:
    """500, so that it is pushed again; nothing is lost."""
    handler = handler_of(program)
    program.error = ValueError("no database")
    assert await said(handler, body(YES)) == (500, "failed")
    program.error = None
    assert await said(handler, body(YES)) == (200, "accepted")
    assert program.labels == [YES, YES]
    assert "no database" in caplog.text
    assert CUSTOMER not in caplog.text


async def test_memory_has_an_end(program: Program) -> None:
    """In time and in number: the oldest are forgotten."""
    handler = handler_of(program, remember_seconds=10, remember_most=2)
    for number in (1, 2, 3):
        program.seconds = float(number)
        assert await said(handler, body(YES, id=number)) == (200, "accepted")
    assert await said(handler, body(YES, id=3)) == (200, "duplicate")
    assert await said(handler, body(YES, id=2)) == (200, "duplicate")
    assert await said(handler, body(YES, id=1)) == (200, "accepted")
    program.seconds = 13
    assert await said(handler, body(YES, id=3)) == (200, "accepted")
    assert len(handler._taken) <= 2


@pytest.mark.parametrize("failing", [False, True])
async def test_a_second_delivery_at_the_same_time(failing: bool, program: Program) -> None:
    """It waits for the first, and is answered as that was."""
    begun, go_on = anyio.Event(), anyio.Event()
    answers: list[tuple[int, str]] = []

    async def slow(reply: Reply) -> None:
        program.labels.append(reply.label)
        begun.set()
        await go_on.wait()
        if failing:
            raise ValueError("no database")

    handler = ReplyHandler(slow, token=None, assumed_item_id="label")

    async def deliver() -> None:
        answers.append(await said(handler, body(YES), None))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(deliver)
        await begun.wait()
        tasks.start_soon(deliver)
        await anyio.wait_all_tasks_blocked()
        assert answers == []
        go_on.set()
    expected = {(500, "failed")} if failing else {(200, "accepted"), (200, "duplicate")}
    assert set(answers) == expected
    assert program.labels == [YES]


async def test_a_delivery_that_is_cancelled(program: Program) -> None:
    """Who waits for it is told to come again, and then it is taken."""
    begun = anyio.Event()
    answers: list[tuple[int, str]] = []

    async def endless(reply: Reply) -> None:
        program.labels.append(reply.label)
        if len(program.labels) == 1:
            begun.set()
            await anyio.sleep_forever()

    handler = ReplyHandler(endless, token=None, assumed_item_id="label")

    async def deliver() -> None:
        answers.append(await said(handler, body(YES), None))

    scope = anyio.CancelScope()

    async def first() -> None:
        with scope:
            await deliver()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first)
        await begun.wait()
        tasks.start_soon(deliver)
        await anyio.wait_all_tasks_blocked()
        scope.cancel()
    assert answers == [(503, "interrupted")]
    await deliver()
    assert answers[-1] == (200, "accepted")
