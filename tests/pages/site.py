"""The site: its pages are laid out in a folder of their own, Zensical builds it, llms.txt is added.

    PYTHONPATH=tests python -m pages.site site

Zensical takes one folder of pages, and the front matter of a repository (README, SECURITY,
CHANGELOG) stands above it. So the pages are copied, those files take a place among them, and the
links between them are bent. What is built is held against its pages here as well: Zensical says
nothing of what it does not know, neither a plugin nor a page of the navigation that is not there.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from . import links

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
CONFIG: Final = ROOT / "zensical.toml"
FRONT: Final = {
    ROOT / "README.md": Path("index.md"),  # for links to it: the home is docs/index.md
    ROOT / "README.tr.md": Path("tr/index.md"),
    ROOT / "SECURITY.md": Path("security.md"),
    ROOT / "CHANGELOG.md": Path("changelog.md"),
    ROOT / "CONTRIBUTING.md": Path("contributing.md"),
}
"""Where the files above ``docs`` stand on the site; the last is there once it is written."""

NAV_LINE: Final = re.compile(r'^ *\{ "[^"]+" = "(?P<page>[^"]+\.md)" \},\n', re.MULTILINE)


class Entry(NamedTuple):
    """A page in the navigation."""

    section: str
    title: str
    page: str


def sources() -> dict[Path, Path]:
    """Return every page of the site by its place on it, and the file that it is made from."""
    above = {place: file for file, place in FRONT.items() if file.exists()}
    return above | {file.relative_to(DOCS): file for file in sorted(DOCS.rglob("*.md"))}


def laid_out(folder: Path) -> None:
    """Copy the pages, and what they show, into a folder; bend the links of those that move."""
    shutil.copytree(DOCS, folder, ignore=shutil.ignore_patterns("__pycache__", "*.md"))
    for place, file in sources().items():
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(moved(file.read_text("utf-8"), file, place), "utf-8")


def moved(text: str, file: Path, place: Path) -> str:
    """Return a page with its links bent from where its file stands to its place on the site.

    A link to a file of the repository that is no page, such as a test, becomes its own words.
    """
    pieces, end = [], 0
    for match in links.links(text):
        path, hash_, anchor = match[0].partition("#")
        aim = (file.parent / path).resolve()
        found = FRONT.get(aim) or (aim.relative_to(DOCS) if aim.is_relative_to(DOCS) else None)
        if not path:
            continue
        if found is None:
            words = text.rindex("[", 0, match.start())
            pieces += [text[end:words], text[words + 1 : match.start() - 2]]
            end = match.end() + 1
            continue
        path = os.path.relpath(found, place.parent).replace(os.sep, "/")
        pieces += [text[end : match.start()], path + hash_ + anchor]
        end = match.end()
    return "".join([*pieces, text[end:]])


def config() -> str:
    """Return the configuration for a build: only pages that are there."""
    there = {place.as_posix() for place in sources()}
    return NAV_LINE.sub(
        lambda match: match[0] if match["page"] in there else "", CONFIG.read_text("utf-8")
    )


def navigation(text: str) -> list[Entry]:
    """Return the pages of a configuration in their order, with the section that each stands in."""
    return list(_entries(tomllib.loads(text)["project"]["nav"], ""))


def _entries(items: list[dict[str, Any]], section: str) -> Iterator[Entry]:
    for item in items:
        ((title, value),) = item.items()
        if isinstance(value, str):
            yield Entry(section, title, value)
        else:
            yield from _entries(value, section or title)


def first_words(text: str) -> str:
    """Return a page's first sentence, for a table of contents."""
    plain = links.FENCE.sub("", re.sub(r"<!--.*?-->", "", text))
    blocks = [" ".join(block.split()) for block in plain.split("\n\n")]
    told = next((one for one in blocks if re.match(r"[\w`*\[]", one) and " · " not in one), "")
    told = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", told)
    return re.split(r"(?<=[.:!?]) ", told)[0].rstrip(":")


def contents(entries: list[Entry], pages: Path) -> str:
    """Return ``llms.txt``, as llmstxt.org describes it: the pages by section, as Markdown."""
    home = (pages / "index.md").read_text("utf-8")
    parts = [f"# multiwhats-async\n\n> {first_words(home)}\n"]
    section = ""
    for entry in entries:
        if entry.section != section:
            section = entry.section
            parts.append(f"\n## {section}\n")
        about = first_words((pages / entry.page).read_text("utf-8"))
        parts.append(f"- [{entry.title}]({entry.page}): {about}")
    return "\n".join(parts) + "\n"


def whole(entries: list[Entry], pages: Path) -> str:
    """Return ``llms-full.txt``: every page in English, one after the other."""
    told = [entry.page for entry in entries if not entry.page.startswith("tr/")]
    texts = [f"<!-- {page} -->\n\n{(pages / page).read_text('utf-8').strip()}\n" for page in told]
    return "\n\n".join(texts)


def complaints(site: Path, entries: list[Entry]) -> list[str]:
    """Return what is wrong with a built site that Zensical says nothing of."""
    wrong = []
    for entry in entries:
        page = site / entry.page.removesuffix("index.md").removesuffix(".md") / "index.html"
        if not page.exists():
            wrong.append(f"{entry.page} was not built")
            continue
        html = page.read_text("utf-8")
        if re.search(r'(src|href)="https?://fonts\.', html):
            wrong.append(f"{entry.page} asks another host for its fonts")
        if f'<html lang="{"tr" if entry.page.startswith("tr/") else "en"}"' not in html:
            wrong.append(f"{entry.page} does not say its language")
    return wrong


def build(site: Path, work: Path) -> None:
    """Build the site.

    Args:
        site: Where it goes; what is there is replaced.
        work: An empty folder for the pages as they are laid out.
    """
    pages = work / "pages"
    laid_out(pages)
    (work / "zensical.toml").write_text(config(), "utf-8")
    subprocess.run(  # a tool of ours
        [sys.executable, "-m", "zensical", "build", "--clean", "--strict"], cwd=work, check=True
    )
    shutil.rmtree(site, ignore_errors=True)
    shutil.move(work / "site", site)  # Zensical builds below its configuration only
    for page in (site / "tr").rglob("*.html"):  # it has one language for the whole of a site
        html = page.read_text("utf-8").replace('<html lang="en"', '<html lang="tr"', 1)
        page.write_text(html, "utf-8")
    entries = navigation(config())
    for page in sorted(pages.rglob("*.md")):
        (site / page.relative_to(pages)).write_bytes(page.read_bytes())
    (site / "llms.txt").write_text(contents(entries, pages), "utf-8")
    (site / "llms-full.txt").write_text(whole(entries, pages), "utf-8")
    wrong = complaints(site, entries)
    if wrong:
        sys.exit("\n".join(wrong))


def main() -> None:
    """Build the site into the folder that is named."""
    work = ROOT / "build" / "docs"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    build(Path(sys.argv[1]).resolve(), work)


if __name__ == "__main__":
    main()
