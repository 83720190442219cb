"""What looks at a release notices what it must; the recipes on the server are what they say."""

import re
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from release import archives, sbom

ROOT = Path(__file__).parent.parent.parent
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml"))
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
TREE = {"docs/a.md", "multiwhats_async/a.py", "tests/a.py", ".ci/run", ".github/a.yml"}
WHOLE = TREE | (archives.TOP - set(archives.FOLDERS))


def read(path: Path) -> Any:
    """Return what a YAML file says."""
    return yaml.safe_load(path.read_text("utf-8"))


def test_a_whole_sdist_is_right() -> None:
    """Otherwise nothing below would mean anything."""
    assert archives.wrong_with(WHOLE, TREE) == []


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_a_file_that_is_missing_is_named(name: str) -> None:
    """Each of them."""
    found = " ".join(archives.wrong_with(WHOLE - {name}, TREE))
    assert f"lacks {name}" in found or f"lacks {name.partition('/')[0]}" in found


@pytest.mark.parametrize(
    "name",
    [
        "tests/__pycache__/a.cpython-311.pyc",
        "tests/.hypothesis/x",
        "docs/build/index.html",
        "multiwhats_async/a.pyc",
        "tests/spring.db-wal",
        "docs/guests.csv.ledger",
        ".github/.env",
        "notes.txt",
        ".coverage",
    ],
)
def test_what_does_not_belong_is_named(name: str) -> None:
    """What working in a folder leaves there, and what nobody has said."""
    assert archives.wrong_with(WHOLE | {name}, TREE) != []


def test_every_file_of_this_tree_belongs() -> None:
    """No name of ours passes for junk: it would be overlooked where it is missing."""
    names = archives.files_of(ROOT)
    assert {"tests/release/archives.py", ".ci/run", "multiwhats_async/py.typed"} <= names
    assert archives.wrong_with(names | WHOLE, TREE) == []


def test_wheels_that_differ_are_told_apart(tmp_path: Path) -> None:
    """In a file's content, and in what only one has."""
    one, other = tmp_path / "1.whl", tmp_path / "2.whl"
    for path, files in ((one, {"a": "1", "b": "1"}), (other, {"a": "1", "b": "2", "c": "1"})):
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
    assert archives.differing(one, one) == []
    assert archives.differing(one, other) == ["b", "c"]


def bill(*named: tuple[str, str], dependencies: bool = True) -> dict[str, Any]:
    """Return a bill of materials."""
    return {
        "bomFormat": "CycloneDX",
        "components": [{"name": name, "version": version} for name, version in named],
        "dependencies": [{"ref": "multiwhats_async==1"}] if dependencies else [],
    }


HTTPX = ("httpx", "0.28.1")


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        (bill(HTTPX), None),
        (bill(), "httpx 0.28.1 is installed; the bill names None"),
        (bill(("HTTPX", "0.27")), "httpx 0.28.1 is installed; the bill names 0.27"),
        (bill(HTTPX, ("left_pad", "1")), "the bill names left-pad, which is not installed"),
        (bill(HTTPX, dependencies=False), "does not say what multiwhats-async depends on"),
        (bill(HTTPX) | {"bomFormat": "SPDX"}, "it is no CycloneDX bill"),
        (bill(HTTPX) | {"url": "file:///home/a.whl"}, "a place on the machine that made it"),
    ],
)
def test_a_bill_that_is_wrong_is_refused(told: dict[str, Any], complaint: str | None) -> None:
    """It names what is installed, all of it, and nothing else."""
    wrong = sbom.wrong_with(told, {"httpx": "0.28.1"}, frozenset({"httpx"}))
    assert len(wrong) == (complaint is not None)
    assert complaint is None or complaint in wrong[0]


def test_a_requirement_that_is_not_installed_is_named() -> None:
    """An environment that lacks half of them would else be told truly, and be useless."""
    required = sbom.required_by([*PROJECT["dependencies"], "click>=8.1; extra == 'cli'"])
    assert {"anyio", "httpx", "sniffio"} <= required
    assert "click" not in required
    wrong = sbom.wrong_with(bill(HTTPX), {"httpx": "0.28.1"}, required)
    assert "anyio is required, and is not installed" in wrong


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned(path: Path) -> None:
    """To a commit, with the version beside it: a tag can be moved."""
    used = re.findall(r"uses: *(.*)", path.read_text("utf-8"))
    assert used
    for each in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", each), each


def test_the_right_to_publish_is_where_it_is_used() -> None:
    """Nothing by default; a job has no more than it needs, and none that builds can publish."""
    release, ci = read(GITHUB / "workflows/release.yml"), read(GITHUB / "workflows/ci.yml")
    assert (release["permissions"], ci["permissions"]) == ({}, {"contents": "read"})
    assert {name: job.get("permissions") for name, job in release["jobs"].items()} == {
        "build": {"contents": "read"},
        "attest": {"id-token": "write", "attestations": "write"},
        "publish": {"id-token": "write"},
    }
    assert not any("permissions" in job for job in ci["jobs"].values())
    assert release["jobs"]["publish"]["environment"] == "release"
    assert "secrets." not in "".join(path.read_text("utf-8") for path in WORKFLOWS)
    for job in (*release["jobs"].values(), *ci["jobs"].values()):
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            if "checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False


def test_what_runs_there_is_a_session_of_nox() -> None:
    """On every Python that the package says it supports, and on three systems."""
    noxfile = (ROOT / "noxfile.py").read_text("utf-8")
    sessions = set(re.findall(r"@nox\.session.*\ndef (\w+)", noxfile))
    ci = read(GITHUB / "workflows/ci.yml")["jobs"]
    matrix = ci["tests"]["strategy"]["matrix"]
    said = {line.rpartition(" ")[2] for line in PROJECT["classifiers"] if ":: 3." in line}
    assert set(matrix["python"]) == said
    assert re.findall(r'"(3\.\d+)"', noxfile) == matrix["python"]
    assert [name.partition("-")[0] for name in matrix["system"]] == ["ubuntu", "macos", "windows"]
    lines = [
        step["run"]
        for path in WORKFLOWS
        for job in read(path)["jobs"].values()
        for step in job["steps"]
        if step.get("run", "").startswith("nox")
    ]
    run = {name for line in lines for name in re.sub(r"-\$\{\{.*?\}\}", "", line).split()[2:]}
    assert run <= sessions
    default = re.findall(r"nox\.options\.sessions = \[(.*)\]", noxfile)[0]
    assert set(re.findall(r"\w+", default)) <= run


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_a_form_for_issues_is_one(path: Path) -> None:
    """With a name, and fields that each have an id of their own; none asks for what is secret."""
    form = read(path)
    if path.stem == "config":
        assert form == {"blank_issues_enabled": False}
        return
    assert {"name", "description", "labels", "body"} == set(form)
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert all(field["attributes"]["label"] for field in fields)
    assert len({field["id"] for field in fields}) == len(fields) > 0
    assert "Leave out API keys, whole phone numbers" in path.read_text("utf-8")
