"""``multiwhats sandbox``: the API served by the program."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandbox.hooks import Hook, running
from vendor import REQUEST

from multiwhats_async import AsyncMultiWhats, ButtonMessage
from multiwhats_async.cli import sandbox as module
from multiwhats_async.sandbox import SandboxJournal, SandboxServer


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
        (["--webhook", "http://example.com/?token=s3"], "--allow-remote-webhook"),
        (["--webhook", "127.0.0.1:8000"], "is no address"),
        (["--fault", "webhook_delay"], "webhook_delay needs its seconds"),
        (["--open", "--headless"], "choose one"),
        (["--db", "/nowhere/at/all.db"], "cannot open /nowhere/at/all.db"),
        (["--reply-template", "/nowhere.json"], "does not exist"),
    ],
)
def test_bad_usage(cli: Callable[..., Any], argv: list[str], words: str) -> None:
    """What the sandbox cannot do is one line and exit code 2."""
    said = cli("sandbox", *argv)
    assert said.code == 2
    assert words in said.err
    assert said.err.count("\n") == 1
    assert "s3" not in said.err


def test_a_file_is_let_go_where_the_rest_cannot_be(cli: Callable[..., Any], tmp_path: Path) -> None:
    """The next sandbox finds it free."""
    path = tmp_path / "sandbox.db"
    assert cli("sandbox", "--db", path, "--host", "0.0.0.0").code == 2  # noqa: S104  # refused
    SandboxJournal(path).close()


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


def serving(program: Callable[..., Any], *argv: str | Path) -> tuple[Any, dict[str, str]]:
    """Start the sandbox as a program; return it with the two variables that it prints."""
    process = program("sandbox", "--port", "0", *argv)
    lines = [process.stdout.readline().strip() for _ in range(2)]
    return process, dict(line.removeprefix("export ").split("=", 1) for line in lines)


def end(process: Any) -> str:
    """End a program as Ctrl-C does; return what it has said."""
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    return str(err)


def api_of(env: dict[str, str]) -> httpx.Client:
    """Return a client of a sandbox's test API."""
    return httpx.Client(base_url=env["MULTIWHATS_BASE_URL"].replace("/api/v1/", "/sandbox/"))


def send(env: dict[str, str]) -> int:
    """Send the vendor's example; return its id."""
    answer = httpx.post(
        env["MULTIWHATS_BASE_URL"] + "basic/whatsapp/send-dynamic",
        params={"apikey": "K"},
        json=REQUEST,
    )
    return int(answer.json()["id"])


def test_a_file_outlives_the_sandbox(program: Callable[..., Any], tmp_path: Path) -> None:
    """With --db a conversation is there again, whether it was ended or killed."""
    path = tmp_path / "sandbox.db"
    process, env = serving(program, "--db", path)
    assert send(env) == 3664
    process.kill()
    process.communicate()
    process, env = serving(program, "--db", path)
    assert send(env) == 3665
    assert "1 message accepted" in end(process)
    process, env = serving(program, "--db", path)
    with api_of(env) as api:
        assert [one["id"] for one in api.get("messages").json()["items"]] == [3665, 3664]
    end(process)


