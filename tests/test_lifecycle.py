"""Programs that end in every way: an outcome for every message, nothing left behind, no hang."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import life_program
import pytest
import trio
from faults.server import Connection, RawServer

from multiwhats_async import AsyncMultiWhats, Certainty, SQLiteLedger
from multiwhats_async.sandbox import Emulator, FaultPlan, SandboxServer

BACKENDS = ("asyncio", "trio")
MESSAGE = life_program.messages(1)[0]
WHOLE = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}


class Interrupted(Emulator):
    """A sandbox that has its client interrupted at a request, before it answers."""

    def __init__(self, at: int = -1) -> None:
        super().__init__(faults=FaultPlan(["latency=0.02"]), magic_numbers=False)
        self.at = at
        self.strike: Callable[[], object] = lambda: None

    def handle(self, request: Any) -> Any:
        answer = super().handle(request)
        if self.stats().requests == self.at:
            self.strike()
        return answer


def started(way: str, backend: str, url: str, ledger: Path) -> "subprocess.Popen[str]":
    """Start the program so that it complains of all that is left open."""
    program = [sys.executable, "-W", "default", str(Path(life_program.__file__))]
    return subprocess.Popen(  # noqa: S603  # our own program
        [*program, way, backend, url, str(ledger)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=WHOLE,
    )


async def certainties(path: Path) -> dict[str, Certainty]:
    """Return what the ledger knows of each recipient."""
    async with SQLiteLedger(path) as ledger:
        return {
            outcome.message.to: outcome.certainty async for outcome in ledger.outcomes("spring")
        }


def check_record(emulator: Emulator, path: Path) -> None:
    """Hold the ledger against what the sandbox has seen: every message, none twice, no lie."""
    known = anyio.run(certainties, path)
    seen = {message.recipient for message in emulator.messages}
    accepted = {to for to, certainty in known.items() if certainty is Certainty.ACCEPTED}
    doubtful = {to for to, certainty in known.items() if certainty is Certainty.UNKNOWN}
    assert len(known) == life_program.COUNT
    assert accepted <= seen <= accepted | doubtful
    assert emulator.stats().sent_twice == 0


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("blows", [1, 2])
def test_ctrl_c(backend: str, blows: int, tmp_path: Path) -> None:
    """It drains, also when struck twice; the record is whole, and the next run sends the rest."""
    emulator, path = Interrupted(at=10), tmp_path / "spring.ledger"
    with SandboxServer(emulator, port=0) as server:
        process = started("campaign", backend, server.base_url, path)
        emulator.strike = lambda: [process.send_signal(signal.SIGINT) for _ in range(blows)]
        out, err = process.communicate(timeout=60)
        assert process.returncode in {1, 130, -signal.SIGINT}
        assert "KeyboardInterrupt" in err
        assert "ResourceWarning" not in err
        assert "never retrieved" not in err
        if blows == 1:
            assert "report" in out
        check_record(emulator, path)
        assert emulator.stats().accepted < life_program.COUNT
        process = started("campaign", backend, server.base_url, path)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")
    check_record(emulator, path)


@pytest.mark.parametrize("backend", BACKENDS)
def test_sigterm_without_a_handler(backend: str, tmp_path: Path) -> None:
    """It ends the program at once, as a kill does: what was under way is unknown, no more."""
    emulator, path = Interrupted(at=10), tmp_path / "spring.ledger"
    with SandboxServer(emulator, port=0) as server:
        process = started("campaign", backend, server.base_url, path)
        emulator.strike = process.terminate
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGTERM
        process = started("campaign", backend, server.base_url, path)
        assert process.communicate(timeout=60)[1] == ""
    check_record(emulator, path)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("way", "code", "words"),
    [
        ("open_at_exit", 0, ["AsyncMultiWhats for", "was not closed"]),
        ("exit_in_mid_run", 7, []),
        ("abandoned", 0, []),
        ("daemon_thread", 0, []),
    ],
)
def test_the_interpreter_ends(
    way: str, code: int, words: list[str], backend: str, tmp_path: Path
) -> None:
    """With a client open, in mid-run, under a daemon thread: no hang, no finaliser's traceback."""
    emulator = Interrupted()
    with SandboxServer(emulator, port=0) as server:
        process = started(way, backend, server.base_url, tmp_path / "spring.ledger")
        _, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert "Exception ignored" not in err
    assert emulator.stats().sent_twice == 0
    assert [word for word in words if word not in err] == []
    assert ("was not closed" in err) is bool(words)


