"""Docstrings, as they are written here, to Markdown."""

import ast
import re
import textwrap
from collections.abc import Iterator
from typing import Final

SECTIONS: Final = ("Args", "Attributes", "Raises", "Returns", "Yields")
ROLE: Final = re.compile(r":[a-z]+:`~?([^`]+)`")
WAY_OUT: Final = re.compile(r"docs/reference/(errors\.md(#\w+))")


def markdown_of(docstring: str) -> str:
    """Return a docstring as Markdown: its sections as lists, its examples fenced."""
    return "\n\n".join(_blocks(docstring)) + "\n"


def _blocks(docstring: str) -> Iterator[str]:
    paragraphs = re.split(r"\n{2,}", docstring.strip())
    while paragraphs:
        paragraph = paragraphs.pop(0)
        head, _, body = paragraph.partition("\n")
        if head.rstrip(":") in SECTIONS and head.endswith(":"):
            yield f"**{head[:-1]}**"
            yield "\n".join(
                _entries(textwrap.dedent(body), named=head not in ("Returns:", "Yields:"))
            )
        elif paragraph.endswith("::") and paragraphs:
            if paragraph != "::":
                yield _plain(paragraph[:-1])
            yield _fenced(paragraphs)
        elif paragraph.startswith("==="):  # a table
            yield f"```text\n{_plain(paragraph)}\n```"
        else:
            yield _plain(paragraph)


def _fenced(paragraphs: list[str]) -> str:
    """Take the indented paragraphs off the front, as one block of code."""
    taken = [paragraphs.pop(0)]
    while paragraphs and paragraphs[0].startswith("    "):
        taken.append(paragraphs.pop(0))
    code = textwrap.dedent("\n\n".join(taken))
    return f"```{'pyi' if _is_python(code) else 'text'}\n{code}\n```"


def example_tree(code: str) -> ast.Module:
    """Return an example, parsed; in one of ours, … stands for what is left out.

    Raises:
        SyntaxError: It is no Python.
    """
    code = textwrap.indent(code.replace("…", "..."), "    ")
    return ast.parse(f"async def example():\n{code}")


def _is_python(code: str) -> bool:
    try:
        example_tree(code)
    except SyntaxError:
        return False
    return True


def _entries(body: str, *, named: bool) -> Iterator[str]:
    """Yield the entries of a section, a list item each."""
    if not named:
        yield _plain(" ".join(body.split()))
        return
    for entry in re.split(r"\n(?! )", body):
        name, colon, text = " ".join(entry.split()).partition(": ")
        yield f"- `{name}`: {_plain(text)}" if colon else f"- {_plain(name)}"


def _plain(text: str) -> str:
    """Return prose without the marks of reStructuredText."""
    text = ROLE.sub(lambda match: f"`{match[1].rpartition('.')[2]}`", text)
    text = WAY_OUT.sub(r"[\1](../\1)", text)
    return text.replace("``", "`")
