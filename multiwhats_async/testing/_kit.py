"""The kit: what a test sends, what it taps, what goes wrong, and what it may say of it."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Final, Self

import anyio
import attrs
import httpx

from .._numbers import normalise_number
from .._settings import BASE_URL
from ..client import AsyncMultiWhats
from ..models import MessageReceipt
from ..replies import AssumedItemId
from ..retry import RetryPolicy
from ..sandbox import (
    Delivery,
    DeliveryAttempt,
    Emulator,
    Fault,
    SandboxMessage,
    Webhook,
    mock_transport,
)
from ._asgi import App, alive, client_of
from ._match import Expected, explain

TEST_SENDER: Final = "908503080335"
"""The number that sends where a test names none: the one of the vendor's example."""

WAIT_SECONDS: Final = 5.0
"""How long ``wait_for`` waits."""

NO_PAUSE: Final = RetryPolicy(base=0, throttled_base=0)
"""The attempts of the default policy, without the pauses between them: a test waits for nothing."""

A_DAY: Final = 86_400.0
"""Seconds by which the kit's own clock goes on: whatever is held back is due by then."""

_IN_MEMORY: Final = "http://127.0.0.1/"
"""Marks choices as to be delivered; nothing listens there, and nothing is sent there."""


class _Kit:
    """What both kits have in common.

    Attributes:
        emulator: The sandbox behind it, for what the kit has no word for.
    """

    def __init__(self, emulator: Emulator) -> None:
        self.emulator: Emulator = emulator

    @property
    def outbox(self) -> tuple[SandboxMessage, ...]:
        """The messages that were accepted, oldest first. A snapshot."""
        return self.emulator.messages

    @property
    def last(self) -> SandboxMessage:
        """The newest message.

        Raises:
            AssertionError: None was sent.
        """
        __tracebackhide__ = True
        messages = self.outbox
        if not messages:
            raise AssertionError(self._explained(Expected()))
        return messages[-1]

    def tap(
        self,
        message: SandboxMessage | MessageReceipt | int,
        label: str | None = None,
        *,
        index: int | None = None,
    ) -> SandboxMessage:
        """Tap a button of a message, as the customer.

        Args:
            message: The message: of the outbox, the receipt of when it was sent, or its id.
            label: The text of the button, exactly; or
            index: Its position, counted from 0.

        Returns:
            The message as it is now; ``.tap`` is the choice.

        Raises:
            SandboxError: There is no such message or button, or it was tapped already.
            ValueError: The receipt names no id.
        """
        number = message if isinstance(message, int) else message.id
        if number is None:
            raise ValueError("This receipt names no id: tap a message of the outbox")
        return self.emulator.tap(number, label=label, index=index)[0]

    def fail_next(self, fault: str | Fault, *, times: int = 1, to: str | None = None) -> None:
        """Let the next requests fail, or the next choices on their way to your program.

        Args:
            fault: A status such as ``"429"``, ``"429=2"`` with Retry-After, or any other of the
                sandbox's: ``"disconnect_after"``, ``"timeout"``, ``"refuse"``, ``"html"``,
                ``"malformed_json"``, ``"latency=0.2"``, ``"webhook_duplicate"``, …
            times: How often.
            to: Only for this recipient.

        Raises:
            ValueError: It is no fault.
        """
        parsed = Fault.parse(fault) if isinstance(fault, str) else fault
        recipient = parsed.to if to is None else normalise_number(to)
        self.emulator.faults.add(attrs.evolve(parsed, times=parsed.times or times, to=recipient))

    async def wait_for(
        self,
        *,
        to: str | None = None,
        sender: str | None = None,
        text: str | None = None,
        containing: str | None = None,
        buttons: Iterable[str] | None = None,
        after: SandboxMessage | None = None,
        within: float = WAIT_SECONDS,
    ) -> SandboxMessage:
        """Wait until a message is sent that fits; one that was sent before counts too.

        Args:
            to: The recipient.
            sender: The number that sends.
            text: The whole text.
            containing: A part of the text.
            buttons: The labels of the buttons.
            after: Only a message that was sent later than this one.
            within: Seconds.

        Returns:
            The newest message that fits.

        Raises:
            AssertionError: None has come; shows the nearest one.
        """
        __tracebackhide__ = True
        expected = _expected(to, sender, text, containing, buttons)
        least = 0 if after is None else after.id
        with self.emulator.store.bell.listener() as listener, anyio.move_on_after(within):
            while True:
                for message in reversed(self.outbox):
                    if message.id > least and expected.fits(message):
                        return message
                await listener.wait()
        raise AssertionError(f"Waited {within:g} s. {self._explained(expected, least)}")

    def assert_sent(
        self,
        *,
        to: str | None = None,
        sender: str | None = None,
        text: str | None = None,
        containing: str | None = None,
        buttons: Iterable[str] | None = None,
        times: int | None = None,
    ) -> SandboxMessage:
        """Assert that a message was sent, with all that is named here.

        Args:
            to: The recipient, in any usual notation.
            sender: The number that sends.
            text: The whole text.
            containing: A part of the text.
            buttons: The labels of the buttons.
            times: Exactly so many such messages; None takes one or more.

        Returns:
            The newest message that fits.

        Raises:
            AssertionError: None fits, or more or fewer than ``times``; shows the nearest one.
        """
        __tracebackhide__ = True
        expected = _expected(to, sender, text, containing, buttons)
        fitting = [message for message in self.outbox if expected.fits(message)]
        if not fitting:
            raise AssertionError(self._explained(expected))
        if times is not None and len(fitting) != times:
            ids = ", ".join(str(message.id) for message in fitting)
            raise AssertionError(f"Expected {times} such messages; {len(fitting)} were sent: {ids}")
        return fitting[-1]

    def assert_nothing_sent(self) -> None:
        """Assert that no message was accepted.

        Raises:
            AssertionError: One was.
        """
        __tracebackhide__ = True
        sent = [f"  {one.id} to {one.recipient}: {one.text!r}" for one in self.outbox]
        if sent:
            raise AssertionError("\n".join([f"Expected no message; {len(sent)} sent:", *sent]))

    def _explained(self, expected: Expected, after: int = 0) -> str:
        refused = [
            f"{refusal.status or 'no answer'}"
            f"{f' (fault {refusal.fault})' if refusal.fault else ''}: {refusal.request}"
            for refusal in reversed(self.emulator.store.refusals)
        ]
        later = [message for message in self.outbox if message.id > after]
        return explain(expected, later, refused)


