"""The same page in Turkish and English shows the same programs."""

import re

import pytest
from pages import site

PAIRS = {
    "README.tr.md": "README.md",
    "docs/tr/first_menu.md": "docs/tutorial/first_menu.md",
    "docs/tr/spreadsheets.md": "docs/howto/spreadsheets.md",
}
BLOCK = re.compile(r"(?:<!-- [^\n]+ -->\n)?```\w*\n.*?\n```", re.DOTALL)
NAME = re.compile(r"`([^`\n]+)`")


@pytest.mark.parametrize(("turkish", "english"), PAIRS.items(), ids=list(PAIRS))
def test_both_languages_show_the_same_code(turkish: str, english: str) -> None:
    """Block by block, in their order: what runs in one runs in the other."""
    ours, theirs = ((site.ROOT / name).read_text("utf-8") for name in (turkish, english))
    assert BLOCK.findall(theirs)
    assert BLOCK.findall(ours) == BLOCK.findall(theirs)


@pytest.mark.parametrize(("turkish", "english"), PAIRS.items(), ids=list(PAIRS))
def test_both_languages_have_the_same_parts(turkish: str, english: str) -> None:
    """As many headings of each depth, and as many rows in tables: nothing was left out."""
    shapes = []
    for name in (turkish, english):
        text = BLOCK.sub("", (site.ROOT / name).read_text("utf-8"))
        shapes.append(
            [line.split(" ")[0] for line in text.splitlines() if line[:1] in "#|" and line]
        )
    assert shapes[0] == shapes[1]


def test_every_turkish_page_stands_beside_its_english_one() -> None:
    """A page without its pair would not be held to it."""
    there = {f"docs/{place}" for place in map(str, site.sources()) if place.startswith("tr/")}
    assert there - {"docs/tr/index.md"} == {name for name in PAIRS if name.startswith("docs/")}
