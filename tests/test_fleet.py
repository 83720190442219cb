"""One campaign in chunks: handed over once, sent once, and handed out again where it was lost."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import anyio
import httpx
import psycopg
import pytest
from runs import A, N, U, inputs
from services import Postgres
from vendor import SENDER, Vendor, answer, message, messages, record_for

from multiwhats_async import (
    AsyncMultiWhats,
    CampaignHeldError,
    CampaignState,
    Chunk,
    ConfigurationError,
    InvalidMessageError,
    LedgerError,
    MemoryLedger,
    PostgresLedger,
    RetryPolicy,
    StopReason,
    enqueue_campaign,
    keep_reconciling,
    reconcile,
    send_chunk,
)

pytestmark = pytest.mark.anyio

ONCE = RetryPolicy(attempts=1, throttled_attempts=1)


@pytest.fixture
def dsn(postgres: Postgres) -> str:
    """Return the address of a fresh schema."""
    return postgres.schema()


def say(dsn: str, text: str) -> None:
    """Run a statement beside the ledgers."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(text)  # type: ignore[call-overload]  # a text of the tests


def make_due(dsn: str) -> None:
    """Let what is to be handed out later be due now."""
    say(dsn, "UPDATE multiwhats_chunk SET due_at = now() - interval '1 second'")
    say(dsn, "UPDATE multiwhats_message SET next_at = NULL")


class Tray:
    """A queue in memory: what an engine would carry."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []

    async def put(self, chunks: Sequence[Chunk]) -> None:
        self.chunks += chunks

    def taken(self) -> list[Chunk]:
        """Take everything out."""
        taken, self.chunks = self.chunks, []
        return taken


class Drawer:
    """A queue in a table beside the ledger's."""

    def __init__(self) -> None:
        self.breaks: Exception | None = None

    def put_in(self, connection: Any, chunks: Sequence[Chunk]) -> None:
        connection.execute("CREATE TABLE IF NOT EXISTS drawer (task text)")
        for chunk in chunks:
            connection.execute("INSERT INTO drawer VALUES (%s)", [chunk.to_json()])
        if self.breaks is not None:
            raise self.breaks


