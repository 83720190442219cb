"""Texts with names in them: strict, and nothing that a value can do."""

import pickle
import unicodedata
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiwhats_async import TemplateError
from multiwhats_async.templates import Template


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("", ""),
        ("no names", "no names"),
        ("Sayın {isim}, ücret {ücret} ₺", "Sayın Ayşe, ücret 5 ₺"),
        ("{isim}{isim}", "AyşeAyşe"),
        ("{ isim }", "Ayşe"),
        ("{blank|misafir}", "misafir"),
        ("{missing|}", ""),
        ("{isim|misafir}", "Ayşe"),
        ("{{isim}} {{{isim}}}", "{isim} {Ayşe}"),
        ("{evil} {isim}", "{isim} {{x}} Ayşe"),
        ("{u\u0308cret}", "5"),
    ],
)
def test_names_are_filled_in(text: str, rendered: str) -> None:
    """Once: what stands in a value is not read again."""
    values = {"isim": "Ayşe", "ücret": "5", "blank": " ", "evil": "{isim} {{x}}"}
    assert Template(text).render(values) == rendered


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", r"'{}' at character 1 is no name"),
        ("a {isim.x}", r"'{isim.x}' at character 3 is no name"),
        ("{isim[0]}", "is no name"),
        ("{isim:>200000000}", "is no name"),
        ("{isim!r}", "is no name"),
        ("{first name}", "is no name"),
        ("{1}", "is no name"),
        ("{|x}", "is no name"),
        ("a { b", r"'{' at character 3 stands alone: write {{"),
        ("a } b", r"'}' at character 3 stands alone: write }}"),
        ("{isim", "stands alone"),
        ("{a{b}c}", "stands alone"),
    ],
)
def test_what_is_no_name(text: str, words: str) -> None:
    """The error says where it stands, and how it is written."""
    with pytest.raises(TemplateError, match=words):
        Template(text)


def test_all_that_is_missing_is_named_at_once() -> None:
    """Missing and blank alike, each once, with the way out."""
    with pytest.raises(TemplateError) as caught:
        Template("{a} {b|x} {c} {a}").render({"c": "\n"})
    assert str(caught.value) == (
        "no value for {a}, {c}: give one, or write a fallback such as {a|…}"
    )


def test_its_names() -> None:
    """Each once, in their order; those with a fallback everywhere are not required."""
    template = Template("{b} {a|x} {b|y} {c}")
    assert (template.variables, template.required) == (("b", "a", "c"), ("b", "c"))


def test_it_is_data() -> None:
    """Equal by its text; it pickles."""
    template = Template("{a}")
    assert pickle.loads(pickle.dumps(template)) == template  # noqa: S301 - our own bytes
    assert hash(template) == hash(Template("{a}"))
    assert template != "{a}"
    assert repr(template) == "Template('{a}')"


@given(st.text(alphabet="{}|ab .:!") | st.text())
def test_no_text_does_anything_else(text: str) -> None:
    """A template or the one error, and so with its values."""
    try:
        template = Template(text)
        template.render({"a": "1", "b": "{a}"})
    except TemplateError:
        return
    assert template.text == text


@given(st.text())
def test_braces_are_written_twice(text: str) -> None:
    """Any text can stand in a template."""
    assert Template(text.replace("{", "{{").replace("}", "}}")).render({}) == text


NAMES = st.from_regex(r"[^\W\d]\w{0,5}", fullmatch=True).map(partial(unicodedata.normalize, "NFC"))
FALLBACKS = st.none() | st.text().filter(lambda text: not {*text} & {*"{}"})


@given(
    st.lists(st.text() | st.tuples(NAMES.filter(str.isidentifier), FALLBACKS)),
    st.dictionaries(NAMES, st.text()),
)
def test_what_is_written_is_what_is_filled_in(
    parts: list[str | tuple[str, str | None]], values: dict[str, str]
) -> None:
    """A text of any literals and names takes their values, or names every one that lacks one."""
    text, rendered, missing = "", "", []
    for part in parts:
        if isinstance(part, str):
            text += part.replace("{", "{{").replace("}", "}}")
            rendered += part
            continue
        name, fallback = part
        text += f"{{{name}}}" if fallback is None else f"{{{name}|{fallback}}}"
        value = values.get(name, "")
        missing += [name] if not value.strip() and fallback is None else []
        rendered += value if value.strip() else fallback or ""
    template = Template(text)
    names = [part[0] for part in parts if isinstance(part, tuple)]
    assert template.variables == tuple(dict.fromkeys(names))
    if not missing:
        assert template.render(values) == rendered
        return
    with pytest.raises(TemplateError) as caught:
        template.render(values)
    assert all(f"{{{name}}}" in str(caught.value) for name in missing)
