"""What the documentation shows is what runs."""

import ast
import importlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx
import pytest
from vendor import SENDER

from multiwhats_async import AsyncMultiWhats
from multiwhats_async.menus import Menu
from multiwhats_async.sandbox import Emulator, Fault, FaultPlan, SandboxServer, mock_transport
from multiwhats_async.testing import MultiWhatsKit

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "docs" / "examples"
TOP = ("README.md", "README.tr.md", "SECURITY.md", "CONTRIBUTING.md")
PAGES = [*(ROOT / name for name in TOP), *sorted((ROOT / "docs").rglob("*.md"))]
README = (ROOT / "README.md").read_text("utf-8")
SHOWN = re.compile(
    r"<!-- docs/examples/(?P<name>\S+) -->\n```(?:python|toml)\n(?P<code>.*?)```", re.DOTALL
)


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    """Run the sandbox on a free port."""
    with SandboxServer(Emulator(magic_numbers=False), port=0) as server:
        yield server


def test_pages_show_the_example_files_word_for_word() -> None:
    """Every whole program in them is one of the files that run below."""
    for page in PAGES:
        text = page.read_text("utf-8")
        for match in SHOWN.finditer(text):
            assert (EXAMPLES / match["name"]).read_text("utf-8") == match["code"], page
    shown = {match["name"] for match in SHOWN.finditer(README)}
    assert len(shown) == README.count("```python") == 4


def test_other_python_in_pages_is_a_piece_of_an_example() -> None:
    """Nothing is shown that does not run somewhere."""
    programs = [path.read_text("utf-8") for path in EXAMPLES.glob("*.py")]
    pieces = [
        (page.name, piece)
        for page in PAGES
        for piece in re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    ]
    assert len(pieces) > 5
    assert [page for page, piece in pieces if not any(piece in one for one in programs)] == []


def test_the_menu_in_the_guide_is_one() -> None:
    """It loads as it stands."""
    guide = (ROOT / "docs" / "howto" / "menus.md").read_text("utf-8")
    (toml,) = re.findall(r"```toml\n(.*?)```", guide, re.DOTALL)
    menu = Menu.from_toml(toml)
    assert (menu.name, len(menu.stages), menu.actions) == ("hotel", 3, ("book",))


