"""Everything that is checked, one session each. ``nox`` runs what a change must pass."""

import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["lint", "types", "tests", "docs", "wheel"]

PYTHONS = ["3.11", "3.12", "3.13"]
PYPROJECT = nox.project.load_toml("pyproject.toml")


def group(name: str) -> list[str]:
    """Return the requirements of a dependency group."""
    return nox.project.dependency_groups(PYPROJECT, name)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the suite on asyncio and trio, with 100 % branch coverage."""
    session.install("-e", ".[all]", *group("test"))
    _run_suite(session)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session(python=PYTHONS)
def versions(session: nox.Session) -> None:
    """Run the suite on every supported Python that is installed."""
    session.install("-e", ".[all]", *group("test"))
    session.run("pytest", "-q", *session.posargs)


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel, install it alone, and run the suite against it."""
    built = Path(session.create_tmp()).resolve() / "wheels"
    shutil.rmtree(built, ignore_errors=True)
    session.install("build", "twine", *group("test"))
    session.run("python", "-m", "build", "--outdir", str(built), silent=True)
    session.run("twine", "check", "--strict", *map(str, built.iterdir()))
    (wheel_file,) = built.glob("*.whl")
    session.install(f"multiwhats-async[all] @ {wheel_file.as_uri()}")
    # From a folder of their own, so that nothing is imported from the checkout by mistake.
    tests_here = Path("tests").resolve()
    config = Path("pyproject.toml").resolve()
    session.chdir(session.create_tmp())
    root = str(tests_here.parent)
    session.run("pytest", "-q", "-c", str(config), "--rootdir", root, str(tests_here))


@nox.session
def lint(session: nox.Session) -> None:
    """Check the style, the format, and that the floors of the house hold."""
    session.install("-e", ".[all]", *group("lint"))
    session.run("ruff", "check", "--quiet", "--output-format", "concise", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports", "--no-logo")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types: mypy strict, and pyright on the package and its public face."""
    session.install(".[all]", *group("types"))
    session.run("mypy")
    session.run("pyright")
    session.run("pyright", "--ignoreexternal", "--verifytypes", "multiwhats_async")


@nox.session
def docs(session: nox.Session) -> None:
    """Run every example of the README and the documentation."""
    session.install("-e", ".[all]", *group("test"))
    session.run("pytest", "-q", "tests/test_docs.py")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure memory and speed, side by side in one run; figures to standard output."""
    # Playwright, of the test group, is for the page of the sandbox.
    session.install(".[all]", *group("test"), *group("bench"))
    for script in sorted(Path("tests/benchmarks").glob("[!_]*.py")):
        session.run("python", str(script), *session.posargs)


def _run_suite(session: nox.Session) -> None:
    """Run pytest under coverage, in this process and in those that the tests start."""
    session.env["COVERAGE_PROCESS_START"] = str(Path("pyproject.toml").resolve())
    session.run("coverage", "run", "-m", "pytest", "-q", *session.posargs)
