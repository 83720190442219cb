"""A fleet under fire: nobody gets a message twice, nobody is lost."""

import fleet
import pytest

MESSAGES = 2_400
KILLS = 5


@pytest.mark.parametrize(
    ("engine", "backends"),
    [("pgqueuer", ("asyncio", "asyncio")), ("streaq", ("asyncio", "trio"))],
)
def test_a_campaign_survives_its_fleet(engine: str, backends: tuple[str, ...]) -> None:
    """Workers are killed and hang past their lease, both servers crash, a person pauses it."""
    workers = 2
    result = fleet.under_fire(
        engine=engine,
        workers=workers,
        count=MESSAGES,
        plan=fleet.planned(KILLS),
        backends=backends,
    )
    assert result.sent_twice == 0
    assert result.summary.total == result.summary.final == MESSAGES
    assert len(result.at_sandbox | result.unknown) == MESSAGES
    assert result.accepted <= result.at_sandbox <= result.accepted | result.unknown
    assert result.summary.unknown <= result.struck * fleet.CONCURRENCY
    assert result.paused_after < 5
    assert result.begun_after <= workers * fleet.CONCURRENCY