@pytest.mark.anyio
async def test_the_service_for_replies_prints_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the sandbox pushes comes out of it, without the whole number."""
    monkeypatch.setenv("REPLY_TOKEN", "secret")
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.delitem(sys.modules, "receive_reply", raising=False)  # it remembers replies
    import receive_reply  # noqa: PLC0415  # an example, importable only now

    emulator = Emulator(webhook="http://127.0.0.1:1/")
    client = httpx.AsyncClient(transport=mock_transport(emulator))
    async with (
        client,
        AsyncMultiWhats("K", sender=SENDER, http_client=client) as whatsapp,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(receive_reply.app), base_url="http://web"
        ) as web,
    ):
        receipt = await whatsapp.send_button_message("905374937766", "Hi", ["👍 Yes"])
        assert receipt.id is not None
        (delivery,) = emulator.tap(receipt.id, index=0)[1]
        answer = await web.post("/replies?token=secret", json=delivery.body)
        again = await web.post("/replies?token=wrong", json=delivery.body)
    assert (answer.status_code, again.status_code) == (200, 401)
    said = f"…7766 chose '👍 Yes' of message {receipt.id}\n"
    assert capsys.readouterr().out == said
    assert answer.json()["status"] == "accepted"


@pytest.mark.parametrize("name", ["send_one.py", "send_many.py", "campaign.py", "send_on_trio.py"])
def test_an_example_sends_to_the_sandbox(name: str, sandbox: SandboxServer, tmp_path: Path) -> None:
    """As a program of its own, with the two settings that the sandbox prints."""
    done = subprocess.run(  # noqa: S603  # our own example
        [sys.executable, "-W", "error", str(EXAMPLES / name)],
        env=os.environ | sandbox.env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    accepted, said = {
        "send_one.py": (1, "done 1 sent"),
        "send_on_trio.py": (1, "3664 done"),
        "send_many.py": (3, "accepted=3"),
        "campaign.py": (3, "accepted=3"),
    }[name]
    assert sandbox.emulator.stats().accepted == accepted
    assert said in done.stdout


def test_the_campaign_example_sends_once(sandbox: SandboxServer, tmp_path: Path) -> None:
    """Run a second time, it says what is known, and sends nothing."""
    command = [sys.executable, "-W", "error", str(EXAMPLES / "campaign.py")]
    first, second = (
        subprocess.run(  # noqa: S603  # our own example
            command,
            env=os.environ | sandbox.env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for _ in range(2)
    )
    assert first.count("accepted \n") == 3
    assert second.count("skipped accepted\n") == 3
    assert first.splitlines()[-1] == second.splitlines()[-1]
    assert sandbox.emulator.stats().accepted == 3


@pytest.fixture
def shared(sandbox: SandboxServer, dsn: str) -> dict[str, str]:
    """Return the environment of programs that share a ledger, and send to the sandbox."""
    told = {"MULTIWHATS_LEDGER": dsn, "MULTIWHATS_FROM": SENDER, "PYTHONUTF8": "1"}
    return os.environ | sandbox.env | told


def _started(name: str, *arguments: str, env: dict[str, str]) -> "subprocess.Popen[str]":
    command = [sys.executable, "-W", "error", str(EXAMPLES / name), *arguments]
    return subprocess.Popen(  # noqa: S603  # our own example
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_the_fleet_example_sends_once(sandbox: SandboxServer, shared: dict[str, str]) -> None:
    """Handed over once, sent by two workers, which end at a signal and leave nothing in doubt."""
    out, err = _started("fleet.py", "enqueue", env=shared).communicate(timeout=60)
    assert ("messages=500, added=500, chunks=3" in out, err) == (True, "")
    workers = [_started("fleet.py", "work", env=shared) for _ in range(2)]
    until = time.monotonic() + 60
    look = threading.Event()
    while sandbox.emulator.stats().accepted < 500:
        assert time.monotonic() < until, "the workers do not send"
        look.wait(0.05)
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    said = [(*worker.communicate(timeout=60), worker.returncode) for worker in workers]
    assert said == [("", "", 0)] * 2
    stats = sandbox.emulator.stats()
    assert (stats.accepted, stats.sent_twice) == (500, 0)


def test_the_example_of_many_processes_sends_once(
    sandbox: SandboxServer, shared: dict[str, str]
) -> None:
    """Run twice at the same time: what one has in hand the other passes over."""
    both = [_started("many_processes.py", env=shared) for _ in range(2)]
    said = [process.communicate(timeout=60) for process in both]
    ended = [(process.returncode, err) for process, (_, err) in zip(both, said, strict=True)]
    assert ended == [(0, "")] * 2
    accepted = [int(re.findall(r"accepted=(\d+), .*stopped_by=None", out)[0]) for out, _ in said]
    assert sum(accepted) == 200
    stats = sandbox.emulator.stats()
    assert (stats.accepted, stats.sent_twice) == (200, 0)


def test_the_streaq_example_sends_once(
    sandbox: SandboxServer, shared: dict[str, str], redis_url: str
) -> None:
    """On trio, with the rate in the Redis of its queue."""
    env = shared | {"MULTIWHATS_REDIS": redis_url}
    process = _started("streaq_worker.py", env=env)
    out, err = process.communicate(timeout=60)
    assert ("accepted=300" in out, err, process.returncode) == (True, "", 0)
    stats = sandbox.emulator.stats()
    assert (stats.accepted, stats.sent_twice) == (300, 0)


@pytest.mark.parametrize(
    ("name", "sent", "twice"),
    [
        ("before_httpx.py", 4, 1),
        ("after_httpx.py", 3, 0),
        ("before_requests.py", 3, 1),
        ("after_requests.py", 2, 0),
    ],
)
def test_moving_here_ends_the_doubling(name: str, sent: int, twice: int) -> None:
    """One answer is lost on the way: the loop sends again, the client does not."""
    fault = FaultPlan([Fault.parse("disconnect_after@nth:2")])
    with SandboxServer(Emulator(magic_numbers=False, faults=fault), port=0) as server:
        done = _started(name, env=os.environ | server.env)
        _, err = done.communicate(timeout=60)
        stats = server.emulator.stats()
    assert (done.returncode, err) == (0, "")
    assert (stats.accepted, stats.sent_twice) == (sent, twice)


def test_the_example_of_looking_up_settles_what_was_unknown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Named as listed in the account, the message is accepted; nothing is sent a second time."""
    monkeypatch.setenv("PYTHONUTF8", "1")
    fault = FaultPlan([Fault.parse("disconnect_after@nth:2")])
    with SandboxServer(Emulator(magic_numbers=False, faults=fault), port=0) as server:
        said = []
        for numbers in ([], ["905300000001", "905300000002", "905300000003"]):
            done = subprocess.run(  # noqa: S603  # our own example
                [sys.executable, "-W", "error", str(EXAMPLES / "look_up.py"), *numbers],
                env=os.environ | server.env,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=True,
                timeout=60,
            )
            said.append(done.stdout.splitlines()[-1])
        stats = server.emulator.stats()
    assert "accepted=2, rejected=0, unknown=1" in said[0]
    assert "accepted=3, rejected=0, unknown=0" in said[1]
    assert (stats.accepted, stats.sent_twice) == (3, 0)


