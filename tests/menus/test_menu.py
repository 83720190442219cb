"""Menus as data: what is wrong with one is said when it is built, all of it at once."""

import pickle
from pathlib import Path
from typing import Any

import pytest
from menus.guests import CONSENT, GUEST, MENU, OURS

from multiwhats_async import InvalidMenuError, InvalidMessageError, TemplateError
from multiwhats_async.menus import Menu, Option, Stage

END = [Option("OK")]


def problems(*stages: Stage, start: str = "a", **options: Any) -> list[str]:
    """Return what is wrong with a menu."""
    with pytest.raises(InvalidMenuError) as caught:
        Menu(stages, start, **options)
    assert str(caught.value) == "; ".join(caught.value.problems)
    return [*caught.value.problems]


def stage(name: str, *to: str | None, text: str = "Hi") -> Stage:
    """Return a stage with an option for each stage that follows."""
    return Stage(name, text, [Option(f"to {one}", to=one) for one in to or (None,)])


def test_a_menu_is_data() -> None:
    """It pickles, compares, and gives its stages and messages."""
    assert pickle.loads(pickle.dumps(MENU)) == MENU  # noqa: S301 - our own bytes
    assert MENU["consent"] is CONSENT
    assert "consent" in MENU
    assert "nothing" not in MENU
    assert MENU.actions == ("order",)
    message = MENU.message("consent", {"guest": "Ayşe"}, to=GUEST, sender=OURS)
    assert message.message == "Dear Ayşe, may we write to you?"
    assert message.buttons == ("👍 Yes", "⛔ No")
    with pytest.raises(TemplateError, match=r"no value for \{guest\}"):
        MENU.message("consent", {}, to=GUEST)
    with pytest.raises(InvalidMessageError, match="1024"):
        MENU.message("consent", {"guest": "x" * 1_024}, to=GUEST)


def test_cycles_are_reported() -> None:
    """They cost credits, so they are taken only where they are meant."""
    assert MENU.cycles == (("consent", "service", "consent"),)
    assert problems(stage("a", "b"), stage("b", "c", "a"), stage("c", "c", None)) == [
        "c → c is a way back, and each message costs a credit: allow_cycles=True takes it",
        "a → b → a is a way back, and each message costs a credit: allow_cycles=True takes it",
    ]
    assert Menu([stage("a", "b", "c"), stage("b", "c"), stage("c")], "a").cycles == ()


def test_stages_and_targets_that_are_not_there() -> None:
    """Unknown, twice, out of reach, none."""
    assert problems() == ["there are no stages"]
    assert problems(stage("a"), start="b") == [
        "start names 'b', which is no stage: there are a",
    ]
    assert problems(stage("a", "x"), stage("b"), stage("b")) == [
        "stage 'b' stands 2 times: give each its own name",
        "stage 'a', option 'to x': 'x' is no stage",
        "stage 'b' is out of reach: no option leads to it from the start",
    ]
    assert problems(Stage("a", "Hi", [Option("x", targets=["a"])]), allow_cycles=True) == [
        "stage 'a', option 'x': targets are for an action to choose from, and it has none",
    ]


def test_a_target_of_an_action_is_within_reach() -> None:
    """The action may choose it."""
    menu = Menu([Stage("a", "Hi", [Option("x", action="y", targets=["b"])]), stage("b")], "a")
    assert menu.actions == ("y",)


def test_messages_that_could_not_be_sent() -> None:
    """WhatsApp's limits, unless they are off; buttons that there must be."""
    many = [Option(label) for label in "abcd"]
    assert "4 buttons" in problems(Stage("a", "Hi", many))[0]
    assert Menu([Stage("a", "Hi", many)], "a", limits=None).limits is None
    assert "buttons" in problems(Stage("a", "Hi", []))[0]
    assert "20" in problems(Stage("a", "Hi", [Option("x" * 21)]))[0]
    assert "1024" in problems(Stage("a", "x" * 1_025, END))[0]
    assert "is empty" in problems(Stage("a", " ", END))[0]
    twice = Stage("a", "Hi", [Option("x"), Option("x")])
    assert "has 'x' twice" in problems(twice)[0]
    assert problems(twice, limits=None) == [
        "stage 'a': has a button twice: which option was tapped would be unknown"
    ]
    assert problems(Stage("not a name", "Hi", END), start="not a name") == [
        "stage 'not a name': its name must be letters, digits and _, so that a text can name it"
    ]


