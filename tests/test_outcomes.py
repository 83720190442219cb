"""Outcomes, progress and reports add up, and become plain data."""

import json
import pickle

from vendor import RESPONSE, message

from multiwhats_async import (
    Attempt,
    Certainty,
    NotSentError,
    Outcome,
    Progress,
    Report,
    make_converter,
)
from multiwhats_async.models import MessageReceipt

RECEIPT = make_converter().structure(RESPONSE, MessageReceipt)
ACCEPTED = Outcome(
    message=message(), key="k", certainty=Certainty.ACCEPTED, receipt=RECEIPT, attempts=1
)
FAILED = Outcome(
    message=message(), key="k", certainty=Certainty.NOT_SENT, error=NotSentError("refused")
)


def test_certainties_are_their_words() -> None:
    """The values are the words of the documentation, and so is their text."""
    assert [str(certainty) for certainty in Certainty] == [
        "accepted",
        "rejected",
        "not_sent",
        "unknown",
        "skipped",
    ]


def test_the_cost_is_what_the_vendor_said() -> None:
    """Without a receipt, or without a figure in it, the cost is not known and counts 0."""
    assert (ACCEPTED.credits, FAILED.credits) == (1, 0)
    bare = Outcome(
        message=message(), key="k", certainty=Certainty.ACCEPTED, receipt=MessageReceipt()
    )
    assert bare.credits == 0


def test_progress_counts_what_is_left() -> None:
    """Queued is what is neither finished nor in flight; the ETA follows the pace."""
    progress = Progress(accepted=20, unknown=5, total=100, in_flight=5, elapsed=10.0)
    assert (progress.finished, progress.queued, progress.eta) == (25, 70, 30.0)
    assert progress.messages_per_second == 2.0
    assert progress[Certainty.UNKNOWN] == 5


def test_progress_without_a_total_says_none_and_never_guesses() -> None:
    """A generator does not tell its length."""
    progress = Progress(accepted=1, elapsed=1.0)
    assert (progress.total, progress.queued, progress.eta) == (None, None, None)
    assert Progress(total=3).eta is None
    assert Progress().messages_per_second == 0.0


def test_a_report_takes_the_counts_of_a_run() -> None:
    """A report is the last progress without what only matters on the way."""
    progress = Progress(accepted=2, skipped=1, credits=2, elapsed=4.0, stopped="x", total=9)
    report = Report.of(progress, (ACCEPTED,))
    assert (report.total, report.accepted, report.stopped) == (3, 2, "x")
    assert report.outcomes == (ACCEPTED,)


def test_everything_becomes_json_and_pickles() -> None:
    """Public data travels: to a log line, to another process."""
    attempt = Attempt(
        message=message(),
        key="k",
        number=1,
        certainty=Certainty.NOT_SENT,
        status_code=None,
        error=NotSentError("refused"),
        elapsed=0.5,
    )
    report = Report(accepted=1, outcomes=(ACCEPTED, FAILED))
    for data in (attempt, ACCEPTED, FAILED, Progress(total=2, accepted=1, elapsed=1.0), report):
        shown = json.loads(json.dumps(data.to_dict()))
        twin = pickle.loads(pickle.dumps(data))  # noqa: S301  # our own bytes
        assert json.loads(json.dumps(twin.to_dict())) == shown
    assert report.to_dict()["outcomes"][0]["receipt"] == RESPONSE
    assert Progress(total=2, accepted=1).to_dict()["queued"] == 1
