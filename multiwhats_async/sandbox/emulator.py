"""The MultiWhats API as a value machine: a request in, an answer out, no I/O and no clock.

Documented are the endpoint, the two places of the key, the five fields of the request and the
record that is answered. Assumed, because the vendor's page is silent: every error, the checks
behind them, the ids, and that a message costs one credit (as in the page's example).
"""

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from threading import Lock
from typing import Any, Final

import attrs

from multiwhats_async._secret import MASK, Secret

from . import faults as kinds
from ._answers import COST, record_of, spoilt, without_processing
from ._inbox import Journal
from ._reading import (
    NUMBER,
    encode_json,
    error_response,
    keys_of,
    problems_of,
    read_payload,
    route_error,
)
from ._tally import SandboxStats, Tally
from .exchange import Action, SandboxRequest, SandboxResponse
from .faults import MAGIC_NUMBERS, Fault, FaultPlan, Strike
from .messages import Delivery, SandboxMessage
from .pushes import Webhook
from .store import Store

DEFAULT_KEEP: Final = 10_000
"""Messages that are kept, the newest. Chosen: about 30 MB."""

DEFAULT_KEY: Final = "sandbox-key"
"""The key to name where any will do."""

FIRST_ID: Final = 3664
FIRST_TARGET_ID: Final = 53687
"""Documented: the ids of the page's example, so that its request is answered with its answer."""

REQUEST_FIELDS: Final = ("from", "to", "message", "type", "buttons")
"""Documented. Other fields of a request are neither refused nor kept: assumed."""

_NOT_ANSWERED: Final = frozenset(
    {Action.REFUSE, Action.DROP_BEFORE, Action.DROP_AFTER, Action.NEVER}
)
MIN_SECRET: Final = 4
"""Characters of a key that is masked wherever it stands; one of "1" would mask every number."""

_KEY: Final = re.compile(r'("apikey"\s*:\s*)("(?:[^"\\]|\\.)*"?|[^\s,}]*)')


def utc_now() -> datetime:
    """Return the time in UTC without its zone: the answer's times name none (documented)."""
    return datetime.now(tz=UTC).replace(tzinfo=None)