def test_a_file_that_cannot_be_written_is_said(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In one line; the sandbox goes on without it."""

    def full_disk(_options: Any, server: Any) -> None:
        server.emulator.store._journal._database.execute("PRAGMA query_only = ON")
        for _ in range(2):
            assert send(server.env)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(module, "_introduce", full_disk)
    said = cli("sandbox", "--port", "0", "--db", tmp_path / "sandbox.db")
    assert said.code == 0
    first, second = said.err.splitlines()
    assert first == "The sandbox's file cannot be written: attempt to write a readonly database"
    assert second.startswith("2 requests read, 2 messages accepted")


def test_a_choice_in_the_shape_of_a_captured_payload(
    program: Callable[..., Any], tmp_path: Path
) -> None:
    """--reply-template pushes that shape, --assume-item-id another content of the record."""
    template = tmp_path / "reply.json"
    template.write_text('{"who": "{to}", "choice": {"n": "{index_from_1}"}}', "utf-8")
    with running(Hook()) as hook:
        process, env = serving(program, "--webhook", hook.url, "--reply-template", template)
        with api_of(env) as api:
            api.post(f"messages/{send(env)}/tap", json={"index": 1})
        hook.wait(1)
        end(process)
        process, env = serving(program, "--webhook", hook.url, "--assume-item-id", "index_from_0")
        with api_of(env) as api:
            api.post(f"messages/{send(env)}/tap", json={"index": 1})
        hook.wait(2)
        end(process)
    assert hook.bodies[0] == {"who": REQUEST["to"], "choice": {"n": 2}}
    assert hook.bodies[1]["extra_data"]["selectedItemId"] == 1


def test_ctrl_c_ends_it_with_pages_open(program: Callable[..., Any]) -> None:
    """Twelve open streams and a program that waits hold nothing up."""
    process, env = serving(program)
    with api_of(env) as api, ExitStack() as pages:
        for _ in range(12):
            pages.enter_context(api.stream("GET", "events"))
        pages.enter_context(closing(waiting := WaitingForMessage(env)))
        err = end(process)
        assert waiting.ended()
    assert "Traceback" not in err


class WaitingForMessage:
    """A request that waits for a message that never comes."""

    def __init__(self, env: dict[str, str]) -> None:
        url = httpx.URL(env["MULTIWHATS_BASE_URL"])
        self._connection = socket.create_connection((url.host, url.port), 30)
        self._connection.sendall(
            b"GET /sandbox/messages/wait?timeout=60 HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )

    def ended(self) -> bool:
        """Return whether the connection was ended without an answer."""
        try:
            return self._connection.recv(100) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def test_the_page_is_opened(cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """--open shows it in the browser, --headless has none to show."""
    opened: list[str] = []

    def browser(url: str) -> None:
        opened.append(url)
        opened.append(httpx.get(url, headers={"accept": "text/html"}).text)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(module.webbrowser, "open", browser)
    said = cli("sandbox", "--port", "0", "--open")
    assert said.code == 0
    url, page = opened
    assert f"Look at it on {url}" in said.err
    assert page.startswith("<!doctype html>")


PROGRAM = """
import os, sys, httpx
answer = httpx.post(
    os.environ["MULTIWHATS_BASE_URL"] + "basic/whatsapp/send-dynamic",
    params={"apikey": os.environ["MULTIWHATS_API_KEY"]},
    json={"from": "908503080335", "to": "905374937766", "message": "Hi", "type": "button",
          "buttons": ["Yes"]},
)
print(answer.status_code, sys.argv[1:])
sys.exit(7)
"""


def test_exec_runs_a_command_against_a_sandbox_of_its_own(program: Callable[..., Any]) -> None:
    """It finds the sandbox in its environment, and its exit code is the program's."""
    process = program(
        "sandbox", "--fault", "429", "exec", "--", sys.executable, "-c", PROGRAM, "--port", "x"
    )
    out, err = process.communicate(timeout=60)
    assert out == "429 ['--port', 'x']\n"
    assert process.returncode == 7
    assert err == "1 request read, 0 messages accepted, 0 credits, 0 sent twice\n"


def test_exec_needs_a_command(cli: Callable[..., Any], tmp_path: Path) -> None:
    """None, one that is not there, one that cannot be run: as a shell would say it."""
    said = cli("sandbox", "exec")
    assert (said.code, "Missing argument" in said.err) == (2, True)
    said = cli("sandbox", "exec", "--", "no-such-command-anywhere")
    assert (said.code, said.err) == (127, "no-such-command-anywhere: there is no such command.\n")
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x00\x01")
    broken.chmod(0o755)
    said = cli("sandbox", "exec", "--", broken)
    assert said.code == 126
    assert "Exec format error" in said.err


def test_exec_on_a_port_that_is_taken(cli: Callable[..., Any], sandbox: SandboxServer) -> None:
    """The command is not run."""
    said = cli("sandbox", "--port", sandbox.port, "exec", "--", sys.executable, "-c", "1/0")
    assert said.code == 2
    assert "is in use" in said.err


def test_exec_opens_the_page(cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """To watch a program's messages as it sends them."""
    opened: list[str] = []
    monkeypatch.setattr(module.webbrowser, "open", opened.append)
    said = cli("sandbox", "--open", "exec", "--", sys.executable, "-c", "")
    assert said.code == 0
    assert opened[0].startswith("http://127.0.0.1:")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_the_commands_to_answer(number: signal.Signals, tmp_path: Path) -> None:
    """Ctrl-C reaches both from the terminal; a service is ended with the sandbox around it."""
    words = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGINT, lambda *_: os._exit(5))\n"
        "signal.signal(signal.SIGTERM, lambda *_: os._exit(6))\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-m", "multiwhats_async", "sandbox", "exec", "--"]
    process = subprocess.Popen(  # noqa: S603 - our own program
        [*command, sys.executable, "-c", words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    if number is signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == (5 if number is signal.SIGINT else 6)


def test_a_command_that_is_killed(cli: Callable[..., Any]) -> None:
    """Its exit code is 128 and the signal, as in a shell."""
    words = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert cli("sandbox", "exec", "--", sys.executable, "-c", words).code == 128 + signal.SIGKILL