def test_names_in_texts_that_may_have_no_value() -> None:
    """Written wrongly, given by nothing, or by a stage that there is a way around."""
    assert "is no name" in problems(stage("a", text="{a.b}"))[0]
    assert problems(stage("a", text="{guest}")) == [
        "stage 'a': text: nothing gives {guest}: name it in variables, or write {guest|…}"
    ]
    assert problems(stage("a", text="{a}"))[0].startswith("stage 'a': text: {a} is what was chosen")
    around = problems(stage("a", "b", "c"), stage("b", "c"), stage("c", text="{a} {b}"))
    assert around == [
        (
            "stage 'c': text: {b} is what was chosen in stage 'b', and there is a way around it: "
            "write {b|…}"
        )
    ]
    Menu([stage("a", "b", "c"), stage("b", "c"), stage("c", text="{a} {b|nothing}")], "a")
    Menu([stage("a", text="{guest}")], "a", variables=["guest"])


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Option(5), "Option.label must be a text, not 5"),
        (lambda: Option("x", to=5), "Option.to must be a text"),
        (lambda: Option("x", targets="abc"), "Option.targets must be a list of str"),
        (lambda: Stage("a", None, END), "Stage.text must be a text, not None"),
        (lambda: Stage("a", "Hi", None), "Stage.options must be a list of Option"),
        (lambda: Stage("a", "Hi", ["OK"]), "Stage.options must be a list of Option"),
        (lambda: Menu("abc", "a"), "Menu.stages must be a list of Stage"),
        (lambda: Menu([stage("a")], None), "Menu.start must be a text"),
        (lambda: Menu([stage("a")], "a", variables="x"), "Menu.variables must be a list of str"),
    ],
)
def test_values_of_another_type(build: Any, words: str) -> None:
    """The field and the value are named."""
    with pytest.raises(InvalidMenuError, match=words):
        build()


def test_a_huge_menu_is_checked_quickly() -> None:
    """A way through three thousand stages, each of which leads back to the first."""
    count = 3_000
    stages = [stage(f"s{number}", f"s{number + 1}", "s0") for number in range(count)]
    menu = Menu([*stages, stage(f"s{count}")], "s0", allow_cycles=True)
    assert len(menu.cycles) == 20


# --- TOML -----------------------------------------------------------------------------------

TOML = """
start = "dil"
name = "otel"
variables = ["misafir"]
allow_cycles = true

[stages.dil]
text = "Sayın {misafir}, dil seçiniz 🌍\\nPlease choose"
options = [
  { label = "🇹🇷 Türkçe", to = "hizmet", value = "tr" },
  { label = "🇬🇧 English", action = "talk", targets = ["hizmet", "dil"] },
]

[stages.hizmet]
text = "{dil}"
options = [{ label = "👍 Tamam" }]
"""


def test_a_menu_in_toml(tmp_path: Path) -> None:
    """The same data as in Python, from a text or from a file."""
    expected = Menu(
        [
            Stage(
                "dil",
                "Sayın {misafir}, dil seçiniz 🌍\nPlease choose",
                [
                    Option("🇹🇷 Türkçe", to="hizmet", value="tr"),
                    Option("🇬🇧 English", action="talk", targets=["hizmet", "dil"]),
                ],
            ),
            Stage("hizmet", "{dil}", [Option("👍 Tamam")]),
        ],
        "dil",
        name="otel",
        variables=["misafir"],
        allow_cycles=True,
    )
    assert Menu.from_toml(TOML) == expected
    path = tmp_path / "menu.toml"
    path.write_text(TOML, "utf-8")
    assert Menu.load(path) == expected
    path.write_bytes("[stages.dil]\ntext = 'Şişli'".encode("cp1254"))
    with pytest.raises(InvalidMenuError, match="is no UTF-8"):
        Menu.load(path)
    with pytest.raises(FileNotFoundError):
        Menu.load(tmp_path / "nothing.toml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("start = ", ["this is no TOML: Invalid value (at end of document)"]),
        ("", ["the menu: start is missing: name its first stage"]),
        (
            'begin = "a"\nstart = 5\nvariables = [1]',
            [
                (
                    "the menu: there is no begin: write one of start, name, variables, "
                    "allow_cycles, stages"
                ),
                "the menu: start must be a text, not 5",
                "the menu: variables must be a list, not [1]",
                "the menu: start is missing: name its first stage",
            ],
        ),
        (
            'start = "a"\n[stages]\na = 1\nb = { options = [{ lable = "x" }, 5] }',
            [
                "stages.a: must be a table, not 1",
                "stages.a: text is missing",
                "stages.a: options is missing",
                (
                    "stages.b, option 1: there is no lable: write one of label, to, action, "
                    "targets, value"
                ),
                "stages.b, option 2: must be a table, not 5",
                "stages.b: text is missing",
                "stages.b, option 1: label is missing",
                "stages.b, option 2: label is missing",
            ],
        ),
        ('start = "a"', ["there are no stages"]),
    ],
)
def test_toml_that_is_no_menu(text: str, expected: list[str]) -> None:
    """Every table and key is named, and all at once."""
    with pytest.raises(InvalidMenuError) as caught:
        Menu.from_toml(text)
    assert [*caught.value.problems] == expected


def test_its_error_pickles() -> None:
    """With every problem."""
    error = InvalidMenuError(["a", "b"])
    twin = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (twin.problems, str(twin)) == (("a", "b"), "a; b")
