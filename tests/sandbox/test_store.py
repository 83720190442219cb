"""What the sandbox keeps, and the customer's side of it: find, tap, push, watch."""

from datetime import timedelta
from typing import Any

import attrs
import pytest
from sandbox.wire_examples import EXAMPLE_TIME, payload, post, request_of

from multiwhats_async.sandbox import (
    DeliveryAttempt,
    Emulator,
    FaultPlan,
    SandboxError,
    Webhook,
)
from multiwhats_async.sandbox._inbox import CHANGES, KEEP_DELIVERIES, KEEP_REFUSALS, fold

HOOK = "http://127.0.0.1:1/replies?token=secret"
CUSTOMER = "905374937766"


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands."""
    return Clock()


def sandbox(clock: Clock, *faults: str, **options: Any) -> Emulator:
    """Return an emulator with a webhook, whose time stands."""
    defaults = {"webhook": HOOK, "now": lambda: EXAMPLE_TIME, "clock": clock}
    return Emulator(faults=FaultPlan(faults), **(defaults | options))


def answered(status: int | None) -> DeliveryAttempt:
    """Return an attempt that met a status."""
    return DeliveryAttempt(EXAMPLE_TIME, 0.1, status)


def due(emulator: Emulator) -> list[int]:
    """Take everything that is to be pushed now; return the ids."""
    taken = iter(emulator.store.take_delivery, None)
    return [delivery.id for delivery in taken]


def messages_to(emulator: Emulator, *numbers: str, **changes: Any) -> list[int]:
    """Send a message to each number; return the ids."""
    for number in numbers:
        assert post(emulator, to=number, **changes) == 200
    return [message.id for message in emulator.messages[-len(numbers) :]]


# --- taps -----------------------------------------------------------------------------------


def test_a_tap_is_pushed_as_the_record_with_the_choice_in_it(clock: Clock) -> None:
    """The record is the one that was answered, but for the choice and the time of the tap."""
    now = EXAMPLE_TIME
    emulator = sandbox(clock, now=lambda: now)
    (number,) = messages_to(emulator, CUSTOMER)
    now += timedelta(seconds=5)
    message, (delivery,) = emulator.tap(number, label="⛔ No")
    assert message.tap is not None
    assert (message.tap.index, message.tap.label, message.tap.time) == (1, "⛔ No", now)
    assert message.delivery_ids == (delivery.id,)
    before = message.response
    (target,) = before["targets"]
    stamp = "2023-04-26 11:12:03"
    assert delivery.body == before | {
        "updated_at": stamp,
        "extra_data": before["extra_data"] | {"selectedItemId": "⛔ No"},
        "targets": [
            target
            | {
                "updated_at": stamp,
                "extra_data": target["extra_data"] | {"selectedItemId": "⛔ No"},
            }
        ],
    }
    assert emulator.messages[0].response["extra_data"]["selectedItemId"] is None


def test_a_message_is_tapped_once(clock: Clock) -> None:
    """The second tap is refused, and nothing is pushed for it."""
    emulator = sandbox(clock)
    (number,) = messages_to(emulator, CUSTOMER)
    emulator.tap(number, index=0)
    with pytest.raises(SandboxError, match="'👍 Yes' was tapped on it already") as caught:
        emulator.tap(number, index=1)
    assert caught.value.code == "already_tapped"
    assert len(emulator.store.deliveries) == 1


@pytest.mark.parametrize(
    "button",
    [
        {},
        {"index": 0, "label": "👍 Yes"},
        {"index": 2},
        {"index": -1},
        {"label": "yes"},
    ],
)
def test_a_button_that_is_not_there(button: dict[str, Any], clock: Clock) -> None:
    """A tap names exactly one of the buttons that there are."""
    emulator = sandbox(clock)
    (number,) = messages_to(emulator, CUSTOMER)
    with pytest.raises(SandboxError) as caught:
        emulator.tap(number, **button)
    assert caught.value.code == "no_such_button"
    assert emulator.messages[0].tap is None


def test_what_is_not_there(clock: Clock) -> None:
    """Unknown ids are said so."""
    store = sandbox(clock).store
    for look in (store.message, store.delivery, store.replay):
        with pytest.raises(SandboxError, match="There is no") as caught:
            look(7)
        assert caught.value.code == "not_found"


# --- deliveries -----------------------------------------------------------------------------


def test_without_a_webhook_nothing_is_pushed(clock: Clock) -> None:
    """The choice is kept, and can be pushed once there is a webhook."""
    emulator = sandbox(clock, "webhook_drop", webhook=None)
    emulator.tap(*messages_to(emulator, CUSTOMER), index=0)
    assert due(emulator) == []
    (delivery,) = emulator.store.deliveries
    assert (delivery.state, delivery.url, delivery.fault) == ("unset", None, None)
    with pytest.raises(SandboxError, match="No webhook is set"):
        emulator.store.replay(delivery.id)
    emulator.store.set_webhook(Webhook(HOOK))
    again = emulator.store.replay(delivery.id)
    assert (again.state, again.url, again.replay_of) == ("waiting", HOOK, delivery.id)
    assert again.body == delivery.body
    assert due(emulator) == [again.id]


def test_it_is_pushed_again_until_it_is_answered_with_2xx(clock: Clock) -> None:
    """After 1, 5 and 25 seconds; then it has failed, and a replay begins anew."""
    emulator = sandbox(clock)
    store = emulator.store
    emulator.tap(*messages_to(emulator, CUSTOMER), index=0)
    assert due(emulator) == [1]
    for status, pause in ((500, 1), (None, 5), (404, 25)):
        store.note_attempt(1, answered(status))
        assert store.delivery(1).state == "waiting"
        assert store.next_delivery() == pause
        clock.seconds += pause - 0.1
        assert due(emulator) == []
        clock.seconds += 0.1
        assert due(emulator) == [1]
    store.note_attempt(1, answered(302))
    assert store.delivery(1).state == "failed"
    assert [attempt.status for attempt in store.delivery(1).attempts] == [500, None, 404, 302]
    assert store.next_delivery() is None
    assert due(emulator) == []
    assert store.replay(1).attempts == ()
    assert due(emulator) == [2]
    store.note_attempt(2, answered(204))
    assert store.delivery(2).state == "delivered"


def test_faults_of_the_webhook(clock: Clock) -> None:
    """Each does what its explanation says, and is named on the delivery."""
    emulator = sandbox(
        clock, "webhook_drop@nth:1", "webhook_duplicate@nth:2", "webhook_delay=3@nth:3"
    )
    for number in messages_to(emulator, *[CUSTOMER] * 4):
        emulator.tap(number, index=0)
    newest_first = emulator.store.deliveries
    assert [(one.message_id - 3664, one.state, one.fault) for one in reversed(newest_first)] == [
        (0, "dropped", "webhook_drop"),
        (1, "waiting", "webhook_duplicate"),
        (1, "waiting", "webhook_duplicate"),
        (2, "waiting", "webhook_delay"),
        (3, "waiting", None),
    ]
    assert due(emulator) == [2, 3, 5]
    clock.seconds = 3
    assert due(emulator) == [4]


def test_reordered_is_behind_the_next_one(clock: Clock) -> None:
    """Or, where no other one comes, after its seconds."""
    emulator = sandbox(clock, "webhook_reorder@nth:1", "webhook_reorder=7@nth:3")
    for number in messages_to(emulator, *[CUSTOMER] * 3):
        emulator.tap(number, index=0)
    assert due(emulator) == [2, 1]
    clock.seconds = 6.9
    assert due(emulator) == []
    clock.seconds = 7
    assert due(emulator) == [3]
    (fourth,) = messages_to(emulator, CUSTOMER)
    emulator.tap(fourth, index=0)
    assert due(emulator) == [4]
    assert emulator.store.next_delivery() is None


def test_faults_of_requests_and_of_deliveries_count_apart() -> None:
    """A recipient's own fault of the webhook strikes none of the requests."""
    plan = FaultPlan(["webhook_drop@to:905374937766,nth:2", "webhook_drop@nth:9", "500@nth:2"])
    emulator = Emulator(faults=plan, webhook=HOOK)
    numbers = messages_to(emulator, CUSTOMER)
    assert post(emulator) == 500
    numbers += messages_to(emulator, "905300000001", CUSTOMER)
    for number in numbers:
        emulator.tap(number, index=0)
    assert [one.state for one in emulator.store.deliveries] == ["dropped", "waiting", "waiting"]
    assert [struck for _, _, struck in plan.counts()] == [1, 0, 1]


