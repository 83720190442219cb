"""kill -9 at each point of a step: the tap that is pushed again sends nothing twice."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from menus.guests import GUEST, MENU, OFFERED, OURS, no_order, texts

from multiwhats_async import AsyncMultiWhats
from multiwhats_async.menus import MenuEngine, SQLiteMenuStore
from multiwhats_async.sandbox import Emulator, SandboxServer

LIFE = Path(__file__).parent / "one_tap.py"
WHOLE = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
"""Whoever is killed leaves half a file of coverage behind."""


def take(point: str, tap: bytes, sessions: Path, url: str, backend: str) -> int:
    """Let a process take a tap, killed at a point; return its exit code."""
    return subprocess.run(  # noqa: S603  # our own
        [sys.executable, str(LIFE), str(sessions), url, backend, point],
        input=tap,
        env=WHOLE,
        check=False,
        timeout=60,
    ).returncode


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize(
    ("point", "sent", "sent_again"),
    [
        ("before the intent", 0, 1),
        ("behind the intent", 0, 0),
        ("before the id", 1, 1),
        ("behind the id", 1, 1),
    ],
)
def test_a_process_that_is_killed(
    backend: str, point: str, sent: int, sent_again: int, tmp_path: Path
) -> None:
    """What may have gone out is not sent again; what did is taken up by the tap on it."""
    emulator = Emulator(webhook="http://127.0.0.1:1/")
    sessions = tmp_path / "menus.db"

    async def begin(url: str) -> None:
        async with (
            AsyncMultiWhats("KEY", sender=OURS, base_url=url) as client,
            MenuEngine(
                client, MENU, SQLiteMenuStore(sessions), actions={"order": no_order}
            ) as engine,
        ):
            await engine.start(GUEST, data={"guest": "Ayşe"})

    def tap(label: str) -> bytes:
        (delivery,) = emulator.tap(emulator.messages[-1].id, label=label)[1]
        return json.dumps(delivery.body).encode()

    with SandboxServer(emulator, port=0) as server:
        url = server.env["MULTIWHATS_BASE_URL"]
        anyio.run(begin, url, backend=backend)
        yes = tap("👍 Yes")
        assert take(point, yes, sessions, url, backend) == -signal.SIGKILL
        assert texts(emulator)[1:] == [OFFERED] * sent
        for _ in range(2):
            assert take("never", yes, sessions, url, backend) == 0
            assert texts(emulator)[1:] == [OFFERED] * sent_again
        if sent_again:
            assert take("never", tap("🚕 Taxi"), sessions, url, backend) == 0
            assert texts(emulator)[2:] == ["We send a taxi. "]
