"""A checked campaign, handed to workers instead of being sent here."""

import logging
import shlex
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

import anyio
import attrs
import click

from ..campaigns import Enqueued
from ..errors import LedgerError
from ..fleet import enqueue_campaign
from ..ledger import PostgresLedger
from ._engines import Engine, Name, engine_of, refuse_given
from ._exits import ALL_ACCEPTED
from ._failure import NothingSentError, fit_to_show
from ._ledger import Record
from ._reading import ChangedError, Rows
from ._screen import many

_OF_WORKERS: Final = (
    *("base_url", "api_key", "api_key_in", "max_concurrency", "rate", "max_failures"),
    *("max_credits", "out", "no_ledger", "resend_unknown", "only_failed", "screen_kind"),
)
"""Options of a run that sends."""

_log: Final = logging.getLogger("multiwhats_async")


@attrs.frozen(kw_only=True)
class Handing:
    """Hands a campaign to workers.

    Attributes:
        engine: What carries it.
        record: The campaign.
    """

    engine: Engine
    record: Record

    def carry_out(self, rows: Rows, sender: str | None) -> int:
        """Hand the messages over; return the exit code.

        Raises:
            NothingSentError: The ledger refuses them, or the file has changed.
        """
        try:
            with warnings_told():
                enqueued: Enqueued = anyio.run(self._enqueue, rows, sender)
        except LedgerError as error:
            raise NothingSentError(f"nothing was handed over: {error}") from None
        except ChangedError as error:
            text = f"nothing was handed over: the file was changed after its check: {error}"
            raise NothingSentError(text) from None
        self._tell(enqueued)
        return ALL_ACCEPTED

    async def _enqueue(self, rows: Rows, sender: str | None) -> Enqueued:
        ledger: Any = self.record.place.ledger()
        return await enqueue_campaign(
            ledger, self.record.campaign, rows, queue=self.engine.queue(), sender=sender
        )

    def _tell(self, enqueued: Enqueued) -> None:
        """Say what was handed over, and how to look."""
        click.echo(f"On record in {self.record.place}", err=True)
        before = enqueued.messages - enqueued.added
        if before:
            click.echo(f"Handed over before, or sent: {many(before, 'message')}", err=True)
        count, chunks = many(enqueued.added, "message"), many(enqueued.chunks, "chunk")
        click.echo(f"Handed to the workers of {self.engine.name}: {count} in {chunks}", err=True)
        place, campaign = self.record.place, self.record.campaign
        words = ["multiwhats", "campaign", "status", campaign, *place.words()]
        click.echo(f"To see how it goes on: {shlex.join(words)}", err=True)


def handing_of(
    context: click.Context,
    record: Record | None,
    *,
    engine: Name | None,
    redis: str | None,
    queue: str | None,
) -> Handing | None:
    """Return what hands the campaign over, or None where it is sent here.

    Raises:
        click.UsageError: The options do not fit together.
    """
    if engine is None:
        refuse_given(context, ("redis", "queue_name"), "only --enqueue has a queue")
        return None
    refuse_given(context, _OF_WORKERS, "--enqueue sends nothing here, the workers do")
    if record is None or not isinstance(record.place.ledger(), PostgresLedger):
        raise click.UsageError(
            "--enqueue needs a ledger that machines share: --ledger postgresql://user@host/database"
        )
    return Handing(engine=engine_of(context, engine, redis, queue), record=record)


class _Warnings(logging.Handler):
    """Says a warning of the package in one line."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(fit_to_show(record.getMessage()), err=True)


@contextmanager
def warnings_told() -> Generator[None]:
    """Say the package's warnings on standard error."""
    handler = _Warnings(logging.WARNING)
    _log.addHandler(handler)
    try:
        yield
    finally:
        _log.removeHandler(handler)
