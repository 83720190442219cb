"""A short random walk of faults and cancellations; ``python -m faults.walk`` takes a long one."""

import pytest
from faults.certificates import Certificates
from faults.conftest import GARBAGE
from faults.transports import TRANSPORTS
from faults.walk import Findings, walked

from multiwhats_async import Certainty
from multiwhats_async._evidence import Evidence

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("_small_heap"), GARBAGE]

SEED = 20_261_127
ATTEMPTS = 200


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_what_is_said_is_what_happened(
    transport: str, tls: bool, certificates: Certificates
) -> None:
    """No false word of any message, none sent twice or lost, and the pool works on."""
    found = await walked(
        seed=SEED, attempts=ATTEMPTS, transport=transport, tls=tls, certificates=certificates
    )
    assert not found.violations, "\n".join(found.violations)
    assert found.attempts >= ATTEMPTS
    assert {*found.certainties} == {*Certainty} - {Certainty.SKIPPED}
    assert found.struck.total() > ATTEMPTS / 20
    assert found.unknown_read > 0


async def test_a_false_word_is_found(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above can fail: evidence that says that nothing ever leaves does not pass."""
    monkeypatch.setattr(Evidence, "may_have_left", property(lambda _: False))
    found: Findings = await walked(
        seed=SEED, attempts=100, transport="own", tls=False, certificates=certificates
    )
    assert any("not_sent" in each for each in found.violations)
    assert any("sent twice" in each for each in found.violations)