def test_a_loop_that_is_stopped_in_mid_send(tmp_path: Path) -> None:
    """Taken up again it ends what was under way; closed, the client says that it was left open."""
    emulator = Emulator(faults=FaultPlan(["latency=1"]), magic_numbers=False)
    with SandboxServer(emulator, port=0) as server:
        process = started("stopped_loop", "asyncio", server.base_url, tmp_path / "x")
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "stopped False\nclosed\n")
    assert "was not closed" in err
    assert emulator.stats().requests == 1


def held() -> tuple[int, int]:
    """Return how many files this process has, and threads of ours."""
    gc.collect()
    ours = [thread for thread in threading.enumerate() if thread.name.startswith("multiwhats")]
    return len([*Path("/proc/self/fd").iterdir()]), len(ours)


def tasks_here() -> int:
    """Return how many tasks the running loop has."""
    if os.environ.get("PYTEST_CURRENT_TEST", "").find("[trio") >= 0:
        return trio.lowlevel.current_statistics().tasks_living
    return len(asyncio.all_tasks())


async def one(client: AsyncMultiWhats, tmp_path: Path) -> None:
    """Send one message."""
    await client.deliver(MESSAGE)


async def many(client: AsyncMultiWhats, tmp_path: Path) -> None:
    """Send many."""
    await client.send_many(life_program.messages(20))


async def recorded(client: AsyncMultiWhats, tmp_path: Path) -> None:
    """Send a campaign that is on record."""
    ledger = SQLiteLedger(tmp_path / "spring.ledger")
    async with client.bulk(life_program.messages(20), ledger=ledger, campaign="spring") as run:
        async for _ in run:
            pass


@pytest.mark.anyio
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files by /proc")
@pytest.mark.parametrize("call", [one, many, recorded])
async def test_nothing_is_left_by_a_call_that_is_cut_off(
    call: Callable[[AsyncMultiWhats, Path], Awaitable[None]], tmp_path: Path
) -> None:
    """Cut off at any of twenty moments: no task, socket, file or thread stays."""

    def dawdle(connection: Connection) -> None:
        request = connection.read_request()
        connection.server.released.wait(0.002)
        connection.send(connection.server.answer_to(request))

    server = RawServer(dawdle).start()
    try:
        before: tuple[int, int] | None = None
        tasks = tasks_here()
        for moment in range(21):
            async with AsyncMultiWhats(
                "KEY", sender="908503080335", base_url=server.url, max_concurrency=4
            ) as client:
                with anyio.move_on_after(moment * 0.002):
                    await call(client, tmp_path)
            await anyio.to_thread.run_sync(server.wait_idle)
            before = before or held()
            assert tasks_here() <= tasks
        files, threads = held()
        assert (files <= before[0], threads <= before[1]) == (True, True)
    finally:
        server.stop()


@pytest.mark.anyio
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
async def test_the_parent_goes_on_after_a_fork() -> None:
    """The child is refused before any POST, even single ones; the parent sends as before."""
    server = RawServer().start()
    try:
        async with AsyncMultiWhats("KEY", sender="908503080335", base_url=server.url) as client:
            await client.deliver(MESSAGE)
            child = os.fork()
            if not child:
                code = 1
                try:
                    client.deliver(MESSAGE).send(None)
                except BaseException as error:  # noqa: BLE001  # whatever it is, it is told
                    code = 0 if "fork" in str(error) else 2
                finally:
                    os._exit(code)
            _, status = os.waitpid(child, 0)  # noqa: ASYNC222  # the child ends at once
            assert os.waitstatus_to_exitcode(status) == 0
            assert (await client.deliver(MESSAGE)).certainty is Certainty.ACCEPTED
    finally:
        server.stop()
    assert server.posts == 2