class MultiWhatsKit(_Kit):
    """The sandbox in memory: no socket, no thread, no waiting.

    Args:
        assumed_item_id: What ``selectedItemId`` of a tap holds: ``"label"``, ``"index_from_0"`` or
            ``"index_from_1"``. The vendor does not document it.
        options: Further arguments of :class:`~multiwhats_async.sandbox.Emulator`, such as
            ``credits=3`` or ``api_keys=["KEY"]``. Magic numbers are off: nothing fails that the
            test has not asked for.

    Attributes:
        emulator: The sandbox behind it.
    """

    def __init__(
        self, *, assumed_item_id: AssumedItemId | str = AssumedItemId.LABEL, **options: Any
    ) -> None:
        self._seconds = 0.0
        self._alive: dict[int, App] = {}
        webhook = Webhook(_IN_MEMORY, AssumedItemId(assumed_item_id))
        defaults: dict[str, Any] = {
            "magic_numbers": False,
            "webhook": webhook,
            "clock": lambda: self._seconds,
        }
        super().__init__(Emulator(**defaults | options))

    def client(self, **options: Any) -> AsyncMultiWhats:
        """Return a new client that ends in the sandbox; open it with ``async with``.

        Args:
            options: Options of :class:`~multiwhats_async.AsyncMultiWhats` in place of the kit's: a
                key that passes, :data:`TEST_SENDER`, retries without pauses, no breaker.
        """
        http = httpx.AsyncClient(transport=mock_transport(self.emulator))
        return _client(self.emulator, {"base_url": BASE_URL, "http_client": http} | options)

    def take_replies(self) -> list[Any]:
        """Return what is to be pushed for the taps since the last call, as JSON data.

        For sync tests: post each to your own endpoint, with Starlette's ``TestClient`` for
        instance. Each counts as delivered.
        """
        due: list[Any] = []
        self._seconds += A_DAY
        while (delivery := self.emulator.store.take_delivery()) is not None:
            self._note(delivery, httpx.Response(200))
            due.append(delivery.body)
        return due

    async def deliver_to(self, app: App, path: str) -> list[httpx.Response]:
        """Push the replies of the taps since the last call to an ASGI application, in process.

        They go in the order that the sandbox would push them in, with the faults ``webhook_…`` and
        without their waiting. One that is not answered with a 2xx is pushed again by the next call.

        Args:
            app: The application. Where it needs its lifespan, do this within :meth:`running`.
            path: The path of its endpoint, with the token: ``"/replies?token=secret"``.

        Returns:
            What it answered, one response a push.

        Raises:
            Exception: What the application raises.
        """
        answers: list[httpx.Response] = []
        self._seconds += A_DAY
        async with client_of(self._alive.get(id(app), app)) as web:
            while (delivery := self.emulator.store.take_delivery()) is not None:
                answer = await web.post(path, json=delivery.body)
                self._note(delivery, answer)
                answers.append(answer)
        return answers

    @asynccontextmanager
    async def running(self, app: App) -> AsyncGenerator[httpx.AsyncClient, None]:
        """Start an ASGI application in this process, and shut it down at the end.

        Args:
            app: The application.

        Yields:
            A client for its requests: ``await web.get("/")``.

        Raises:
            Exception: What its start or its end raises.
        """
        async with alive(app) as living, client_of(living) as web:
            self._alive[id(app)] = living
            try:
                yield web
            finally:
                del self._alive[id(app)]

    def _note(self, delivery: Delivery, answer: httpx.Response) -> None:
        attempt = DeliveryAttempt(self.emulator.now(), 0.0, answer.status_code)
        self.emulator.store.note_attempt(delivery.id, attempt)


