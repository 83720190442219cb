"""``multiwhats report --html``: one page that a manager can read, and nobody can misuse."""

import json
import re
import sqlite3
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import anyio
import pytest

from multiwhats_async import ButtonMessage, InvalidRequestError, SQLiteLedger
from multiwhats_async.cli._html import page
from multiwhats_async.ledger import _figures
from multiwhats_async.ledger._figures import bin_edges, figures_of, step_width
from multiwhats_async.sandbox import Emulator, FaultPlan, SandboxServer

Cli = Callable[..., Any]
Serve = Callable[[Emulator], SandboxServer]
Table = Callable[..., Path]
AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
VOID = {"meta", "rect"}


class Balanced(HTMLParser):
    """Reads a page, and sees that every element is closed in its order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def checked(text: str) -> str:
    """Return a page that is whole, loads nothing and shows no whole number."""
    reader = Balanced()
    reader.feed(text)
    assert reader.open == []
    assert not reader.seen & {"script", "img", "link", "iframe"}
    assert "http" not in text.replace("http-equiv", "")
    assert not re.search(r"\d{7,}", text)
    return text


def page_of(path: Path, campaign: str = "in.csv") -> str:
    """Return the page of a ledger."""
    return checked(page(anyio.run(figures_of, SQLiteLedger(path), campaign), AT))


def test_a_page_of_all_states(cli: Cli, serve: Serve, table: Table) -> None:
    """The same figures make the same page; a hostile note shows as text; no key is in it."""
    plan = ["422@nth:2", "disconnect_after@nth:4", "disconnect_after@nth:6"]
    serve(Emulator(faults=FaultPlan(plan), magic_numbers=False))
    path = table(40, name="davet 🎉.csv")
    ledger = path.with_name(path.name + ".ledger")
    assert cli("bulk", path, "--yes", "--max-concurrency", "1").code == 1
    out = path.with_name("report.html")
    said = cli("report", path, "--html", out)
    assert (said.code, f"The page is in {out}\n" in said.err) == (0, True)
    text = checked(out.read_text("utf-8"))
    assert "davet 🎉.csv" in text
    assert "••••••••0003" in text
    assert "Mend the rows" in text
    assert cli("report", path, "--html", out).code == 0  # a page of ours is made anew
    listed = cli("report", path, "--certainty", "unknown").out
    key = re.findall(r"key (\S+):", listed)[0]
    note = "<img src=x onerror=alert(1)> 905374937766 Ayşe"
    assert cli("resolve", path, key, "accepted", "--note", note).code == 0
    text = page_of(ledger, path.name)
    assert "&lt;img src=x onerror=alert(1)&gt; ••••••••7766 Ayşe" in text
    assert text == page_of(ledger, path.name)


def test_a_page_of_what_was_not_tried(tmp_path: Path) -> None:
    """Pictures that need times are left out, and the page says why."""
    path = tmp_path / "a.ledger"

    async def load(count: int) -> None:
        async with SQLiteLedger(path) as ledger:
            run = await ledger.begin("<b>spring</b>", sender="908503080335")
            if count:
                await run.load(0, [ButtonMessage("905374937766", "x", ["y"])])

    for count in (0, 1):
        anyio.run(load, count)
        text = page_of(path, "<b>spring</b>")
        assert "&lt;b&gt;spring&lt;/b&gt;" in text
        assert "Too little came in to draw its course" in text
        assert "no outcome yet" in text
        assert "there is nothing to measure" in text


def test_what_was_put_off_has_no_error_yet(tmp_path: Path) -> None:
    """A run that ended in the pause before another attempt leaves a message that is not sent."""
    path = tmp_path / "a.ledger"

    async def leave() -> None:
        async with SQLiteLedger(path) as ledger:
            run = await ledger.begin("spring", sender="908503080335")
            await run.load(0, [ButtonMessage("905374937766", "x", ["y"])])
            (claim,) = await run.claim(1)
            await claim.intend()
            await claim.postpone()

    anyio.run(leave)
    assert "Nothing that was tried has failed" in page_of(path, "spring")


def test_many_kinds_and_many_unknown(
    cli: Cli, serve: Serve, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is beyond the bounds is counted, and not listed."""
    monkeypatch.setattr(_figures, "MOST_KINDS", 1)
    monkeypatch.setattr(_figures, "MOST_LISTED", 2)
    plan = ["422@nth:1", "404@nth:2", *(f"disconnect_after@nth:{n}" for n in (3, 5, 7))]
    serve(Emulator(faults=FaultPlan(plan), magic_numbers=False))
    path = table(12)
    assert cli("bulk", path, "--yes", "--max-concurrency", "1").code == 1
    text = page_of(path.with_name("in.csv.ledger"))
    assert "… and 1 more." in text
    assert "The server answered no." in text


