"""The pure step: a session and a reply lead to a session and messages."""

import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from menus.guests import GUEST, MENU, OURS, reply_to
from sandbox.wire_examples import request_of

from multiwhats_async import InvalidMenuError
from multiwhats_async.menus import Menu, Option, Session, Stage, step
from multiwhats_async.menus._session import MOST_HISTORY, Meaning, first, meaning_of
from multiwhats_async.models import ButtonMessage
from multiwhats_async.sandbox import Emulator


def sent(emulator: Emulator, message: ButtonMessage) -> int:
    """Send a message to a sandbox; return the id of its record."""
    body = {
        "from": message.sender,
        "to": message.to,
        "message": message.message,
        "type": "button",
        "buttons": [*message.buttons],
    }
    return int(json.loads(emulator.handle(request_of(body)).body)["id"])


def begun(emulator: Emulator) -> Session:
    """Return a session whose first message was sent."""
    session, (message,) = first(MENU, sender=OURS, customer=GUEST, data={"guest": "Ayşe"})
    return attrs.evolve(session, message_id=sent(emulator, message))


def test_a_tap_leads_to_the_next_stage() -> None:
    """The choice is remembered, the message addressed, the old one part of the past."""
    emulator = Emulator()
    session = begun(emulator)
    reply = reply_to(emulator, "👍 Yes")
    after, (message,) = step(MENU, session, reply)
    assert message == MENU.message("service", {}, to=GUEST, sender=OURS)
    assert after == attrs.evolve(
        session,
        stage="service",
        data={"guest": "Ayşe", "consent": "👍 Yes"},
        message_id=None,
        taken=(reply.key,),
        history=((3664, "consent"),),
        steps=2,
    )
    assert Session.from_dict(json.loads(json.dumps(after.to_dict()))) == after


def test_an_option_without_a_stage_ends_the_menu() -> None:
    """There is no message, and the choice is remembered."""
    emulator = Emulator()
    session = begun(emulator)
    after, messages = step(MENU, session, reply_to(emulator, "⛔ No"))
    assert (after.stage, messages, after.steps) == (None, (), 1)
    assert after.data["consent"] == "⛔ No"
    assert step(MENU, after, reply_to(emulator, "👍 Yes")) == (after, ())


def test_what_an_action_wants() -> None:
    """Another stage, and data for its text."""
    emulator = Emulator()
    session, (message,) = step(MENU, begun(emulator), reply_to(emulator, "👍 Yes"))
    session = attrs.evolve(session, message_id=sent(emulator, message))
    reply = reply_to(emulator, "🍳 Breakfast")
    after, (message,) = step(MENU, session, reply, data={"note": "At nine."})
    assert message.message == "We send 🍳 Breakfast. At nine."
    after, (message,) = step(MENU, session, reply, to="sold_out")
    assert (after.stage, message.message) == ("sold_out", "There is none today.")
    with pytest.raises(InvalidMenuError, match="'nowhere' is no stage of 'hotel'"):
        step(MENU, session, reply, to="nowhere")


@pytest.mark.parametrize("policy", ["ignore", "repeat", "follow"])
def test_a_tap_on_an_earlier_message(policy: str) -> None:
    """Each policy does what it says."""
    emulator = Emulator()
    session, (message,) = step(MENU, begun(emulator), reply_to(emulator, "👍 Yes"))
    session = attrs.evolve(session, message_id=sent(emulator, message))
    old = reply_to(emulator, "⛔ No", message_id=3664)
    assert meaning_of(MENU, session, old) == (Meaning.OLD, MENU["consent"])
    after, messages = step(MENU, session, old, old_taps=policy)
    if policy == "ignore":
        assert (after, messages) == (session, ())
    elif policy == "repeat":
        assert messages == (MENU.message("service", {}, to=GUEST, sender=OURS),)
        assert (after.stage, after.steps) == ("service", 3)
        assert after.history == ((3664, "consent"), (3665, "service"))
    else:
        assert (after.stage, messages) == (None, ())
    again = step(MENU, after, old, old_taps=policy)
    assert again == (after, ())


def test_an_earlier_message_is_no_proof_of_the_latest() -> None:
    """Followed while it is unknown whether the latest went out, it stays the earlier one."""
    emulator = Emulator()
    session, _ = step(MENU, begun(emulator), reply_to(emulator, "👍 Yes"))
    old = reply_to(emulator, "⛔ No", message_id=3664)
    after, _ = step(MENU, session, old, old_taps="follow")
    assert (after.stage, after.history) == (None, ((3664, "consent"),))


