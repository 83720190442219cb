"""``multiwhats sandbox``: the API served by the program."""

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from multiwhats_async import AsyncMultiWhats, ButtonMessage
from multiwhats_async.cli import sandbox as module
from multiwhats_async.sandbox import SandboxServer


def test_a_port_that_is_taken(cli: Callable[..., Any], sandbox: SandboxServer) -> None:
    """A port that is in use is one line and exit code 2."""
    said = cli("sandbox", "--port", sandbox.port)
    assert said.code == 2
    assert "is in use" in said.err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--fault", "429@sometimes"], "is no selector"),
        (["--host", "0.0.0.0"], "or add --allow-remote"),  # noqa: S104  # refused
        (["--api-key", ""], "An API key is empty"),
    ],
)
def test_bad_usage(cli: Callable[..., Any], argv: list[str], words: str) -> None:
    """What the sandbox cannot do is one line and exit code 2."""
    said = cli("sandbox", *argv)
    assert said.code == 2
    assert words in said.err
    assert said.err.count("\n") == 1


def test_it_serves_until_a_signal(cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """It prints the two lines that point a program at it, and its counts at the end."""
    introduce = module._introduce

    def interrupt(options: Any, server: Any) -> None:
        introduce(options, server)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(module, "_introduce", interrupt)
    said = cli("sandbox", "--port", "0", "--api-key", "K3Y", "--credits", "5", "--seed", "3")
    assert said.code == 0
    first, second = said.out.splitlines()
    assert first.startswith("export MULTIWHATS_BASE_URL=http://127.0.0.1:")
    assert second == "export MULTIWHATS_API_KEY=K3Y"
    assert "0 requests read, 0 messages accepted, 0 credits, 0 sent twice" in said.err


@pytest.mark.anyio
@pytest.mark.parametrize(("flags", "status"), [((), 200), (("--magic-numbers",), 422)])
async def test_magic_numbers_are_asked_for(
    flags: tuple[str, ...], status: int, anyio_backend: str, program: Callable[..., Any]
) -> None:
    """A list of running numbers meets no fault unless it is asked for."""
    process = program("sandbox", "--port", "0", *flags)
    lines = [process.stdout.readline().strip() for _ in range(2)]
    env = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    async with AsyncMultiWhats(
        env["MULTIWHATS_API_KEY"], base_url=env["MULTIWHATS_BASE_URL"], sender="908503080335"
    ) as client:
        outcome = await client.deliver(ButtonMessage("905300000422", "Hi", ["Yes"]))
    assert (outcome.error.status_code if outcome.error else 200) == status
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)


@pytest.mark.anyio
async def test_as_a_process(anyio_backend: str, program: Callable[..., Any]) -> None:
    """A client that takes the two printed lines sends through it; Ctrl-C ends it with 0."""
    process = program("sandbox", "--port", "0", "--fault", "422@nth:2")
    lines = [process.stdout.readline().strip() for _ in range(2)]
    env = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    async with AsyncMultiWhats(
        env["MULTIWHATS_API_KEY"], base_url=env["MULTIWHATS_BASE_URL"], sender="908503080335"
    ) as client:
        receipt = await client.send_button_message("905374937766", "Hi", ["Yes"])
    assert receipt.status == "done"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "1 request read, 1 message accepted, 1 credit, 0 sent twice" in err