class MultiWhatsServerKit(_Kit):
    """The sandbox on a real socket, in a thread, for as long as the ``with`` block lasts.

    For programs that run in another process, or speak HTTP themselves. Needs the extra ``sandbox``.

    Args:
        options: Arguments of :class:`~multiwhats_async.sandbox.Emulator`. Magic numbers are off.

    Attributes:
        emulator: The sandbox behind it.
    """

    def __init__(self, **options: Any) -> None:
        from ..sandbox import SandboxServer  # noqa: PLC0415  # an extra: only where it is used

        defaults: dict[str, Any] = {"magic_numbers": False}
        super().__init__(Emulator(**defaults | options))
        self._server = SandboxServer(self.emulator, port=0, page=False)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.stop()

    @property
    def base_url(self) -> str:
        """The base URL to give to a program."""
        return self._server.base_url

    @property
    def env(self) -> dict[str, str]:
        """The environment variables that point a program at this server."""
        return {**self._server.env, "MULTIWHATS_FROM": TEST_SENDER}

    def client(self, **options: Any) -> AsyncMultiWhats:
        """Return a new client of this server; as :meth:`MultiWhatsKit.client`."""
        return _client(self.emulator, {"base_url": self.base_url} | options)

    def push_to(
        self, url: str, *, assumed_item_id: AssumedItemId | str = AssumedItemId.LABEL
    ) -> None:
        """Push the replies of all further taps to a program on this machine.

        Args:
            url: Its address, with the token.
            assumed_item_id: As of :class:`MultiWhatsKit`.

        Raises:
            SandboxError: It is no address on this machine.
        """
        self.emulator.store.set_webhook(Webhook(url, AssumedItemId(assumed_item_id)))


def _client(emulator: Emulator, options: dict[str, Any]) -> AsyncMultiWhats:
    defaults: dict[str, Any] = {
        "api_key": emulator.api_key,
        "sender": TEST_SENDER,
        "retry": NO_PAUSE,
        "breaker": None,
    }
    return AsyncMultiWhats(**defaults | options)


def _expected(
    to: str | None,
    sender: str | None,
    text: str | None,
    containing: str | None,
    buttons: Iterable[str] | None,
) -> Expected:
    """Return what a test expects; its numbers may be in any usual notation."""
    return Expected(
        to=None if to is None else normalise_number(to),
        sender=None if sender is None else normalise_number(sender),
        text=text,
        containing=containing,
        buttons=None if buttons is None else tuple(buttons),
    )
