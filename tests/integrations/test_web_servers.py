"""The examples for web frameworks, each on the server that it is made for, over real sockets."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import anyio
import httpx
import pytest

from multiwhats_async.testing import MultiWhatsServerKit

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
GUEST = "905374937766"
ON_TRIO = ["-m", "hypercorn", "-k", "trio"]
PATIENCE = 30.0
"""Seconds: what has not come by then will not come."""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def served(command: list[str], port: int, env: dict[str, str]) -> Iterator[str]:
    """Run a server until the block ends; yield its address once it takes connections."""
    process = subprocess.Popen(  # noqa: S603  # a server with our own example
        [sys.executable, *command], env=env, cwd=EXAMPLES, stderr=subprocess.PIPE, text=True
    )
    try:
        until = time.monotonic() + PATIENCE
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < until, "the server does not listen"
            threading.Event().wait(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in said, said
    assert "Warning" not in said, said


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "uvicorn", "--factory", "fastapi_service:create_app", "--port"],
        ["-m", "uvicorn", "starlette_app:app", "--port"],
        ["-m", "uvicorn", "litestar_app:app", "--port"],
        [*ON_TRIO, "starlette_app:app", "--bind"],
        [*ON_TRIO, "fastapi_service:create_app()", "--bind"],
        [*ON_TRIO, "litestar_app:app", "--bind"],
        ["aiohttp_app.py"],
    ],
    ids=[
        "fastapi",
        "starlette",
        "litestar",
        "starlette-on-trio",
        "fastapi-on-trio",
        "litestar-on-trio",
        "aiohttp",
    ],
)
def test_an_example_asks_and_answers(
    multiwhats_server: MultiWhatsServerKit, command: list[str]
) -> None:
    """A request, a message, a tap that the sandbox pushes, the answer to it, a clean end."""
    kit, port = multiwhats_server, free_port()
    if command[-1].startswith("--"):
        command = [*command, f"127.0.0.1:{port}" if command[-1] == "--bind" else str(port)]
    env = {**os.environ, **kit.env, "REPLY_TOKEN": "secret", "PORT": str(port)}
    with served(command, port, env) as url:
        kit.push_to(f"{url}/replies?token=secret")
        asked = httpx.post(f"{url}/ask/{GUEST}", timeout=PATIENCE)
        assert (asked.status_code, asked.json()) == (200, {"certainty": "accepted"})
        assert httpx.post(f"{url}/ask/0537", timeout=PATIENCE).status_code == 422
        kit.tap(kit.last, "👍 Yes")
        waiting = partial(kit.wait_for, to=GUEST, text="See you at 10:00!", within=PATIENCE)
        answer = anyio.run(waiting)
        assert answer.sender == "908503080335"
        kit.assert_sent(to=GUEST, times=2)
        assert httpx.post(f"{url}/replies?token=wrong", timeout=PATIENCE).status_code == 401


def test_the_tutorials_service_goes_on_where_it_stood(
    multiwhats_server: MultiWhatsServerKit, tmp_path: Path
) -> None:
    """A tap while it is down is pushed again; an answer that is lost doubles nothing."""
    kit, port = multiwhats_server, free_port()
    command = ["-m", "uvicorn", "--factory", "first_menu:create_app", "--port", str(port)]
    sessions = {"REPLY_TOKEN": "secret", "MENU_SESSIONS": str(tmp_path / "first_menu.sessions")}
    env = {**os.environ, **kit.env, **sessions}
    kit.push_to(f"http://127.0.0.1:{port}/replies?token=secret")
    with served(command, port, env) as url:
        greeted = httpx.post(f"{url}/guests/{GUEST}?name=Ada", timeout=PATIENCE)
        assert greeted.json() == {"certainty": "accepted"}
    kit.tap(kit.last, "👍 Evet / Yes")
    with served(command, port, env) as url:
        second = anyio.run(partial(kit.wait_for, to=GUEST, containing="🛎️", within=PATIENCE))
        kit.tap(second, "🚕 Taksi / Taxi")
        anyio.run(partial(kit.wait_for, to=GUEST, text="✅ 🚕 Taksi / Taxi", within=PATIENCE))
        kit.fail_next("disconnect_after")
        greeted = httpx.post(f"{url}/guests/{GUEST}?name=Ada", timeout=PATIENCE)
        assert greeted.json() == {"certainty": "unknown"}
    kit.assert_sent(to=GUEST, containing="Hoş geldiniz Ada", times=2)
    kit.assert_sent(to=GUEST, times=4)
