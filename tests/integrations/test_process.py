"""The process of a worker: signals, health, metrics, and what is said when it cannot run."""

import logging
import os
import signal
import socket
import sys
from typing import Any

import anyio
import httpx
import pytest
from worker_life import born

from multiwhats_async import AsyncMultiWhats, ConfigurationError, PostgresLedger
from multiwhats_async.fleet import enqueue_campaign
from multiwhats_async.integrations import _engine, _process
from multiwhats_async.integrations._engine import Activity
from multiwhats_async.integrations._health import Metrics, read_place, served
from multiwhats_async.integrations.pgqueuer import PgQueuerQueue
from multiwhats_async.integrations.streaq import StreaqQueue

pytestmark = pytest.mark.anyio
NOWHERE = "postgresql://database.example/ledger"


async def status(port: int, path: str = "/healthz") -> tuple[int, str]:
    """Return the status and the text of an answer of the health endpoint."""
    async with httpx.AsyncClient() as web:
        answer = await web.get(f"http://127.0.0.1:{port}{path}")
    return answer.status_code, answer.text


@pytest.mark.parametrize(
    ("engine", "number"), [("pgqueuer", signal.SIGTERM), ("streaq", signal.SIGINT)]
)
def test_a_signal_ends_a_worker_gracefully(
    engine: str, number: int, dsn: str, redis_url: str, stage: Any
) -> None:
    """Once is enough: it ends by itself, without an error, and nothing is unknown."""

    async def hand_over() -> None:
        queue = PgQueuerQueue() if engine == "pgqueuer" else StreaqQueue(redis_url)
        async with PostgresLedger(dsn) as ledger:
            await enqueue_campaign(
                ledger, "spring", stage.messages(300), queue=queue, chunk_size=150
            )

    async def looked_up() -> Any:
        async with PostgresLedger(dsn) as ledger:
            return await ledger.summary("spring")

    anyio.run(hand_over)
    url = dsn if engine == "pgqueuer" else redis_url
    with born(engine, dsn, url, stage.server.base_url, "asyncio") as process:
        anyio.run(stage.until, stage.has(30))
        process.send_signal(number)
        assert process.wait() == 0
    summary = anyio.run(looked_up)
    assert (summary.unknown, summary.in_flight) == (0, 0)
    assert 30 <= summary.accepted < 300
    assert summary.accepted == stage.emulator.stats().accepted


async def test_a_second_signal_breaks_off(
    dsn: str, redis_url: str, stage: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever is in a hurry need not wait for a chunk that does not end."""
    caplog.set_level(logging.INFO, "multiwhats_async")

    class Endless:
        """Stands for an engine that does not end when it is told to."""

        async def __call__(self, *_: Any, stopping: anyio.Event, **__: Any) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            await stopping.wait()
            os.kill(os.getpid(), signal.SIGTERM)
            await anyio.sleep_forever()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_process, "_serve_of", lambda *_: Endless())
        await _process.run_worker(
            ledger=PostgresLedger(dsn), client=stage.client(), engine="streaq", url=redis_url
        )
    assert "once more breaks it off" in caplog.text
    assert "SIGTERM again" in caplog.text


async def test_health_and_metrics_are_told_while_it_works(
    dsn: str, redis_url: str, stage: Any
) -> None:
    """Counts of messages and chunks, from the first pass of the reconciler on."""
    queue, enough = StreaqQueue(redis_url), stage.enough(60)
    async with PostgresLedger(dsn) as ledger:
        await enqueue_campaign(ledger, "spring", stage.messages(60), queue=queue, chunk_size=20)
    async with anyio.create_task_group() as tasks:

        async def work(*, task_status: anyio.abc.TaskStatus[int | None]) -> None:
            await _process.run_worker(
                ledger=PostgresLedger(dsn),
                client=stage.client(enough),
                engine="streaq",
                url=redis_url,
                health="127.0.0.1:0",
                handle_signals=False,
                stopping=stopping,
                task_status=task_status,
            )

        stopping = anyio.Event()
        port: Any = await tasks.start(work)
        await enough.reached.wait()

        async def chunks_finished() -> bool:
            return (
                'multiwhats_chunks_total{result="finished"} 3.0'
                in (await status(port, "/metrics"))[1]
            )

        await stage.until(chunks_finished)
        code, text = await status(port, "/metrics")
        health = await status(port)
        stopping.set()
    assert (code, health) == (200, (200, "ok\n"))
    assert 'multiwhats_messages_total{certainty="accepted"} 60.0' in text
    assert 'multiwhats_messages_total{certainty="unknown"} 0.0' in text
    assert "multiwhats_chunks_in_flight 0.0" in text
    assert "multiwhats_reconciled_seconds_ago" in text
    assert "spring" not in text
    assert "905300" not in text
    with pytest.raises(httpx.ConnectError):
        await status(port)


async def test_a_worker_whose_reconciler_fails_is_not_well() -> None:
    """Not before its first pass, and not half a minute after its last."""
    now = [0.0]
    activity = Activity(clock=lambda: now[0])
    with served("localhost:0", Metrics(activity), activity) as port:
        assert "seconds_ago" not in (await status(port, "/metrics"))[1]
        assert await status(port) == (503, "the reconciler has not succeeded yet\n")
        activity.on_pass()
        now[0] = 30.0
        assert await status(port) == (200, "ok\n")
        now[0] = 31.0
        assert await status(port) == (503, "the reconciler last succeeded 31 s ago\n")
        assert (await status(port, "/"))[0] == 404


async def test_a_worker_that_begins_anew_takes_its_port_again() -> None:
    """Though the connections of its watchers linger there."""
    activity = Activity()
    with served("127.0.0.1:0", Metrics(activity), activity) as port:
        await status(port)
    with served(f"127.0.0.1:{port}", Metrics(activity), activity) as again:
        assert (again, (await status(port))[0]) == (port, 503)


async def test_health_is_told_over_ipv6_too() -> None:
    """The address is written as in a URL."""
    activity = Activity()
    with served("[::1]:0", Metrics(activity), activity) as port:
        async with httpx.AsyncClient() as web:
            assert (await web.get(f"http://[::1]:{port}/healthz")).status_code == 503


def test_a_place_is_a_host_and_a_port() -> None:
    """Without a host it is this machine only."""
    assert read_place("localhost:9100") == ("localhost", 9100)
    assert read_place(":9100") == ("127.0.0.1", 9100)
    assert read_place("[::]:9100") == ("::", 9100)
    for wrong in ("9100", "localhost", "::1:9100", "host:99999", "host:-1", ""):
        with pytest.raises(ConfigurationError, match="no HOST:PORT"):
            read_place(wrong)


def test_a_place_that_is_taken_is_told() -> None:
    """Before anything is sent."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(ConfigurationError, match="Nothing can listen on"),
            served(place, Metrics(Activity()), Activity()),
        ):
            pass


