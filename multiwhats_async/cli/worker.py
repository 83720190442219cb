"""``multiwhats worker``: sends what was handed to workers, until it is told to stop."""

from contextlib import AsyncExitStack
from typing import Any, Final

import anyio
import attrs
import click

from ..client import AsyncMultiWhats
from ..integrations._engine import DEFAULT_CHUNKS_AT_ONCE
from ..integrations._process import run_worker
from ..ledger import PostgresLedger
from ..options import Rate
from ..rate.postgres import PostgresRate
from ._engines import ENGINES, Engine, engine_of, queue_option, redis_option
from ._exits import ALL_ACCEPTED
from ._logging import log, logging_to_standard_error
from ._options import account_of, account_options
from ._place import Place, ledger_option, shared_ledger
from ._screen import many

_ACCOUNT: Final = ("sender", "base_url", "api_key", "api_key_in")


@click.command("worker")
@ledger_option
@click.option(
    "--engine",
    "engine_name",
    type=click.Choice(ENGINES),
    required=True,
    help="What hands out the messages: the one that multiwhats bulk --enqueue was given.",
)
@redis_option
@queue_option
@account_options
@click.option(
    "--chunks-at-once",
    type=click.IntRange(min=1),
    default=DEFAULT_CHUNKS_AT_ONCE,
    show_default=True,
    metavar="N",
    help="How many chunks, of some hundred messages each, it sends at once.",
)
@click.option(
    "--max-concurrency", type=click.IntRange(min=1), metavar="N", help="The most messages at once."
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Messages a second for each sender, of all workers together: give all the same.",
)
@click.option(
    "--local-rate", is_flag=True, help="Let --rate hold for this worker alone, not for all."
)
@click.option(
    "--jitter",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="With --rate: a random pause between two messages, at most so long.",
)
@click.option(
    "--health",
    metavar="HOST:PORT",
    help="Serve /healthz and /metrics there, such as 127.0.0.1:9100.",
)
@click.pass_context
def command(context: click.Context, /, *, ledger_name: str | None, **options: Any) -> int:
    """Send what was handed to workers, on any number of machines.

    Takes messages that multiwhats bulk --enqueue has handed over, until Ctrl-C or SIGTERM: then
    no further message is begun, those under way are taken to their end, and the rest is for the
    other workers. A second Ctrl-C breaks off. Messages of a worker that dies are taken over by
    others; what it was sending is unknown, and not sent again.

    Where the key is refused or the credit is used up, the campaign is paused for all: see
    multiwhats campaign. Tells on standard error what happens, a line an event; no number and no
    text.
    """
    place, ledger = shared_ledger(ledger_name)
    engine = engine_of(context, options["engine_name"], options["redis"], options["queue_name"])
    rate = _rate_of(place, options["rate"], options["jitter"], is_local=options["local_rate"])
    limits = (
        {}
        if options["max_concurrency"] is None
        else {"max_concurrency": options["max_concurrency"]}
    )
    client = account_of(**{name: options[name] for name in _ACCOUNT}).client(rate=rate, **limits)
    worker = _Worker(
        place=place,
        ledger=ledger,
        engine=engine,
        client=client,
        rate=rate,
        chunks_at_once=options["chunks_at_once"],
        health=options["health"],
    )
    with logging_to_standard_error(context.obj or []):
        return anyio.run(worker.serve)


def _rate_of(
    place: Place, rate: float | None, jitter: float | None, *, is_local: bool
) -> Rate | PostgresRate | None:
    """Return the rate that the options describe, not open.

    Raises:
        click.UsageError: They do not fit together.
    """
    if rate is None:
        if is_local or jitter is not None:
            raise click.UsageError("--local-rate and --jitter belong to a --rate: give that, too")
        return None
    told = Rate(rate, jitter=jitter or 0.0)
    assert place.dsn is not None  # noqa: S101  # a ledger that is shared
    return told if is_local else PostgresRate(place.dsn, told)


@attrs.frozen(kw_only=True)
class _Worker:
    """What was asked for."""

    place: Place
    ledger: PostgresLedger
    engine: Engine
    client: AsyncMultiWhats
    rate: Rate | PostgresRate | None
    chunks_at_once: int
    health: str | None

    async def serve(self) -> int:
        """Work until told to stop; return the exit code."""
        async with AsyncExitStack() as stack:
            if isinstance(self.rate, PostgresRate):
                await stack.enter_async_context(self.rate)
            tasks = await stack.enter_async_context(anyio.create_task_group())
            port = await tasks.start(self._work)
            log.info("%s", self._told(port))
        log.info("Stopped: what was under way has ended")
        return ALL_ACCEPTED

    async def _work(self, *, task_status: anyio.abc.TaskStatus[int | None]) -> None:
        await run_worker(
            ledger=self.ledger,
            client=self.client,
            engine=self.engine.name,
            url=self.engine.redis or self.place.dsn or "",
            name=self.engine.queue_name,
            chunks_at_once=self.chunks_at_once,
            health=self.health,
            task_status=task_status,
        )

    def _told(self, port: int | None) -> str:
        """Return in one line what it serves."""
        parts = [f"{many(self.chunks_at_once, 'chunk')} at once"]
        if isinstance(self.rate, PostgresRate):
            parts.append(f"{self.rate.rate.per_second:g} messages a second with all workers")
        elif self.rate is not None:
            parts.append(f"{self.rate.per_second:g} messages a second by itself")
        if port is not None:
            parts.append(f"/healthz and /metrics on port {port}")
        return f"Serving {self.place} through {self.engine.name}: {', '.join(parts)}"
