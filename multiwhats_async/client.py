"""The façade: a pooled client that sends button messages, one at a time or a million."""

import os
import random
import ssl
from collections.abc import AsyncIterable, Iterable, Iterator
from types import TracebackType
from typing import Any, Final, Self

import attrs
import httpx

from ._breaker import BreakerState
from ._bulk import BulkOptions, BulkRun, OnProgress
from ._delivery import Deliverer
from ._intake import Messages
from ._limits import configured, gate
from ._pacing import Concurrency, Pace, Pause
from ._recorded import intake_of
from ._settings import (
    BASE_URL,
    Settings,
    checked_base_url,
    checked_concurrency,
    checked_count,
    checked_instance,
    checked_rate,
    checked_seconds,
    checked_settings,
    checked_transport,
)
from ._transport import Lifetime
from .abc import Exchange, Ledger, RateLimiter
from .campaigns import Chunk
from .errors import ConfigurationError, InvalidMessageError, LedgerError, Problem
from .models import ButtonMessage, MessageReceipt
from .options import (
    WHATSAPP_LIMITS,
    Breaker,
    KeyPlace,
    MessageLimits,
    Rate,
    Timeouts,
    TransportName,
)
from .outcomes import Outcome, Report
from .retry import RetryPolicy

DEFAULT_MAX_CONCURRENCY: Final = 100
"""The most attempts at once. The client starts at 4 and finds out what the server bears."""

DEFAULT_KEEPALIVE: Final = 2.0
"""Seconds. Shorter than what servers keep, so that a close rarely races a POST."""

UNSET: Final[Any] = object()
"""Stands for "as the client has it", where None would mean "off"."""


