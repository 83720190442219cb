"""Look at a release before it goes out: what is in the sdist, and that both ways give one wheel.

    python tests/release/archives.py SDIST WHEEL OTHER_WHEEL

Without an installed package, and with the standard library only.
"""

import re
import sys
import tarfile
import zipfile
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath
from typing import Final

TOP: Final = frozenset(
    {
        ".ci",
        ".github",
        ".gitignore",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "PKG-INFO",
        "README.md",
        "README.tr.md",
        "SECURITY.md",
        "docs",
        "multiwhats_async",
        "noxfile.py",
        "pyproject.toml",
        "tests",
        "zensical.toml",
    }
)
"""What stands at the top of an sdist, all of it and nothing else."""

FOLDERS: Final = ("docs", "multiwhats_async", "tests", ".ci", ".github")
"""Of these an sdist has every file of the tree."""

JUNK: Final = re.compile(
    r"""(^|/)(__pycache__|\.\w+_cache|\.hypothesis|\.coverage[^/]*|\.venv|\.nox|build|dist|htmlcov)(/|$)
      | \.(pyc|pyo|so|db|db-wal|db-shm|ledger|log|orig|rej|swp|tmp)$
      | (^|/)\.(env|netrc|pypirc|DS_Store)""",
    re.VERBOSE,
)
"""What a folder gathers while one works in it."""


def wrong_with(names: Iterable[str], tree: Collection[str]) -> list[str]:
    """Return what is wrong with an sdist.

    Args:
        names: The paths of its files, below its one folder.
        tree: Those of the tree that it was made from.
    """
    packed = set(names)
    top = {PurePosixPath(name).parts[0] for name in packed}
    wrong = [f"the sdist lacks {name}" for name in sorted(TOP - top)]
    wrong += [f"the sdist has {name}" for name in sorted(top - TOP)]
    wrong += [f"the sdist has junk: {name}" for name in sorted(packed) if JUNK.search(name)]
    due = {name for name in tree if PurePosixPath(name).parts[0] in FOLDERS}
    return wrong + [f"the sdist lacks {name}" for name in sorted(due - packed)]


def differing(one: Path, other: Path) -> list[str]:
    """Return the files in which two wheels differ."""
    with zipfile.ZipFile(one) as first, zipfile.ZipFile(other) as second:
        ours = {name: first.read(name) for name in first.namelist()}
        theirs = {name: second.read(name) for name in second.namelist()}
    return sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))


def packed_in(sdist: Path) -> list[str]:
    """Return the paths of an sdist's files, below its one folder.

    Raises:
        ValueError: It has several, or something that is no file.
    """
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    folders = {PurePosixPath(member.name).parts[0] for member in members}
    if len(folders) != 1 or not all(member.isfile() for member in members):
        raise ValueError(f"{sdist.name} is not one folder of files")
    return [member.name.partition("/")[2] for member in members]


def files_of(tree: Path) -> set[str]:
    """Return the paths of the files of a checkout that belong into an sdist."""
    found = {
        path.relative_to(tree).as_posix()
        for folder in FOLDERS
        for path in (tree / folder).rglob("*")
        if path.is_file()
    }
    return {name for name in found if not JUNK.search(name)}


def main(sdist: str, wheel: str, other_wheel: str) -> int:
    """Say what is wrong; return the exit code."""
    wrong = wrong_with(packed_in(Path(sdist)), files_of(Path()))
    differences = differing(Path(wheel), Path(other_wheel))
    wrong += [f"the wheel of the sdist differs in {name}" for name in differences]
    sys.stdout.writelines(f"{line}\n" for line in wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
