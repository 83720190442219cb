"""The kit in memory: what it sends, taps, lets fail, waits for and says of it."""

import re
from typing import Any

import anyio
import pytest

from multiwhats_async import (
    ButtonMessage,
    MessageReceipt,
    NotSentError,
    OutcomeUnknownError,
)
from multiwhats_async.sandbox import Fault, SandboxError
from multiwhats_async.testing import TEST_SENDER, MultiWhatsKit

pytestmark = pytest.mark.anyio

GUEST = "905374937766"
BUTTONS = ["👍 Yes", "⛔ No"]


@pytest.fixture
def kit(multiwhats: MultiWhatsKit) -> MultiWhatsKit:
    """Return the kit of our own plugin."""
    return multiwhats


async def sent(kit: MultiWhatsKit, *texts: str, to: str = GUEST) -> list[MessageReceipt]:
    """Send messages with the kit's client."""
    async with kit.client() as client:
        return [await client.send_button_message(to, text, BUTTONS) for text in texts]


async def test_what_is_sent_is_in_the_outbox(kit: MultiWhatsKit) -> None:
    """Oldest first, from the kit's own number."""
    kit.assert_nothing_sent()
    await sent(kit, "one", "two")
    assert [(one.sender, one.text) for one in kit.outbox] == [
        (TEST_SENDER, "one"),
        (TEST_SENDER, "two"),
    ]
    assert kit.last.text == "two"


