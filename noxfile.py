"""Everything that is checked, one session each. ``nox`` runs what a change must pass."""

import shutil
import zipfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["lint", "types", "tests", "docs", "wheel", "instructions"]

PYTHONS = ["3.11", "3.12", "3.13"]
OF_A_WHEEL = [
    "test_docs.py",
    "pages",
    "cli",
    "sandbox",
    "ledger/test_postgres.py",
    "ledger/test_files.py",
    "rate",
    "testing",
]
"""Tests that need what a wheel could lack: programs, pages, statements, scripts, the plugin."""
PYPROJECT = nox.project.load_toml("pyproject.toml")


def group(name: str) -> list[str]:
    """Return the requirements of a dependency group."""
    return nox.project.dependency_groups(PYPROJECT, name)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the suite on asyncio and trio, with 100 % branch coverage; or some of it."""
    session.install("-e", ".[all]", *group("test"))
    if session.posargs:
        session.run("pytest", "-q", *session.posargs)
        return
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
    """Build, look that all is whole, install the wheel alone, and run what it could lack."""
    session.install("build", "twine", *group("test"))
    wheel_file = _build(session)
    _check_whole(session, wheel_file)
    session.install(f"multiwhats-async[all] @ {wheel_file.as_uri()}")
    # From a folder of their own, so that nothing is imported from the checkout by mistake.
    here = Path.cwd()
    chosen = [str(here / "tests" / name) for name in OF_A_WHEEL]
    session.chdir(session.create_tmp())
    session.run("pytest", "-q", "-c", str(here / "pyproject.toml"), "--rootdir", str(here), *chosen)


@nox.session
def sbom(session: nox.Session) -> None:
    """Write what the wheel brings along to ``dist/sbom.cdx.json``, with all extras; not by default.

    ``dist`` has the sdist and the wheel then, too: what a release uploads.
    """
    session.install("build", "twine", "cyclonedx-bom>=7")
    wheel_file = _build(session)
    dist = Path("dist").resolve()
    shutil.rmtree(dist, ignore_errors=True)
    shutil.copytree(wheel_file.parent, dist)
    alone = Path(session.create_tmp()).resolve() / "alone"  # the tools are no part of the bill
    session.run("python", "-m", "venv", "--clear", "--without-pip", str(alone))
    (python,) = [path for path in alone.glob("*/python*") if path.stem == "python"]
    wanted = f"multiwhats-async[all] @ {wheel_file.as_uri()}"
    session.run("python", "-m", "pip", "--python", str(python), "install", "-q", wanted)
    for note in alone.rglob("direct_url.json"):
        note.unlink()  # where the wheel lay on this machine is nobody's business
    bill = str(dist / "sbom.cdx.json")
    session.run("cyclonedx-py", "environment", "--output-reproducible", "-o", bill, str(python))
    session.run(str(python), "tests/release/sbom.py", bill, external=True)


@nox.session
def lint(session: nox.Session) -> None:
    """Check the style, the format, and that the floors of the house hold."""
    session.install("-e", ".[all]", *group("lint"))
    session.run("ruff", "check", "--quiet", "--output-format", "concise", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports", "--no-logo")
    session.run("bandit", "--quiet", "--configfile", "pyproject.toml", "-r", "multiwhats_async")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types: mypy strict, and pyright on the package and its public face."""
    session.install(".[all]", *group("types"))
    session.run("mypy")
    session.run("mypy", *sorted(map(str, Path("tests/typing").glob("*.py"))))
    session.run("pyright")
    session.run("pyright", "--project", "tests/typing")
    session.run("pyright", "--ignoreexternal", "--verifytypes", "multiwhats_async")


@nox.session
def docs(session: nox.Session) -> None:
    """Run every example of the README and the documentation, and build the site of it in site/."""
    session.install("-e", ".[all]", *group("test"), *group("docs"))
    session.run("pytest", "-q", "tests/test_docs.py", "tests/pages")
    session.run("python", "-m", "pages.site", "site", env={"PYTHONPATH": "tests"})


@nox.session
def instructions(session: nox.Session) -> None:
    """Hold the instructions that a message takes against their budget: the same on any machine."""
    session.install(".[all]")
    session.run("python", "tests/benchmarks/instructions.py", *session.posargs)


@nox.session
def audit(session: nox.Session) -> None:
    """Ask over the network whether anything installed has a known vulnerability; not by default.

    What no lower bound of ours may admit is tested offline: tests/test_advisories.py.
    """
    session.install(".[all]", "pip-audit")
    session.run("pip-audit", "--desc", *session.posargs)


@nox.session
def mutants(session: nox.Session) -> None:
    """Change the modules that decide in small wrong ways, and see that their tests notice."""
    session.install("-e", ".[all]", *group("test"))
    session.run("python", "tests/mutants/run.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure memory and speed, side by side in one run; figures to standard output."""
    session.install(".[all]", *group("bench"))
    for script in sorted(Path("tests/benchmarks").glob("[!_]*.py")):
        if script.stem != "pictures":  # which draws what compare.py has measured
            session.run("python", str(script), *session.posargs)


def _build(session: nox.Session) -> Path:
    """Build an sdist and from it a wheel, look at both, and return the wheel."""
    folder = Path(session.create_tmp()).resolve()
    built, direct = folder / "built", folder / "direct"
    for each in (built, direct):
        shutil.rmtree(each, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(built), silent=True)
    session.run("python", "-m", "build", "--wheel", "--outdir", str(direct), silent=True)
    session.run("twine", "check", "--strict", *map(str, built.iterdir()))
    (sdist,), (wheel_file,), (other,) = (
        found.glob(pattern)
        for found, pattern in ((built, "*.tar.gz"), (built, "*.whl"), (direct, "*.whl"))
    )
    session.run("python", "tests/release/archives.py", str(sdist), str(wheel_file), str(other))
    return wheel_file


def _check_whole(session: nox.Session, wheel_file: Path) -> None:
    """Refuse a wheel that lacks a file of the package, whatever its kind."""
    with zipfile.ZipFile(wheel_file) as archive:
        packed = set(archive.namelist())
    here = (path for path in Path("multiwhats_async").rglob("*") if path.is_file())
    missing = {path.as_posix() for path in here if path.suffix != ".pyc"} - packed
    if missing:
        session.error(f"the wheel lacks {sorted(missing)}")


def _run_suite(session: nox.Session) -> None:
    """Run pytest under coverage, in this process and in those that the tests start."""
    session.env["COVERAGE_PROCESS_START"] = str(Path("pyproject.toml").resolve())
    session.run("coverage", "run", "-m", "pytest", "-q")
