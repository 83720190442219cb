"""The page that users read is what the cases say."""

import re
from pathlib import Path

import pytest
from faults.cases import Case
from faults.certificates import Certificates
from faults.groups import CASES, GROUPS
from faults.table import COMMAND, HEAD, PLACES, measured, rows
from faults.transports import TRANSPORTS

PAGE = (Path(__file__).parents[2] / "docs/reference/delivery_table.md").read_text("utf-8")
CHEAP = "The answer leads elsewhere"
"""A group in which nothing waits, and nothing is a matter of timing."""


def lines_of(title: str) -> list[str]:
    """Return the lines of a group's table."""
    section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("|")]


def cells_of(line: str) -> list[str]:
    """Return the cells of a line."""
    return line.removeprefix("| ").removesuffix(" |").split(" | ")


ROWS = {
    cells[0]: cells
    for group in GROUPS
    for cells in (cells_of(line) for line in lines_of(group.title)[2:])
}


def test_a_row_is_a_case() -> None:
    """In the same groups and the same order, over every transport there is."""
    for group in GROUPS:
        head, _, *lines = lines_of(group.title)
        assert cells_of(head) == list(HEAD)
        assert [cells_of(line)[0] for line in lines] == [case.name for case in group.cases]
    assert all(f"- `{name}`: {each.means}\n" in PAGE for name, each in TRANSPORTS.items())
    assert COMMAND in PAGE


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_row_says_what_its_case_allows(case: Case) -> None:
    """Each certainty is one of the case's; POSTs, status, tries and pool are as the tests ask."""
    cells = ROWS[case.name]
    said = re.findall(r"`(\w+)`", " ".join(cells[1 : 1 + len(PLACES)]))
    assert len(said) >= len(PLACES)
    assert set(said) <= {str(certainty) for certainty in case.certainty}
    posts, status, *rest = cells[1 + len(PLACES) :]
    seen = {re.sub(r" \d+×$", "", each) for each in status.split(", ")}
    assert posts == str(case.posts)
    assert seen <= {str(each or "–") for each in case.statuses}
    assert rest == [
        "1",
        "`accepted`" if case.heals else "–",
        "0",
    ]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_running_the_cases_writes_the_same(certificates: Certificates) -> None:
    """One group of the page is made anew, and is what the page says."""
    (group,) = (each for each in GROUPS if each.title == CHEAP)
    assert rows(group, measured(group.cases, certificates)) == lines_of(CHEAP)
