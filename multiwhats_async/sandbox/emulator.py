"""The MultiWhats API as a value machine: a request in, an answer out, no I/O and no clock.

Documented are the endpoint, the two places of the key, the five fields of the request and the
record that is answered. Assumed, because the vendor's page is silent: every error, the checks
behind them, the ids, and that a message costs one credit (as in the page's example).
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from threading import Lock
from typing import Any, Final

import attrs

from multiwhats_async._secret import MASK, mask_number

from . import faults as kinds
from ._reading import (
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

DEFAULT_KEEP: Final = 10_000
"""Messages that are kept, the newest. Chosen: about 30 MB."""

DEFAULT_KEY: Final = "sandbox-key"
"""The key to name where any will do."""

FIRST_ID: Final = 3664
FIRST_TARGET_ID: Final = 53687
USER_ID: Final = 264
ACCOUNT_ID: Final = 34
"""Documented: the ids of the page's example, so that its request is answered with its answer."""

COST: Final = 1
"""Documented in the example's ``total_credit`` only: credits for one message."""

REQUEST_FIELDS: Final = ("from", "to", "message", "type", "buttons")
"""Documented. Other fields of a request are neither refused nor kept: assumed."""

_NOT_ANSWERED: Final = frozenset(
    {Action.REFUSE, Action.DROP_BEFORE, Action.DROP_AFTER, Action.NEVER}
)
_HTML: Final = (
    b"<!doctype html><title>Maintenance</title><h1>We will be back soon</h1>"
    b"<p>This page stands in for whatever a proxy answers in the name of the API.</p>"
)


@attrs.frozen
class SandboxMessage:
    """One message that the sandbox accepted.

    Attributes:
        id: The queue's id, as in the answer.
        sender: The number in ``from``.
        recipient: The number in ``to``.
        text: The message.
        buttons: The buttons' labels.
        request: The documented fields of the request; a key that stood among them is masked.
        response: The record that was answered.
        time: When, by the emulator's clock.
    """

    id: int
    sender: str = attrs.field(repr=mask_number)
    recipient: str = attrs.field(repr=mask_number)
    text: str
    buttons: tuple[str, ...]
    request: Mapping[str, Any] = attrs.field(repr=False, eq=False)
    response: Mapping[str, Any] = attrs.field(repr=False, eq=False)
    time: datetime


def utc_now() -> datetime:
    """Return the time in UTC without its zone: the answer's times name none (documented)."""
    return datetime.now(tz=UTC).replace(tzinfo=None)


