"""The door for pushed choices: for any web framework, on asyncio and on trio."""

import hmac
import json
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from contextlib import asynccontextmanager
from inspect import isawaitable
from typing import Final, NamedTuple

import anyio

from .._settings import checked_count, checked_seconds
from ..errors import ConfigurationError, InvalidReplyError, OutcomeUnknownError
from ._parsing import MAX_REPLY_BYTES, Adapt, checked_item_id, parse_reply
from ._reply import AssumedItemId, Reply

REMEMBER_SECONDS: Final = 86_400.0
"""For how long a second delivery of a tap is known for one: 24 hours. Ours: how often and how long
the vendor delivers again is not documented."""

MAX_REMEMBERED: Final = 100_000
"""Taps that are remembered, the latest. Ours: about 20 MB."""

OnReply = Callable[[Reply], Awaitable[object] | object]

_log: Final = logging.getLogger("multiwhats_async")


class ReplyResponse(NamedTuple):
    """What a web service answers.

    Attributes:
        status: The HTTP status.
        body: JSON: ``{"status": …}``, or ``{"error": {"code": …}}``. Nothing of what was pushed.
    """

    status: int
    body: bytes


class ReplyHandler:
    """Takes pushed choices, each once, and hands them to your code.

    ::

        handler = ReplyHandler(on_reply, token=TOKEN, assumed_item_id="label")
        token = request.query_params.get("token")
        status, body = await handler.handle(await request.body(), token)

    ======  ====================  ==================================================
    status  JSON                  when
    ======  ====================  ==================================================
    200     ``accepted``          ``on_reply`` has taken it
    200     ``duplicate``         it had taken the same before; it is not called again
    200     ``ignored``           a record without a choice
    200     ``unknown``           ``on_reply`` has raised an ``OutcomeUnknownError``: see below
    400     ``invalid_reply``     no record that can be read; the log says why
    401     ``unauthorized``      the token is wrong or missing
    413     ``too_large``         over ``max_body``
    500     ``failed``            ``on_reply`` has raised: delivered again, it is called again
    503     ``interrupted``       the same delivery was being taken, and was cancelled
    ======  ====================  ==================================================

    So a choice is handed over at least once, and again only where your code has failed on it. An
    ``OutcomeUnknownError`` that your code lets through is no such failure: the message may have
    gone out, and a second call could send a second one. The choice counts as taken. What was taken
    is remembered in memory: a restart forgets it. A :class:`~multiwhats_async.menus.MenuEngine`
    keeps its own record.

    Args:
        on_reply: Your code, sync or async. It should be done in the seconds in which the one who
            pushes waits for an answer.
        token: The secret that comes with each delivery, in the address that you give to MultiWhats
            for instance. None takes deliveries from anybody who finds the address.
        assumed_item_id: What ``selectedItemId`` holds; see :func:`parse_reply`.
        adapt: For a payload of another shape; see :func:`parse_reply`.
        max_body: Bytes that are read at the most, up to :data:`MAX_REPLY_BYTES`.
        remember_seconds: For how long a second delivery is known for one.
        remember_most: Taps that are remembered at the most, the latest.
        clock: Seconds that only go forward.

    Raises:
        ConfigurationError: An argument cannot work.
    """

    def __init__(
        self,
        on_reply: OnReply,
        *,
        token: str | None,
        assumed_item_id: AssumedItemId | str,
        adapt: Adapt | None = None,
        max_body: int = MAX_REPLY_BYTES,
        remember_seconds: float = REMEMBER_SECONDS,
        remember_most: int = MAX_REMEMBERED,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if token is not None and not token.strip():
            raise ConfigurationError(
                "token is empty: choose a long random one, or pass token=None to let anybody in"
            )
        self._on_reply = on_reply
        self._token = None if token is None else token.encode()
        self._item_id = checked_item_id(assumed_item_id)
        self._adapt = adapt
        self._max_body = min(checked_count("max_body", max_body), MAX_REPLY_BYTES)
        self._seconds = checked_seconds("remember_seconds", remember_seconds) or REMEMBER_SECONDS
        self._most = checked_count("remember_most", remember_most)
        self._clock = clock
        self._taken: OrderedDict[str, float] = OrderedDict()  # the latest last
        self._under_way: dict[str, _Taking] = {}

    def __repr__(self) -> str:
        return f"<ReplyHandler {len(self._taken)} remembered>"

    async def handle(self, body: bytes, token: str | bytes | None) -> ReplyResponse:
        """Take one delivery.

        Args:
            body: The request's body, as it came.
            token: The secret that came with it.

        Returns:
            The status and the body of the answer. Nothing is raised but a cancellation.
        """
        if not self._admits(token):
            return _error(401, "unauthorized")
        if len(body) > self._max_body:
            return _error(413, "too_large")
        try:
            reply = parse_reply(body, assumed_item_id=self._item_id, adapt=self._adapt)
        except InvalidReplyError as error:
            _log.warning("A pushed reply cannot be read: %s", error)
            return _error(400, "invalid_reply")
        return _said("ignored") if reply is None else await self._once(reply)

    async def handle_stream(
        self, chunks: AsyncIterable[bytes], token: str | bytes | None
    ) -> ReplyResponse:
        """Take one delivery whose body is still to be read.

        Nothing is read for a wrong token, and no more than ``max_body`` for any.

        Args:
            chunks: The body, piece by piece, such as Starlette's ``request.stream()``.
            token: The secret that came with it.

        Returns:
            The status and the body of the answer.

        Raises:
            Exception: What the reading raises, where the client has gone for instance.
        """
        if not self._admits(token):
            return _error(401, "unauthorized")
        body = bytearray()
        async with _closing(chunks):
            async for chunk in chunks:
                body += chunk
                if len(body) > self._max_body:
                    break
        return await self.handle(bytes(body), token)

    async def _once(self, reply: Reply) -> ReplyResponse:
        """Hand a reply over, unless that was done or is being done."""
        key = reply.key
        self._forget()
        if key in self._taken:
            return _said("duplicate")
        if key in self._under_way:
            return await self._under_way[key].share()
        return await self._take(key, reply)

    async def _take(self, key: str, reply: Reply) -> ReplyResponse:
        taking = self._under_way[key] = _Taking()
        try:
            word = await self._hand_over(reply)
            if word is None:
                taking.result = _error(500, "failed")
                return taking.result
            self._taken[key] = self._clock()
            taking.result = _said("duplicate")
            return _said(word)
        finally:  # also where it was cancelled: those who wait must not wait for ever
            del self._under_way[key]
            taking.done.set()

    async def _hand_over(self, reply: Reply) -> str | None:
        """Call the user's code; return the word for how it ended, or None where it has failed."""
        try:
            result = self._on_reply(reply)
            if isawaitable(result):
                await result
        except Exception as error:  # noqa: BLE001  # whatever it is, who pushes must hear of it
            if _may_have_sent(error):
                _log.exception("on_reply may have sent a message; the reply is not taken again")
                return "unknown"
            _log.exception("on_reply has failed; the reply is taken again when it is pushed again")
            return None
        return "accepted"

    def _admits(self, token: str | bytes | None) -> bool:
        if self._token is None:
            return True
        given = token.encode(errors="replace") if isinstance(token, str) else token or b""
        return hmac.compare_digest(given, self._token)

    def _forget(self) -> None:
        oldest = self._clock() - self._seconds
        while self._taken:
            key, time_taken = next(iter(self._taken.items()))
            if time_taken > oldest and len(self._taken) <= self._most:
                break
            del self._taken[key]


@asynccontextmanager
async def _closing(chunks: AsyncIterable[bytes]) -> AsyncGenerator[None, None]:
    """Close a generator that is not read to its end: left to the collector, it warns on trio."""
    try:
        yield
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()


class _Taking:
    """A reply that is being taken, and what those are answered who bring it again meanwhile."""

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.result = _error(503, "interrupted")

    async def share(self) -> ReplyResponse:
        await self.done.wait()
        return self.result


def _may_have_sent(error: Exception) -> bool:
    """Tell whether an error says of a message that it may have gone out."""
    if isinstance(error, ExceptionGroup):
        return error.subgroup(OutcomeUnknownError) is not None
    return isinstance(error, OutcomeUnknownError)


def _said(status: str) -> ReplyResponse:
    return ReplyResponse(200, json.dumps({"status": status}).encode())


def _error(status: int, code: str) -> ReplyResponse:
    return ReplyResponse(status, json.dumps({"error": {"code": code}}).encode())