async def test_the_developers_own_settings_are_not_used(
    kit: MultiWhatsKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No key, no number and no server of the environment, even where the sandbox wants its own."""
    for name, value in {
        "MULTIWHATS_API_KEY": "real",
        "MULTIWHATS_FROM": "905300000001",
        "MULTIWHATS_BASE_URL": "https://elsewhere.example/",
    }.items():
        monkeypatch.setenv(name, value)
    kit = MultiWhatsKit(api_keys=["OWN"])
    await sent(kit, "Hi")
    assert kit.last.sender == TEST_SENDER


async def test_options_go_to_the_client(kit: MultiWhatsKit) -> None:
    """The kit's own are defaults."""
    async with kit.client(sender="905300000001") as client:
        await client.send_button_message(GUEST, "Hi", BUTTONS)
    assert kit.assert_sent(sender="+90 530 000 00 01") == kit.last


async def test_a_sent_message_is_found_by_any_of_its_parts(kit: MultiWhatsKit) -> None:
    """The newest that fits is returned; a number may be in any notation."""
    await sent(kit, "Room 12 is ready", "Room 13 is ready")
    first, second = kit.outbox
    assert kit.assert_sent() == second
    assert kit.assert_sent(to="+90 537 493 77 66", buttons=BUTTONS, times=2) == second
    assert kit.assert_sent(text="Room 12 is ready", times=1) == first
    assert kit.assert_sent(containing="12") == first


async def test_a_missing_message_is_shown_beside_the_nearest(kit: MultiWhatsKit) -> None:
    """A person sees at a glance which part differs, and in what."""
    await sent(kit, "Something else entirely", to="905300000001")
    await sent(kit, "Dear guest,\nyour room is ready at 14:00.")
    with pytest.raises(AssertionError) as caught:
        kit.assert_sent(
            to=GUEST, text="Dear guest,\nyour room is ready at 15:00.", buttons=["👍 Yes"]
        )
    assert str(caught.value) == (
        "No message fits; 2 sent. The nearest, message 3665, differs in text, buttons:\n"
        "  to         905374937766\n"
        "  text       Dear guest,\n"
        "           - your room is ready at 15:00.\n"
        "           ?                        ^\n"
        "           + your room is ready at 14:00.\n"
        "           ?                        ^\n"
        '  buttons  - ["👍 Yes"]\n'
        '           + ["👍 Yes", "⛔ No"]\n'
        "(- expected, + sent)"
    )


async def test_a_part_that_is_missing_is_shown_beside_the_text(kit: MultiWhatsKit) -> None:
    """``containing`` and ``sender`` are compared as well."""
    await sent(kit, "Room 12 is ready")
    with pytest.raises(AssertionError, match="differs in contains") as caught:
        kit.assert_sent(containing="Room 13", sender=TEST_SENDER)
    assert "  contains  - Room 13\n" in str(caught.value)
    assert f"  from        {TEST_SENDER}\n" in str(caught.value)


async def test_nothing_sent_names_what_was_refused(kit: MultiWhatsKit) -> None:
    """The reason is most often a fault that the test has asked for."""
    kit.fail_next("422")
    kit.fail_next("timeout")
    async with kit.client() as client:
        for _ in range(2):
            await client.deliver(ButtonMessage(GUEST, "Hi", BUTTONS))
    with pytest.raises(AssertionError) as caught:
        _ = kit.last
    assert re.fullmatch(
        r"No message was sent\.\n"
        r"Not accepted: 422 \(fault 422\): .*\n"
        r"Not accepted: no answer \(fault timeout\): .*",
        str(caught.value),
    )
    kit = MultiWhatsKit(credits=0)
    async with kit.client() as client:
        for _ in range(9):
            await client.deliver(ButtonMessage(GUEST, "Hi" * 400, BUTTONS))
    with pytest.raises(AssertionError, match="Not accepted: 402: ") as caught:
        kit.assert_sent()
    assert [len(line) for line in str(caught.value).splitlines()[1:]] == [219] * 5


async def test_more_than_was_expected(kit: MultiWhatsKit) -> None:
    """A message too many is named, and so is any where none was expected."""
    await sent(kit, "Hi", "Hi")
    with pytest.raises(AssertionError, match=r"Expected 1 such messages; 2 were sent: 3664, 3665"):
        kit.assert_sent(text="Hi", times=1)
    with pytest.raises(AssertionError, match=r"Expected no message; 2 sent:\n  3664 to 9053.*'Hi'"):
        kit.assert_nothing_sent()


async def test_an_answer_that_is_lost_is_unknown_and_in_the_outbox(kit: MultiWhatsKit) -> None:
    """The case that doubles messages elsewhere: here it was sent, once, and nobody guesses."""
    kit.fail_next(Fault("disconnect_after"), to="+90 537 493 77 66")
    await sent(kit, "other", to="905300000001")
    with pytest.raises(OutcomeUnknownError):
        await sent(kit, "Hi")
    kit.assert_sent(to=GUEST, times=1)


async def test_a_fault_may_name_its_own_times(kit: MultiWhatsKit) -> None:
    """The sandbox's own text form holds."""
    kit.fail_next("refuse@times:4")
    with pytest.raises(NotSentError):
        await sent(kit, "Hi")
    kit.assert_nothing_sent()
    await sent(kit, "Hi")


async def test_tap_by_message_receipt_and_id(kit: MultiWhatsKit) -> None:
    """All three name the same message."""
    receipts = await sent(kit, "one", "two", "three")
    assert kit.tap(kit.outbox[0], "👍 Yes").tap is not None
    assert kit.tap(receipts[1], index=1).tap is not None
    assert kit.tap(receipts[2].id or 0, "⛔ No").tap is not None
    assert [one.tap and one.tap.label for one in kit.outbox] == ["👍 Yes", "⛔ No", "⛔ No"]
    with pytest.raises(SandboxError, match="tapped on it already"):
        kit.tap(kit.last, "👍 Yes")
    with pytest.raises(ValueError, match="names no id"):
        kit.tap(MessageReceipt(), "👍 Yes")


async def test_wait_for_what_is_still_to_be_sent(kit: MultiWhatsKit) -> None:
    """The message comes from another task; one that was there already does not count after it."""
    await sent(kit, "one")
    first = kit.last
    assert await kit.wait_for(to=GUEST) == first
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sent, kit, "two")
        later = await kit.wait_for(to=GUEST, after=first)
    assert later.text == "two"


