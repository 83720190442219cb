"""A run's input in a ledger, step by step: loaded, claimed, moved, counted, taken back."""

from typing import Any

import pytest
from runs import A, N, R, S, U
from vendor import RESPONSE, SENDER, message, messages

from multiwhats_async import (
    Certainty,
    ClaimLostError,
    LedgerError,
    MemoryLedger,
    MessageReceipt,
    NotSentError,
    Outcome,
    OutcomeUnknownError,
    PostgresLedger,
    RejectedError,
    Summary,
    make_converter,
)
from multiwhats_async.ledger._base import DatabaseLedger

pytestmark = pytest.mark.anyio

RECEIPT: MessageReceipt = make_converter().structure(RESPONSE, MessageReceipt)

ERRORS: dict[Certainty, Any] = {
    R: RejectedError("no", attempts=1),
    U: OutcomeUnknownError("lost", attempts=1),
    N: NotSentError("refused", attempts=1),
}


@pytest.fixture(params=["memory", "postgres"])
def ledger(request: pytest.FixtureRequest) -> DatabaseLedger:
    """Keep a ledger in memory, with the same SQL as in a file, and one in PostgreSQL."""
    if request.param == "memory":
        return MemoryLedger()
    return PostgresLedger(request.getfixturevalue("postgres").schema())


async def loaded(ledger: DatabaseLedger, count: int, **options: Any) -> Any:
    """Begin a run with so many messages in its input."""
    run = await ledger.begin("spring", sender=SENDER, **options)
    await run.load(0, messages(count))
    return run


def outcome(claim: Any, certainty: Certainty, attempts: int = 1) -> Outcome:
    """Return an outcome for a claim."""
    return Outcome(
        message=claim.message,
        key=claim.key,
        certainty=certainty,
        receipt=RECEIPT if certainty is A else None,
        error=ERRORS.get(certainty),
        attempts=attempts,
        unknown_attempts=int(certainty is U),
    )


async def one_of_each(ledger: DatabaseLedger) -> None:
    """Leave on record what was accepted, refused, unknown, not sent, and not tried."""
    run = await loaded(ledger, 5)
    for claim, certainty in zip(await run.claim(4), (A, R, U, N), strict=True):
        await claim.intend()
        await claim.settle(outcome(claim, certainty))
    await run.aclose()


async def recorded(ledger: DatabaseLedger) -> list[tuple[Certainty, int]]:
    """Return what is known of each message, and how often it was tried."""
    return [(each.certainty, each.attempts) async for each in ledger.outcomes("spring")]


async def test_claims_come_in_the_order_of_the_input(ledger: DatabaseLedger) -> None:
    """Each once, as many as are asked for, and none behind the last."""
    async with ledger:
        run = await loaded(ledger, 5)
        taken = [await run.claim(2) for _ in range(4)]
        assert [[claim.index for claim in block] for block in taken] == [[0, 1], [2, 3], [4], []]
        claims = [claim for block in taken for claim in block]
        assert [claim.message for claim in claims] == messages(5)
        assert [claim.key for claim in claims] == [each.identity(SENDER) for each in messages(5)]
        assert [claim.may_send for claim in claims] == [True] * 5
        assert [(claim.attempts, claim.unknown_attempts) for claim in claims] == [(0, 0)] * 5
        assert [(claim.earlier, claim.doubt) for claim in claims] == [(N, None)] * 5


async def test_a_claim_has_the_message_as_it_was_loaded(ledger: DatabaseLedger) -> None:
    """Whatever its texts hold, on its way through the database they are only texts."""
    nul = "" if isinstance(ledger, PostgresLedger) else "\0"  # whose texts hold none
    text = f'İ👤\n\t"\\\u2028\x1f{nul}{{}}[],\x7f\ufffd'
    loaded = [
        message(0, message=text, buttons=[text, "ğ"]),
        message(1, key=text.replace("\n", " "), sender="905550001122"),
        message(2, message="null", buttons=["1", "true"]),
    ]
    async with ledger:
        run = await ledger.begin("spring", sender=SENDER)
        await run.load(0, loaded)
        claims = await run.claim(5)
        await run.aclose()
    assert [claim.message for claim in claims] == loaded
    assert [claim.key for claim in claims] == [each.identity(SENDER) for each in loaded]


