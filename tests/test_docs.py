"""What the documentation shows is what runs."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from vendor import SENDER

from multiwhats_async.sandbox import Emulator, SandboxServer

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "docs" / "examples"
README = (ROOT / "README.md").read_text("utf-8")
SHOWN = re.compile(r"<!-- docs/examples/(?P<name>\S+) -->\n```python\n(?P<code>.*?)```", re.DOTALL)


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    """Run the sandbox on a free port."""
    with SandboxServer(Emulator(magic_numbers=False), port=0) as server:
        yield server


def test_the_readme_shows_the_example_files_word_for_word() -> None:
    """Every block of Python in it is one of the files that run below."""
    shown = {match["name"]: match["code"] for match in SHOWN.finditer(README)}
    assert len(shown) == README.count("```python") == 4
    for name, code in shown.items():
        assert (EXAMPLES / name).read_text("utf-8") == code


@pytest.mark.parametrize("name", ["send_one.py", "send_many.py", "campaign.py"])
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
    accepted = {"send_one.py": 1, "send_many.py": 3, "campaign.py": 3}[name]
    assert sandbox.emulator.stats().accepted == accepted
    assert ("done 1 sent" if accepted == 1 else "accepted=3") in done.stdout


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


@pytest.mark.anyio
async def test_the_fastapi_example_answers(
    sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One client for the life of the application."""
    for name, value in (sandbox.env | {"MULTIWHATS_FROM": SENDER}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import fastapi_app  # noqa: PLC0415  # an example, importable only now

    app = fastapi_app.app
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://web") as web,
    ):
        answer = (await web.post("/ask/905374937766")).json()
        refused = await web.post("/ask/0537")
    assert (refused.status_code, "begins with 0" in refused.text) == (422, True)
    assert (answer["certainty"], sandbox.emulator.stats().accepted) == ("accepted", 1)


def test_links_of_the_documentation_lead_somewhere() -> None:
    """Every relative link names a file that is there."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    links = [
        (page, link)
        for page in pages
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8"))
    ]
    assert links
    assert [(page, link) for page, link in links if not (page.parent / link).exists()] == []


def test_the_table_of_cases_names_tests_that_exist() -> None:
    """A test that is renamed takes its case along."""
    page = (ROOT / "docs" / "explanation" / "cases.md").read_text("utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", page)
    assert len(named) > 40
    for path, name in named:
        assert f"def {name or 'test'}" in (ROOT / path).read_text("utf-8"), (path, name)


def test_the_readmes_test_command_is_what_ci_runs() -> None:
    """``.ci/run`` takes it from there, so the two cannot differ."""
    marked = re.search(r"<!-- test command -->\n```sh\n(.*)\n```", README)
    assert marked is not None
    assert marked[1].endswith("nox")
    assert "<!-- test command -->" in (ROOT / ".ci" / "run").read_text("utf-8")
