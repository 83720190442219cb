"""The site has every page, and is whole."""

import subprocess
import sys
from pathlib import Path

import pytest
from pages import site


def test_every_page_stands_in_the_navigation_once() -> None:
    """A page that nobody finds is none."""
    entries = [entry.page for entry in site.navigation(site.config())]
    assert len(set(entries)) == len(entries)
    assert set(entries) == {place.as_posix() for place in site.sources()}


def test_what_moves_keeps_its_links() -> None:
    """README.tr.md stands a folder lower on the site, SECURITY.md beside the home."""
    text = (
        "[a](docs/howto/bulk.md#send) [b](SECURITY.md) ![c](docs/images/report.png) [d](https://x)"
    )
    bent = site.moved(text, site.ROOT / "README.tr.md", Path("tr/index.md"))
    assert (
        bent
        == "[a](../howto/bulk.md#send) [b](../security.md) ![c](../images/report.png) [d](https://x)"
    )
    back = site.moved("[a](../../SECURITY.md)", site.DOCS / "howto/bulk.md", Path("howto/bulk.md"))
    assert back == "[a](../security.md)"


def test_a_link_out_of_the_site_becomes_its_words() -> None:
    """The tests are in the repository, and not on the site."""
    text = "See [`runs.py`](../tests/runs.py), [part](#part) and [bulk](howto/bulk.md)."
    told = site.moved(text, site.DOCS / "index.md", Path("index.md"))
    assert told == "See `runs.py`, [part](#part) and [bulk](howto/bulk.md)."


def test_the_contents_for_programs_name_every_page_with_its_first_sentence(tmp_path: Path) -> None:
    """llms.txt leads to the Markdown of each; llms-full.txt is all of them, in English."""
    pages = tmp_path / "pages"
    site.laid_out(pages)
    entries = site.navigation(site.config())
    contents, whole = site.contents(entries, pages), site.whole(entries, pages)
    assert contents.startswith("# multiwhats-async\n\n> Send WhatsApp button messages")
    for entry in entries:
        assert f"- [{entry.title}]({entry.page}): " in contents
        assert (f"<!-- {entry.page} -->" in whole) is not entry.page.startswith("tr/")
    lines = [line for line in contents.splitlines() if line.startswith("- ")]
    assert [line for line in lines if len(line.partition("): ")[2]) < 15] == []


@pytest.mark.parametrize(
    ("page", "is_right"),
    [("[a](there.md#part)", True), ("[a](gone.md)", False), ("[a](there.md#gone)", False)],
)
def test_a_dead_link_ends_the_build(page: str, is_right: bool, tmp_path: Path) -> None:
    """Zensical, strict: what the session of the documentation relies on."""
    pytest.importorskip("zensical", reason="of the group docs: nox -s docs has it")
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "index.md").write_text(f"# Home\n\n{page}\n", "utf-8")
    (pages / "there.md").write_text("# There\n\n## Part\n", "utf-8")
    (tmp_path / "zensical.toml").write_text(
        '[project]\nsite_name = "x"\ndocs_dir = "pages"\nsite_dir = "site"\n', "utf-8"
    )
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603  # a tool of ours
    assert (done.returncode == 0) is is_right, done.stderr


def test_what_zensical_passes_over_is_told(tmp_path: Path) -> None:
    """A page that was not built, asks another host for its fonts, or tells a wrong language."""
    html = {
        "here": '<html lang="en">',
        "loud": '<html lang="en"><link href="https://fonts.example/x">',
        "tr": '<html lang="en">',
        ".": '<html lang="en">',
    }
    for name, text in html.items():
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "index.html").write_text(text)
    pages = ("here.md", "gone.md", "loud.md", "tr/index.md", "index.md")
    assert site.complaints(tmp_path, [site.Entry("", page, page) for page in pages]) == [
        "gone.md was not built",
        "loud.md asks another host for its fonts",
        "tr/index.md does not say its language",
    ]
