"""The guides for telemetry: their programs run, and their tables name what there is."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from multiwhats_async.integrations import _conventions as names
from multiwhats_async.sandbox import Emulator, SandboxServer

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "reference" / "telemetry.md").read_text("utf-8")


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    """Run the sandbox on a free port."""
    with SandboxServer(Emulator(magic_numbers=False), port=0) as server:
        yield server


def said_by(name: str, sandbox: SandboxServer) -> tuple[str, str]:
    """Run an example; return its standard output and error."""
    done = subprocess.run(  # noqa: S603  # our own example
        [sys.executable, "-W", "error", str(ROOT / "docs" / "examples" / name)],
        env=os.environ | sandbox.env | {"PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
        timeout=60,
    )
    return done.stdout, done.stderr


@pytest.mark.parametrize("name", ["log_as_json.py", "log_with_structlog.py"])
def test_a_logging_recipe_writes_fields(name: str, sandbox: SandboxServer) -> None:
    """One JSON object a record, with the values of the attempt, and the number masked."""
    _, told = said_by(name, sandbox)
    (record,) = map(json.loads, told.splitlines())
    assert record["event"].startswith("Attempt 1 of the message to ••••••••7766: accepted in ")
    fields: dict[str, Any] = {
        "level": "debug" if "structlog" in name else "DEBUG",
        "logger": "multiwhats_async",
        "key": "order-17",
        "attempt": 1,
        "certainty": "accepted",
        "status_code": None,
    }
    if "structlog" in name:
        fields["request_id"] = "r-1"
    assert fields.items() <= record.items()
    assert 0 < record["elapsed"] < 30
    assert set(record) == {*fields, "event", "elapsed"}


def test_the_record_in_the_guide_has_the_fields_of_a_record(sandbox: SandboxServer) -> None:
    """In the same order; only the times differ."""
    guide = (ROOT / "docs" / "howto" / "logging.md").read_text("utf-8")
    (shown,) = re.findall(r"```text\n(.*?)\n```", guide, re.DOTALL)
    _, told = said_by("log_as_json.py", sandbox)
    assert re.sub(r"\d\.\d+", "?", shown) == re.sub(r"\d\.\d+", "?", told.strip())


def test_the_opentelemetry_example_exports_spans_and_metrics(sandbox: SandboxServer) -> None:
    """Below the caller's span; nothing personal among them."""
    told, _ = said_by("trace_with_opentelemetry.py", sandbox)
    assert told.count(f'"name": "{names.SPAN}"') == 3
    assert told.count(f'"name": "{names.ATTEMPT_SPAN}"') == 3
    assert '"name": "spring campaign"' in told
    assert f'"name": "{names.SENT_MESSAGES}"' in told
    assert "90530000000" not in told
    assert "Hi" not in told.split()


def test_the_prometheus_example_prints_counts(sandbox: SandboxServer) -> None:
    """As a scrape reads them."""
    told, _ = said_by("count_with_prometheus.py", sandbox)
    assert 'multiwhats_messages_total{certainty="accepted"} 1.0' in told
    assert 'multiwhats_attempts_total{certainty="unknown"} 0.0' in told


def test_the_page_of_names_has_every_name() -> None:
    """Each of the module of names, and no other."""
    strings = {
        value
        for name, value in vars(names).items()
        if name.isupper() and isinstance(value, str) and not value.startswith("https:")
    }
    strings -= {names.SCOPE, names.MULTIWHATS, names.SEND}
    assert {name for name in strings if f"`{name}`" not in PAGE} == set()
    rows = set(re.findall(r"^\| `([^`]+)`", PAGE, re.MULTILINE))
    assert rows == strings
    for bound in (*names.SECONDS, *names.LONG_SECONDS):
        assert re.search(rf"\b{bound:g}\b", PAGE)
