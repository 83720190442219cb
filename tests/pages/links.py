"""Links between the pages: where each leads, and which lead nowhere."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

FENCE: Final = re.compile(r"^(```+).*?^\1$", re.DOTALL | re.MULTILINE)
CODE: Final = re.compile(r"`[^`\n]*`")
LINK: Final = re.compile(r"(?<=\]\()[^)\s]+(?=\))")
HEADING: Final = re.compile(r"^#+ +(.+?)\s*$", re.MULTILINE)


def prose(text: str) -> str:
    """Return a page without its code, as long as it was, so that places in it stay the same."""
    for code in (FENCE, CODE):
        text = code.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    return text


def links(text: str) -> Iterator[re.Match[str]]:
    """Yield the links of a page to other pages and to itself."""
    for match in LINK.finditer(prose(text)):
        if not re.match(r"[a-z]+:", match[0]):
            yield match


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and Markdown's own ``toc`` name them."""
    plain = FENCE.sub("", text)
    found: set[str] = set()
    for match in HEADING.finditer(plain):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", match[1]).replace("`", "")
        words = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode()
        slug = re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", words).strip().lower())
        place = next(n for n in range(1_000) if (f"{slug}_{n}" if n else slug) not in found)
        found.add(f"{slug}_{place}" if place else slug)
    return found


def dead(pages: Mapping[Path, str]) -> list[str]:
    """Return the links that lead nowhere.

    Args:
        pages: The text of each page, by its file.
    """
    found: list[str] = []
    for page, text in pages.items():
        for match in links(text):
            path, _, anchor = match[0].partition("#")
            aim = (page.parent / path).resolve() if path else page
            if not aim.exists() or (anchor and anchor not in anchors(pages.get(aim, ""))):
                line = text.count("\n", 0, match.start()) + 1
                found.append(f"{page.name}:{line}: {match[0]}")
    return found
