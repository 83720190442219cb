"""What is said of a campaign that many machines send: its chunks, its state, where it stands."""

import json
from enum import Enum
from typing import Any

import attrs

from .errors import ConfigurationError
from .outcomes import Summary

__all__ = ["CampaignState", "CampaignStatus", "Chunk", "Enqueued", "RunStatus"]


class CampaignState(Enum):
    """Whether the messages of a campaign may be sent. The values are plain words."""

    RUNNING = "running"
    """They may."""
    PAUSED = "paused"
    """Not now: no attempt begins on any machine until it is resumed."""
    CANCELLED = "cancelled"
    """Never: what was not sent stays on record as not sent."""

    def __str__(self) -> str:
        return self.value


@attrs.frozen
class Chunk:
    """Some messages of a campaign, a few hundred at most: the task of an engine.

    It names rows of a ledger and holds nothing of them, so that an engine's queue, log and
    dashboard never show a number or a text. Delivering a chunk twice does no harm.

    Attributes:
        id: Its id in the ledger.
        campaign: The campaign's name.
    """

    id: int
    campaign: str

    @property
    def key(self) -> str:
        """What tells it from every other chunk of its ledger, for an engine that drops doubles."""
        return f"multiwhats-chunk-{self.id}"

    def to_json(self) -> str:
        """Return it as a text for an engine's queue."""
        return json.dumps({"chunk": self.id, "campaign": self.campaign})

    @classmethod
    def from_json(cls, text: str | bytes) -> "Chunk":
        """Return the chunk that :meth:`to_json` made a text of.

        Raises:
            ConfigurationError: It is no such text: another program put it into the queue.
        """
        try:
            told = json.loads(text)
            number, campaign = told["chunk"], told["campaign"]
        except (ValueError, KeyError, TypeError):
            number = campaign = None
        if type(number) is not int or not isinstance(campaign, str):
            raise ConfigurationError(  # without its text: whose it is, nobody here knows
                "A task holds no chunk of a campaign: another program put it into the queue"
            )
        return cls(number, campaign)


@attrs.frozen(kw_only=True)
class Enqueued:
    """What was handed to the workers.

    Attributes:
        campaign: The campaign's name.
        messages: How many messages the input held.
        added: How many of them the campaign did not have yet.
        chunks: Into how many chunks these were put.
    """

    campaign: str
    messages: int
    added: int
    chunks: int


@attrs.frozen(kw_only=True)
class RunStatus:
    """A run that has messages of a campaign in hand now.

    Attributes:
        worker: Where it runs: host and process id.
        claimed: Messages that it holds and has not begun to send.
        sending: Messages that are on their way.
        silent_for: Seconds since it was last heard of; when its lease is over, others take over.
    """

    worker: str
    claimed: int
    sending: int
    silent_for: float


@attrs.frozen(kw_only=True)
class CampaignStatus:
    """Where a campaign stands, over all machines.

    Attributes:
        summary: Its messages by state.
        state: Whether they may be sent.
        because: Why it is paused or cancelled, or None.
        since: Seconds since 1970 at which it came into that state, by the database's clock.
        chunks: How many chunks are handed to workers and not finished.
        runs: Who has messages of it in hand.
    """

    summary: Summary
    state: CampaignState
    because: str | None
    since: float
    chunks: int
    runs: tuple[RunStatus, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the status as plain data."""
        return {
            **self.summary.to_dict(),
            "state": self.state.value,
            "because": self.because,
            "since": self.since,
            "chunks": self.chunks,
            "runs": [attrs.asdict(run) for run in self.runs],
        }
