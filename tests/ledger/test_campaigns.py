"""Campaigns in a ledger: each message is sent once."""

from collections.abc import Iterator, Mapping
from typing import Any

import anyio
import pytest
from ledger.campaign_ledgers import found, on_record
from runs import A, N, R, S, counted, inputs, run_all
from vendor import Vendor, answer, message, messages

from multiwhats_async import ConfigurationError, InvalidMessageError, LedgerError, MemoryLedger
from multiwhats_async.ledger._base import DatabaseLedger
from multiwhats_async.ledger._campaign import StoredClaim

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(virtual: tuple[str, Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    """Run on a clock that jumps: a ledger in memory needs no thread."""
    return virtual


# --- sent once --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["list", "generator", "async"])
async def test_the_same_call_again_sends_nothing(ledger: DatabaseLedger, kind: str) -> None:
    """Every message has its outcome on record, equal to the one that the run told."""
    vendor = Vendor(latency=0.1)
    async with vendor.client() as client:
        run = client.bulk(inputs(kind, messages(250)), ledger=ledger, campaign="spring")
        told = await run_all(run)
        again = client.bulk(inputs(kind, messages(250)), ledger=ledger, campaign="spring")
        skipped = await run_all(again)
    assert set(vendor.posts.values()) == {1}
    assert (run.report.accepted, run.report.credits, again.report.skipped) == (250, 250, 250)
    assert {(outcome.certainty, outcome.earlier) for outcome in skipped} == {(S, A)}
    assert sorted(outcome.index for outcome in skipped) == list(range(250))
    recorded = await on_record(ledger)
    assert recorded == sorted(told, key=recorded.index)
    assert (await ledger.summary("spring")).to_dict() == {
        "campaign": "spring",
        "pending": 0,
        "not_sent": 0,
        "in_flight": 0,
        "accepted": 250,
        "rejected": 0,
        "unknown": 0,
        "credits": 250,
        "total": 250,
    }


async def test_a_stopped_run_goes_on_where_it_stopped(ledger: DatabaseLedger) -> None:
    """Whatever was not tried is pending, and only that is sent by the next call."""
    vendor = Vendor(latency=1)
    async with vendor.client(max_concurrency=5) as client:
        run = client.bulk(messages(100), ledger=ledger, campaign="spring")
        async with run:
            told = []
            async for outcome in run:
                told.append(outcome)
                if len(told) == 30:
                    run.stop()
        assert len(told) == 100
        summary = await ledger.summary("spring")
        assert (summary.accepted, summary.pending) == (run.report.accepted, run.report.not_sent)
        assert summary.to_send == summary.pending > 0
        # More have come to the input meanwhile.
        report = await client.send_many(messages(110), ledger=ledger, campaign="spring")
    assert set(vendor.posts.values()) == {1}
    assert (report.accepted, report.skipped) == (110 - run.report.accepted, run.report.accepted)
    assert [outcome.index for outcome in report.outcomes] == list(range(110))


@pytest.mark.parametrize("kind", ["list", "generator", "async"])
async def test_what_has_its_outcome_is_skipped_after_a_stop(
    ledger: DatabaseLedger, kind: str
) -> None:
    """A run that has no credit left does not call not sent what an earlier one has sent."""
    vendor = Vendor()
    async with vendor.client(max_concurrency=1) as client:
        await client.send_many(messages(3)[2:], ledger=ledger, campaign="spring")
        vendor.always = lambda *_: answer(402)
        run = client.bulk(inputs(kind, messages(4)), ledger=ledger, campaign="spring")
        outcomes = await run_all(run)
    assert [outcome.certainty for outcome in outcomes] == [R, N, S, N]
    assert outcomes[2].earlier is A
    assert (await ledger.summary("spring")).total == 4


async def test_an_intent_without_an_attempt_changes_nothing(
    ledger: DatabaseLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is stopped right before it sends a refused message anew leaves it refused."""
    vendor = Vendor()
    vendor.script[message().to] = [answer(422, json={"message": "no such number"})]
    intend = StoredClaim.intend
    async with vendor.client() as client:
        await client.send_many(messages(1), ledger=ledger, campaign="spring")
        before = await on_record(ledger)
        run = client.bulk(messages(1), ledger=ledger, campaign="spring", only_failed=True)

        async def intend_and_stop(claim: StoredClaim) -> None:
            await intend(claim)
            run.stop()

        with monkeypatch.context() as patch:
            patch.setattr(StoredClaim, "intend", intend_and_stop)
            outcomes = await run_all(run)
        await client.send_many(messages(1), ledger=ledger, campaign="spring")
    assert [outcome.certainty for outcome in outcomes] == [N]
    told = [outcome.error and outcome.error.to_dict() for outcome in await on_record(ledger)]
    assert told == [outcome.error and outcome.error.to_dict() for outcome in before]
    assert vendor.total == 1


async def test_what_is_not_in_the_input_is_not_sent(ledger: DatabaseLedger) -> None:
    """Somebody who was taken off the list gets nothing, though the ledger has the message."""
    vendor = Vendor()
    async with vendor.client() as client:
        async with client.bulk(messages(10), ledger=ledger, campaign="spring") as run:
            run.stop()
        report = await client.send_many(messages(8)[::-1], ledger=ledger, campaign="spring")
    assert (report.accepted, vendor.total) == (8, 8)
    assert [outcome.message for outcome in report.outcomes] == messages(8)[::-1]
    assert (await ledger.summary("spring")).pending == 2


async def test_a_key_that_stands_twice_is_sent_once(ledger: DatabaseLedger) -> None:
    """The second is skipped; it had no outcome before."""
    twice = [message(), message(1, key="order-7"), message(), message(1, key="order-7")]
    vendor = Vendor()
    async with vendor.client() as client:
        report = await client.send_many(twice, ledger=ledger, campaign="spring")
    assert [outcome.certainty for outcome in report.outcomes] == [A, A, S, S]
    assert [outcome.earlier for outcome in report.outcomes] == [None] * 4
    assert report.outcomes[3].key == "order-7"


async def test_campaigns_know_nothing_of_each_other(ledger: DatabaseLedger) -> None:
    """The same message in two campaigns is two messages."""
    vendor = Vendor()
    async with vendor.client() as client:
        await client.send_many(messages(3), ledger=ledger, campaign="spring")
        await client.send_many(messages(5), ledger=ledger, campaign="summer")
    assert (vendor.total, await ledger.campaigns()) == (8, ("spring", "summer"))
    assert [(await ledger.summary(name)).accepted for name in ("spring", "summer")] == [3, 5]
    assert len(await on_record(ledger)) == 3


@pytest.mark.parametrize("kind", ["list", "generator"])
async def test_changed_texts_are_refused_with_the_difference(
    ledger: DatabaseLedger, kind: str
) -> None:
    """Nothing is sent, and nothing of the input stays behind."""
    old = [message(number, key=f"k{number}") for number in range(5)]
    new = [message(9, key="k9"), message(0, key="k0", message="Selam"), *old[1:3]]
    new += [message(3, key="k3", buttons=["Evet"]), message(7, key="k4"), message(8, key="k2")]
    vendor = Vendor()
    async with vendor.client() as client:
        await client.send_many(old, ledger=ledger, campaign="spring")
        with pytest.raises(LedgerError) as caught:
            await client.send_many(inputs(kind, new), ledger=ledger, campaign="spring")
        text = str(caught.value)
        assert "'k0' (message 1 of the input): text was 'Merhaba 👤', is now 'Selam'" in text
        assert "'k3' (message 4 of the input): buttons was '👍', '⛔', is now 'Evet'" in text
        assert "recipient was ••••••••0004, is now ••••••••0007; and 1 more" in text
        assert (vendor.total, (await ledger.summary("spring")).total) == (5, 5)
        # The same under another name is another campaign.
        new.pop()
        report = await client.send_many(new, ledger=ledger, campaign="spring 2")
    assert report.accepted == 6


async def test_another_sender_is_a_change_too(ledger: DatabaseLedger) -> None:
    """With a key of its own a message stays what it is, also in who sends it."""
    vendor = Vendor()
    async with vendor.client() as client:
        await client.send_many([message(key="k")], ledger=ledger, campaign="spring")
        other = client.with_options(sender="908503080399")
        with pytest.raises(LedgerError, match="sender was ••••••••0335, is now ••••••••0399"):
            await other.send_many([message(key="k")], ledger=ledger, campaign="spring")


async def test_a_key_that_was_a_digest_is_another_message(ledger: DatabaseLedger) -> None:
    """Nothing is different but whose the key is: that is said too."""
    vendor = Vendor()
    async with vendor.client() as client:
        report = await client.send_many([message()], ledger=ledger, campaign="spring")
        named = message(key=report.outcomes[0].key)
        with pytest.raises(LedgerError, match="of the input\\): is not the same message"):
            await client.send_many([named], ledger=ledger, campaign="spring")


async def test_a_bad_input_leaves_nothing_behind(ledger: DatabaseLedger) -> None:
    """A generator is looked at as a whole before anything is sent."""

    def source() -> Iterator[Any]:
        yield from messages(2500)
        yield "no message"

    vendor = Vendor()
    async with vendor.client() as client:
        with pytest.raises(InvalidMessageError, match="message 2500 of the input"):
            async with client.bulk(source(), ledger=ledger, campaign="spring"):
                pass
    assert (vendor.total, await ledger.campaigns()) == (0, ())


# --- inputs that come bit by bit --------------------------------------------------------------


async def test_an_async_input_is_sent_as_it_comes(ledger: DatabaseLedger) -> None:
    """Nobody waits for its end, which may be days away; what has come is on record."""

    async def days() -> Any:
        for number in range(5):
            yield message(number)
            await anyio.sleep(86_400)

    vendor = Vendor()
    async with vendor.client() as client:
        async with client.bulk(days(), ledger=ledger, campaign="spring") as run:
            async for outcome in run:
                assert anyio.current_time() < 86_400 * (outcome.index + 1)
                assert (await ledger.summary("spring")).total == outcome.index + 1
                assert run.progress.total is None
    assert run.report.accepted == 5


async def test_a_repeated_key_in_an_async_input_is_sent_once(ledger: DatabaseLedger) -> None:
    """Also where both are worked on at once."""
    vendor = Vendor(latency=5)
    twice = [message(number % 10) for number in range(40)]
    async with vendor.client() as client:
        run = client.bulk(inputs("async", twice), ledger=ledger, campaign="spring")
        outcomes = await run_all(run)
    assert set(vendor.posts.values()) == {1}
    assert counted(outcomes) == {A: 10, S: 30}


async def test_a_changed_text_in_an_async_input_stops_the_run(ledger: DatabaseLedger) -> None:
    """It is found when it comes; it is not sent, and has its outcome."""
    vendor = Vendor()
    items = [message(1, key="a"), message(2, key="b"), message(3, key="a"), message(4)]
    async with vendor.client(max_concurrency=1) as client:
        run = client.bulk(inputs("async", items), ledger=ledger, campaign="spring")
        outcomes = []
        with pytest.raises(LedgerError, match="'a' \\(message 2 of the input\\): recipient was"):
            async with run:
                outcomes = [outcome async for outcome in run]
    assert found(outcomes) == {0: A, 1: A, 2: N}
    assert vendor.total == 2


# --- how it is called -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"campaign": "spring"}, "need a ledger"),
        ({"resend_unknown": True}, "need a ledger"),
        ({"only_failed": True}, "need a ledger"),
        ({"ledger": MemoryLedger()}, "campaign is missing"),
        ({"ledger": MemoryLedger(), "campaign": ""}, "1 to 200 characters"),
        ({"ledger": MemoryLedger(), "campaign": "x" * 201}, "1 to 200 characters, not 201"),
        ({"ledger": MemoryLedger(), "campaign": "\ud83d"}, "half an emoji"),
        ({"ledger": MemoryLedger(), "campaign": 7}, "campaign must be of type str"),
        ({"ledger": "spring.db", "campaign": "spring"}, "ledger must be a ledger such as"),
    ],
)
async def test_options_that_do_not_fit_together(options: dict[str, Any], words: str) -> None:
    """Said before anything is opened."""
    async with Vendor().client() as client:
        with pytest.raises(ConfigurationError, match=words):
            client.bulk(messages(1), **options)


async def test_one_campaign_has_one_run_at_a_time(memory: MemoryLedger) -> None:
    """A second run is refused; one of another campaign is not, nor the same one afterwards."""
    vendor = Vendor(latency=1)
    async with vendor.client() as client:
        async with client.bulk(messages(5), ledger=memory, campaign="spring") as run:
            with pytest.raises(LedgerError, match="is being sent by another run"):
                await client.send_many(messages(5), ledger=memory, campaign="spring")
            report = await client.send_many(messages(5), ledger=memory, campaign="summer")
        again = await client.send_many(messages(5), ledger=memory, campaign="spring")
    assert (run.report.accepted, report.accepted, again.skipped) == (5, 5, 5)