def test_settled_deliveries_are_forgotten_and_waiting_ones_are_not(clock: Clock) -> None:
    """A program that is down for an hour still gets every choice."""
    emulator = sandbox(clock)
    waiting = KEEP_DELIVERIES + 2
    for number in messages_to(emulator, *[CUSTOMER] * waiting):
        emulator.tap(number, index=0)
    assert len(emulator.store.deliveries) == waiting
    assert due(emulator) == [*range(1, waiting + 1)]
    emulator.store.note_attempt(2, answered(200))
    emulator.store.note_attempt(4, answered(200))
    for number in messages_to(emulator, CUSTOMER):
        emulator.tap(number, index=0)
    kept = {delivery.id for delivery in emulator.store.deliveries}
    assert len(kept) == waiting - 1
    assert kept.isdisjoint({2, 4})


def test_a_reset_forgets_what_was_to_be_pushed(clock: Clock) -> None:
    """What was under way then is no surprise; the webhook and the count of ids stay."""
    emulator = sandbox(clock)
    for number in messages_to(emulator, CUSTOMER, CUSTOMER):
        emulator.tap(number, index=0)
    taken = emulator.store.take_delivery()
    assert taken is not None
    emulator.reset()
    emulator.store.note_attempt(taken.id, answered(200))
    assert due(emulator) == []
    assert emulator.store.deliveries == []
    assert emulator.store.webhook.url == HOOK
    (number,) = messages_to(emulator, CUSTOMER)
    assert number == 3664 + 2
    (delivery,) = emulator.tap(number, index=0)[1]
    assert delivery.id == 3


