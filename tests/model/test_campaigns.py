"""A campaign over many runs and lives never says, or sends, what the model does not allow."""

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from model.machine import CampaignMachine

from multiwhats_async.ledger import _database

EXAMPLES = {"memory": 20, "sqlite": 10, "postgres": 8}
"""Of a hundred that other tests try."""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("where", EXAMPLES)
def test_a_campaign(
    where: str, backend: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sent once, counted once, on record, and final in the end, whatever happens on the way."""
    # The death of a process, and no power cut, is what this is about: no disk is waited for.
    unhurried = dict(_database.PRAGMAS) | {"synchronous": "OFF"}
    monkeypatch.setattr(_database, "PRAGMAS", tuple(unhurried.items()))
    changes: dict[str, Any] = {"backend": backend, "where": where}
    if where == "postgres":
        changes["postgres"] = request.getfixturevalue("postgres").schema
    run_state_machine_as_test(
        type("Machine", (CampaignMachine,), changes),
        settings=settings(
            max_examples=EXAMPLES[where] * settings().max_examples // 100,
            stateful_step_count=8,
            deadline=None,  # a busy machine is no failure
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