@pytest.mark.parametrize(
    ("package", "engine", "extra"),
    [
        ("pgqueuer", "pgqueuer", "pgqueuer"),
        ("streaq", "streaq", "streaq"),
        ("prometheus_client", "streaq", "worker"),
    ],
)
async def test_a_missing_extra_is_told(
    package: str,
    engine: Any,
    extra: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One line that says what to install."""
    for name in [
        name
        for name in sys.modules
        if name.partition(".")[0] == package
        or (
            name.startswith(("multiwhats_async.integrations.", "multiwhats_async.integrations._h"))
            and not name.endswith(("_process", "_engine"))
        )
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigurationError, match=rf"multiwhats-async\[{extra}\]"):
        await _process.run_worker(
            ledger=PostgresLedger(NOWHERE),
            client=AsyncMultiWhats("KEY"),
            engine=engine,
            url="redis://queue.example",
            health="127.0.0.1:0",
        )


async def test_a_module_that_is_no_extra_is_no_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken installation says what is broken."""
    monkeypatch.delitem(sys.modules, "multiwhats_async.integrations.streaq")
    monkeypatch.setitem(sys.modules, "multiwhats_async.integrations._engine", None)
    with pytest.raises(ModuleNotFoundError):
        _process._import(".streaq")


@pytest.mark.parametrize(
    "wrong",
    [
        {"engine": "celery"},
        {"chunks_at_once": 0},
        {"redeliver_after": 0},
        {"reconcile_every": -1},
        {"health": "9100"},
    ],
)
async def test_what_cannot_work_is_told_at_once(wrong: dict[str, Any]) -> None:
    """Before the ledger is opened."""
    told = {"engine": "streaq", "url": "redis://queue.example"} | wrong
    with pytest.raises(ConfigurationError):
        await _process.run_worker(
            ledger=PostgresLedger(NOWHERE), client=AsyncMultiWhats("KEY"), **told
        )


def test_of_an_error_no_message_of_others_is_told() -> None:
    """It may hold a password, a number or a text; ours hold none."""
    group = ExceptionGroup("two", [ValueError("905374937766"), ConfigurationError("no engine")])
    assert _engine.told(group) == "ValueError; ConfigurationError: no engine"


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_settings_from_the_environment_do(
    dsn: str, stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client without arguments, a queue of a name of its own, and one chunk at once."""
    for name, value in stage.server.env.items():
        monkeypatch.setenv(name, value)
    queue, enough = PgQueuerQueue(entrypoint="mine"), stage.enough(10)
    async with PostgresLedger(dsn) as ledger:
        await enqueue_campaign(ledger, "spring", stage.messages(10), queue=queue, chunk_size=5)
    await _process.run_worker(
        ledger=PostgresLedger(dsn),
        client=AsyncMultiWhats(hooks=[enough]),
        engine="pgqueuer",
        url=dsn,
        name="mine",
        chunks_at_once=1,
        stopping=enough.reached,
    )
    assert stage.emulator.stats().accepted == 10
