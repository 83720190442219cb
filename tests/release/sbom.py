"""Look at a software bill of materials: does it name everything that an environment holds?

    python tests/release/sbom.py FILE

Run by the environment's own Python. With the standard library only, so that it adds nothing to it.
"""

import json
import re
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

OURS: Final = "multiwhats-async"


def named_in(bill: Mapping[str, Any]) -> dict[str, str]:
    """Return the components of a CycloneDX bill: their versions by their names."""
    return {
        plain(component["name"]): component["version"] for component in bill.get("components", ())
    }


def installed() -> dict[str, str]:
    """Return the distributions of this environment: their versions by their names."""
    return {plain(each.metadata["Name"]): each.version for each in metadata.distributions()}


def plain(name: str) -> str:
    """Return a name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def wrong_with(
    bill: Mapping[str, Any], there: Mapping[str, str], required: frozenset[str]
) -> list[str]:
    """Return what is wrong with a bill.

    Args:
        bill: The bill, as read from JSON.
        there: What is installed.
        required: What the package asks for without any extra.
    """
    named = named_in(bill)
    wrong = [] if bill.get("bomFormat") == "CycloneDX" else ["it is no CycloneDX bill"]
    for name, version in sorted(there.items()):
        if named.get(name) != version:
            wrong.append(f"{name} {version} is installed; the bill names {named.get(name)}")
    wrong += [
        f"the bill names {name}, which is not installed" for name in sorted({*named} - {*there})
    ]
    wrong += [f"{name} is required, and is not installed" for name in sorted(required - {*there})]
    linked = {plain(each["ref"].partition("==")[0]) for each in bill.get("dependencies", ())}
    if OURS not in linked:
        wrong.append(f"the bill does not say what {OURS} depends on")
    if "file:" in json.dumps(bill):
        wrong.append("the bill names a place on the machine that made it")
    return wrong


def required_by(requirements: list[str]) -> frozenset[str]:
    """Return the names of requirements that hold without an extra."""
    names = (re.match(r"[\w.-]+", line) for line in requirements if "extra ==" not in line)
    return frozenset(plain(found[0]) for found in names if found)


def main(file: str) -> int:
    """Say what is wrong; return the exit code."""
    bill = json.loads(Path(file).read_text("utf-8"))
    wrong = wrong_with(bill, installed(), required_by(metadata.requires(OURS) or []))
    sys.stdout.writelines(f"{line}\n" for line in wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