def test_a_tap_that_comes_once_more() -> None:
    """Whichever message it was on, and whatever the policy: it has been taken."""
    emulator = Emulator()
    yes = None
    session = begun(emulator)
    for label in ("👍 Yes", "🚕 Taxi"):
        reply = reply_to(emulator, label)
        yes = yes or reply
        session, (message,) = step(MENU, session, reply)
        session = attrs.evolve(session, message_id=sent(emulator, message))
    assert yes is not None
    for policy in ("ignore", "repeat", "follow"):
        assert step(MENU, session, yes, old_taps=policy) == (session, ())


def test_a_tap_on_a_message_that_is_not_known() -> None:
    """Of another session, another menu, another program."""
    emulator = Emulator()
    session = begun(emulator)
    sent(emulator, ButtonMessage(GUEST, "Something else", ["👍 Yes"], OURS))
    assert step(MENU, session, reply_to(emulator, "👍 Yes"), old_taps="follow") == (session, ())


def test_a_menu_that_has_changed_since() -> None:
    """A button or a stage that is not there any more leads nowhere."""
    emulator = Emulator()
    session = begun(emulator)
    yes = reply_to(emulator, "👍 Yes")
    other = Menu([Stage("consent", "Hi", [Option("OK")])], "consent", name="hotel")
    gone = Menu([Stage("hello", "Hi", [Option("👍 Yes")])], "hello", name="hotel")
    for menu in (other, gone):
        assert step(menu, session, yes) == (session, ())
    past = attrs.evolve(session, message_id=9_999, history=((3664, "consent"),))
    assert step(gone, past, yes, old_taps="follow") == (past, ())


def test_the_proof_that_an_unknown_message_went_out() -> None:
    """A reply to just that text and those buttons, from a message that is not known."""
    emulator = Emulator()
    session = attrs.evolve(begun(emulator), message_id=None)
    reply = reply_to(emulator, "👍 Yes")
    after, messages = step(MENU, session, reply)
    assert (after.stage, after.history, len(messages)) == ("service", ((3664, "consent"),), 1)
    known = attrs.evolve(session, history=((3664, "service"),))
    assert meaning_of(MENU, known, reply)[0] is Meaning.OLD
    nameless = attrs.evolve(session, data={})
    assert meaning_of(MENU, nameless, reply) == (Meaning.UNKNOWN, None)
    another = attrs.evolve(session, data={"guest": "Çağrı"})
    assert meaning_of(MENU, another, reply) == (Meaning.UNKNOWN, None)


def test_a_payload_that_names_no_message() -> None:
    """A button of the stage is taken for a tap on it: there is nothing else to go by."""
    emulator = Emulator()
    session = begun(emulator)
    reply = attrs.evolve(reply_to(emulator, "👍 Yes"), queue_id=None)
    assert step(MENU, session, reply)[0].stage == "service"
    other = attrs.evolve(reply, label="🚕 Taxi")
    assert step(MENU, session, other) == (session, ())
    unknown = attrs.evolve(session, message_id=None)
    assert step(MENU, unknown, reply)[0].history == ()


@st.composite
def menus(draw: st.DrawFn) -> Menu:
    """Return any menu of a few stages, each of which may lead to any."""
    names = [f"s{number}" for number in range(draw(st.integers(1, 5)))]
    followers = st.lists(st.none() | st.sampled_from(names), min_size=1, max_size=3)
    # Each leads to the next, so that none is out of reach.
    ways = [[following, *draw(followers)][:3] for following in (*names[1:], None)]
    return Menu(
        [
            Stage(name, f"{name} {{name|}}", [Option(f"{n}", to=to) for n, to in enumerate(way)])
            for name, way in zip(names, ways, strict=True)
        ],
        "s0",
        variables=["name"],
        allow_cycles=True,
    )


@given(st.data(), menus(), st.sampled_from(["ignore", "repeat", "follow"]))
def test_a_random_walk(data: st.DataObject, menu: Menu, policy: str) -> None:
    """Any taps on any messages: the stage is known, one message a tap, the past has an end."""
    emulator = Emulator()
    session, (message,) = first(menu, sender=OURS, customer=GUEST, data={})
    session = attrs.evolve(session, message_id=sent(emulator, message))
    for _ in range(data.draw(st.integers(1, 40))):
        tapped = data.draw(st.sampled_from(emulator.messages))
        label = data.draw(st.sampled_from(tapped.buttons))
        reply = reply_to(emulator, label, message_id=tapped.id)
        after, messages = step(menu, session, reply, old_taps=policy)
        assert len(messages) <= 1
        assert after.stage is None or after.stage in menu
        assert after.steps == session.steps + len(messages)
        assert len(after.history) <= MOST_HISTORY
        assert len(after.taken) <= MOST_HISTORY
        assert step(menu, after, reply, old_taps=policy) == (after, ())
        if policy == "ignore" and session.message_id not in {None, tapped.id}:
            assert after == session
        session = after
        if messages:
            number = sent(emulator, messages[0])
            if data.draw(st.booleans()):
                session = attrs.evolve(session, message_id=number)