async def test_a_claim_tells_what_is_known_of_its_message(ledger: DatabaseLedger) -> None:
    """From the runs before: its certainty, its attempts, and why it is in doubt."""
    async with ledger:
        await one_of_each(ledger)
        claims = await (await loaded(ledger, 5)).claim(9)
    assert [claim.earlier for claim in claims] == [A, R, U, N, N]
    assert [claim.may_send for claim in claims] == [False, False, False, True, True]
    assert [claim.attempts for claim in claims] == [1, 1, 1, 1, 0]
    assert [claim.unknown_attempts for claim in claims] == [0, 0, 1, 0, 0]
    assert [str(claim.doubt or "") for claim in claims] == ["", "", "lost", "", ""]


async def test_of_one_key_the_first_is_sent_wherever_the_others_stand(
    ledger: DatabaseLedger,
) -> None:
    """In the same statement, in another of the same block, and in another block."""
    block = [message(number % 120) for number in range(250)]
    async with ledger:
        run = await ledger.begin("spring", sender=SENDER)
        await run.load(0, block)
        await run.load(250, [message(7), message(500), message(500)])
        claims = await run.claim(300)
        pending = (await ledger.summary("spring")).pending
    first = [number < 120 or number == 251 for number in range(253)]
    assert [claim.may_send for claim in claims] == first
    assert [claim.earlier for claim in claims] == [N if sent else None for sent in first]
    assert pending == 121


async def test_an_admitted_message_is_claimed_at_once(ledger: DatabaseLedger) -> None:
    """A key that has come before is a repetition, which nobody sends."""
    async with ledger:
        run = await ledger.begin("spring", sender=SENDER)
        claims = [await run.admit(place, message(place % 2)) for place in range(3)]
        await claims[0].intend()
        assert await recorded(ledger) == [(U, 1), (N, 0)]
    assert [claim.index for claim in claims] == [0, 1, 2]
    assert [claim.message for claim in claims] == [message(0), message(1), message(0)]
    assert [(claim.may_send, claim.earlier) for claim in claims] == [
        (True, N), (True, N), (False, None)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "rest"),
    [
        ({}, {S: 3, N: 2}),
        ({"resend_unknown": True}, {S: 2, U: 1, N: 2}),
        ({"only_failed": True}, {S: 3, N: 2}),
    ],
)
async def test_the_rest_is_what_was_not_claimed(
    ledger: DatabaseLedger, options: dict[str, bool], rest: dict[Certainty, int]
) -> None:
    """What the run would have sent is not sent, or stays in doubt; all else is skipped."""
    async with ledger:
        await one_of_each(ledger)
        run = await loaded(ledger, 5, **options)
        await run.load(5, messages(1))
        assert await run.rest() == {**rest, S: rest[S] + 1}
        await run.claim(1, to_send=False)
        assert await run.rest() == rest
        await run.claim(9, to_send=False)
        assert await run.rest() == {}


async def test_a_run_counts_its_own_input(ledger: DatabaseLedger) -> None:
    """Each message once, nothing of the campaign beside, and nothing once it has ended."""
    async with ledger:
        await one_of_each(ledger)
        run = await loaded(ledger, 2)
        await run.load(2, messages(1))
        assert await run.summary() == Summary(campaign="spring", accepted=1, rejected=1, credits=1)
        await run.aclose()
        assert (await run.summary()).total == 0
        assert (await ledger.summary("spring")).total == 5


async def test_a_run_takes_back_what_it_has_added(ledger: DatabaseLedger) -> None:
    """Not what was there before, nor what it has tried; an empty campaign goes with it."""
    async with ledger:
        run = await loaded(ledger, 2)
        await run.withdraw()
        assert await ledger.campaigns() == ()
        await run.aclose()
        await (await loaded(ledger, 2)).aclose()
        run = await loaded(ledger, 5)
        *_, tried = await run.claim(3)
        await tried.intend()
        await tried.settle(outcome(tried, N))
        await run.withdraw()
        assert await recorded(ledger) == [(N, 0), (N, 0), (N, 1)]