# --- finding --------------------------------------------------------------------------------


def test_messages_are_found(clock: Clock) -> None:
    """By number, by sender, by text and buttons, before and after an id; newest first."""
    emulator = sandbox(clock)
    first, second = messages_to(emulator, CUSTOMER, "905300000001")
    (third,) = messages_to(emulator, CUSTOMER, sender="905551112233", message="ŞİŞLİ'de ışık")
    (fourth,) = messages_to(emulator, CUSTOMER, buttons=["Çay"])

    def found(**filters: Any) -> list[int]:
        return [message.id for message in emulator.store.find_messages(**filters)]

    assert found() == [fourth, third, second, first]
    assert found(to=CUSTOMER) == [fourth, third, first]
    assert found(sender="905551112233") == [third]
    assert found(text="sisli'DE isik") == [third]
    assert found(text="cay") == [fourth]
    assert found(text="0000001") == [second]
    assert found(after=first, before=fourth) == [third, second]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("İSTANBUL", "istanbul"),
        ("istanbul", "İstanbul"),
        ("ILIK", "ılık"),
        ("Ünlü", "UNLU"),
        ("👍🏽 Evet", "👍🏽"),
        ("straße", "STRASSE"),
    ],
)
def test_a_search_does_not_mind_case_accents_or_dots(text: str, query: str) -> None:
    """People type what their keyboard has."""
    assert fold(query) in fold(text)


def test_conversations_are_the_newest_first(clock: Clock) -> None:
    """One a pair of numbers, each with its count and its newest message."""
    emulator = sandbox(clock)
    messages_to(emulator, CUSTOMER, "905300000001", CUSTOMER)
    messages_to(emulator, CUSTOMER, sender="905551112233", message="Merhaba")

    def rows(**filters: Any) -> list[tuple[str, str, int, int]]:
        return [
            (one.sender, one.recipient, one.count, one.last.id)
            for one in emulator.store.conversations(**filters)
        ]

    ours = "908503080335"
    assert rows() == [
        ("905551112233", CUSTOMER, 1, 3667),
        (ours, CUSTOMER, 2, 3666),
        (ours, "905300000001", 1, 3665),
    ]
    assert rows(before=3667) == rows()[1:]
    assert rows(text="merhaba") == rows()[:1]


def test_what_is_over_the_limit_is_forgotten(clock: Clock) -> None:
    """The oldest message goes, and with its last message a conversation."""
    emulator = sandbox(clock, keep=2)
    messages_to(emulator, "905300000001", CUSTOMER, CUSTOMER, "905300000002")
    assert [(one.recipient, one.count) for one in emulator.store.conversations()] == [
        ("905300000002", 1),
        (CUSTOMER, 1),
    ]
    assert Emulator(keep=0).messages == ()
    none = Emulator(keep=0)
    post(none)
    assert (none.messages, none.stats().accepted) == ((), 1)


