"""No lower bound of ours admits a version of which a vulnerability is known."""

import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

TESTS = Path(__file__).parent
ADVISORIES: list[dict[str, str]] = tomllib.loads(
    (TESTS / "data/advisories.toml").read_text("utf-8")
)["advisory"]


def requirements() -> Iterator[Requirement]:
    """Yield what pyproject.toml asks for: the dependencies, the extras and the groups."""
    data: dict[str, Any] = tomllib.loads((TESTS.parent / "pyproject.toml").read_text("utf-8"))
    project = data["project"]
    groups = [*project["optional-dependencies"].values(), *data["dependency-groups"].values()]
    for line in [*project["dependencies"], *(line for group in groups for line in group)]:
        if isinstance(line, str):  # else a group that is included, and has its own lines
            requirement = Requirement(line)
            if requirement.name != project["name"]:
                yield requirement


def lower_bound(requirement: Requirement) -> Version | None:
    """Return the oldest version that a requirement admits, or None where it admits all."""
    bounds = [
        Version(bound.version)
        for bound in requirement.specifier
        if bound.operator in {">=", "==", "~="}
    ]
    return max(bounds, default=None)


@pytest.mark.parametrize("advisory", ADVISORIES, ids=lambda advisory: advisory["id"])
def test_no_bound_admits_it(advisory: dict[str, str]) -> None:
    """The oldest version that we ask for has the fix."""
    found = [each for each in requirements() if each.name == advisory["package"]]
    assert found, "nothing of ours asks for it: take the advisory out"
    for requirement in found:
        oldest = lower_bound(requirement)
        assert oldest is not None
        assert oldest >= Version(advisory["fixed"]), advisory["what"]


def test_every_requirement_has_a_lower_bound() -> None:
    """Without one, a resolver may choose a version with every vulnerability there ever was."""
    unbound = [str(each) for each in requirements() if lower_bound(each) is None]
    assert unbound == []


def test_what_httpcore_brings_along_has_its_fix() -> None:
    """That the bound of h11 is kept by ours of httpcore: what is installed says so itself."""
    lines = metadata.requires("httpcore") or []
    (h11,) = [Requirement(line) for line in lines if canonicalize_name(line[:3]) == "h11"]
    oldest = lower_bound(h11)
    assert oldest is not None
    assert oldest >= Version("0.16")