async def test_a_refused_load_adds_nothing(ledger: DatabaseLedger) -> None:
    """Neither to the campaign nor to the run's input; what it loads next is claimed."""
    async with ledger:
        run = await ledger.begin("spring", sender=SENDER)
        await run.load(0, [message(0, key="k")])
        with pytest.raises(LedgerError, match="message 2 of the input"):
            await run.load(1, [message(1), message(2, key="k"), message(3)])
        assert (await ledger.summary("spring")).total == 1
        await run.load(1, [message(1)])
        assert [claim.index for claim in await run.claim(9)] == [0, 1]


@pytest.mark.parametrize("place", [1, 2, 3])
async def test_a_message_that_is_sent_again_moves_from_state_to_state(
    ledger: DatabaseLedger, place: int
) -> None:
    """Whatever it was before: being sent, pending between its attempts, being sent, settled."""
    async with ledger:
        await one_of_each(ledger)
        run = await loaded(ledger, 5, only_failed=True, resend_unknown=True)
        claim = (await run.claim(5))[place]
        await claim.intend()
        assert (await recorded(ledger))[place] == (U, 2)
        await claim.postpone()
        assert (await recorded(ledger))[place] == (N, 2)
        await claim.intend()
        assert (await recorded(ledger))[place] == (U, 3)
        await claim.settle(outcome(claim, A, attempts=3))
        assert (await recorded(ledger))[place] == (A, 3)


@pytest.mark.parametrize("place", [0, 1, 2, 3])
async def test_what_was_not_tried_stays_as_it_was(ledger: DatabaseLedger, place: int) -> None:
    """Whatever the run says of it."""
    async with ledger:
        await one_of_each(ledger)
        before = await recorded(ledger)
        claim = (await (await loaded(ledger, 5)).claim(5))[place]
        await claim.settle(outcome(claim, N))
        assert await recorded(ledger) == before


@pytest.mark.parametrize(("place", "certainty"), [(1, R), (2, U), (3, N)])
async def test_an_intent_that_no_attempt_followed_falls_back(
    ledger: DatabaseLedger, place: int, certainty: Certainty
) -> None:
    """To what was known before, with why; the intent does not count."""
    async with ledger:
        await one_of_each(ledger)
        run = await loaded(ledger, 5, only_failed=True, resend_unknown=True)
        claim = (await run.claim(5))[place]
        await claim.intend()
        await claim.settle(outcome(claim, N))
        assert (await recorded(ledger))[place] == (certainty, 1)
        each = [each async for each in ledger.outcomes("spring", certainty)]
        assert str(each[0].error) == str(ERRORS[certainty])


async def test_a_message_that_was_resolved_is_no_longer_the_runs(ledger: DatabaseLedger) -> None:
    """A person's word counts: the error names the recipient, masked."""
    async with ledger:
        await one_of_each(ledger)
        run = await loaded(ledger, 5, resend_unknown=True)
        claim = (await run.claim(5))[2]
        await ledger.resolve(claim.key, A)
        with pytest.raises(ClaimLostError, match="The message to ••••••••0002 was"):
            await claim.intend()
        await claim.settle(outcome(claim, N))
        assert (await recorded(ledger))[2] == (A, 1)


async def test_what_a_run_left_under_way_is_unknown_to_the_next() -> None:
    """Where one process has the ledger: its other messages stay, and other campaigns."""
    async with MemoryLedger() as ledger:
        summer = await ledger.begin("summer", sender=SENDER)
        await summer.load(0, messages(1))
        await (await summer.claim(1))[0].intend()
        run = await loaded(ledger, 2)
        await (await run.claim(2))[0].intend()
        await run.aclose()
        first, second = await (await loaded(ledger, 2)).claim(2)
        assert (first.earlier, first.may_send, first.attempts) == (U, False, 1)
        assert (second.earlier, second.may_send, second.attempts) == (N, True, 0)
        counts = [await ledger.summary(name) for name in ("spring", "summer")]
        assert [(each.unknown, each.in_flight) for each in counts] == [(1, 0), (0, 1)]
        (lost, _) = [each async for each in ledger.outcomes("spring")]
        assert str(lost.error) == str(first.doubt)
        assert "the message to ••••••••0000 ended before" in str(lost.error)
