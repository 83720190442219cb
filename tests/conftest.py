"""What every test shares: both backends, a clean environment, loopback only."""

import pytest


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run each async test on asyncio and on trio."""
    backend: str = request.param
    return backend


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own settings out of the tests."""
    for name in ("MULTIWHATS_API_KEY", "MULTIWHATS_FROM", "MULTIWHATS_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