class Emulator:
    """The sandbox behind every door. Thread-safe; never raises, whatever bytes it is given.

    Args:
        api_keys: The keys that are accepted; None accepts any that is not empty.
        credits: Credits before 402 is answered; None never answers it.
        faults: What goes wrong. Faults may be added to the plan at any time.
        magic_numbers: Whether recipients that end in one of
            :data:`~multiwhats_async.sandbox.MAGIC_NUMBERS` meet its fault.
        keep: Messages that are kept in :attr:`messages`, the newest.
        now: The clock. Its times are written as they are; the vendor documents no zone.
    """

    def __init__(
        self,
        *,
        api_keys: Iterable[str] | None = None,
        credits: int | None = None,  # noqa: A002 - the vendor's own word; the built-in is for the REPL
        faults: FaultPlan | None = None,
        magic_numbers: bool = True,
        keep: int = DEFAULT_KEEP,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._keys = None if api_keys is None else tuple(api_keys)
        if self._keys is not None and not all(self._keys):
            raise ValueError("An API key is empty: leave it out, or pass api_keys=None for any.")
        if self._keys == ():
            raise ValueError("api_keys is empty, so no request could pass: pass None for any key.")
        self._budget = credits
        self._faults = FaultPlan() if faults is None else faults
        self._magic = MAGIC_NUMBERS if magic_numbers else {}
        self._now = now
        self._lock = Lock()
        self._messages: deque[SandboxMessage] = deque(maxlen=keep)
        self._tally = Tally()

    def __repr__(self) -> str:
        keys = "any key" if self._keys is None else f"{len(self._keys)} keys"
        return f"<Emulator {keys}, {self._tally.accepted} accepted>"

    @property
    def faults(self) -> FaultPlan:
        """What goes wrong; add to it or clear it at any time."""
        return self._faults

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
        with self._lock:
            return tuple(self._messages)

    def stats(self) -> SandboxStats:
        """Return the counters. A snapshot."""
        with self._lock:
            return self._tally.snapshot()

    def reset(self) -> None:
        """Forget messages and counters, give the credits back, begin the faults anew."""
        with self._lock:
            self._messages.clear()
            self._tally = Tally()
            self._faults.reset()

    def accept(self) -> Action:
        """Count a new connection.

        A door calls it for each connection before it reads from it; one that knows only requests
        calls it for each request.

        Returns:
            ``Action.REFUSE`` where a ``refuse`` strikes, else ``Action.RESPOND``.
        """
        if self._faults.for_connection() is None:
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
        if not isinstance(recipient, str):
            recipient = None
        with self._lock:
            self._tally.requests += 1
            strike = Strike() if refusal else self._faults.for_request(recipient)
            fault = strike.fault or self._magic.get((recipient or "")[-4:])
            response = self._meet(fault, request, payload)
            if fault is not None and response.action in _NOT_ANSWERED:
                self._tally.dropped[fault.kind] += 1
            else:
                self._tally.by_status[response.status] += 1
        return attrs.evolve(response, delay=strike.delay) if strike.delay else response

    def _meet(
        self,
        fault: Fault | None,
        request: SandboxRequest,
        payload: dict[str, Any] | SandboxResponse,
    ) -> SandboxResponse:
        """Return the answer under a fault, having processed the message where the fault says so."""
        if fault is not None:
            unprocessed = _without_processing(fault)
            if unprocessed is not None:
                return unprocessed
        answer = (
            payload if isinstance(payload, SandboxResponse) else self._process(request, payload)
        )
        return answer if fault is None else _spoil(answer, fault)

    def _process(self, request: SandboxRequest, payload: dict[str, Any]) -> SandboxResponse:
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
        return SandboxResponse(
            200, {"content-type": "application/json"}, encode_json(self._deliver(payload))
        )

    def _knows(self, key: object) -> bool:
        return isinstance(key, str) and (bool(key) if self._keys is None else key in self._keys)

    def _deliver(self, payload: dict[str, Any]) -> dict[str, Any]:
        number = self._tally.accepted
        now = self._now()
        record = _record(
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
        )
        self._messages.append(message)
        self._tally.accept(
            (message.sender, message.recipient, message.text, *message.buttons),
            recipient=message.recipient,
            cost=COST,
        )
        return record


def _record(
    payload: Mapping[str, Any], *, queue_id: int, target_id: int, now: datetime
) -> dict[str, Any]:
    """Return the documented record: its fields, their order and their types."""
    stamp = now.strftime("%Y-%m-%d %H:%M:%S")
    return {
        "user_id": USER_ID,
        "social_media_account_id": ACCOUNT_ID,
        "platform": "whatsapp",
        "from_identifier": payload["from"],
        "message": payload["message"],
        "file_url": 0,
        "queue_type": "normal",
        "message_type": payload["type"],
        "total_credit": COST,
        "target_count": 1,
        "pending_count": 0,
        "sent_count": 1,
        "delivered_count": 0,
        "not_delivered_count": 0,
        "seen_count": 0,
        "status": "done",
        "send_at": stamp,
        "created_at": stamp,
        "updated_at": stamp,
        "extra_data": {"buttons": payload["buttons"], "options": None, "selectedItemId": None},
        "id": queue_id,
        "targets": [
            {
                "id": target_id,
                "user_id": USER_ID,
                "queue_id": queue_id,
                "target_identifier": payload["to"],
                "message": None,
                "status": "sent",
                "extra_data": {"buttons": None, "options": None, "selectedItemId": None},
                "created_at": stamp,
                "updated_at": stamp,
            }
        ],
    }


def _without_processing(fault: Fault) -> SandboxResponse | None:
    """Return the answer of a fault that strikes before the message is processed, or None."""
    if fault.status is not None:
        headers = {} if fault.seconds is None else {"retry-after": f"{fault.seconds:.0f}"}
        return error_response(
            fault.status,
            "fault",
            f"The sandbox was asked to answer {fault.status}.",
            headers=headers,
        )
    match fault.kind:
        case kinds.TIMEOUT:
            return SandboxResponse(0, action=Action.NEVER)
        case kinds.DISCONNECT_BEFORE:
            return SandboxResponse(0, action=Action.DROP_BEFORE)
        case kinds.HTML:
            return SandboxResponse(200, {"content-type": "text/html; charset=utf-8"}, _HTML)
        case _:
            return None


def _spoil(answer: SandboxResponse, fault: Fault) -> SandboxResponse:
    """Return the answer as it leaves the server after a fault that lets the message through."""
    match fault.kind:
        case kinds.DISCONNECT_AFTER:
            return attrs.evolve(answer, action=Action.DROP_AFTER)
        case kinds.MALFORMED_JSON:
            return attrs.evolve(answer, body=answer.body[: len(answer.body) // 2])
        case _:  # slow_drip: the one kind that is left
            pause = kinds.DEFAULT_DRIP_SECONDS if fault.seconds is None else fault.seconds
            return attrs.evolve(answer, action=Action.DRIP, pause=pause)
