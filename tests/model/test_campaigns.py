"""A campaign over many runs and lives never says, or sends, what the model does not allow."""

from typing import Any

import pytest

pytest.register_assert_rewrite("model.machine")

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from model.machine import CampaignMachine

SETTINGS = settings(
    max_examples=20,
    stateful_step_count=8,
    deadline=None,  # a busy machine is no failure
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("where", ["memory", "sqlite", "postgres"])
def test_a_campaign(where: str, backend: str, request: pytest.FixtureRequest) -> None:
    """Sent once, counted once, on record, and final in the end, whatever happens on the way."""
    changes: dict[str, Any] = {"backend": backend, "where": where}
    if where == "postgres":
        changes["postgres"] = request.getfixturevalue("postgres").schema
    run_state_machine_as_test(type("Machine", (CampaignMachine,), changes), settings=SETTINGS)
