"""Links of the documentation lead somewhere, to the heading that they name."""

from pathlib import Path

from pages import links, site


def all_pages() -> dict[Path, str]:
    """Return every page of the documentation, and those above it."""
    files = [*site.sources().values(), *(file for file in site.FRONT if file.exists())]
    return {file: file.read_text("utf-8") for file in files}


def test_every_link_leads_to_a_file_and_a_heading() -> None:
    """On disk, as GitHub shows it; those of the site are held by its own build."""
    pages = all_pages()
    assert sum(1 for text in pages.values() for _ in links.links(text)) > 150
    assert links.dead(pages) == []


def test_a_link_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    """A file that is missing, a heading that is missing; code is no link."""
    page, other = tmp_path / "page.md", tmp_path / "other.md"
    page.write_text(
        "# One\n\n[a](other.md#two) [b](#one)\n[c](gone.md) [d](other.md#three)\n[e](#two)\n"
    )
    other.write_text("# Two\n\n```text\n# Three [f](gone.md)\n```\n`[g](gone.md)`\n")
    pages = {file: file.read_text("utf-8") for file in (page, other)}
    told = ["page.md:4: gone.md", "page.md:4: other.md#three", "page.md:5: #two"]
    assert links.dead(pages) == told


def test_headings_have_the_anchors_that_a_browser_finds() -> None:
    """Marks are left out, what comes twice is numbered."""
    text = "# `a.b`, and *c*\n## 1. Start\n## [Docs](x.md)\n## Start\n## Start\n"
    assert links.anchors(text) == {"ab-and-c", "1-start", "docs", "start", "start_1"}
