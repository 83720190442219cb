"""Faults strike what they say, as often as they say, and the same way again from the same seed."""

import json
import math
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox.wire_examples import PATH, payload, post, request_of

from multiwhats_async.sandbox import MAGIC_NUMBERS, Action, Emulator, Fault, FaultPlan
from multiwhats_async.sandbox.faults import DELIVERY_KINDS, KINDS

TO = "905374937766"


def test_text_form() -> None:
    """The text form says the same as the arguments."""
    expected = {
        "429": Fault("429"),
        "429@every:50": Fault("429", every=50),
        "disconnect_after@nth:7": Fault("disconnect_after", nth=7),
        "latency=0.2@p:0.1": Fault("latency", seconds=0.2, probability=0.1),
        f"503=2@to:{TO}": Fault("503", seconds=2, to=TO),
        "503=2@to:+90 537 493 77 66, times:1": Fault("503", seconds=2, to=TO, times=1),
        "slow_drip": Fault("slow_drip"),
        "slow_drip=0": Fault("slow_drip", seconds=0),
    }
    for text, fault in expected.items():
        assert Fault.parse(text) == fault


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "'' is no kind of fault: write a status from 400 to 599, or one of latency"),
        ("boom", "'boom' is no kind of fault"),
        ("200", "'200' is no kind"),
        ("600", "'600' is no kind"),
        ("0429", "'0429' is no kind"),
        ("٤٢٩", "is no kind"),
        ("429=", "seconds '' is no number: write one such as 0.5"),
        ("429=soon", "seconds 'soon' is no number"),
        ("429=1.5", "Retry-After counts whole seconds, 1.5 is none: write 429=2"),
        ("429=-1", "-1.0 is no time: write seconds from 0 up, such as 429=2"),
        ("latency=nan", "nan is no time"),
        ("latency=inf", "inf is no time"),
        ("latency", "latency needs its seconds: write latency=0.2"),
        ("html=1", "html takes no seconds: leave out =1"),
        ("429@", "'' is no selector: write to:NUMBER"),
        ("429@when:7", "'when:7' is no selector"),
        ("429@probability:0.5", "'probability:0.5' is no selector"),
        ("429@nth:x", "nth:x is no count: write a whole number, such as nth:7"),
        ("429@nth:", "nth: is no count"),
        ("429@every:" + "9" * 5000, "is no count"),
        ("429@every:0", "every:0 never strikes: count from 1"),
        ("429@times:0", "times:0 never strikes"),
        ("429@p:often", "p 'often' is no number"),
        ("429@p:0", "0.0 is no probability: write one over 0 and up to 1, such as p:0.1"),
        ("429@p:1.1", "1.1 is no probability"),
        ("429@p:nan", "nan is no probability"),
        ("429@to:0537", "to: begins with 0, so it has no country code"),
        ("429@nth:1,every:2", "nth and every exclude each other: choose one"),
        ("429@nth:1,nth:2", "nth: stands twice in '429@nth:1,nth:2'"),
        (f"refuse@to:{TO}", "refuse strikes before the recipient can be read: leave out to:"),
    ],
)
def test_text_that_is_no_fault(text: str, words: str) -> None:
    """An error names the part that is wrong and the way out."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is compared below
        Fault.parse(text)
    assert words in str(caught.value)


def test_recipient_is_digits_and_masked() -> None:
    """A recipient stands in digits, and a repr shows its last four only."""
    with pytest.raises(ValueError, match="to: takes digits with the country code"):
        Fault("429", to="+905374937766")
    assert TO not in repr(Fault("429", to=TO))
    assert "••••••••7766" in repr(Fault("429", to=TO))
    assert "to=None" in repr(Fault("429"))


@settings(deadline=None)  # a busy machine is no failure
@given(st.text(max_size=30))
def test_any_text_is_a_fault_or_a_value_error(text: str) -> None:
    """Parsing raises nothing but ValueError."""
    with suppress(ValueError):
        Fault.parse(text)


def strikes(plan: FaultPlan, count: int, recipient: str = TO) -> list[int]:
    """Return the positions, from 1, of the requests that a fault strikes."""
    return [n for n in range(1, count + 1) if plan.for_request(recipient).fault]


def test_selectors() -> None:
    """Each selector chooses the requests that it says."""
    assert strikes(FaultPlan(["500"]), 3) == [1, 2, 3]
    assert strikes(FaultPlan(["500@nth:2"]), 5) == [2]
    assert strikes(FaultPlan(["500@every:2"]), 5) == [2, 4]
    assert strikes(FaultPlan(["500@times:2"]), 5) == [1, 2]
    assert strikes(FaultPlan(["500@every:2,times:1"]), 5) == [2]
    assert strikes(FaultPlan(["500@p:1"]), 2) == [1, 2]


def test_recipient_selector_counts_its_own_requests() -> None:
    """With a recipient, the count is of requests to it."""
    plan = FaultPlan([f"500@to:{TO},nth:2"])
    other = "905374937767"
    struck = [plan.for_request(to).fault is not None for to in (TO, other, None, other, TO, TO)]
    assert struck == [False, False, False, False, True, False]


def test_probability_repeats_from_its_seed() -> None:
    """The same seed strikes the same requests, about as many as the probability says."""
    first, again, other = (strikes(FaultPlan(["500@p:0.3"], seed=seed), 1000) for seed in (1, 1, 2))
    assert first == again != other
    assert math.isclose(len(first), 300, abs_tol=60)


def test_reset_repeats_the_run() -> None:
    """Reset puts counters and dice back, and keeps the faults."""
    plan = FaultPlan(["500@p:0.3", "429@nth:5"], seed=3)
    first = strikes(plan, 100)
    plan.reset()
    assert strikes(plan, 100) == first


def test_first_fault_wins_and_the_loser_keeps_its_times() -> None:
    """Of two faults that strike, the first one happens and only it is used up."""
    plan = FaultPlan(["429@times:1", "500@times:1"])
    kinds = [fault and fault.kind for fault in (plan.for_request().fault for _ in range(3))]
    assert kinds == ["429", "500", None]


def test_latency_adds_up() -> None:
    """Latencies add to each other and to another fault."""
    plan = FaultPlan(["latency=0.5", "429", "latency=0.25@every:2"])
    assert [plan.for_request().delay for _ in range(2)] == [0.5, 0.75]
    response = Emulator(faults=plan).handle(request_of(payload()))
    assert (response.status, response.delay) == (429, 0.5)


def test_plan_changes_while_it_runs() -> None:
    """Faults can be added and taken away, as values or as text."""
    plan = FaultPlan()
    assert plan.for_request().fault is None
    plan.add("500")
    plan.add(Fault("429"))
    assert plan.faults == (Fault("500"), Fault("429"))
    plan.clear()
    assert plan.faults == ()


def test_refuse_counts_connections() -> None:
    """Refusal counts connections only, and every other fault requests only."""
    emulator = Emulator(faults=FaultPlan(["refuse@every:2", "500@every:2"]))
    actions = [emulator.accept() for _ in range(4)]
    assert actions == [Action.RESPOND, Action.REFUSE] * 2
    assert [post(emulator) for _ in range(4)] == [200, 500, 200, 500]
    assert emulator.stats().dropped == {"refuse": 2}
    assert emulator.stats().requests == 4


@pytest.mark.parametrize("status", ["400", "401", "402", "403", "429", "500", "502", "503", "599"])
def test_status(status: str) -> None:
    """A status is answered at once, says that it was asked for, and nothing is processed."""
    emulator = Emulator(faults=FaultPlan([status]))
    response = emulator.handle(request_of(payload()))
    assert (response.status, response.action) == (int(status), Action.RESPOND)
    assert json.loads(response.body)["error"]["code"] == "fault"
    assert "retry-after" not in response.headers
    assert emulator.stats().accepted == 0
    assert emulator.stats().by_status == {int(status): 1}


def test_retry_after() -> None:
    """The seconds of a status are its Retry-After header."""
    response = Emulator(faults=FaultPlan(["503=120"])).handle(request_of(payload()))
    assert response.headers["retry-after"] == "120"


@pytest.mark.parametrize(
    ("kind", "action", "accepted"),
    [
        ("timeout", Action.NEVER, 0),
        ("disconnect_before", Action.DROP_BEFORE, 0),
        ("disconnect_after", Action.DROP_AFTER, 1),
    ],
)
def test_no_answer(kind: str, action: Action, accepted: int) -> None:
    """A dropped request is counted as dropped, and processed only where the fault says so."""
    emulator = Emulator(faults=FaultPlan([kind]))
    assert emulator.handle(request_of(payload())).action is action
    stats = emulator.stats()
    assert (stats.accepted, stats.dropped, stats.by_status) == (accepted, {kind: 1}, {})
    assert len(emulator.messages) == accepted


def test_malformed_json() -> None:
    """The answer breaks off, and the message is accepted all the same."""
    emulator = Emulator(faults=FaultPlan(["malformed_json"]))
    response = emulator.handle(request_of(payload()))
    assert response.status == 200
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(response.body)
    assert emulator.stats().accepted == 1


def test_html() -> None:
    """A web page comes with status 200, and nothing is processed."""
    emulator = Emulator(faults=FaultPlan(["html"]))
    response = emulator.handle(request_of(payload()))
    assert (response.status, response.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert response.body.startswith(b"<!doctype html>")
    assert emulator.stats().accepted == 0


@pytest.mark.parametrize(("text", "pause"), [("slow_drip", 1), ("slow_drip=0.1", 0.1)])
def test_slow_drip(text: str, pause: float) -> None:
    """The whole answer comes in small pieces."""
    response = Emulator(faults=FaultPlan([text])).handle(request_of(payload()))
    assert (response.action, response.pause) == (Action.DRIP, pause)
    assert b"".join(response.pieces) == response.body
    assert {len(piece) for piece in response.pieces[:-1]} == {32}


@pytest.mark.parametrize("ending", sorted(MAGIC_NUMBERS))
def test_magic_numbers(ending: str) -> None:
    """A magic number always meets its fault, the second time too."""
    fault = MAGIC_NUMBERS[ending]
    emulator = Emulator()
    for _ in range(2):
        response = emulator.handle(request_of(payload(to=f"90537493{ending}")))
        if fault.status:
            assert response.status == fault.status
            assert int(ending) == fault.status
            assert response.headers.get("retry-after") == ("1" if ending == "0429" else None)
        else:
            assert response.action is not Action.RESPOND
    assert emulator.stats().accepted == (2 if ending == "0499" else 0)


def test_magic_numbers_give_way() -> None:
    """A fault of the plan goes before a magic number, and the numbers can be switched off."""
    magic = "905374930500"
    assert post(Emulator(faults=FaultPlan(["429@nth:1"])), to=magic) == 429
    assert post(Emulator(magic_numbers=False), to=magic) == 200


def test_faults_strike_bad_requests_too() -> None:
    """A fault strikes what cannot be read, but no path other than the endpoint's."""
    emulator = Emulator(faults=FaultPlan(["500@nth:1", "disconnect_after@nth:2"]))
    assert emulator.handle(request_of(b"", path=PATH + "s")).status == 404
    assert emulator.handle(request_of(b"{")).status == 500
    assert emulator.handle(request_of(b"{")).action is Action.DROP_AFTER
    assert emulator.handle(request_of(payload(to=7))).status == 422
    assert emulator.stats().accepted == 0


def test_every_kind_is_explained() -> None:
    """Each kind says in one line what happens, and of a request whether it was processed."""
    for kind, text in KINDS.items():
        of_request = text.endswith(("; processed", "; not processed"))
        assert of_request != (kind in DELIVERY_KINDS), kind
