"""The reference says what the code does."""

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from pages import api, commands, links, site
from pages.docstrings import example_tree, markdown_of

import multiwhats_async
from multiwhats_async import MultiWhatsError, StopReason, errors

REFERENCE = site.DOCS / "reference"
SOURCES = {
    path: path.read_text("utf-8") for path in Path(multiwhats_async.__path__[0]).rglob("*.py")
}


def read(name: str) -> str:
    """Return a page of the reference."""
    return (REFERENCE / name).read_text("utf-8")


@pytest.mark.parametrize("name", api.PAGES)
def test_the_reference_of_the_api_is_what_the_docstrings_say(name: str) -> None:
    """To mend it: PYTHONPATH=tests python -m pages.api docs/reference/api."""
    assert read(f"api/{name}.md") == api.page_of(api.PAGES[name])


def made_in(module: str) -> set[str]:
    """Return the public functions and classes of a module that names none in ``__all__``."""
    return {
        name
        for name, value in vars(import_module(module)).items()
        if not name.startswith("_")
        and getattr(value, "__module__", None) == module
        and callable(value)
    }


def test_every_public_name_stands_on_one_page() -> None:
    """Of the package, and of each part of it that is imported by itself."""
    told: dict[str, list[str]] = {}
    for page in api.PAGES.values():
        told.setdefault(page.module, []).extend(api.names_of(page))
    for module, names in told.items():
        public = getattr(import_module(module), "__all__", made_in(module))
        assert sorted(names) == sorted(set(public) - {"__version__"}), module
    assert {path.stem for path in (REFERENCE / "api").glob("*.md")} == set(api.PAGES)


def test_the_reference_of_the_command_line_is_what_click_says() -> None:
    """To mend it: PYTHONPATH=tests python -m pages.commands docs/reference/cli.md."""
    assert read("cli.md") == commands.page()


def test_the_environment_page_names_every_variable_of_ours() -> None:
    """Those that the package reads, and no other."""
    name = re.compile(r"(?<![A-Z_])MULTIWHATS_[A-Z_]*[A-Z]")
    in_code = {found for text in SOURCES.values() for found in name.findall(text)}
    rows = re.findall(r"^\| `(\w+)`", read("environment.md"), re.MULTILINE)
    assert {row for row in rows if row.startswith("MULTIWHATS_")} == in_code


def public_errors() -> list[type[MultiWhatsError]]:
    """Return every error that a user can meet."""
    found = [getattr(multiwhats_async, name) for name in multiwhats_async.__all__]
    return [one for one in found if isinstance(one, type) and issubclass(one, MultiWhatsError)]


def test_every_error_names_the_section_that_says_its_way_out() -> None:
    """In its docstring; the section is there, under the error's own name."""
    sections = links.anchors(read("errors.md"))
    assert len(public_errors()) > 15
    for error in public_errors():
        anchor = error.__name__.lower()
        assert f"docs/reference/errors.md#{anchor}\n" in inspect.getdoc(error) + "\n", error
        assert anchor in sections


def test_every_cause_of_ours_and_every_stop_has_its_way_out() -> None:
    """The causes that the package writes itself, and the reasons for which a run stops."""
    page = read("errors.md")
    literals = {name for text in SOURCES.values() for name in re.findall(r'cause="(\w+)"', text)}
    causes = literals | {errors.NOT_TRIED, "Sending", "RateError"}
    assert len(causes) > 6
    headed = " ".join(re.findall(r"^### (.+)$", page, re.MULTILINE))
    assert [cause for cause in sorted(causes) if cause not in headed] == []
    table = page[page.index("## When a run has stopped") :]
    assert [reason.value for reason in StopReason if f"`{reason.value}`" not in table] == []


def example_calls() -> Iterator[tuple[str, ast.Call, inspect.Signature]]:
    """Yield the calls of public names in the examples of docstrings, with how each is called."""
    for name, page in api.PAGES.items():
        module = import_module(page.module)
        examples = re.findall(
            r"```pyi\n(?!class|def|async def|@)(.*?)```", api.page_of(page), re.DOTALL
        )
        for example in examples:
            for node in ast.walk(example_tree(example)):
                called = getattr(node, "func", None)
                if not isinstance(node, ast.Call) or not isinstance(
                    called, ast.Name | ast.Attribute
                ):
                    continue
                if isinstance(called, ast.Name):
                    known = getattr(module, called.id, getattr(multiwhats_async, called.id, None))
                else:
                    known = getattr(multiwhats_async.AsyncMultiWhats, called.attr, None)
                if known is not None:
                    yield name, node, inspect.signature(known)


def test_the_examples_in_docstrings_can_be_called() -> None:
    """Each argument that they name is one; programs that run stand in docs/examples."""
    calls = list(example_calls())
    assert len(calls) > 15
    for name, call, how in calls:
        given = [keyword.arg for keyword in call.keywords if keyword.arg]
        takes_any = any(one.kind is one.VAR_KEYWORD for one in how.parameters.values())
        assert takes_any or set(given) <= set(how.parameters), (name, ast.unparse(call))


def test_a_docstring_becomes_markdown() -> None:
    """Sections are lists, examples are fenced, marks of reStructuredText are gone."""
    docstring = inspect.cleandoc("""
        Send ``it`` by :class:`~a.b.Client`::

            await send()

        ===  ===
        a    ``b``
        ===  ===

        Args:
            one: The first,
                on two lines.
            two: See :meth:`go`.

        Returns:
            What came
            of it.
        """)
    assert markdown_of(docstring) == (
        "Send `it` by `Client`:\n\n```pyi\nawait send()\n```\n\n"
        "```text\n===  ===\na    `b`\n===  ===\n```\n\n"
        "**Args**\n\n- `one`: The first, on two lines.\n- `two`: See `go`.\n\n"
        "**Returns**\n\nWhat came of it.\n"
    )