async def test_wait_for_what_never_comes(kit: MultiWhatsKit) -> None:
    """The assertion says how long, and shows the nearest message that counts."""
    await sent(kit, "one", "two")
    with pytest.raises(AssertionError, match=r"Waited 0\.01 s\. No message fits; 2 sent"):
        await kit.wait_for(text="three", within=0.01)
    with pytest.raises(AssertionError, match=r"Waited 0 s\. No message was sent"):
        await kit.wait_for(after=kit.last, within=0)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer as an ASGI application that knows no lifespan: 500 to the first, then 200."""
    assert scope["type"] == "http"
    status = echo_statuses.pop() if echo_statuses else 200
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": (await receive())["body"]})


echo_statuses: list[int] = []


async def test_replies_are_delivered_to_an_application(kit: MultiWhatsKit) -> None:
    """In the order of the taps, each once, and again after an answer that is no 2xx."""
    await sent(kit, "one", "two")
    kit.tap(kit.outbox[1], "⛔ No")
    kit.tap(kit.outbox[0], "👍 Yes")
    echo_statuses.append(500)
    first, second = await kit.deliver_to(echo, "/replies")
    assert (first.status_code, second.status_code) == (500, 200)
    (again,) = await kit.deliver_to(echo, "/replies")
    assert again.content == first.content
    assert again.json()["extra_data"]["selectedItemId"] == "⛔ No"
    assert await kit.deliver_to(echo, "/replies") == []


async def test_faults_on_the_way_to_an_application(kit: MultiWhatsKit) -> None:
    """Twice, not at all, in another order, later: without waiting for any of it."""
    await sent(kit, "twice", "never", "overtaken", "overtaking")
    twice, never, overtaken, overtaking = kit.outbox
    for fault, message in (
        ("webhook_duplicate", twice),
        ("webhook_drop", never),
        ("webhook_reorder", overtaken),
        ("webhook_delay=3", overtaking),
    ):
        kit.fail_next(fault)
        kit.tap(message, "👍 Yes")
    answers = await kit.deliver_to(echo, "/replies")
    texts = [answer.json()["message"] for answer in answers]
    assert texts == ["twice", "twice", "overtaking", "overtaken"]


async def test_replies_as_data(kit: MultiWhatsKit) -> None:
    """For a sync test, in the form that it has asked for; each is given once."""
    kit = MultiWhatsKit(assumed_item_id="index_from_1")
    await sent(kit, "Hi")
    kit.tap(kit.last, "⛔ No")
    (reply,) = kit.take_replies()
    assert reply["extra_data"]["selectedItemId"] == 2
    assert kit.take_replies() == []


class Application:
    """An ASGI application with a lifespan, which shows its state."""

    def __init__(self, *, start: str = "complete", end: str = "complete") -> None:
        self.start, self.end = start, end
        self.ended = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        else:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": scope["state"]["name"]})

    async def _live(self, scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "lifespan.startup"
        scope["state"]["name"] = b"client"
        await send({"type": f"lifespan.startup.{self.start}", "message": "no database"})
        assert (await receive())["type"] == "lifespan.shutdown"
        self.ended = True
        await send({"type": f"lifespan.shutdown.{self.end}", "message": "still open"})
        if self.end == "raise":
            raise OSError("cannot close")


async def test_an_application_runs_with_its_lifespan(kit: MultiWhatsKit) -> None:
    """Its requests and the replies see the state that its start left."""
    app = Application()
    await sent(kit, "Hi")
    kit.tap(kit.last, "👍 Yes")
    async with kit.running(app) as web:
        assert (await web.get("/")).content == b"client"
        (answer,) = await kit.deliver_to(app, "/replies")
        assert answer.content == b"client"
        assert not app.ended
    assert app.ended


async def test_an_application_without_a_lifespan_runs_too(kit: MultiWhatsKit) -> None:
    """ASGI: one that raises on that scope has none."""
    async with kit.running(echo) as web:
        assert (await web.post("/", content=b"there")).content == b"there"


@pytest.mark.parametrize(
    ("app", "message"),
    [
        (Application(start="failed"), r"lifespan\.startup\.failed no database"),
        (Application(end="failed"), r"lifespan\.shutdown\.failed still open"),
    ],
)
async def test_an_application_that_cannot_start_or_end(
    kit: MultiWhatsKit, app: Application, message: str
) -> None:
    """It is an error of the test, as it says it."""
    with pytest.raises(RuntimeError, match=message):
        async with kit.running(app):
            assert app.start == "complete"


async def test_what_an_application_raises_at_its_end(kit: MultiWhatsKit) -> None:
    """It comes as it is."""
    with pytest.raises(OSError, match="cannot close"):
        async with kit.running(Application(end="raise")):
            pass


async def test_a_failing_assertion_comes_out_as_it_is(kit: MultiWhatsKit) -> None:
    """In no exception group, and the application is shut down all the same."""
    app = Application()
    with pytest.raises(AssertionError, match="No message was sent"):
        async with kit.running(app):
            kit.assert_sent()
    assert app.ended


async def test_a_test_that_is_cancelled_leaves_no_application(kit: MultiWhatsKit) -> None:
    """A time-out around the block ends it."""
    with anyio.move_on_after(0.05) as scope:
        async with kit.running(Application()):
            await anyio.sleep_forever()
    assert scope.cancelled_caught