class Emulator:
    """The sandbox behind every door. Thread-safe; requests never make it raise.

    Args:
        api_keys: The keys that are accepted; None accepts any that is not empty.
        credits: Credits before 402 is answered; None never answers it.
        faults: What goes wrong. Faults may be added to the plan at any time.
        magic_numbers: Whether recipients that end in one of
            :data:`~multiwhats_async.sandbox.MAGIC_NUMBERS` meet its fault.
        keep: Messages that are kept in :attr:`messages`, the newest.
        now: The clock. Its times are written as they are; the vendor documents no zone.
        webhook: Where the customers' choices are pushed, as a
            :class:`~multiwhats_async.sandbox.Webhook` or an address.
        remote_webhook: Whether it may be another machine's address.
        journal: Where what is kept outlives the process; None keeps it in memory only.
        clock: Schedules what is pushed, in seconds.

    Attributes:
        store: What is kept, and the customers' side of it: find, tap, push, watch.
        now: The clock.

    Raises:
        ValueError: An argument makes no sense.
    """

    def __init__(  # noqa: PLR0913 - one argument an option
        self,
        *,
        api_keys: Iterable[str] | None = None,
        credits: int | None = None,  # noqa: A002 - the vendor's own word; the built-in is for the REPL
        faults: FaultPlan | None = None,
        magic_numbers: bool = True,
        keep: int = DEFAULT_KEEP,
        now: Callable[[], datetime] = utc_now,
        webhook: Webhook | str | None = None,
        remote_webhook: bool = False,
        journal: Journal | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = None if api_keys is None else tuple(api_keys)
        if self._keys is not None and not all(self._keys):
            raise ValueError("An API key is empty: leave it out, or pass api_keys=None for any.")
        if self._keys == ():
            raise ValueError("api_keys is empty, so no request could pass: pass None for any key.")
        self.store: Store = Store(
            keep=keep,
            faults=FaultPlan() if faults is None else faults,
            now=now,
            clock=clock,
            webhook=Webhook(webhook) if isinstance(webhook, str) else webhook or Webhook(),
            remote_webhook=remote_webhook,
            journal=journal,
        )
        self._budget = credits
        self._magic = MAGIC_NUMBERS if magic_numbers else {}
        self.now: Callable[[], datetime] = now
        self._lock = Lock()
        self._tally = Tally()
        # Ids go on after a reset: no tap of after may look like one of before to a program.
        self._given = self.store.last_id + 1 - FIRST_ID if self.store.last_id else 0

    def __repr__(self) -> str:
        keys = "any key" if self._keys is None else f"{len(self._keys)} keys"
        return f"<Emulator {keys}, {self._tally.accepted} accepted>"

    @property
    def faults(self) -> FaultPlan:
        """What goes wrong; add to it or clear it at any time."""
        return self.store.faults

    @property
    def magic_numbers(self) -> Mapping[str, Fault]:
        """The last four digits of a recipient that always meet a fault."""
        return self._magic

    @property
    def any_key(self) -> bool:
        """Whether every key that is not empty is accepted."""
        return self._keys is None

    @property
    def api_key(self) -> str:
        """A key that is accepted: the first one given, or ``sandbox`` where any will do."""
        return DEFAULT_KEY if self._keys is None else self._keys[0]

    @property
    def messages(self) -> tuple[SandboxMessage, ...]:
        """The accepted messages that are kept, oldest first. A snapshot."""
        return tuple(reversed(self.store.newest()))

    def stats(self) -> SandboxStats:
        """Return the counters. A snapshot."""
        with self._lock:
            return self._tally.snapshot()

    def reset(self) -> None:
        """Forget messages, deliveries and counters, give the credits back, begin the faults anew.

        Ids go on: a program that knows a tap of before must not take one of after for the same.
        """
        with self._lock:
            self._tally = Tally()
            self.faults.reset()
            self.store.reset()

    def tap(
        self, message_id: int, *, index: int | None = None, label: str | None = None
    ) -> tuple[SandboxMessage, tuple[Delivery, ...]]:
        """Tap a button of a message, as the customer; the same as ``store.tap``."""
        return self.store.tap(message_id, index=index, label=label)

    # --- requests -----------------------------------------------------------------------------

    def accept(self) -> Action:
        """Count a new connection.

        A door calls it for each connection before it reads from it; one that knows only requests
        calls it for each request.

        Returns:
            ``Action.REFUSE`` where a ``refuse`` strikes, else ``Action.RESPOND``.
        """
        if self.store.faults.for_connection() is None:
            return Action.RESPOND
        with self._lock:
            self._tally.dropped[kinds.REFUSE] += 1
        return Action.REFUSE

    def handle(self, request: SandboxRequest) -> SandboxResponse:
        """Process one request.

        Args:
            request: The request as it came.

        Returns:
            What the door is to do.
        """
        refusal = route_error(request)
        payload = refusal or read_payload(request)
        recipient = payload.get("to") if isinstance(payload, dict) else None
        if not (isinstance(recipient, str) and NUMBER.fullmatch(recipient)):
            recipient = None
        with self._lock:
            self._tally.requests += 1
            strike = Strike() if refusal else self.store.faults.for_request(recipient)
            fault = strike.fault or self._magic.get((recipient or "")[-4:])
            accepted = self._tally.accepted
            response = self._meet(fault, request, payload)
            if fault is not None and response.action in _NOT_ANSWERED:
                self._tally.dropped[fault.kind] += 1
            else:
                self._tally.by_status[response.status] += 1
            if self._tally.accepted == accepted:
                self.store.note_refusal(
                    self.now(),
                    request,
                    _shown_request(request, payload),
                    response,
                    recipient=recipient,
                    fault=None if fault is None else fault.kind,
                )
        return attrs.evolve(response, delay=strike.delay) if strike.delay else response

    def _meet(
        self,
        fault: Fault | None,
        request: SandboxRequest,
        payload: dict[str, Any] | SandboxResponse,
    ) -> SandboxResponse:
        """Return the answer under a fault, having processed the message where the fault says so."""
        if fault is not None:
            unprocessed = without_processing(fault)
            if unprocessed is not None:
                return unprocessed
        answer = (
            payload
            if isinstance(payload, SandboxResponse)
            else self._process(request, payload, fault)
        )
        return answer if fault is None else spoilt(answer, fault)

    def _process(
        self, request: SandboxRequest, payload: dict[str, Any], fault: Fault | None
    ) -> SandboxResponse:
        keys = keys_of(request, payload)
        if not keys or not all(self._knows(key) for key in keys):
            return error_response(
                401,
                "unauthorized",
                "Pass a valid apikey, in the query string or in the JSON data.",
            )
        problems = problems_of(payload)
        if problems:
            return error_response(422, "invalid_message", "; ".join(problems))
        if self._budget is not None and self._tally.credits + COST > self._budget:
            return error_response(402, "insufficient_credit", "The credit is used up.")
        record = self._deliver(payload, fault)
        return SandboxResponse(200, {"content-type": "application/json"}, encode_json(record))

    def _knows(self, key: object) -> bool:
        return isinstance(key, str) and (bool(key) if self._keys is None else key in self._keys)

    def _deliver(self, payload: dict[str, Any], fault: Fault | None) -> dict[str, Any]:
        number = self._given
        self._given += 1
        now = self.now()
        record = record_of(
            payload, queue_id=FIRST_ID + number, target_id=FIRST_TARGET_ID + number, now=now
        )
        kept = {name: payload[name] for name in REQUEST_FIELDS}
        if "apikey" in payload:
            kept["apikey"] = MASK
        message = SandboxMessage(
            id=record["id"],
            sender=payload["from"],
            recipient=payload["to"],
            text=payload["message"],
            buttons=tuple(payload["buttons"]),
            request=kept,
            response=record,
            time=now,
            fault=None if fault is None else fault.kind,
        )
        self.store.put_message(message)
        self._tally.accept(
            (message.sender, message.recipient, message.text, *message.buttons),
            recipient=message.recipient,
            cost=COST,
        )
        return record


def _shown_request(request: SandboxRequest, payload: dict[str, Any] | SandboxResponse) -> str:
    """Return the body of a request as it may be shown: without a key."""
    text = request.body.decode(errors="replace")
    if isinstance(payload, dict) and "apikey" in payload:
        with suppress(RecursionError):  # nested so deep that it can be read, but not written
            text = json.dumps({**payload, "apikey": MASK}, ensure_ascii=False)
    for key in keys_of(request, {}):
        text = Secret(str(key)).redact(text) if len(str(key)) >= MIN_SECRET else text
    # Half of a surrogate pair may stand in JSON, and in no answer.
    return _KEY.sub(rf'\g<1>"{MASK}"', text).encode(errors="replace").decode()