def drawn(dsn: str) -> list[Chunk]:
    """Return what is in the drawer."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        rows = connection.execute("SELECT task FROM drawer ORDER BY 1").fetchall()
    return [Chunk.from_json(task) for (task,) in rows]


# --- handing over -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["list", "generator", "async"])
async def test_a_campaign_is_handed_over_and_sent(dsn: str, kind: str) -> None:
    """In chunks of the size that was asked for; each message once, whoever gets a chunk twice."""
    vendor, tray = Vendor(), Tray()
    async with PostgresLedger(dsn) as ledger, vendor.client() as client:
        told = await enqueue_campaign(
            ledger,
            "spring",
            inputs(kind, messages(250) + messages(2)),
            queue=tray,
            sender=SENDER,
            chunk_size=100,
        )
        assert (told.campaign, told.messages, told.added, told.chunks) == ("spring", 252, 250, 3)
        chunks = tray.taken()
        assert [chunk.campaign for chunk in chunks] == ["spring"] * 3
        counts = [(await send_chunk(ledger, client, chunk)).accepted for chunk in [*chunks] * 2]
        assert counts == [100, 100, 50, 0, 0, 0]
        assert set(vendor.posts.values()) == {1}
        status = await ledger.status("spring")
        assert (status.chunks, status.summary.accepted, status.runs) == (0, 250, ())


async def test_several_workers_share_a_chunk(dsn: str) -> None:
    """An engine that delivers it twice at once does no harm."""
    vendor, tray = Vendor(latency=0.002), Tray()
    async with PostgresLedger(dsn) as ledger, vendor.client(max_concurrency=10) as client:
        await enqueue_campaign(ledger, "spring", messages(400), queue=tray, sender=SENDER)
        async with anyio.create_task_group() as tasks:
            for chunk in tray.taken() * 2:
                tasks.start_soon(send_chunk, ledger, client, chunk)
        assert (await ledger.summary("spring")).accepted == 400
    assert set(vendor.posts.values()) == {1}


async def test_the_same_call_again_adds_what_is_new(dsn: str) -> None:
    """What was handed over is not handed over again."""
    tray, ledger = Tray(), PostgresLedger(dsn)
    await enqueue_campaign(ledger, "spring", messages(30), queue=tray, sender=SENDER)
    told = await enqueue_campaign(ledger, "spring", messages(50), queue=tray, sender=SENDER)
    assert (told.messages, told.added, told.chunks) == (50, 20, 1)
    told = await enqueue_campaign(ledger, "spring", messages(50), queue=tray, sender=SENDER)
    assert (told.messages, told.added, told.chunks) == (50, 0, 0)
    assert len(tray.chunks) == 2


async def test_what_was_loaded_before_is_handed_over_all_the_same(dsn: str) -> None:
    """By a program that died before it could, or by one that sends by itself."""
    vendor, tray = Vendor(), Tray()
    async with PostgresLedger(dsn) as ledger, vendor.client() as client:
        run = await ledger.begin("spring", sender=SENDER)
        await run.load(0, messages(20))  # and it dies
        told = await enqueue_campaign(ledger, "spring", messages(30), queue=tray, sender=SENDER)
        assert (told.added, told.chunks) == (30, 1)
        (chunk,) = tray.taken()
        assert (await send_chunk(ledger, client, chunk)).accepted == 30


@pytest.mark.parametrize(
    "error", [ValueError("it is shut"), psycopg.DataError("it is shut"), LedgerError("it is shut")]
)
async def test_a_queue_in_the_database_has_the_chunks_with_the_messages(
    dsn: str, error: Exception
) -> None:
    """In one transaction: where one fails, there is neither."""
    drawer, ledger = Drawer(), PostgresLedger(dsn)
    drawer.breaks = error
    with pytest.raises(LedgerError, match="it is shut"):
        await enqueue_campaign(ledger, "spring", messages(5), queue=drawer, sender=SENDER)
    assert (await ledger.status("spring")).chunks == 0
    drawer.breaks = None
    told = await enqueue_campaign(ledger, "spring", messages(5), queue=drawer, sender=SENDER)
    assert (told.added, len(drawn(dsn))) == (5, 1)
    make_due(dsn)
    assert await reconcile(ledger, drawer) == 1
    assert len(drawn(dsn)) == 2


async def test_a_queue_that_loses_the_connection_gets_the_chunks_on_the_next(dsn: str) -> None:
    """The whole of the transaction is done again."""

    class Cutting(Drawer):
        def put_in(self, connection: Any, chunks: Sequence[Chunk]) -> None:
            if self.breaks is None:
                self.breaks = psycopg.OperationalError("cut")
                connection.close()
                raise self.breaks
            self.breaks = None
            super().put_in(connection, chunks)

    told = await enqueue_campaign(
        PostgresLedger(dsn), "spring", messages(5), queue=Cutting(), sender=SENDER
    )
    assert (told.added, told.chunks, len(drawn(dsn))) == (5, 1, 1)


@pytest.mark.parametrize(
    "error",
    [ConnectionError("no route"), ExceptionGroup("tasks", [ConnectionError("no route")])],
    ids=["alone", "of tasks"],
)
async def test_a_queue_that_fails_loses_no_chunk(
    dsn: str, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """They are on record; the reconciler puts them there later."""

    class Shut(Tray):
        async def put(self, chunks: Sequence[Chunk]) -> None:
            raise error

    ledger, tray = PostgresLedger(dsn), Tray()
    told = await enqueue_campaign(ledger, "spring", messages(5), queue=Shut(), sender=SENDER)
    assert told.chunks == 1
    assert "could not be put into the queue (ConnectionError)" in caplog.text
    assert await reconcile(ledger, tray) == 0  # not yet
    make_due(dsn)
    assert await reconcile(ledger, tray) == 1
    assert await reconcile(ledger, tray) == 0
    assert len(tray.chunks) == 1


async def test_a_bad_input_hands_over_nothing(dsn: str) -> None:
    """Not even what stood before the mistake."""

    def source() -> Iterator[Any]:
        yield from messages(6000)
        yield "no message"

    tray, ledger = Tray(), PostgresLedger(dsn)
    with pytest.raises(InvalidMessageError, match="message 6000 of the input"):
        await enqueue_campaign(ledger, "spring", source(), queue=tray, sender=SENDER)
    with pytest.raises(InvalidMessageError, match="no sender"):
        await enqueue_campaign(ledger, "spring", messages(2), queue=tray)
    assert (tray.chunks, await ledger.campaigns()) == ([], ())


async def test_an_input_that_is_cancelled_is_handed_over_by_the_next_call(dsn: str) -> None:
    """What was loaded by then waits for it."""

    async def source() -> AsyncIterator[Any]:
        for number in range(5000):
            yield message(number)
        await anyio.sleep_forever()

    tray, ledger = Tray(), PostgresLedger(dsn)
    async with ledger:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:

                async def cancel_when_loaded() -> None:
                    while (
                        not await ledger.campaigns() or not (await ledger.summary("spring")).total
                    ):
                        await anyio.lowlevel.checkpoint()
                    scope.cancel()

                tasks.start_soon(cancel_when_loaded)
                await enqueue_campaign(ledger, "spring", source(), queue=tray, sender=SENDER)
        assert (tray.chunks, (await ledger.status("spring")).runs) == ([], ())
        told = await enqueue_campaign(ledger, "spring", messages(5000), queue=tray, sender=SENDER)
    assert (told.added, told.chunks) == (5000, 25)


async def test_arguments_are_checked(dsn: str) -> None:
    """Before anything is written."""
    ledger, tray = PostgresLedger(dsn), Tray()
    with pytest.raises(ConfigurationError, match="chunk_size"):
        await enqueue_campaign(ledger, "spring", [], queue=tray, chunk_size=0)
    with pytest.raises(ConfigurationError, match="campaign"):
        await enqueue_campaign(ledger, "", [], queue=tray)
    alone: Any = MemoryLedger()
    with pytest.raises(ConfigurationError, match="a PostgresLedger"):
        await enqueue_campaign(alone, "spring", [], queue=tray)
    with pytest.raises(ConfigurationError, match="a PostgresLedger"):
        await reconcile(alone, tray)
    async with Vendor().client() as client:
        with pytest.raises(ConfigurationError, match="A chunk needs the ledger"):
            await send_chunk(alone, client, Chunk(1, "spring"))
        with pytest.raises(ConfigurationError, match="A chunk needs the ledger"):
            client.bulk(Chunk(1, "spring"), ledger=ledger, campaign="spring")


# --- sending ----------------------------------------------------------------------------------


async def test_a_chunk_goes_out_from_the_number_it_was_loaded_for(dsn: str) -> None:
    """Whatever the worker's client is set to."""
    senders: set[str] = set()
    tray, ledger = Tray(), PostgresLedger(dsn)

    async def look(request: httpx.Request) -> httpx.Response:
        told = json.loads(request.content)
        senders.add(told["from"])
        return httpx.Response(200, json=record_for(told["to"]))

    await enqueue_campaign(ledger, "spring", messages(3), queue=tray, sender=SENDER)
    http = httpx.AsyncClient(transport=httpx.MockTransport(look))
    async with AsyncMultiWhats("KEY", sender="908503080399", http_client=http) as client:
        report = await send_chunk(ledger, client, tray.chunks[0])
    assert (report.accepted, senders) == (3, {SENDER})


