"""What a spreadsheet does to the values of its cells."""

import io

import pytest
from cli.sheets import SENDER

from multiwhats_async.cli import _cells
from multiwhats_async.cli._reading import check


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("905374937766.0", "905374937766"),
        ("905374937766,00", "905374937766"),
        ("0090 537 493 77 66.0", "0090 537 493 77 66"),
        ("+90 537 493 77.66", "+90 537 493 77.66"),
        ("90537493.77", "90537493.77"),
        ("905.374.937.766", "905.374.937.766"),
        (' ="+90 537"', "+90 537"),
        ('="a""b"', 'a"b'),
    ],
)
def test_numbers_that_are_taken(text: str, number: str) -> None:
    """What a spreadsheet has added is taken off; what may be a notation is left alone."""
    assert _cells.cell_number(text) == number


@pytest.mark.parametrize(
    "text",
    ["=) hi", "=D ne güzel", "= 5 TL =", "#Moda", "=== İNDİRİM ===", "=", "==A", "=Ali", "=1+1"],
)
def test_texts_that_only_look_like_formulas(text: str) -> None:
    """A text that begins with = or # is a text, unless it is a formula or an error for sure."""
    assert _cells.cell_text(text) == text


@pytest.mark.parametrize(
    "text",
    ["=A1", "=$B$2&C3", "=SUM(A1:A3)", "=+A1", '="a"&B1', "=90 & B2", "=Liste!A1", "Err:502"],
)
def test_formulas_are_refused(text: str) -> None:
    """A formula or an error is never sent to a guest."""
    with pytest.raises(_cells.CellError):
        _cells.cell_text(text)


@pytest.mark.parametrize(
    "cell",
    ["|" * 100_000, "{" * 100_000, "a" + " " * 100_000 + "b", "=" + "(" * 100_000, "{|" * 99],
)
def test_cells_that_would_take_for_ever(cell: str) -> None:
    """No cell takes longer than it is long, whatever field it stands in."""
    for row in (f"{cell},Hi,Yes", f"905374937766,{cell},Yes", f"905374937766,Hi,{cell}"):
        checked = check(io.BytesIO(f"to,message,buttons\n{row}\n".encode()), sender=SENDER)
        assert (checked.good, checked.bad) == (0, 1)
        assert len(str(checked.problems[0])) < 400