@pytest.mark.parametrize("name", ["celery_worker.py", "temporal_worker.py"])
def test_an_example_for_an_engine_that_is_not_installed(name: str) -> None:
    """It cannot run here; it compiles, and what it takes of this package is there."""
    text = (EXAMPLES / name).read_text("utf-8")
    compile(text, name, "exec")
    ours = [
        (node.module, alias.name)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("multiwhats_async")
        for alias in node.names
    ]
    assert len(ours) > 3
    for module, taken in ours:
        assert hasattr(importlib.import_module(module), taken), (module, taken)


@pytest.mark.anyio
async def test_the_fastapi_example_answers(
    sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One client for the life of the application."""
    for name, value in (sandbox.env | {"MULTIWHATS_FROM": SENDER}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import fastapi_app  # noqa: PLC0415  # an example, importable only now

    async with MultiWhatsKit().running(fastapi_app.app) as web:
        answer = (await web.post("/ask/905374937766")).json()
        refused = await web.post("/ask/0537")
    assert (refused.status_code, "begins with 0" in refused.text) == (422, True)
    assert (answer["certainty"], sandbox.emulator.stats().accepted) == ("accepted", 1)


def test_the_examples_own_tests_pass() -> None:
    """With the fixtures, as whoever copies them has it; a skipped one would be none."""
    bare = ["-c", os.devnull, "--rootdir", str(EXAMPLES), "-p", "no:cacheprovider"]
    done = subprocess.run(  # noqa: S603  # our own example
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-W",
            "error",
            *bare,
            "-p",
            "multiwhats",
            "-p",
            "anyio",
        ],
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=EXAMPLES,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"^13 passed in", done.stdout, re.MULTILINE), done.stdout


def test_the_difference_in_the_guide_is_what_an_assertion_shows() -> None:
    """Taken from the kit, not written."""
    kit = MultiWhatsKit()

    async def send() -> None:
        async with kit.client() as client:
            for text in ("Is 10:00 all right?", "See you at 11:00!"):
                await client.send_button_message("905374937766", text, ["👍 Yes"])

    anyio.run(send)
    with pytest.raises(AssertionError) as caught:
        kit.assert_sent(to="905374937766", text="See you at 10:00!")
    guide = (ROOT / "docs" / "howto" / "testing.md").read_text("utf-8")
    assert re.findall(r"```text\n(.*?)\n```", guide, re.DOTALL) == [str(caught.value)]


def test_the_tables_of_cases_and_attacks_name_tests_that_exist() -> None:
    """A test that is renamed takes its case along."""
    for name in ("cases.md", "security.md"):
        page = (ROOT / "docs" / "explanation" / name).read_text("utf-8")
        named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", page)
        assert len(named) > 40
        for path, test in named:
            text = (ROOT / path).read_text("utf-8")
            assert re.search(rf"(def|class) {test or 'test'}", text, re.IGNORECASE), (path, test)


def test_the_readmes_test_command_is_what_ci_runs() -> None:
    """``.ci/run`` takes it from there, so the two cannot differ."""
    marked = re.search(r"<!-- test command -->\n```sh\n(.*)\n```", README)
    assert marked is not None
    assert marked[1].endswith("nox")
    assert "<!-- test command -->" in (ROOT / ".ci" / "run").read_text("utf-8")
