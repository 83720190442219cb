"""Campaigns at random: runs, faults, stops, deaths and people, each held against the model."""

import itertools
import json
import shutil
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import anyio
import attrs
import httpx
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from model.rules import (
    AGAIN,
    FINAL,
    VERDICTS,
    Choice,
    Known,
    allowed,
    course,
    summary,
)
from runs import LOST, REFUSED, A, N, R, S, U, inputs
from vendor import Vendor, answer, message, record_for
from virtual_time import virtual_backend

from multiwhats_async import (
    BulkRun,
    CampaignHeldError,
    Certainty,
    LedgerError,
    MemoryLedger,
    Outcome,
    PostgresLedger,
    RetryPolicy,
    SQLiteLedger,
)
from multiwhats_async.ledger._base import DatabaseLedger

CAMPAIGN = "spring"
MESSAGES = 12
FIRST = int(message().to)
ENDLESS = RetryPolicy(budget=1e9)


class HereSQLiteLedger(SQLiteLedger):
    """One that needs no thread, and waits in the event loop: its clock may jump."""

    def _new_worker(self) -> None:
        """Return none."""


class HerePostgresLedger(PostgresLedger):
    """Likewise."""

    def _new_worker(self) -> None:
        """Return none."""


async def hang() -> None:
    """Answer when nobody waits any more."""
    await anyio.sleep(3_600)


ANSWERS: dict[str, Any] = {
    "no": answer(422, json={"message": "no"}),
    "later": answer(429),
    "later, in 7 s": answer(503, headers={"Retry-After": "7"}),
    "later, in an hour": answer(429, headers={"Retry-After": "3600"}),
    "refused": REFUSED,
    "lost": LOST,
    "hang": hang,
    "500": answer(500),
    "no record": answer(200, text="<html>"),
    "of a stranger": answer(200, json=record_for("905550001122")),
    "no credit": answer(402),
}


class Mortal(Vendor):
    """A vendor that says once when a request has come, so that the sender can die of it.

    Attributes:
        spare: How many requests come before that.
        strike: What is called then, with how many POSTs of each recipient have come.
    """

    def __init__(self) -> None:
        super().__init__(latency=0.2)
        self.spare = -1
        self.strike: Callable[[Counter[str]], object] = lambda _: None

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.spare == 0:
            came = self.posts.copy()
            came[json.loads(request.content)["to"]] += 1
            self.strike(came)
        self.spare -= 1
        return await super().__call__(request)


@attrs.frozen(kw_only=True)
class Plan:
    """What a run is told, and what befalls it.

    Attributes:
        numbers: Its input, as numbers of messages; one may stand in it twice.
        kind: What kind of iterable it is.
        script: How the server meets the attempts of each message, until it is well again.
        choice: What it sends.
        end: How it ends before its time.
        after: After how many outcomes that happens.
        concurrency: How many messages it works on at once.
        rate: Messages a second, or None.
    """

    numbers: list[int]
    kind: str
    script: dict[int, list[str]]
    choice: Choice
    end: str
    after: int
    concurrency: int
    rate: float | None


numbers = st.integers(0, MESSAGES - 1)
scripts = st.dictionaries(numbers, st.lists(st.sampled_from([*VERDICTS]), min_size=1, max_size=6))
choices = st.builds(Choice, st.booleans(), st.booleans()) | st.just(Choice())


@st.composite
def plans(draw: st.DrawFn, ends: tuple[str, ...]) -> Plan:
    """Draw a run."""
    return Plan(
        numbers=draw(st.lists(numbers, min_size=1, max_size=MESSAGES + 3)),
        kind=draw(st.sampled_from(["list", "generator", "async"])),
        script=draw(scripts),
        choice=draw(choices),
        end=draw(st.sampled_from(ends)),
        after=draw(st.integers(0, MESSAGES)),
        concurrency=draw(st.sampled_from([1, 3, 20])),
        rate=draw(st.sampled_from([None, 2.0])),
    )


class LeftError(Exception):
    """The block of a run is left by it."""