def test_a_page_overwrites_nothing_else(cli: Cli, sandbox: SandboxServer, table: Table) -> None:
    """Neither another file, nor a folder; and what cannot be written is said."""
    path = table(3)
    assert cli("bulk", path, "--yes").code == 0
    for target in (path, path.parent):
        said = cli("report", path, "--html", target)
        assert (said.code, "no report: give another name" in said.err) == (2, True)
    said = cli("report", path, "--html", path.parent / "no" / "a.html")
    assert (said.code, "cannot write --html" in said.err) == (2, True)
    assert cli("bulk", path, "--yes", "--campaign", "two").code == 0
    assert "--html writes one campaign" in cli("report", path, "--html", "x.html").err


def test_steps_and_bins_are_bounded() -> None:
    """However long it took, and however far apart the quickest and the slowest are."""
    assert step_width(60, 1_000_000) == 0.5
    assert step_width(0, 1) == 0.01
    assert step_width(86400 * 1000, 1_000_000) == 9 * 86400
    assert bin_edges(0.0, 0.0) == [0.001, 0.0015]
    assert bin_edges(0.12, 0.4) == [0.1, 0.15, 0.2, 0.3, 0.5]
    assert all(len(bin_edges(0.001, 10**power)) <= 20 for power in range(7))


def test_twenty_thousand_messages_take_little_memory(tmp_path: Path) -> None:
    """They are counted in the database: making the page takes less than 2 MB."""
    path = tmp_path / "a.ledger"
    count = 20_000
    error = json.dumps(InvalidRequestError("no", status_code=422, detail="ğ 👋").to_dict())

    async def load() -> None:
        async with SQLiteLedger(path) as ledger:
            await ledger.begin("big")

    anyio.run(load)
    with closing(sqlite3.connect(path)) as db, db:
        db.executemany(
            "INSERT INTO message (campaign, key, position, sender, has_own_sender, recipient, text,"
            " buttons, state, attempts, elapsed, changed_at) VALUES (1, ?, ?, '908503080335', 0,"
            " '905374937766', 'x', '[\"y\"]', ?, 1, 0.2, ?)",
            (
                (str(n), n, "rejected" if n % 2 else "accepted", 1_790_000_000 + n / 10)
                for n in range(count)
            ),
        )
        db.execute(
            "INSERT INTO detail (message, receipt, error)"
            " SELECT id, iif(state = 'accepted', '{}', NULL),"
            " iif(state = 'rejected', ?, NULL) FROM message",
            (error,),
        )
    figures = anyio.run(figures_of, SQLiteLedger(path), "big")
    tracemalloc.start()
    text = checked(page(anyio.run(figures_of, SQLiteLedger(path), "big"), AT))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000
    assert len(text) < 100_000
    (kind,) = figures.errors
    assert (kind.count, kind.detail) == (count // 2, "ğ 👋")
    assert figures.latency is not None
    assert figures.latency.percentiles == (0.2, 0.2, 0.2, 0.2)
    assert figures.course is not None
    assert figures.course.length <= 121
    assert sum(accepted + others for _, accepted, others in figures.course.steps) == count


def test_a_bar_of_states_on_a_terminal(
    cli: Cli, serve: Serve, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In colours, or with NO_COLOR in shades; off a terminal there is none."""
    serve(Emulator(faults=FaultPlan(["422@nth:1"]), magic_numbers=False))
    path = table(48)
    assert cli("bulk", path, "--yes", "--max-concurrency", "1").code == 1
    assert "█" not in cli("report", path).out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert "█" * 47 in cli("report", path).out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "  " + "█" * 47 + "▓\n" in cli("report", path).out
