"""What every test shares: both backends, a clean environment, loopback only."""

from collections.abc import Mapping
from typing import Any

import pytest
from virtual_time import virtual_backend


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run each async test on asyncio and on trio."""
    backend: str = request.param
    return backend


@pytest.fixture(params=["asyncio", "trio"])
def virtual(request: pytest.FixtureRequest) -> tuple[str, Mapping[str, Any]]:
    """Run a test on both backends, on a clock that jumps to the next timer.

    A module that wants it says so by a fixture ``anyio_backend`` that returns this one.
    """
    return virtual_backend(request.param)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own settings out of the tests."""
    for name in ("MULTIWHATS_API_KEY", "MULTIWHATS_FROM", "MULTIWHATS_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
