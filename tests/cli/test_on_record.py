"""``multiwhats report`` and ``multiwhats resolve``: what is on record."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from cli.ledgers import ledger_of, summary_of
from runs import N

from multiwhats_async import ButtonMessage, Certainty, NotSentError, Outcome, SQLiteLedger
from multiwhats_async.sandbox import Emulator, FaultPlan, SandboxServer

Cli = Callable[..., Any]
Serve = Callable[[Emulator], SandboxServer]
Table = Callable[..., Path]


@pytest.fixture
def mixed(cli: Cli, serve: Serve, table: Table) -> Path:
    """Leave a campaign of each certainty: row 2 refused, row 4 unknown, the rest accepted."""
    faults = ["422@nth:2", "disconnect_after@nth:4"]
    serve(Emulator(faults=FaultPlan(faults), magic_numbers=False))
    path = table(6)
    assert cli("bulk", path, "--yes", "--max-concurrency", "1").code == 1
    return path


def test_report_tells_what_has_become_of_a_campaign(cli: Cli, mixed: Path) -> None:
    """By the name of the ledger, or of the file that it belongs to."""
    said = cli("report", mixed)
    assert said.code == 0
    assert cli("report", ledger_of(mixed)).out == said.out
    lines = said.out.splitlines()
    assert lines[0] == f"in.csv  ({ledger_of(mixed)})"
    assert lines[1:8] == [
        "  accepted            4",
        "  rejected            1",
        "  unknown             1",
        "  not sent            0",
        "  pending             0",
        "  total               6",
        "  credits             4",
    ]
    assert lines[8].startswith("  duration ")
    assert lines[9] == "By kind:"
    assert any(line.startswith("  1 rejected · 422: The server refused") for line in lines)
    place = lines.index("Unknown:")
    assert lines[place + 1].startswith("  row 4, ••••••••0003, key ")
    assert "it may have gone out" in lines[place + 1]
    assert lines[place + 2] == "Rejected:"
    assert "row 2, ••••••••0001, key" in lines[place + 3]
    assert "905000000003" not in said.out
    assert "look into the account" in said.err


def test_report_lists_one_certainty_whole(cli: Cli, mixed: Path) -> None:
    """Pending ones too, where they are asked for."""
    table_of_many = mixed.read_text("utf-8") + "905000000099,x,y,\n"
    mixed.write_text(table_of_many, "utf-8")
    said = cli("report", mixed, "--certainty", "accepted", "--campaign", "in.csv")
    assert said.out.count("  row ") == 4
    assert cli("report", mixed, "--certainty", "not_sent").out.count("  row ") == 0


def test_report_lists_some_and_says_how_many_more(cli: Cli, serve: Serve, table: Table) -> None:
    """Ten of each are enough to begin with; what was tried and not sent is among them."""
    serve(Emulator(faults=FaultPlan(["422@every:2"]), magic_numbers=False))
    path = table(30)
    assert cli("bulk", path, "--yes", "--max-concurrency", "1").code == 1
    lines = cli("report", path).out.splitlines()
    assert lines[-1] == "  … and 5 more: --certainty rejected lists them"
    assert len([line for line in lines if line.startswith("  row ")]) == 10


def test_report_shows_what_was_tried_and_not_sent(cli: Cli, no_account: None, table: Table) -> None:
    """Nothing of those that were not tried: there is nothing to be said of them."""
    path = table(9)
    said = cli("bulk", path, "--yes", "--max-concurrency", "1")
    assert said.code == 5
    said = cli("report", path)
    lines = [line for line in said.out.splitlines() if line.startswith("  row ")]
    assert 1 <= len(lines) < 9
    assert "refused" in lines[0] or "ConnectError" in lines[0]
    assert cli("report", path, "--certainty", "not_sent").out.count("  row ") == 9


def test_report_passes_over_what_was_not_tried(cli: Cli, tmp_path: Path) -> None:
    """Though it stands before what was tried and not sent."""
    path = tmp_path / "spring.ledger"

    async def leave() -> None:
        async with SQLiteLedger(path) as ledger:
            run = await ledger.begin("spring", sender="908503080335")
            messages = [ButtonMessage(f"90537493776{number}", "x", ["y"]) for number in range(3)]
            await run.load(0, messages)
            claim = (await run.claim(3))[2]
            await claim.intend()
            error = NotSentError("refused")
            await claim.settle(
                Outcome(message=claim.message, key=claim.key, certainty=N, error=error, attempts=1)
            )

    anyio.run(leave)
    lines = cli("report", path).out.splitlines()
    assert lines[-2] == "Not sent:"
    assert lines[-1].startswith("  row 3, ")


@pytest.mark.parametrize("name", ["all.csv", "all.jsonl"])
def test_report_writes_all_outcomes(cli: Cli, mixed: Path, name: str) -> None:
    """One row a message, whatever run has sent it; nothing is overwritten."""
    out = mixed.with_name(name)
    cli("resolve", mixed, unknown_key(mixed), "accepted", "--note", "=cmd|' /C calc'!A0")
    assert cli("report", mixed, "--out", out).code == 0
    if name.endswith("csv"):
        lines = out.read_text("utf-8-sig").splitlines()
        rows: list[dict[str, Any]] = [*csv.DictReader(lines)]
        assert rows[3]["note"] == "'=cmd|' /C calc'!A0"
        assert rows[0]["row"] == "1"
    else:
        rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
        assert [row["row"] for row in rows] == [1, 2, 3, 4, 5, 6]
        assert rows[0]["receipt"]["total_credit"] == 1
    assert [row["certainty"] for row in rows] == ["accepted", "rejected", *["accepted"] * 4]
    assert cli("report", mixed, "--out", out).code == 2


def test_report_on_standard_output(cli: Cli, mixed: Path) -> None:
    """JSONL alone, for the next program."""
    said = cli("report", mixed, "--out", "-", "--certainty", "rejected")
    (row,) = map(json.loads, said.out.splitlines())
    assert (row["row"], row["error"]["status_code"]) == (2, 422)


def test_report_of_several_campaigns(cli: Cli, mixed: Path) -> None:
    """All are shown; one is written."""
    assert cli("bulk", mixed, "--yes", "--campaign", "again").code == 0
    assert cli("report", mixed).out.count("total") == 2
    said = cli("report", mixed, "--out", "-")
    assert said.code == 2
    assert "add --campaign; there are: in.csv, again" in said.err
    assert cli("report", mixed, "--out", "-", "--campaign", "again").out.count("\n") == 6


def test_report_of_nothing(cli: Cli, tmp_path: Path) -> None:
    """A slip of the pen makes no file."""
    said = cli("report", tmp_path / "no.csv")
    assert (said.code, "there is no ledger" in said.err) == (2, True)
    assert [*tmp_path.iterdir()] == []
    (tmp_path / "empty.csv").touch()
    assert "there is no ledger" in cli("report", tmp_path / "empty.csv").err
    assert (tmp_path / "empty.csv").read_bytes() == b""


def unknown_key(path: Path) -> str:
    """Return the key of the unknown message."""

    async def find() -> str:
        outcomes = SQLiteLedger(ledger_of(path)).outcomes("in.csv", Certainty.UNKNOWN)
        (outcome,) = [each async for each in outcomes]
        return outcome.key

    return anyio.run(find)


def test_resolve_as_sent_and_as_not_sent(cli: Cli, mixed: Path) -> None:
    """Nothing is sent by it; what was not sent goes out with the next run."""
    key = unknown_key(mixed)
    said = cli("resolve", mixed, key, "not_sent", "--note", "Ayşe looked 👀")
    assert (said.code, said.err) == (0, f"{key} is not_sent now\n")
    assert (summary_of(mixed).unknown, summary_of(mixed).not_sent) == (0, 1)
    said = cli("bulk", mixed, "--yes")
    assert "1 message from" in said.err
    assert summary_of(mixed).accepted == 5
    said = cli("resolve", mixed, key, "rejected")
    assert said.code == 2
    assert said.err.startswith(f"multiwhats: The message {key!r} is accepted, which is known")
