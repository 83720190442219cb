"""The process of a worker: opens what it needs, listens to signals, and tells how it is."""

import logging
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from importlib import import_module
from typing import Any, Final, Literal, Protocol

import anyio
import anyio.abc

from .._settings import checked_count, checked_seconds
from ..client import AsyncMultiWhats
from ..errors import ConfigurationError
from ..ledger.postgres import PostgresLedger
from ._engine import (
    DEFAULT_CHUNKS_AT_ONCE,
    DEFAULT_RECONCILE_EVERY,
    DEFAULT_REDELIVER_AFTER,
    Activity,
    run_beside,
)

Engine = Literal["pgqueuer", "streaq"]

ENGINES: Final[tuple[Engine, ...]] = ("pgqueuer", "streaq")

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

_PACKAGES: Final = {
    "coredis": "streaq",
    "pgqueuer": "pgqueuer",
    "prometheus_client": "worker",
    "streaq": "streaq",
}
"""The extra that brings a package."""

_log: Final = logging.getLogger("multiwhats_async")


class _Serve(Protocol):
    """The ``run_worker`` of an engine, once its queue is known."""

    async def __call__(
        self, ledger: PostgresLedger, client: AsyncMultiWhats, **options: Any
    ) -> None: ...


async def run_worker(  # noqa: PLR0913  # the public face: one argument an option
    *,
    ledger: PostgresLedger,
    client: AsyncMultiWhats,
    engine: Engine,
    url: str,
    name: str | None = None,
    chunks_at_once: int = DEFAULT_CHUNKS_AT_ONCE,
    redeliver_after: float = DEFAULT_REDELIVER_AFTER,
    reconcile_every: float = DEFAULT_RECONCILE_EVERY,
    health: str | None = None,
    stopping: anyio.Event | None = None,
    handle_signals: bool = True,
    task_status: anyio.abc.TaskStatus[int | None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Be a worker: send the chunks of campaigns until told to stop.

    SIGTERM or SIGINT once: no further message is begun, those under way end, the rest stays
    pending for other workers. Twice: what can be broken off is.

    Args:
        ledger: The ledger of the campaigns. Opened and closed here.
        client: Sends the messages. Opened and closed here.
        engine: ``"pgqueuer"`` (asyncio only) or ``"streaq"``.
        url: Where the engine's queue is: the ledger's own DSN for pgqueuer, a Redis URL for
            streaq.
        name: The queue's name, where several share a server; None is the engine's default.
        chunks_at_once: How many chunks this worker sends at once.
        redeliver_after: Seconds without a sign of life after which others take its chunks.
        reconcile_every: Seconds between two passes of the reconciler.
        health: ``HOST:PORT`` of ``/healthz`` and ``/metrics``; None serves neither.
        stopping: Stops it as the first signal does.
        handle_signals: Whether the signals are listened to; only a main thread can.
        task_status: Told that it begins, with the port of ``health``.

    Raises:
        ConfigurationError: It cannot run as it is set up, or an extra is missing.
        LedgerError: The ledger cannot be opened.
    """
    checked_count("chunks_at_once", chunks_at_once)
    checked_seconds("redeliver_after", redeliver_after)
    checked_seconds("reconcile_every", reconcile_every)
    activity = Activity()
    stopping = anyio.Event() if stopping is None else stopping
    serve = _serve_of(engine, url, name)
    async with AsyncExitStack() as stack:
        port, sender = None, client
        if health is not None:
            told = _import("._health")
            metrics = told.Metrics(activity)
            hooks = (*client._settings.hooks, metrics)  # noqa: SLF001  # they are kept
            sender = client.with_options(hooks=hooks)
            port = stack.enter_context(told.served(health, metrics, activity))
        await stack.enter_async_context(ledger)
        await stack.enter_async_context(client)
        run = partial(
            serve,
            ledger,
            sender,
            chunks_at_once=chunks_at_once,
            redeliver_after=redeliver_after,
            reconcile_every=reconcile_every,
            stopping=stopping,
            activity=activity,
        )
        if not handle_signals:
            task_status.started(port)
            await run()
            return
        with anyio.CancelScope() as scope, anyio.open_signal_receiver(*STOP_SIGNALS) as signals:
            task_status.started(port)
            await run_beside(run, partial(_listen, signals, stopping, scope))


def _serve_of(engine: Engine, url: str, name: str | None) -> _Serve:
    """Return what runs an engine's worker.

    Raises:
        ConfigurationError: There is no such engine, its extra is missing, or the URL is none.
    """
    if engine not in ENGINES:
        raise ConfigurationError(f"engine must be one of {', '.join(ENGINES)}, not {engine!r}")
    module = _import(f".{engine}")
    if engine == "pgqueuer":
        queue = module.PgQueuerQueue(**({} if name is None else {"entrypoint": name}))
        return partial(module.run_worker, queue=queue, dsn=url)
    queue = module.StreaqQueue(url, **({} if name is None else {"name": name}))
    return partial(module.run_worker, queue=queue)


def _import(module: str) -> Any:
    try:
        return import_module(module, __package__)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _PACKAGES:
            raise
        raise ConfigurationError(
            f"This needs {package}: pip install 'multiwhats-async[{_PACKAGES[package]}]'"
        ) from None


async def _listen(
    signals: AsyncIterator[signal.Signals], stopping: anyio.Event, scope: anyio.CancelScope
) -> None:
    """Stop gracefully at the first signal, and break off what the scope holds at the second."""
    async for number in signals:
        if stopping.is_set():
            _log.warning("%s again: breaking off", number.name)
            scope.cancel()
            return
        _log.info("%s: ending what is under way; once more breaks it off", number.name)
        stopping.set()