async def test_what_was_not_sent_is_handed_out_again_when_it_is_due(dsn: str) -> None:
    """Later each time, and only what is pending."""
    vendor, tray = Vendor(), Tray()
    refused = httpx.ConnectError("refused")
    vendor.script = {message(1).to: [refused], message(2).to: [httpx.ReadError("reset")]}
    async with PostgresLedger(dsn) as ledger, vendor.client(retry=ONCE) as client:
        await enqueue_campaign(ledger, "spring", messages(4), queue=tray, sender=SENDER)
        (chunk,) = tray.taken()
        report = await send_chunk(ledger, client, chunk)
        assert (report.accepted, report.not_sent, report.unknown) == (2, 1, 1)
        assert (await send_chunk(ledger, client, chunk)).total == 0  # it is not due
        assert await reconcile(ledger, tray) == 0
        make_due(dsn)
        assert await reconcile(ledger, tray) == 1
        assert tray.taken() == [chunk]
        assert (await send_chunk(ledger, client, chunk)).accepted == 1
        make_due(dsn)
        assert await reconcile(ledger, tray) == 0
        assert [each.certainty async for each in ledger.outcomes("spring")] == [A, A, U, A]
        # What a person finds to be not sent is handed out again.
        (doubt,) = [each async for each in ledger.outcomes("spring", U)]
        await ledger.resolve(doubt.key, N)
        assert await reconcile(ledger, tray) == 1
        assert (await send_chunk(ledger, client, chunk)).accepted == 1
    assert vendor.posts[message(2).to] == 2


