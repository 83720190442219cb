"""What ``multiwhats bulk`` writes of its results, and what it does where it cannot."""

import csv
import io
import json
import resource
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from multiwhats_async.sandbox import SandboxServer


def test_results_as_csv(cli: Callable[..., Any], sandbox: SandboxServer, tmp_path: Path) -> None:
    """A .csv of results opens in Excel, and runs nothing there."""
    path, out = tmp_path / "in.csv", tmp_path / "out.csv"
    path.write_text(
        "key,to,message,buttons\n=k,905374937766,=1+1,+y\n-k,905374930422,@x,y\n", encoding="utf-8"
    )
    said = cli("bulk", path, "--yes", "--out", out)
    assert said.code == 1
    assert out.read_bytes().startswith(b"\xef\xbb\xbf")
    lines = out.read_text(encoding="utf-8-sig").splitlines()
    rows = sorted(csv.DictReader(lines), key=lambda row: row["line"])
    assert [row["message"] for row in rows] == ["'=1+1", "'@x"]
    assert [row["key"] for row in rows] == ["'=k", "'-k"]
    assert [row["certainty"] for row in rows] == ["accepted", "rejected"]
    assert [row["status_code"] for row in rows] == ["", "422"]
    assert "line 3: rejected: " in said.err
    assert "905374930422" not in said.err


def test_results_as_jsonl(
    cli: Callable[..., Any], sandbox: SandboxServer, table: Callable[..., Path], tmp_path: Path
) -> None:
    """A .jsonl of results has every outcome with its line."""
    out = tmp_path / "out.jsonl"
    assert cli("bulk", table(5), "--yes", "--out", out).code == 0
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert sorted(row["line"] for row in rows) == [2, 3, 4, 5, 6]
    assert "👋" in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("in.csv", "is the input itself"),
        ("there.jsonl", "is there already"),
        ("dangling.jsonl", "is there already"),
        ("results.txt", "end the name in .jsonl or .csv"),
        ("nowhere/out.csv", "cannot write --out"),
    ],
)
def test_results_that_cannot_be_written(
    cli: Callable[..., Any],
    sandbox: SandboxServer,
    table: Callable[..., Path],
    tmp_path: Path,
    name: str,
    words: str,
) -> None:
    """A name for the results that cannot be meant is refused before anything is sent."""
    (tmp_path / "there.jsonl").touch()
    (tmp_path / "dangling.jsonl").symlink_to(tmp_path / "gone")
    said = cli("bulk", table(3), "--yes", "--out", tmp_path / name)
    assert said.code == 2
    assert words in said.err
    assert sandbox.emulator.stats().requests == 0


class _Full(io.TextIOWrapper):
    """A disk that is full after a few lines."""

    room = 2

    def write(self, text: str) -> int:
        if not self.room:
            raise OSError(28, "No space left on device")
        self.room -= 1
        return len(text)


def test_results_that_can_no_longer_be_written(
    cli: Callable[..., Any],
    sandbox: SandboxServer,
    table: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the results can no longer be kept no more credits are spent."""
    path = table(500)
    monkeypatch.setattr(sys, "stdout", _Full(io.BytesIO(), encoding="utf-8"))
    said = cli("bulk", path, "--yes", "--out", "-", "--max-concurrency", "2")
    assert said.code == 1
    assert "The results are not complete: No space left on device" in said.err
    assert "Stopped: the results can no longer be written. Not sent: " in said.err
    assert sandbox.emulator.stats().accepted < 500


def test_a_full_disk_loses_no_word(
    sandbox: SandboxServer, table: Callable[..., Path], tmp_path: Path, program: Callable[..., Any]
) -> None:
    """What went out and could not be recorded is named, and the report is printed."""
    out = tmp_path / "results.jsonl"
    process = program(
        *("bulk", table(500), "--yes", "--out", out, "--max-concurrency", "4", "--no-ledger"),
        # Coverage would leave half a file behind, too.
        env=sandbox.env | {"MULTIWHATS_FROM": "908503080335", "COVERAGE_PROCESS_START": ""},
        preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "The results are not complete: File too large" in err
    assert "Stopped: the results can no longer be written" in err
    whole = [line for line in out.read_bytes().splitlines() if line.endswith(b"}")]
    unrecorded = err.count("was accepted")
    assert 1 <= unrecorded <= 12
    assert len(whole) + unrecorded == sandbox.emulator.stats().accepted