class AsyncMultiWhats:
    """Sends WhatsApp button messages through MultiWhats, from asyncio and trio.

    An async context manager that holds one pooled ``httpx.AsyncClient``::

        async with AsyncMultiWhats("KEY", sender="908503080335") as client:
            receipt = await client.send_button_message("905374937766", "Hi", ["👍 Yes", "⛔ No"])

    A message is never sent twice by itself: only what provably did not reach the server, or what
    the server itself asked to be sent later, is tried again.

    Args:
        api_key: The account's API key; None takes ``MULTIWHATS_API_KEY``. It never shows in a
            URL, log, repr, error or pickle.
        sender: The number that sends where a message names none; None takes
            ``MULTIWHATS_FROM``.
        base_url: Where the API is; None takes ``MULTIWHATS_BASE_URL``, else the documented one.
            HTTPS, except on this machine. Requests go nowhere else.
        api_key_in: Where the key is sent: ``"query"`` as in the vendor's example, or
            ``"json"``. Both are documented.
        timeout: Seconds for a whole attempt, or a :class:`Timeouts`.
        max_concurrency: The most attempts at once. The client starts with 4 and adapts.
        rate: Messages a second for each sender, or a :class:`Rate`; or a ``RateLimiter`` that is
            open, such as :class:`PostgresRate` or :class:`RedisRate`, whose slots many processes
            and machines share; None is off. Where no slot can be had nothing is sent: the
            message is ``not_sent`` with the cause ``"RateError"``.
        retry: What is sent again; see :class:`RetryPolicy`.
        hooks: Objects with any of ``on_attempt(Attempt)``, ``on_retry(RetryDetails)`` and
            ``on_outcome(Outcome)``, plain or async. One that raises never costs a message.
        http_client: An ``httpx.AsyncClient`` of yours: used, and not closed. This is also the
            way to use a proxy; ours takes none from the environment.
        transport: What our own client stands on: ``"httpcore"``, which tools such as respx can
            mock, or ``"direct"``, for many messages: connections of our own without the layers
            between, with the same promises. It is fastest with the extra ``fast``. Both leave
            ``HTTP_PROXY`` and its like alone.
        keepalive: Seconds for which an idle connection is kept; None opens one for every
            message, so that no stray answer can ever be taken for another's.
        ssl_context: Verifies the server; None takes certifi's authorities.
        breaker: When a bulk run holds because the server does not answer; None is off.

    Raises:
        ConfigurationError: A setting cannot work. It says which and why.
    """

    def __init__(  # noqa: PLR0913  # the public face: one argument an option
        self,
        api_key: str | None = None,
        *,
        sender: str | None = None,
        base_url: str | None = None,
        api_key_in: KeyPlace = "query",
        timeout: float | Timeouts = Timeouts(),  # noqa: B008  # frozen
        max_concurrency: int = DEFAULT_MAX_CONCURRENCY,
        rate: float | Rate | RateLimiter | None = None,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008  # frozen
        hooks: Iterable[object] = (),
        http_client: httpx.AsyncClient | None = None,
        transport: TransportName = "httpcore",
        keepalive: float | None = DEFAULT_KEEPALIVE,
        ssl_context: ssl.SSLContext | None = None,
        breaker: Breaker | None = Breaker(),  # noqa: B008  # frozen
    ) -> None:
        environ = os.environ
        url = environ.get("MULTIWHATS_BASE_URL") or BASE_URL if base_url is None else base_url
        if http_client is not None:
            checked_instance("http_client", http_client, httpx.AsyncClient)
        if ssl_context is not None:
            checked_instance("ssl_context", ssl_context, ssl.SSLContext)
        self._lifetime = Lifetime(
            base_url=checked_base_url(url),
            http_client=http_client,
            ssl_context=ssl_context,
            keepalive=checked_seconds("keepalive", keepalive),
            transport=checked_transport(transport, injected=http_client is not None),
        )
        self._owns_pool = True
        self._pause = Pause()
        self._settings, self._limits = configured(
            Settings(
                **checked_settings(
                    {
                        "api_key": environ.get("MULTIWHATS_API_KEY")
                        if api_key is None
                        else api_key,
                        "sender": environ.get("MULTIWHATS_FROM") or None
                        if sender is None
                        else sender,
                        "api_key_in": api_key_in,
                        "timeout": timeout,
                        "max_concurrency": max_concurrency,
                        "rate": rate,
                        "retry": retry,
                        "hooks": hooks,
                        "breaker": breaker,
                    }
                )
            )
        )

    def __repr__(self) -> str:
        return f"<AsyncMultiWhats {self._lifetime.base_url} ({self._lifetime.state})>"

    @property
    def sender(self) -> str | None:
        """The number that sends where a message names none."""
        return self._settings.sender

    # --- lifetime -----------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if not self._owns_pool:
            raise ConfigurationError(
                "A client from with_options() shares the pool of the one it was made from: "
                "enter that one"
            )
        self._lifetime.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the pool. An injected ``http_client`` stays open. A second call does nothing."""
        if self._owns_pool:
            await self._lifetime.aclose()

    def with_options(  # noqa: PLR0913  # likewise
        self,
        *,
        api_key: str = UNSET,
        sender: str | None = UNSET,
        api_key_in: KeyPlace = UNSET,
        timeout: float | Timeouts = UNSET,
        max_concurrency: int = UNSET,
        rate: float | Rate | RateLimiter | None = UNSET,
        retry: RetryPolicy = UNSET,
        hooks: Iterable[object] = UNSET,
        breaker: Breaker | None = UNSET,
    ) -> "AsyncMultiWhats":
        """Return a copy with some options changed. It shares the pool, and lives as long.

        What is not named stays as it is; the arguments are those of the class. Limits that are
        not changed (concurrency, rate, retry budget) are shared, not doubled.

        Raises:
            ConfigurationError: A setting cannot work.
        """
        given = {
            "api_key": api_key,
            "sender": sender,
            "api_key_in": api_key_in,
            "timeout": timeout,
            "max_concurrency": max_concurrency,
            "rate": rate,
            "retry": retry,
            "hooks": hooks,
            "breaker": breaker,
        }
        changes = {name: value for name, value in given.items() if value is not UNSET}
        copy = object.__new__(type(self))
        copy._lifetime = self._lifetime
        copy._pause = self._pause
        copy._owns_pool = False
        copy._settings, copy._limits = configured(
            attrs.evolve(self._settings, **checked_settings(changes)), self._limits
        )
        return copy

    # --- one message --------------------------------------------------------------------------

    async def send_button_message(
        self,
        to: str,
        message: str,
        buttons: Iterable[str],
        *,
        sender: str | None = None,
        key: str | None = None,
        limits: MessageLimits | None = WHATSAPP_LIMITS,
        timeout: float | Timeouts | None = None,  # noqa: ASYNC109  # per attempt, shielded
        deadline: float | None = None,
    ) -> MessageReceipt:
        """Send one message with buttons and return the vendor's record of it.

        Args:
            to: The recipient's number with its country code, in any usual notation.
            message: The text; emoji and line breaks may be used.
            buttons: The texts of the buttons.
            sender: The sending number; None takes the client's.
            key: Your own name for the message, for logs and hooks.
            limits: WhatsApp's limits; None switches them off.
            timeout: Seconds for an attempt, or a :class:`Timeouts`; None takes the client's.
            deadline: Seconds for all attempts and the pauses between them; None takes the
                retry policy's.

        Returns:
            The vendor's record. Its fields may be None where the server left them out.

        Raises:
            InvalidMessageError: The message cannot be sent as it is; lists every problem.
            ConfigurationError: The client is not open, or used from another event loop.
            NotSentError: It provably did not reach the server.
            RejectedError: The server answered no; the subclass says why.
            OutcomeUnknownError: It may or may not have gone out; it is not sent again.
        """
        built = ButtonMessage(to, message, buttons, sender, key, limits=limits)
        return await self.send(built, timeout=timeout, deadline=deadline)

    async def send(
        self,
        message: ButtonMessage,
        *,
        timeout: float | Timeouts | None = None,  # noqa: ASYNC109  # per attempt, shielded
        deadline: float | None = None,
    ) -> MessageReceipt:
        """Send one message that is built already; otherwise as :meth:`send_button_message`."""
        outcome = await self.deliver(message, timeout=timeout, deadline=deadline)
        if outcome.receipt is None:
            assert outcome.error is not None  # noqa: S101  # an outcome has one of the two
            raise outcome.error
        return outcome.receipt

    async def deliver(
        self,
        message: ButtonMessage,
        *,
        timeout: float | Timeouts | None = None,  # noqa: ASYNC109  # per attempt, shielded
        deadline: float | None = None,
    ) -> Outcome:
        """Send one message and return its outcome, whatever it is, instead of raising.

        Raises:
            InvalidMessageError: There is no number to send from.
            ConfigurationError: The client is not open, or used from another event loop.
        """
        settings = self._settings
        checked_instance("message", message, ButtonMessage)
        if message.sender is None and settings.sender is None:
            text = (
                "no sender: give one to AsyncMultiWhats or to the message, or set MULTIWHATS_FROM"
            )
            raise InvalidMessageError([Problem("sender", text)])
        deliverer = Deliverer(
            exchange=self._exchange(),
            pace=Pace(
                concurrency=self._limits.concurrency,
                pause=self._pause,
                rate=self._limits.rate,
                clock=self._lifetime.clock,
            ),
            policy=settings.retry,
            budget=self._limits.budget,
            sender=settings.sender,
            timeouts=settings.timeouts if timeout is None else Timeouts.of(timeout),
            hooks=settings.hooks,
            random=random.random,
            deadline=checked_seconds("deadline", deadline),
            clock=self._lifetime.clock,
        )
        return await deliverer.deliver(message)

    # --- many messages ------------------------------------------------------------------------

    def bulk(  # noqa: PLR0913  # the public face: one argument an option
        self,
        messages: Messages | Chunk,
        *,
        max_concurrency: int | None = None,
        rate: float | Rate | RateLimiter | None = None,
        max_failures: int | None = None,
        max_credits: float | None = None,
        deadline: float | None = None,
        on_progress: OnProgress | None = None,
        ledger: Ledger | None = None,
        campaign: str | None = None,
        resend_unknown: bool = False,
        only_failed: bool = False,
    ) -> BulkRun:
        """Send many messages, as an async context manager that is iterated over.

        ::

            async with client.bulk(messages) as run:
                async for outcome in run:
                    print(outcome.key, outcome.certainty)
            print(run.report)

        Outcomes come as they finish. Memory is bounded by the concurrency, never by the number
        of messages. Messages of one key are sent once; the others are ``skipped``. A 429 pauses
        all workers. A refused key, no credit, a refused certificate, a server that never
        answered or answers no to everything, a shared rate that cannot be reached stop the run:
        the rest is ``not_sent``.

        With a ledger the run survives its process: the same call once more goes on where it
        stopped, and sends only what is pending. What has its outcome is ``skipped``; what was
        under way in a process that died is ``unknown``, and is not sent again by itself. A sync
        input is loaded as a whole before anything is sent; an async one message by message, as
        it comes.

        Args:
            messages: :class:`ButtonMessage` objects from a sync or async iterable of any
                length. A list or tuple is checked as a whole before anything is sent. Or a
                :class:`Chunk` of a campaign in a ledger that many machines share.
            max_concurrency: The most messages at once in this run, beside what else the client
                sends; None shares the client's limit.
            rate: Messages a second for each sender in this run, a :class:`Rate` or a
                ``RateLimiter``; None takes the client's.
            max_failures: Stop after so many messages that were not accepted.
            max_credits: Begin no message that could take the cost of the run above this,
                counting unknown ones as paid and each as dear as the dearest so far (1 at
                first).
            deadline: Stop after so many seconds.
            on_progress: Called with a :class:`Progress` about four times a second and at the
                end; plain or async.
            ledger: Where every message is on record before it is sent, and its outcome before you
                are told: a :class:`SQLiteLedger`, say. One that is not open is opened and closed.
            campaign: The name under which the messages stand in the ledger. Their keys are
                unique within it.
            resend_unknown: Send those again that may have gone out in an earlier run. They may
                arrive twice.
            only_failed: Send only those of the campaign that were refused, or tried and provably
                not sent; with ``resend_unknown`` the unknown ones too.

        Raises:
            ConfigurationError: A setting cannot work, or the client is not open.

        Entering the run raises, before anything is sent:
            LedgerError: The ledger cannot be trusted, had or written, or a key of the campaign
                stands for another message.
            InvalidMessageError: The input holds what is no message.
        """
        settings = self._settings
        if max_concurrency is None:
            concurrency = self._limits.concurrency
        else:
            concurrency = Concurrency(checked_concurrency("max_concurrency", max_concurrency))
        breaker = None if settings.breaker is None else BreakerState(settings.breaker)
        pace = Pace(
            concurrency=concurrency,
            pause=self._pause,
            rate=self._limits.rate if rate is None else gate(checked_rate("rate", rate)),
            breaker=breaker,
            clock=self._lifetime.clock,
        )
        deliverer = Deliverer(
            exchange=self._exchange(),
            pace=pace,
            policy=settings.retry,
            budget=self._limits.budget,
            sender=settings.sender,
            timeouts=settings.timeouts,
            hooks=settings.hooks,
            random=random.random,
            isolated=False,
            patient=True,
            clock=self._lifetime.clock,
        )
        options = BulkOptions(
            workers=concurrency.ceiling,
            max_failures=None
            if max_failures is None
            else checked_count("max_failures", max_failures),
            max_credits=checked_seconds("max_credits", max_credits),
            deadline=checked_seconds("deadline", deadline),
            silent_start=None if settings.breaker is None else settings.breaker.in_a_row,
            on_progress=on_progress,
        )
        intake = intake_of(
            messages,
            settings.sender,
            ledger=ledger,
            campaign=campaign,
            resend_unknown=resend_unknown,
            only_failed=only_failed,
        )
        return BulkRun(
            intake,
            check=self._lifetime.check,
            sender=deliverer,
            flights=deliverer.flights,
            waits=deliverer.waits,
            pace=pace,
            options=options,
            clock=self._lifetime.clock,
        )

    async def send_many(  # noqa: PLR0913  # likewise
        self,
        messages: Messages,
        *,
        max_concurrency: int | None = None,
        rate: float | Rate | RateLimiter | None = None,
        max_failures: int | None = None,
        max_credits: float | None = None,
        deadline: float | None = None,
        on_progress: OnProgress | None = None,
        ledger: Ledger | None = None,
        campaign: str | None = None,
        resend_unknown: bool = False,
        only_failed: bool = False,
    ) -> Report:
        """Send a list of messages that one can hold; the same as :meth:`bulk`.

        The input is read to its end and checked before anything is sent.

        Returns:
            The report, with ``report.outcomes`` in input order.

        Raises:
            ConfigurationError: A setting cannot work, or the client is not open.
            InvalidMessageError: An item is no message; nothing was sent.
            LedgerError: The ledger failed; ``error.report`` is what would have been returned.
        """
        # Read first, so that all of it is checked before anything is sent.
        if isinstance(messages, AsyncIterable):
            messages = [message async for message in messages]
        elif isinstance(messages, Iterator):
            messages = [*messages]
        outcomes: list[Outcome] = []
        run = self.bulk(
            messages,
            max_concurrency=max_concurrency,
            rate=rate,
            max_failures=max_failures,
            max_credits=max_credits,
            deadline=deadline,
            on_progress=on_progress,
            ledger=ledger,
            campaign=campaign,
            resend_unknown=resend_unknown,
            only_failed=only_failed,
        )
        try:
            async with run:
                async for outcome in run:
                    outcomes.append(outcome)  # noqa: PERF401  # a comprehension hides the await
        except LedgerError as error:
            error.report = _whole(run, outcomes)
            raise
        return _whole(run, outcomes)

    def _exchange(self) -> Exchange:
        """Return the way to the server for this client's key, or refuse before any POST."""
        return self._lifetime.exchange(self._settings.key, self._settings.key_place)


def _whole(run: BulkRun, outcomes: Iterable[Outcome]) -> Report:
    """Return the report of a run with its outcomes, in the order of the input."""
    ordered = sorted(outcomes, key=lambda outcome: outcome.index)
    return attrs.evolve(run.report, outcomes=tuple(ordered))