class CampaignMachine(RuleBasedStateMachine):
    """One campaign in one ledger, over many runs and several lives.

    Attributes:
        backend: The event loop.
        postgres: Returns the address of an empty database; only for a PostgresLedger.
        where: The kind of the ledger.
    """

    backend: ClassVar[str] = "asyncio"
    where: ClassVar[str] = "memory"
    postgres: ClassVar[Callable[[], str]]

    def __init__(self) -> None:
        super().__init__()
        self.campaign: dict[int, Known] = {}
        self.is_paused = False
        self.folder: TemporaryDirectory[str] | None = None
        self.lives = itertools.count()

    @initialize()
    def open(self) -> None:
        """Make the ledger."""
        self.ledger: DatabaseLedger
        if self.where == "memory":
            self.ledger = MemoryLedger()
        elif self.where == "postgres":
            self.ledger = HerePostgresLedger(type(self).postgres())
        else:
            self.folder = TemporaryDirectory()
            self.ledger = HereSQLiteLedger(self._file())

    def _file(self) -> Path:
        assert self.folder is not None
        return Path(self.folder.name) / f"life-{next(self.lives)}.db"

    def _do(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Run in a fresh event loop, on a clock that jumps."""
        name, options = virtual_backend(self.backend)
        return anyio.run(work, backend=name, backend_options=dict(options))  # type: ignore[arg-type]  # its own

    # --- what happens -------------------------------------------------------------------------

    @rule(plan=plans(("", "", "", "stop", "abort", "leave", "raise", "pause")))
    def send(self, plan: Plan) -> None:
        """Send, perhaps not to the end."""
        if plan.end == "pause" and self.where != "postgres":
            plan = attrs.evolve(plan, end="stop")
        vendor = self._vendor(plan)
        told: list[Outcome] = []
        hooked: list[Outcome] = []
        if self.is_paused:
            with pytest.raises(CampaignHeldError):
                self._do(lambda: self._send(vendor, plan, told, hooked))
            assert not vendor.total
            return
        run: BulkRun = self._do(lambda: self._send(vendor, plan, told, hooked))
        self._check_counts(plan, run, told)
        self._check_outcomes(plan, run, vendor, told, hooked)

    @precondition(lambda self: self.where == "sqlite")
    @rule(plan=plans(("die",)))
    def die(self, plan: Plan) -> None:
        """Send until a blow falls, right when a request comes; go on with what is on the disk."""
        vendor = self._vendor(plan)
        vendor.spare = plan.after
        came: Counter[str] = Counter()
        old = self.ledger
        assert isinstance(old, HereSQLiteLedger)
        assert old.path is not None
        copy = self._file()

        def strike(posts: Counter[str]) -> None:
            came.update(posts)
            for end in ("", "-wal"):
                shutil.copy(f"{old.path}{end}", f"{copy}{end}")

        vendor.strike = strike
        hooked: list[Outcome] = []
        run: BulkRun = self._do(lambda: self._send(vendor, plan, [], hooked))
        if not came:  # it was over before
            self._check_outcomes(plan, run, vendor, [], hooked)
            return
        self.ledger = HereSQLiteLedger(copy)
        self._take_stock(plan, came)

    @rule(number=numbers, certainty=st.sampled_from([A, R, N]))
    def resolve(self, number: int, certainty: Certainty) -> None:
        """Somebody has looked a message up; only an unknown one can be resolved."""
        known = self.campaign.get(number)

        async def work() -> None:
            await self.ledger.resolve(f"m{number}", certainty, note="looked up")

        if known is None or known.certainty not in (U, certainty):
            with pytest.raises(LedgerError):
                self._do(work)
            return
        self._do(work)
        if known.certainty is U is not certainty:
            known.certainty = certainty
            if certainty is N:
                known.resends += 1  # on the word of a person, who may be wrong

    @precondition(lambda self: self.where == "postgres" and self.campaign)
    @rule(is_paused=st.booleans())
    def hold(self, is_paused: bool) -> None:
        """Pause the campaign, or let it go on; either twice is once."""
        assert isinstance(self.ledger, PostgresLedger)
        ledger = self.ledger
        self._do(lambda: (ledger.pause if is_paused else ledger.resume)(CAMPAIGN))
        self.is_paused = is_paused

    @invariant()
    def the_ledger_is_the_model(self) -> None:
        """Its counts and its outcomes are those that the model has."""
        if not self.campaign:
            return
        counted = self._do(lambda: self.ledger.summary(CAMPAIGN))
        expected = summary(CAMPAIGN, self.campaign)
        assert counted == expected, f"{counted}, and not {expected}"
        recorded = {number: (o.certainty, o.attempts) for number, o in self._recorded().items()}
        assert recorded == {
            number: (known.certainty, known.attempts) for number, known in self.campaign.items()
        }
        for known in self.campaign.values():
            assert known.processed <= 1 + known.resends

    def teardown(self) -> None:
        """Send all once more, to a server that is well: each is final, and none was doubled."""
        if hasattr(self, "ledger") and sys.exc_info()[0] is None:  # nothing has failed before
            if self.is_paused:
                self.hold(is_paused=False)
            self.send(
                Plan(
                    numbers=[*range(MESSAGES)],
                    kind="list",
                    script={},
                    choice=Choice(),
                    end="",
                    after=0,
                    concurrency=20,
                    rate=None,
                )
            )
            self.the_ledger_is_the_model()
            assert all(known.certainty in FINAL for known in self.campaign.values())
            assert len(self.campaign) == MESSAGES
        if self.folder is not None:
            self.folder.cleanup()

    # --- runs ---------------------------------------------------------------------------------

    def _vendor(self, plan: Plan) -> Mortal:
        vendor = Mortal()
        for number, kinds in plan.script.items():
            vendor.script[message(number).to] = [
                ANSWERS.get(kind, lambda number=number: _record(number)) for kind in kinds
            ]
        return vendor

    async def _send(
        self, vendor: Mortal, plan: Plan, told: list[Outcome], hooked: list[Outcome]
    ) -> BulkRun:
        items = [message(number, key=f"m{number}") for number in plan.numbers]

        class Hook:
            def on_outcome(self, outcome: Outcome) -> None:
                hooked.append(outcome)

        async with vendor.client(
            retry=ENDLESS, max_concurrency=plan.concurrency, rate=plan.rate, hooks=[Hook()]
        ) as client:
            run = client.bulk(
                inputs(plan.kind, items),
                ledger=self.ledger,
                campaign=CAMPAIGN,
                **attrs.asdict(plan.choice),
            )
            strike = vendor.strike
            vendor.strike = lambda posts: (strike(posts), run.abort())
            try:
                async with run:
                    await self._read(run, plan, told)
            except LeftError:
                pass
        return run

    async def _read(self, run: BulkRun, plan: Plan, told: list[Outcome]) -> None:
        """Read the outcomes, and end the run as its plan says."""
        for number in itertools.count():
            if number == plan.after and plan.end:
                match plan.end:
                    case "stop":
                        run.stop()
                    case "abort":
                        run.abort()
                    case "leave":
                        return
                    case "raise":
                        raise LeftError
                    case "pause":
                        assert isinstance(self.ledger, PostgresLedger)
                        await self.ledger.pause(CAMPAIGN)
                        self.is_paused = True
            try:
                told.append(await anext(run))
            except StopAsyncIteration:
                return

    # --- checks -------------------------------------------------------------------------------

    def _check_counts(self, plan: Plan, run: BulkRun, told: list[Outcome]) -> None:
        """The report counts every message of the input once, and is what was told."""
        report = run.report
        if plan.kind == "list" or report.stopped is None:
            assert report.total == len(plan.numbers)
        if plan.end in ("leave", "raise"):
            return
        assert {certainty: report[certainty] for certainty in Certainty} == {
            **dict.fromkeys(Certainty, 0),
            **Counter(outcome.certainty for outcome in told),
        }
        assert report.credits == sum(outcome.credits for outcome in told)
        assert len({outcome.index for outcome in told}) == len(told)

    def _check_outcomes(
        self,
        plan: Plan,
        run: BulkRun,
        vendor: Mortal,
        told: list[Outcome],
        hooked: list[Outcome],
    ) -> None:
        """Each message went as often as the model allows, and has one of the outcomes it allows."""
        ends: dict[int, Outcome] = {}
        for outcome in hooked:
            assert _number(outcome) not in ends, "two outcomes"
            ends[_number(outcome)] = outcome
        for outcome in told:
            if outcome.certainty is not S and _number(outcome) in ends:
                assert outcome == ends[_number(outcome)]
        recorded = self._recorded()
        for number in {*plan.numbers}:
            known = self.campaign.get(number, Known())
            met = self._met(plan, vendor.posts, number)
            self._check_sending(plan, known, number, met)
            if number in ends:
                outcome = ends[number]
                torn = plan.end in ("abort", "die") and run.report.stopped is not None
                assert outcome.certainty in allowed(known.certainty, met, torn=torn), (met, outcome)
                assert outcome.attempts - known.attempts >= len(met)
                assert torn or outcome.attempts - known.attempts == len(met)
                if run.report.stopped is None:
                    assert met == course(plan.script.get(number, []))
                self._move(known, met, outcome)
            else:
                assert not met, "sent, and nobody was told"
            if number in recorded:
                self.campaign[number] = known
        for outcome in told:
            if outcome.certainty is S and outcome.earlier is not None:
                assert not self._met(plan, vendor.posts, _number(outcome))

    def _take_stock(self, plan: Plan, came: Counter[str]) -> None:
        """Take from the disk what is known after a death, if the model allows it."""
        for number, outcome in self._recorded().items():
            known = self.campaign.get(number, Known())
            met = self._met(plan, came, number)
            if number in plan.numbers:
                self._check_sending(plan, known, number, met)
                may = allowed(known.certainty, met, torn=True) | {U}
                if (met and met[-1] in AGAIN) or not met:
                    may |= {known.certainty if not met else N}
                if not plan.choice.takes(known):
                    may = {known.certainty}
                assert outcome.certainty in may, (met, outcome)
                self._move(known, met, outcome)
            self.campaign[number] = known

    def _check_sending(self, plan: Plan, known: Known, number: int, met: list[str]) -> None:
        """What was met is what the model would send, and no attempt without proof but the last."""
        if not plan.choice.takes(known):
            assert not met, f"message {number} is {known}"
        assert all(kind in AGAIN for kind in met[:-1]), met
        assert met == course(plan.script.get(number, []))[: len(met)]
        if met and known.certainty is not N:
            known.resends += 1
        known.processed += bool(met) and met[-1] not in AGAIN

    @staticmethod
    def _move(known: Known, met: list[str], outcome: Outcome) -> None:
        """Let the model know what became of a message."""
        if outcome.attempts > known.attempts or met:
            known.certainty = outcome.certainty
            known.credits = int(outcome.credits)
        known.attempts = outcome.attempts

    @staticmethod
    def _met(plan: Plan, posts: Counter[str], number: int) -> list[str]:
        """Return how the server has met the attempts of a message in a run."""
        kinds = itertools.chain(plan.script.get(number, []), itertools.repeat("ok"))
        return [*itertools.islice(kinds, posts[message(number).to])]

    def _recorded(self) -> dict[int, Outcome]:
        async def work() -> dict[int, Outcome]:
            try:
                return {_number(each): each async for each in self.ledger.outcomes(CAMPAIGN)}
            except LedgerError:  # no run has got so far as to make it
                return {}

        recorded: dict[int, Outcome] = self._do(work)
        return recorded


async def _record(number: int) -> httpx.Response:
    return httpx.Response(200, json=record_for(message(number).to))


def _number(outcome: Outcome) -> int:
    return int(outcome.message.to) - FIRST