async def test_a_worker_that_died_is_taken_over(dsn: str) -> None:
    """What it had begun is unknown, the rest goes to another."""
    vendor, tray = Vendor(), Tray()
    async with PostgresLedger(dsn) as ledger, vendor.client() as client:
        await enqueue_campaign(ledger, "spring", messages(10), queue=tray, sender=SENDER)
        (chunk,) = tray.taken()
        async with PostgresLedger(dsn) as dead:
            run = await dead.begin_chunk(chunk)
            claims = await run.claim(6)
            await claims[0].intend()
            assert (await send_chunk(ledger, client, chunk)).accepted == 4
            say(dsn, "UPDATE multiwhats_run SET alive_until = now() - interval '1 second'")
            make_due(dsn)
            assert await reconcile(ledger, tray) == 1
            assert (await send_chunk(ledger, client, tray.taken()[0])).accepted == 5
        assert (await ledger.summary("spring")).unknown == 1
    assert set(vendor.posts.values()) == {1}


async def test_a_worker_that_shuts_down_leaves_the_rest(dsn: str) -> None:
    """What is under way ends, nothing begins, and another gets the chunk soon."""
    vendor, tray = Vendor(latency=0.05), Tray()
    stopping = anyio.Event()
    async with PostgresLedger(dsn) as ledger, vendor.client(max_concurrency=2) as client:
        await enqueue_campaign(ledger, "spring", messages(100), queue=tray, sender=SENDER)
        (chunk,) = tray.taken()

        class Watch:
            def on_outcome(self, _: Any) -> None:
                stopping.set()

        worker = client.with_options(hooks=[Watch()])
        report = await send_chunk(ledger, worker, chunk, stopping=stopping)
        assert report.stopped == "the worker shuts down"
        assert 0 < report.accepted == vendor.total < 10
        assert (await ledger.status("spring")).runs == ()
        make_due(dsn)
        assert await reconcile(ledger, tray) == 1
        rest = await send_chunk(ledger, client, chunk, stopping=anyio.Event())
        assert rest.accepted == 100 - vendor.posts.total() + rest.accepted
        assert (await ledger.summary("spring")).accepted == 100
    assert set(vendor.posts.values()) == {1}


@pytest.mark.parametrize(
    ("status", "reason"), [(401, StopReason.AUTHENTICATION), (402, StopReason.CREDIT)]
)
async def test_what_stops_one_worker_pauses_all(dsn: str, status: int, reason: StopReason) -> None:
    """The next chunk sends nothing; resumed by a person, all goes on."""
    vendor, tray = Vendor(), Tray()
    vendor.always = lambda recipient, count: answer(status) if count == 3 else None
    async with PostgresLedger(dsn) as ledger, vendor.client(max_concurrency=1) as client:
        await enqueue_campaign(
            ledger, "spring", messages(20), queue=tray, sender=SENDER, chunk_size=10
        )
        first, second = tray.taken()
        report = await send_chunk(ledger, client, first)
        assert report.stopped_by is reason
        campaign = await ledger.status("spring")
        assert (campaign.state, campaign.because) == (CampaignState.PAUSED, report.stopped)
        sent = vendor.total
        assert (await send_chunk(ledger, client, second)).total == 0
        with pytest.raises(CampaignHeldError):
            await enqueue_campaign(ledger, "spring", messages(20), queue=tray, sender=SENDER)
        make_due(dsn)
        assert await reconcile(ledger, tray) == 0
        assert vendor.total == sent
        await ledger.resume("spring")
        assert await reconcile(ledger, tray) == 0  # soon: tasks of the pause may not have ended
        make_due(dsn)
        assert await reconcile(ledger, tray) == 2
        for chunk in tray.taken():
            await send_chunk(ledger, client, chunk)
        summary = await ledger.summary("spring")
        assert (summary.accepted, summary.rejected) == (19, 1)
    assert set(vendor.posts.values()) == {1}