def test_refused_requests_are_kept_without_their_key(clock: Clock) -> None:
    """What was answered stands beside what was asked; no key in any place of either."""
    emulator = sandbox(clock, "503@nth:3", "timeout@nth:4", api_keys=["K3Y"])
    bodies: list[Any] = [
        payload(apikey="WR0NG", message="key WR0NG"),
        b'{"apikey": "WR0NG"',
        payload(),
        payload(),
        b'{"apikey":"WR0NG","a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        payload(to="\ud800"),
    ]
    for body in bodies:
        emulator.handle(request_of(body, query=b"apikey=WR0NG&apikey=x"))
    emulator.handle(request_of(payload(), method="GET"))
    refusals = [*reversed(emulator.store.refusals)]
    assert [(one.status, one.fault) for one in refusals] == [
        (401, None),
        (400, None),
        (503, "503"),
        (0, "timeout"),
        (400, None),
        (401, None),
        (405, None),
    ]
    assert [one.recipient for one in refusals] == [CUSTOMER, None, CUSTOMER, CUSTOMER, *[None] * 3]
    assert not any("WR0NG" in one.request + one.response for one in refusals)
    assert '"apikey": "****"' in refusals[0].request
    assert all(len(one.request) <= 4_000 for one in refusals)
    assert repr(refusals[0]).count("•") == 8


def test_refused_requests_have_an_end(clock: Clock) -> None:
    """A storm of 429 does not fill the memory."""
    emulator = sandbox(clock, "429")
    for _ in range(KEEP_REFUSALS + 3):
        post(emulator)
    refusals = emulator.store.refusals
    assert len(refusals) == KEEP_REFUSALS
    assert (refusals[0].id, refusals[-1].id) == (KEEP_REFUSALS + 3, 4)


def test_a_spoilt_answer_is_noted_on_the_message(clock: Clock) -> None:
    """The message was accepted; what the client did not see stands beside it."""
    emulator = sandbox(clock, "disconnect_after@nth:1", "latency=1")
    messages_to(emulator, CUSTOMER, CUSTOMER)
    assert [message.fault for message in emulator.messages] == ["disconnect_after", None]


# --- watching -------------------------------------------------------------------------------


def test_changes_since_a_revision(clock: Clock) -> None:
    """New and tapped messages, deliveries and refusals, each once and as it is now."""
    emulator = sandbox(clock)
    store = emulator.store
    start = store.revision
    numbers = messages_to(emulator, CUSTOMER, CUSTOMER)
    emulator.tap(numbers[0], index=1)
    post(emulator, buttons=[])
    changes = store.changes(start)
    assert [(one.id, one.tap is None) for one in changes.messages] == [
        (numbers[1], True),
        (numbers[0], False),
    ]
    assert [one.id for one in changes.deliveries] == [1]
    assert [one.status for one in changes.refusals] == [422]
    assert (changes.whole, changes.reset, changes.settings) == (True, False, False)
    nothing = store.changes(changes.revision)
    assert attrs.evolve(changes, messages=[], deliveries=[], refusals=[]) == nothing


def test_more_changes_than_one_is_told(clock: Clock) -> None:
    """The latest come, and that they are not all."""
    emulator = sandbox(clock, keep=CHANGES * 3)
    start = emulator.store.revision
    numbers = messages_to(emulator, *[CUSTOMER] * (CHANGES + 1))
    changes = emulator.store.changes(start)
    assert [one.id for one in changes.messages] == numbers[1:]
    assert not changes.whole
    messages_to(emulator, *[CUSTOMER] * (CHANGES * 3))
    assert len(emulator.store.changes(start).messages) == CHANGES


def test_a_reset_and_new_settings_are_changes(clock: Clock) -> None:
    """Who watches learns of both."""
    store = sandbox(clock).store
    start = store.revision
    store.reset()
    assert store.changes(start).reset
    middle = store.revision
    store.set_webhook(Webhook())
    assert (store.changes(middle).reset, store.changes(middle).settings) == (False, True)
