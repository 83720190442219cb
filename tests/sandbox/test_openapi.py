"""The test API against its own description: whatever is asked, no server error."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from sandbox.wire_examples import post
from schemathesis.specs.openapi.checks import positive_data_acceptance

from multiwhats_async.sandbox import Emulator, SandboxServer
from multiwhats_async.sandbox._api import openapi_document

schema = schemathesis.openapi.from_dict(openapi_document()).exclude(operation_id="events")
"""Without the stream that does not end."""


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    """Serve a sandbox with messages, taps and deliveries."""
    emulator = Emulator(webhook="http://127.0.0.1:1/replies")
    for _ in range(5):
        post(emulator)
    emulator.tap(3664, index=0)
    emulator.tap(3665, index=1)
    with SandboxServer(emulator, port=0) as server:
        yield server


MEANT_OTHERWISE = {"set_webhook", "add_fault"}
"""Texts in them have a grammar of their own, which a schema cannot say."""


@schema.parametrize()
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_described_is_what_is_answered(case: Any, server: SandboxServer) -> None:
    """Statuses, shapes, media types; and what is not described is refused."""
    operation = case.operation.definition.raw["operationId"]
    if operation == "wait_for_message":
        with suppress(TypeError, ValueError):  # what is no number stays as it is
            seconds = float(case.query.get("timeout", 10.0))
            # The end of a real wait is another test's.
            case.query["timeout"] = 0 if 0 <= seconds <= 60 else seconds
    excluded = [positive_data_acceptance] if operation in MEANT_OTHERWISE else []
    case.call_and_validate(base_url=server.url, excluded_checks=excluded)
