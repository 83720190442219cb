"""What is known of a message, whatever the network and the server do to it."""

import pytest
from faults.cases import NOT_SENT, Case
from faults.certificates import Certificates
from faults.groups import CASES
from faults.scene import play_out
from faults.transports import Transport

from multiwhats_async import Certainty


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    """Run a test with each case."""
    each: Case = request.param
    return each


@pytest.mark.anyio
@pytest.mark.usefixtures("_all_collected")
async def test_certainty(case: Case, transport: Transport, certificates: Certificates) -> None:
    """The certainty is true, nothing is sent twice, the client goes on, and no socket is left."""
    found = await play_out(case, transport, certificates)
    assert found.certainty in case.certainty
    assert found.status in case.statuses
    assert found.posts == case.posts
    assert found.attempts == 1
    assert found.probe is (Certainty.ACCEPTED if case.heals else None)
    assert found.held == found.counted <= 1
    assert found.sockets == 0


def test_every_case_has_a_name_of_its_own() -> None:
    """A row of the table is one case."""
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))


def test_no_case_lets_a_message_be_sent_again_that_was_read() -> None:
    """What a server has read in full is in no case allowed to pass for not sent."""
    assert not [case.name for case in CASES if case.posts and case.certainty & NOT_SENT]
