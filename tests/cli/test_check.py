"""``multiwhats check``, and what ``bulk`` says before it sends."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from multiwhats_async.cli._preflight import MAX_COUNTRIES, preflight_lines, suspects
from multiwhats_async.cli._reading import Checked, check
from multiwhats_async.models import ButtonMessage
from multiwhats_async.sandbox import SandboxServer

HEADER = "to,message,button1,button2\n"


def written(tmp_path: Path, *rows: str, header: str = HEADER) -> Path:
    """Write a file of messages."""
    path = tmp_path / "guests.csv"
    path.write_text(header + "".join(f"{row}\n" for row in rows), "utf-8")
    return path


def turks(count: int) -> list[str]:
    """Return rows to Turkish numbers."""
    return [f"9053000{number:05d},Merhaba 👋,Evet,Hayır" for number in range(count)]


def test_a_good_file(cli: Callable[..., Any], tmp_path: Path) -> None:
    """Counts, countries, the first messages as they will look, the cost; no account is needed."""
    rows = [
        '905374937766,"Sayın misafir,\nodanız hazır 👋",👍 Evet,⛔ Hayır',
        *turks(4),
        turks(1)[0],
    ]
    said = cli("check", written(tmp_path, *rows))
    assert (said.code, said.err) == (0, "")
    path = tmp_path / "guests.csv"
    assert said.out.splitlines() == [
        f"{path}: 6 rows: 6 can be sent, 1 repeat another one and are skipped",
        "Countries: TR 6",
        "As they will look:",
        "  line 2, to ••••••••7766",
        "    │ Sayın misafir,",
        "    │ odanız hazır 👋",
        "    └ [👍 Evet]  [⛔ Hayır]",
        "  line 4, to ••••••••0000",
        "    │ Merhaba 👋",
        "    └ [Evet]  [Hayır]",
        "  line 5, to ••••••••0001",
        "    │ Merhaba 👋",
        "    └ [Evet]  [Hayır]",
        "Cost: about 5 credits (1 credit each, as in the vendor's example)",
    ]


def test_rows_that_need_mending(cli: Callable[..., Any], tmp_path: Path) -> None:
    """They are listed with what is wrong, beside what is good; exit code 3."""
    rows = [*turks(2), "0537,Hi,Evet,", "905374937766,,Evet,"]
    said = cli("check", written(tmp_path, *rows))
    assert said.code == 3
    lines = said.out.splitlines()
    assert lines[0].endswith("4 rows: 2 can be sent, 2 need mending")
    assert lines[1].startswith("  line 4, to: ")
    assert lines[2] == "  line 5, message: is empty"
    assert "Cost: about 2 credits" in lines[-1]


def test_many_rows_that_need_mending(cli: Callable[..., Any], tmp_path: Path) -> None:
    """The first fifty are listed, and that there are more."""
    said = cli("check", written(tmp_path, *["0537,Hi,Evet,"] * 60))
    assert said.code == 3
    lines = said.out.splitlines()
    assert lines[0].endswith("60 rows: 0 can be sent, 60 need mending")
    assert (len(lines), lines[-1]) == (52, "  …")


def test_a_file_that_cannot_be_read(cli: Callable[..., Any], tmp_path: Path) -> None:
    """It says why, and what was good before it."""
    said = cli("check", written(tmp_path, *turks(1), '905374937766,"open,Evet,'))
    assert said.code == 3
    assert "is a quote missing" in said.out
    assert "1 row: 1 can be sent" in said.out
    assert cli("check", written(tmp_path, header="")).code == 3
    assert cli("check", tmp_path / "nothing.csv").code == 2


def test_standard_input(cli: Callable[..., Any]) -> None:
    """It is read where the name is a dash."""
    said = cli("check", "-", stdin=(HEADER + turks(1)[0]).encode())
    assert said.code == 0
    assert said.out.startswith("standard input: 1 row: 1 can be sent\n")


def test_numbers_without_their_country_code(cli: Callable[..., Any], tmp_path: Path) -> None:
    """A few Cubans among Turks are marked; --expect-country lists them."""
    path = written(tmp_path, *turks(40), "5374937766,Hi,Evet,", "8816123456,Hi,Evet,")
    said = cli("check", path)
    assert said.code == 0
    assert "Countries: TR 40 · CU 1 ⚠ · ?? 1 ⚠\n" in said.out
    assert "--expect-country TR lists them" in said.out
    said = cli("check", path, "--expect-country", "tr")
    assert said.code == 3
    assert (
        "  line 42, to: is a number of CU, not of TR: is its country code missing? "
        "Where it is meant, add --expect-country CU\n" in said.out
    )
    assert "line 43, to: is a number of no country, not of TR" in said.out
    assert "Countries: TR 40\n" in said.out
    said = cli("check", path, "--expect-country", "Türkiye")
    assert said.code == 2
    assert "'Türkiye' is no country: write two letters, such as TR" in said.err


def test_a_country_that_shares_its_code(cli: Callable[..., Any], tmp_path: Path) -> None:
    """Either of its names will do."""
    path = written(tmp_path, "15551234567,Hi,Evet,")
    for country in ("US", "CA"):
        assert cli("check", path, "--expect-country", country).code == 0


@pytest.mark.parametrize(
    ("countries", "expected"),
    [
        ({"TR": 100}, set()),
        ({"TR": 96, "CU": 4}, {"CU"}),
        ({"TR": 90, "DE": 10}, set()),
        ({"TR": 50, "DE": 48, "CU": 2}, set()),
        ({"TR": 50, "DE": 40, "??": 10}, {"??"}),
    ],
)
def test_what_looks_like_a_mistake(countries: dict[str, int], expected: set[str]) -> None:
    """Few of another country, in a list that is meant for one; and what belongs to none."""
    assert set(suspects(countries)) == expected


def test_a_list_for_the_whole_world() -> None:
    """The largest countries are named, those that look like mistakes, and how many more."""
    countries = {f"{chr(65 + number)}X": 30 - number for number in range(20)} | {"??": 1}
    (line, note) = preflight_lines(Checked(good=1, countries=countries))
    assert line.count("·") == MAX_COUNTRIES + 1
    assert line.endswith("?? 1 ⚠ · 12 more")
    assert note.startswith("  ⚠ ")


def test_a_long_message_is_shown_in_part() -> None:
    """Eight lines, each as wide as a terminal has."""
    message = ButtonMessage("905374937766", "İ" * 1_000, ["Evet"])
    lines = [*preflight_lines(Checked(good=1, first=((2, message),)))]
    assert len(lines) == 2 + 8 + 1
    assert lines[-2] == "    │ …"
    assert max(map(len, lines)) <= 80


def test_nothing_of_an_empty_file_is_shown() -> None:
    """No countries, no messages."""
    assert [*preflight_lines(Checked())] == []


def test_bulk_says_the_same_before_it_asks(
    cli: Callable[..., Any], sandbox: SandboxServer, tmp_path: Path
) -> None:
    """Countries and first messages; and it refuses what is not expected."""
    path = written(tmp_path, *turks(3), "5374937766,Hi,Evet,")
    said = cli("bulk", path, "--yes", "--expect-country", "TR")
    assert said.code == 3
    assert "is a number of CU, not of TR" in said.err
    assert sandbox.emulator.stats().requests == 0
    said = cli("bulk", path, "--yes", "--expect-country", "TR", "--expect-country", "CU")
    assert said.code == 0
    assert "Countries: TR 3 · CU 1" in said.err
    assert "└ [Evet]  [Hayır]" in said.err
    assert sandbox.emulator.stats().accepted == 4


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Five times the rows take the same memory, but for two digests and a count a row."""
    peaks = []
    for count in (2_000, 10_000):
        with written(tmp_path, *turks(count)).open("rb") as file:
            tracemalloc.start()
            checked = check(file, sender="908503080335")
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert checked.good == count
    assert peaks[1] - peaks[0] < 8_000 * 200
