"""A server that takes only so much: nearly all of it is used, and it is not stormed."""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

import anyio
import httpx
import pytest
from anyio.lowlevel import checkpoint
from overload import REFUSALS, Admission, Wave, in_waves
from vendor import Vendor, message, messages, record_for

from multiwhats_async import Certainty, Outcome, Report, RetryPolicy

pytestmark = pytest.mark.anyio

CONCURRENCY = 500
LATENCY = 0.05
RATE = 400.0
FITS = LATENCY * RATE
"""What the server works on at once when it works on as much as it admits: 20."""


@pytest.fixture
def anyio_backend(virtual: tuple[str, Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    """Run on a clock that jumps."""
    return virtual


class Busy(Vendor):
    """Answers what it admits, refuses the rest at once, and counts how often each is accepted."""

    def __init__(self, admission: Admission) -> None:
        super().__init__()
        self.admission = admission
        self.accepted: Counter[str] = Counter()
        self.always = self._admit

    def _admit(self, recipient: str, _: int) -> Any:
        refusal = self.admission.admit(anyio.current_time())
        if refusal is None:
            self.accepted[recipient] += 1
            self.admission.under_way += 1
            return partial(self._work, recipient)
        status, seconds = refusal
        return httpx.Response(status, headers={"retry-after": seconds} if seconds else {})

    async def _work(self, recipient: str) -> httpx.Response:
        await anyio.sleep(LATENCY)
        self.admission.under_way -= 1
        return httpx.Response(200, json=record_for(recipient))


async def overload(vendor: Busy, count: int) -> tuple[Report, list[Outcome], list[float]]:
    """Send that many at once; return the report, the outcomes, and the limit's course."""
    course: list[float] = []
    outcomes: list[Outcome] = []
    async with vendor.client(max_concurrency=CONCURRENCY) as client:
        limit = client._limits.concurrency.limit
        async with client.bulk(messages(count)) as run:
            async for outcome in run:
                outcomes.append(outcome)
                course.append(limit.value)
        assert client._limits.budget.tokens == RetryPolicy().budget
    return run.report, outcomes, course


def check_truth(vendor: Busy, report: Report, outcomes: list[Outcome], count: int) -> None:
    """Hold the outcomes against what the server has seen."""
    answers = vendor.admission.answers
    later = answers.total() - answers["200"] - answers["503"]
    assert len({outcome.key for outcome in outcomes}) == len(outcomes) == count
    assert set(vendor.accepted.values()) == {1}
    assert (report.accepted, report.unknown) == (answers["200"], answers["503"])
    assert report.accepted + report.unknown == count
    assert report.retries == later
    for outcome in outcomes:
        assert (outcome.message.to in vendor.accepted) is (outcome.certainty is Certainty.ACCEPTED)


async def test_ten_thousand_against_a_busy_server() -> None:
    """Told "later" in every way, in waves: nine tenths of what it admits are used, none is lost."""
    vendor = Busy(Admission(waves=in_waves(RATE)))
    report, outcomes, course = await overload(vendor, 10_000)
    check_truth(vendor, report, outcomes, 10_000)
    assert report.accepted >= 0.9 * vendor.admission.capacity(report.elapsed)
    assert vendor.admission.refused <= 0.1
    assert set(vendor.admission.answers) == {"200", *REFUSALS} - {"503"}
    assert max(course[len(course) // 4 :]) < CONCURRENCY / 2


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_the_limit_settles(refusal: str) -> None:
    """After the first moments it stays near what the server bears, far below the user's."""
    hold = 1.0 if REFUSALS[refusal][1] else 0.1
    vendor = Busy(Admission(waves=[Wave(seconds=60, rate=RATE, refusal=refusal)], hold=hold))
    report, outcomes, course = await overload(vendor, 3_000)
    check_truth(vendor, report, outcomes, 3_000)
    settled = course[len(course) // 3 :]
    assert FITS / 4 <= min(settled) <= max(settled) <= FITS * (2 if hold < 1 else 10)
    assert vendor.admission.refused <= 0.15
    assert sorted(course)[len(course) // 2] >= FITS / 2


async def test_a_server_that_takes_so_many_at_once() -> None:
    """Where it counts what is under way and not the seconds, nearly all places are used."""
    vendor = Busy(Admission(waves=[Wave(seconds=60, rate=1e9, refusal="429")], most=50))
    report, outcomes, _ = await overload(vendor, 6_000)
    check_truth(vendor, report, outcomes, 6_000)
    first = vendor.times[0] + 1  # by then it has found out
    settled = sum(first <= time < first + 4 for time in vendor.times)
    assert settled >= 0.85 * 4 * 50 / LATENCY
    assert vendor.admission.refused <= 0.02


async def test_a_503_that_says_nothing_costs_few_messages() -> None:
    """Each is unknown for good: so the server is asked for less at once, and held off by 5 s."""
    waves = [Wave(seconds=60, rate=RATE, refusal="503")]
    vendor = Busy(Admission(waves=waves, hold=0.1))
    report, outcomes, _ = await overload(vendor, 3_000)
    check_truth(vendor, report, outcomes, 3_000)
    assert 0 < report.unknown <= 0.1 * 3_000
    assert report.retries == 0


async def test_a_server_that_refuses_everything_is_left_alone() -> None:
    """The holds double while nothing gets through: some dozen knocks in two minutes."""
    vendor = Busy(Admission(waves=[Wave(seconds=60, rate=0, refusal="429")]))
    async with vendor.client(max_concurrency=CONCURRENCY) as client:
        async with client.bulk(messages(1_000), deadline=120) as run:
            async for _ in run:
                pass
    assert run.report.accepted == 0
    assert run.report.finished == 1_000
    assert vendor.total <= 40


async def test_one_that_was_refused_waits_longer_than_the_others() -> None:
    """A 429 that names no time holds the client for a moment, and its own message for longer."""
    vendor = Vendor()
    vendor.script[message().to] = [httpx.Response(429), httpx.Response(429), httpx.Response(429)]
    async with vendor.client(max_concurrency=1) as client:
        await client.deliver(message(1))
        began = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.deliver, message())
            await checkpoint()
            await client.deliver(message(2))
            assert anyio.current_time() - began <= 0.1
    assert vendor.posts[message().to] == 4
