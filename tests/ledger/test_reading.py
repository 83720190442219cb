"""What a ledger tells of its campaigns, and what a person may tell it."""

import json
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs
import pytest
from runs import A, N, R, S, U
from vendor import RESPONSE, message, messages

from multiwhats_async import (
    ButtonMessage,
    Certainty,
    ConfigurationError,
    InvalidRequestError,
    LedgerError,
    MemoryLedger,
    MessageReceipt,
    NotSentError,
    Outcome,
    OutcomeUnknownError,
    PostgresLedger,
    RateLimitedError,
    SQLiteLedger,
    Summary,
    make_converter,
)
from multiwhats_async.ledger._base import DatabaseLedger

pytestmark = pytest.mark.anyio

SENDER = "908503080335"
RECEIPT: MessageReceipt = make_converter().structure(RESPONSE, MessageReceipt)


@pytest.fixture(params=["file", "memory", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> DatabaseLedger:
    """Keep a ledger of each kind."""
    if request.param == "postgres":
        return PostgresLedger(request.getfixturevalue("postgres").schema())
    return SQLiteLedger(tmp_path / "spring.db") if request.param == "file" else MemoryLedger()


async def settled(
    ledger: DatabaseLedger, outcomes: list[Outcome], *, campaign: str = "spring", pending: int = 0
) -> None:
    """Put outcomes on record, and some messages that were not tried."""
    async with ledger:
        run = await ledger.begin(campaign, sender=SENDER)
        more = messages(len(outcomes) + pending)[len(outcomes) :]
        await run.load(0, [*(outcome.message for outcome in outcomes), *more])
        for claim in await run.claim(len(outcomes)):
            await claim.intend()
            await claim.settle(outcomes[claim.index])
        await run.aclose()


def outcome(number: int, certainty: Certainty = A, **fields: Any) -> Outcome:
    """Return an outcome for a message."""
    sent: ButtonMessage = fields.pop("message", message(number))
    if certainty is A:
        fields = {"receipt": RECEIPT} | fields
    return Outcome(
        message=sent,
        key=sent.identity(SENDER),
        certainty=certainty,
        index=number,
        **{"attempts": 1, "elapsed": 0.25} | fields,
    )


REFUSED = InvalidRequestError(
    "no 👤", attempts=1, status_code=422, recipient="••••0001", detail="half an emoji \ud83d"
)
LATER = RateLimitedError("later", attempts=1, status_code=429, retry_after=7.5)
LOST = OutcomeUnknownError("lost", attempts=1, cause="ReadError")
UNREACHED = NotSentError("refused", attempts=1, cause="ConnectError")

ALL = [
    outcome(0),
    outcome(1, R, error=REFUSED),
    outcome(2, U, error=LOST, unknown_attempts=1),
    outcome(3, N, error=UNREACHED),
    outcome(4, R, error=LATER, message=message(4, key="müşteri-4 🔑", sender="908503080399")),
]


async def read(ledger: DatabaseLedger, certainty: Certainty | None = None) -> list[Outcome]:
    """Return the outcomes of the campaign."""
    return [each async for each in ledger.outcomes("spring", certainty)]


def plain(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as plain data, for errors are not compared by value."""
    return outcome.to_dict()


async def test_outcomes_come_back_as_they_were_told(ledger: DatabaseLedger) -> None:
    """Receipts, errors, keys and senders; in the order of the input."""
    await settled(ledger, ALL)
    back = await read(ledger)
    assert [plain(each) for each in back] == [plain(each) for each in ALL]
    assert [type(each.error) for each in back] == [type(each.error) for each in ALL]
    assert back[0].receipt == RECEIPT
    assert back[0].receipt is not None
    assert back[0].receipt.raw == RESPONSE
    assert [each.message for each in back] == [each.message for each in ALL]


@pytest.mark.parametrize(
    ("certainty", "numbers"), [(A, [0]), (R, [1, 4]), (U, [2]), (N, [3, 5, 6]), (None, range(7))]
)
async def test_outcomes_of_a_certainty(
    ledger: DatabaseLedger, certainty: Certainty | None, numbers: list[int]
) -> None:
    """What was not tried yet is not sent."""
    await settled(ledger, ALL, pending=2)
    assert [each.index for each in await read(ledger, certainty)] == [*numbers]
    if certainty is N:
        error = (await read(ledger, N))[-1].error
        assert isinstance(error, NotSentError)
        assert (str(error), error.cause) == (
            "The message to ••••••••0006 was not tried yet",
            "NotTried",
        )


async def test_the_summary_counts_each_state(ledger: DatabaseLedger) -> None:
    """What was tried and not sent is told apart from what was not tried."""
    half = attrs.evolve(RECEIPT, total_credit=1.5)
    await settled(ledger, [*ALL, outcome(5, receipt=half)], pending=2)
    summary = await ledger.summary("spring")
    assert summary == Summary(
        campaign="spring", pending=2, not_sent=1, accepted=2, rejected=2, unknown=1, credits=2.5
    )
    assert (summary.total, summary.to_send, summary.final) == (8, 3, 5)


async def test_pages_are_read_one_after_the_other(ledger: DatabaseLedger) -> None:
    """More outcomes than one page holds; left early, the ledger is closed again."""
    await settled(ledger, [outcome(0)], pending=1_234)
    await settled(ledger, [outcome(0)], campaign="summer", pending=1_000)
    assert [each.index for each in await read(ledger)] == [*range(1_235)]
    async with aclosing(ledger.outcomes("spring")) as outcomes:
        async for each in outcomes:
            assert each.index == 0
            assert ledger.is_open
            break
    assert not ledger.is_open


async def test_an_unknown_campaign_is_named_beside_those_there_are(ledger: DatabaseLedger) -> None:
    """A slip of the pen is found."""
    with pytest.raises(LedgerError, match="it has none yet"):
        await ledger.summary("sprnig")
    await settled(ledger, ALL)
    await settled(ledger, ALL, campaign="summer")
    with pytest.raises(LedgerError, match=r"no campaign 'sprnig'; it has 'spring', 'summer'$"):
        await ledger.summary("sprnig")
    with pytest.raises(LedgerError, match="no campaign 'sprnig'"):
        _ = [each async for each in ledger.outcomes("sprnig")]
    with pytest.raises(ConfigurationError, match="certainty must be one of accepted"):
        await read(ledger, S)


async def test_records_that_a_server_may_send(ledger: DatabaseLedger) -> None:
    """Half emojis, amounts beyond any, a NUL, and a receipt without its record."""
    strange = make_converter().structure(
        RESPONSE | {"total_credit": 10**400, "status": "\ud83d\0", "x": [1e308, None]},
        MessageReceipt,
    )
    built = MessageReceipt(id=7, total_credit=3, created_at=datetime(2026, 11, 25))  # noqa: DTZ001  # the vendor's are naive
    told = [outcome(0, receipt=strange), outcome(1, receipt=built)]
    strange_text = message(2, message="a\0b", buttons=["ğ", "Ğ"])
    if isinstance(ledger, PostgresLedger):  # whose texts hold no NUL
        with pytest.raises(LedgerError, match=r"Message 2 of the input holds .* U\+0000"):
            await settled(ledger, [*told, outcome(2, message=strange_text)], campaign="other")
        strange_text = message(2, message="ab", buttons=["ğ", "Ğ"])
    await settled(ledger, [*told, outcome(2, message=strange_text)])
    back = await read(ledger)
    assert back[0].receipt == strange
    assert back[1].receipt == built
    assert back[2].message == strange_text
    assert (await ledger.summary("spring")).credits == float("inf")


async def test_an_error_of_a_newer_version_is_read_by_what_is_known_of_it(
    ledger: DatabaseLedger,
) -> None:
    """Its kind may have another name by then; its certainty has not."""
    await settled(ledger, [outcome(0, R, error=REFUSED)])
    async with ledger:
        newer = json.dumps(REFUSED.to_dict() | {"type": "TeapotError"})
        query = "UPDATE detail SET error = ?"
        if isinstance(ledger, PostgresLedger):
            query = "UPDATE multiwhats_detail SET error = %s"
        await ledger._open_commits().do(lambda db: db.connection.execute(query, [newer]))
        (back,) = await read(ledger)
    assert type(back.error).__name__ == "RejectedError"
    assert str(back.error) == "no 👤"


# --- resolving --------------------------------------------------------------------------------


@pytest.mark.parametrize("certainty", [A, R, N])
@pytest.mark.parametrize("note", [None, "Ayşe looked into the account 👀"])
async def test_a_person_resolves_what_is_unknown(
    ledger: DatabaseLedger, certainty: Certainty, note: str | None
) -> None:
    """With what is to be remembered; once more is no error."""
    await settled(ledger, ALL)
    key = ALL[2].key
    for _ in range(2):
        await ledger.resolve(key, certainty, note=note)
    back = (await read(ledger))[2]
    assert (back.certainty, back.note, back.receipt) == (certainty, note, None)
    assert back.unknown_attempts == (1 if certainty is A else 0)
    if certainty is A:
        assert back.error is None
    else:
        assert f"was resolved by hand as {certainty}" in str(back.error)
        assert (note is None) is (note not in str(back.error).split(": "))
    summary = await ledger.summary("spring")
    assert (summary.unknown, summary.total) == (0, 5)


@pytest.mark.parametrize(
    ("key", "certainty", "words"),
    [
        ("nobody", A, "No message has the key 'nobody'"),
        (ALL[0].key, R, "is accepted, which is known"),
        (ALL[1].key, A, "is rejected, which is known"),
        (ALL[3].key, A, "is not_sent, which is known"),
    ],
)
async def test_what_cannot_be_resolved(
    ledger: DatabaseLedger, key: str, certainty: Certainty, words: str
) -> None:
    """Only what is unknown; nothing is changed."""
    await settled(ledger, ALL)
    before = [plain(each) for each in await read(ledger)]
    with pytest.raises(LedgerError, match=words):
        await ledger.resolve(key, certainty)
    assert [plain(each) for each in await read(ledger)] == before


@pytest.mark.parametrize("certainty", [U, S, "accepted", None])
async def test_what_nothing_can_be_resolved_as(ledger: DatabaseLedger, certainty: Any) -> None:
    """Unknown is what it is already."""
    with pytest.raises(ConfigurationError, match=r"must be one of Certainty\.ACCEPTED"):
        await ledger.resolve("key", certainty)


@pytest.mark.parametrize("note", [7, "\ud83d"])
async def test_a_note_is_text(ledger: DatabaseLedger, note: Any) -> None:
    """That a file can hold."""
    with pytest.raises(ConfigurationError, match="note"):
        await ledger.resolve("key", A, note=note)


async def test_a_key_of_several_campaigns(ledger: DatabaseLedger) -> None:
    """The campaign has to be named."""
    await settled(ledger, ALL)
    await settled(ledger, ALL, campaign="summer")
    with pytest.raises(LedgerError, match="stands in the campaigns 'spring', 'summer'"):
        await ledger.resolve(ALL[2].key, A)
    with pytest.raises(LedgerError, match="no campaign 'autumn'"):
        await ledger.resolve(ALL[2].key, A, campaign="autumn")
    await ledger.resolve(ALL[2].key, A, campaign="summer")
    assert [(await ledger.summary(name)).unknown for name in ("spring", "summer")] == [1, 0]


async def test_a_message_that_is_being_sent_is_not_resolved(ledger: DatabaseLedger) -> None:
    """Its run will say what became of it."""
    async with ledger:
        run = await ledger.begin("spring", sender=SENDER)
        await run.load(0, messages(1))
        (claim,) = await run.claim(1)
        await claim.intend()
        with pytest.raises(LedgerError, match="is being sent"):
            await ledger.resolve(claim.key, A)


async def test_what_is_resolved_as_not_sent_is_sent_by_the_next_run(ledger: DatabaseLedger) -> None:
    """It is pending again, without any doubt."""
    await settled(ledger, ALL)
    await ledger.resolve(ALL[2].key, N)
    async with ledger:
        run = await ledger.begin("spring", sender=SENDER)
        await run.load(0, [each.message for each in ALL])
        claim = (await run.claim(5))[2]
    assert (claim.may_send, claim.doubt, claim.unknown_attempts) == (True, None, 0)


# --- a run's own input ------------------------------------------------------------------------


async def test_a_runs_input_is_counted_apart(ledger: DatabaseLedger) -> None:
    """Each message once, and none that is not in the input; withdrawn, nothing stays."""
    await settled(ledger, ALL)
    async with ledger:
        run = await ledger.begin("spring", sender=SENDER)
        await run.load(0, [*messages(3), *messages(3), message(9)])
        assert await run.summary() == Summary(
            campaign="spring", pending=1, accepted=1, rejected=1, unknown=1, credits=1
        )
        await run.withdraw()
        await run.aclose()
        assert (await ledger.summary("spring")).total == 5
