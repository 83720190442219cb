"""What many machines ask of a ledger that they share. Each function runs in its thread."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from ..abc import TransactionalQueue
from ..campaigns import CampaignState, CampaignStatus, Chunk, Enqueued, RunStatus
from ..errors import LedgerError, MultiWhatsError
from ._columns import error_text, orphan_error
from ._postgres import is_passing
from ._queries import find, summary
from ._shared import SOON, Part, refuse_held
from ._statements import Session

PATIENCE: Final = 60.0
"""Seconds after which a chunk is put into the queue again, if no worker has begun it. The queue
drops what stands in it; a queue that was lost is filled anew."""

AT_ONCE: Final = 1_000
"""Chunks that are put into the queue in one transaction."""


def begin(name: str, worker: str, lease: float, db: Session) -> tuple[int, int]:
    """Begin a run of a campaign, which is made where it is new; return the ids of both.

    Raises:
        CampaignHeldError: It is paused or cancelled.
    """
    db.execute("add_campaign", {"name": name})
    found = find(name, db)
    refuse_held(db.execute("campaign", {"campaign": found}).fetchone())
    lapse(db)
    told = {"campaign": found, "worker": worker, "lease": lease}
    run: int = db.execute("add_run", told).fetchone()["id"]
    return found, run


def begin_chunk(chunk: Chunk, worker: str, lease: float, db: Session) -> tuple[int, int, Part]:
    """Begin a run of a chunk; return the ids of its campaign and of the run, and its rows.

    Raises:
        CampaignHeldError: Its campaign is paused or cancelled.
        LedgerError: There is no such chunk.
    """
    row = db.execute("find_chunk", {"chunk": chunk.id, "name": chunk.campaign}).fetchone()
    if row is None:
        raise LedgerError(
            f"The ledger has no chunk {chunk.id} of a campaign {chunk.campaign!r}: the task was "
            "made for another ledger, or its messages are gone"
        )
    campaign: int = row["campaign"]
    refuse_held(db.execute("campaign", {"campaign": campaign}).fetchone())
    lapse(db)
    told = {"campaign": campaign, "worker": worker, "lease": lease, "chunk": chunk.id}
    db.execute("begin_chunk", told)
    run: int = db.execute("add_run", told).fetchone()["id"]
    part = Part(
        chunk=chunk.id, batch=row["batch"], first_id=row["first_id"], last_id=row["last_id"]
    )
    return campaign, run, part


def lapse(db: Session) -> None:
    """Take from the runs whose lease is over what they hold."""
    for row in db.execute("lapse").fetchall():
        if row["was_sending"]:
            told = {"id": row["id"], "receipt": None, "error": error_text(orphan_error(row))}
            db.execute("detail", told)


def clean(db: Session) -> None:
    """As :func:`lapse`; and forget the runs that were not heard of for a day, and their inputs."""
    lapse(db)
    db.execute("forget_old_input")
    db.execute("forget_old_runs")


# --- chunks -----------------------------------------------------------------------------------


def hand_over(
    campaign: int, run: int, size: int, queue: object, db: Session
) -> tuple[Enqueued, tuple[Chunk, ...]]:
    """Cut what a run has loaded into chunks, and put them into a queue in the same transaction.

    Returns:
        What was handed over, and the chunks.
    """
    told = {"campaign": campaign, "run": run, "size": size, "patience": PATIENCE}
    with _whole(db):
        db.execute("adopt", told)
        db.execute("cut", told)
        counts = db.execute("input_size", told).fetchone()
        name = db.execute("campaign", told).fetchone()["name"]
        chunks = _chunks(db.execute("batch", told).fetchall())
        _put_in(queue, chunks, db)
    enqueued = Enqueued(
        campaign=name, messages=counts["messages"], added=counts["added"], chunks=len(chunks)
    )
    return enqueued, chunks


def due(queue: object, db: Session) -> tuple[Chunk, ...]:
    """Take over what dead runs hold, and put into the queue the chunks that are due."""
    lapse(db)
    with _whole(db):
        chunks = _chunks(db.execute("due", {"count": AT_ONCE, "patience": PATIENCE}).fetchall())
        _put_in(queue, chunks, db)
    return chunks


def put_off(chunk: Chunk, seconds: float, db: Session) -> None:
    """Hand out no earlier than in so many seconds what is left of a chunk."""
    db.execute("put_off", {"chunk": chunk.id, "seconds": seconds})


@contextmanager
def _whole(db: Session) -> Generator[None]:
    """Let a queue that fails undo what belongs to it, and fail nobody else's work."""
    try:
        with db.connection.transaction():
            yield
    except MultiWhatsError:
        raise
    except Exception as error:
        if is_passing(error, db.connection):
            raise
        raise LedgerError(
            f"The queue did not take the chunks ({type(error).__name__}: {error}): nothing was "
            "handed over"
        ) from error


def _chunks(rows: Sequence[Any]) -> tuple[Chunk, ...]:
    return tuple(Chunk(row["id"], row["campaign"]) for row in rows)


def _put_in(queue: object, chunks: Sequence[Chunk], db: Session) -> None:
    if chunks and isinstance(queue, TransactionalQueue):
        queue.put_in(db.connection, chunks)


# --- the state of a campaign ------------------------------------------------------------------


def set_state(name: str, state: CampaignState, because: str | None, db: Session) -> None:
    """Pause, resume or cancel a campaign. Doing so twice changes nothing.

    Raises:
        LedgerError: There is no such campaign, or it was cancelled.
    """
    found = find(name, db)
    now = db.execute("campaign", {"campaign": found}).fetchone()["state"]
    if now == state.value:
        return
    if now == CampaignState.CANCELLED.value:
        raise LedgerError(
            f"The campaign {name!r} was cancelled, which is for good: name a new campaign to send "
            "what was not sent"
        )
    told = {"campaign": found, "state": state.value, "because": because}
    db.execute("set_state", told)
    if state is CampaignState.RUNNING:
        db.execute("wake", told | {"delay": SOON})


def status(name: str, lease: float, db: Session) -> CampaignStatus:
    """Return where a campaign stands.

    Raises:
        LedgerError: There is no such campaign.
    """
    told = {"campaign": find(name, db), "lease": lease}
    row = db.execute("campaign", told).fetchone()
    runs = [
        RunStatus(
            worker=run["worker"],
            claimed=run["claimed"],
            sending=run["sending"],
            silent_for=run["silent"],
        )
        for run in db.execute("runs", told)
    ]
    return CampaignStatus(
        summary=summary(name, db),
        state=CampaignState(row["state"]),
        because=row["because"],
        since=row["since"],
        chunks=db.execute("open_chunks", told).fetchone()["chunks"],
        runs=tuple(runs),
    )
