"""A campaign on Celery. Not run by the tests, which do not install it.

celery -A celery_worker worker -B        # -B on one machine only: it reconciles
"""

import os
from collections.abc import Sequence

import anyio
import anyio.to_thread
from celery import Celery

from multiwhats_async import AsyncMultiWhats, LedgerError, PostgresLedger
from multiwhats_async.campaigns import Chunk
from multiwhats_async.fleet import reconcile, send_chunk

dsn = os.environ["MULTIWHATS_LEDGER"]
app = Celery("campaigns", broker=os.environ["BROKER_URL"])
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    broker_transport_options={"visibility_timeout": 600},
    beat_schedule={"reconcile": {"task": "reconcile", "schedule": 5.0}},
)


@app.task(name="chunk", autoretry_for=(LedgerError,), retry_backoff=5, max_retries=None)
def chunk_task(text: str) -> None:
    anyio.run(_send, Chunk.from_json(text))


async def _send(chunk: Chunk) -> None:
    async with PostgresLedger(dsn) as ledger, AsyncMultiWhats() as client:
        await send_chunk(ledger, client, chunk)


@app.task(name="reconcile", expires=5)
def reconcile_task() -> None:
    anyio.run(reconcile, PostgresLedger(dsn), CeleryQueue())


class CeleryQueue:
    async def put(self, chunks: Sequence[Chunk]) -> None:
        await anyio.to_thread.run_sync(self._put, chunks)  # Celery's client blocks

    def _put(self, chunks: Sequence[Chunk]) -> None:
        for chunk in chunks:
            chunk_task.apply_async([chunk.to_json()], task_id=chunk.key)
