"""What is said of campaigns: chunks that travel through an engine, and plain data."""

from typing import Any

import pytest

from multiwhats_async import ConfigurationError, Summary
from multiwhats_async.campaigns import CampaignState, CampaignStatus, Chunk, RunStatus


def test_a_chunk_comes_back_from_its_text() -> None:
    """As text or as bytes, whatever the campaign is called."""
    chunk = Chunk(7, "ilkbahar ğüş 👋")
    assert Chunk.from_json(chunk.to_json()) == chunk
    assert Chunk.from_json(chunk.to_json().encode()) == chunk
    assert chunk.key != Chunk(8, chunk.campaign).key


@pytest.mark.parametrize(
    "text",
    [
        7,
        None,
        "",
        "7",
        "[]",
        "{}",
        '{"chunk": "7", "campaign": "a"}',
        '{"chunk": 1, "campaign": 2}',
    ],
)
def test_what_is_no_chunk_is_refused(text: Any) -> None:
    """Another program's task is named, and no traceback of JSON."""
    with pytest.raises(ConfigurationError, match="no chunk"):
        Chunk.from_json(text)


def test_a_status_is_plain_data() -> None:
    """With the counts of its summary beside the state and the runs."""
    summary = Summary(
        campaign="spring",
        pending=1,
        not_sent=0,
        in_flight=1,
        accepted=2,
        rejected=0,
        unknown=0,
        credits=2,
    )
    status = CampaignStatus(
        summary=summary,
        state=CampaignState.PAUSED,
        because="lunch",
        since=12.0,
        chunks=1,
        runs=(RunStatus(worker="a:1", claimed=1, sending=1, silent_for=0.5),),
    )
    assert status.to_dict() == summary.to_dict() | {
        "state": str(CampaignState.PAUSED),
        "because": "lunch",
        "since": 12.0,
        "chunks": 1,
        "runs": [{"worker": "a:1", "claimed": 1, "sending": 1, "silent_for": 0.5}],
    }
