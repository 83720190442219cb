"""What both kits have in common: what was sent, taps, faults, waiting, and assertions."""

from collections.abc import Iterable
from typing import Any, Final

import anyio
import attrs

from .._numbers import normalise_number
from ..client import AsyncMultiWhats
from ..models import MessageReceipt
from ..retry import RetryPolicy
from ..sandbox import Emulator, Fault, SandboxMessage
from ..sandbox.messages import Refusal
from ._match import Expected, explain

TEST_SENDER: Final = "908503080335"
"""The number that sends where a test names none: the one of the vendor's example."""

WAIT_SECONDS: Final = 5.0
"""How long ``wait_for`` waits."""

NO_PAUSE: Final = RetryPolicy(base=0, throttled_base=0)
"""The attempts of the default policy, without the pauses between them: a test waits for nothing."""

MOST_REFUSED: Final = 5
"""Requests that were not accepted, the newest, of which a failed assertion tells."""

SHOWN_CHARACTERS: Final = 200
"""Of each."""


class Kit:
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
        newest = reversed(self.emulator.store.refusals[:MOST_REFUSED])
        later = [message for message in self.outbox if message.id > after]
        return explain(expected, later, map(_in_words, newest))


def client_of(emulator: Emulator, options: dict[str, Any]) -> AsyncMultiWhats:
    defaults: dict[str, Any] = {
        "api_key": emulator.api_key,
        "sender": TEST_SENDER,
        "retry": NO_PAUSE,
        "breaker": None,
    }
    return AsyncMultiWhats(**defaults | options)


def _in_words(refusal: Refusal) -> str:
    """Return in one line what was not accepted, and why."""
    fault = f" (fault {refusal.fault})" if refusal.fault else ""
    return f"{refusal.status or 'no answer'}{fault}: {refusal.request[:SHOWN_CHARACTERS]}"


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