async def test_a_silent_server_is_left_alone_for_a_while(dsn: str) -> None:
    """The chunk is put off; the campaign is not paused, since nobody has to do anything."""
    vendor, tray = Vendor(), Tray()
    vendor.always = lambda recipient, count: httpx.ConnectError("refused")
    async with PostgresLedger(dsn) as ledger, vendor.client(retry=ONCE) as client:
        await enqueue_campaign(ledger, "spring", messages(20), queue=tray, sender=SENDER)
        (chunk,) = tray.taken()
        report = await send_chunk(ledger, client, chunk)
        assert report.stopped_by is StopReason.UNREACHABLE
        assert (await ledger.status("spring")).state is CampaignState.RUNNING
        say(dsn, "UPDATE multiwhats_chunk SET due_at = due_at - interval '29 seconds'")
        assert await reconcile(ledger, tray) == 0
        say(dsn, "UPDATE multiwhats_chunk SET due_at = due_at - interval '32 seconds'")
        assert await reconcile(ledger, tray) == 1


async def test_a_pause_stops_a_chunk_in_the_middle(dsn: str) -> None:
    """It ends without an error: the engine has nothing to do again."""
    vendor, tray = Vendor(latency=0.02), Tray()
    async with PostgresLedger(dsn) as ledger, vendor.client(max_concurrency=2) as client:
        await enqueue_campaign(ledger, "spring", messages(100), queue=tray, sender=SENDER)
        (chunk,) = tray.taken()
        async with anyio.create_task_group() as tasks:

            async def pause() -> None:
                while not vendor.total:
                    await anyio.lowlevel.checkpoint()
                await ledger.pause("spring")

            tasks.start_soon(pause)
            report = await send_chunk(ledger, client, chunk)
        assert report.stopped_by is StopReason.CAMPAIGN
        assert report.accepted == vendor.total < 100


async def test_a_chunk_of_another_ledger_is_named(dsn: str) -> None:
    """A worker that was given the wrong database sends nothing."""
    async with PostgresLedger(dsn) as ledger, Vendor().client() as client:
        with pytest.raises(LedgerError, match="no chunk 7 of a campaign 'spring'"):
            await send_chunk(ledger, client, Chunk(7, "spring"))


async def test_the_reconciler_goes_on_whatever_fails(
    dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that is gone is said; a pass that succeeds is counted."""
    passes, slept = [], []
    ledger, tray = PostgresLedger(dsn), Tray()
    await enqueue_campaign(ledger, "spring", messages(1), queue=tray, sender=SENDER)
    make_due(dsn)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 1:
            say(dsn, "ALTER TABLE multiwhats_chunk RENAME TO multiwhats_hidden")
        elif len(slept) == 2:
            say(dsn, "ALTER TABLE multiwhats_hidden RENAME TO multiwhats_chunk")
        else:
            scope.cancel()
            await anyio.lowlevel.checkpoint()

    with anyio.CancelScope() as scope, caplog.at_level("INFO", "multiwhats_async"):
        async with ledger:
            await keep_reconciling(
                ledger, tray, every=7, on_pass=lambda: passes.append(1), sleep=sleep
            )
    assert (slept, len(passes)) == ([7, 7, 7], 2)
    assert "1 chunks were put into the queue again" in caplog.text
    assert "No chunk can be handed out" in caplog.text
