"""The public names, and what importing them brings along."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module, metadata
from pathlib import Path

import pytest

import multiwhats_async
from multiwhats_async._keys import SeenKeys

ROOT = Path(__file__).parent.parent
PUBLIC = {
    "AsyncMultiWhats",
    "Attempt",
    "AuthenticationError",
    "Breaker",
    "BulkRun",
    "ButtonMessage",
    "CampaignHeldError",
    "CampaignState",
    "CampaignStatus",
    "Certainty",
    "Chunk",
    "ClaimLostError",
    "ConfigurationError",
    "Enqueued",
    "ExtraData",
    "InsufficientCreditError",
    "InvalidMenuError",
    "InvalidMessageError",
    "InvalidReplyError",
    "InvalidRequestError",
    "LedgerError",
    "MemoryLedger",
    "MessageLimits",
    "MessageReceipt",
    "MessageTarget",
    "MultiWhatsError",
    "NotSentError",
    "Outcome",
    "OutcomeUnknownError",
    "PostgresLedger",
    "PostgresRate",
    "Problem",
    "Progress",
    "Rate",
    "RateError",
    "RateLimitedError",
    "RedisRate",
    "RejectedError",
    "Report",
    "RetryDetails",
    "RetryPolicy",
    "RunStatus",
    "SQLiteLedger",
    "SendError",
    "StopReason",
    "Summary",
    "TemplateError",
    "Timeouts",
    "WHATSAPP_LIMITS",
    "__version__",
    "configure_converter",
    "enqueue_campaign",
    "keep_reconciling",
    "make_converter",
    "reconcile",
    "send_chunk",
}

CLOCKS = {"time", "asyncio", "trio", "anyio"}
REAL_SLEEPS = {
    "benchmarks/ledger.py:_transact": "plays a slower disk",
    "benchmarks/shared_rate.py:take": "processes that begin at the same moment",
    "browser/screenshots.py:until": "looks at the sandbox, until it is where the picture begins",
    "crash/fleet.py:_pause": "looks at a ledger that other processes write",
    "crash/fleet.py:_wait_for_end": "likewise",
    "crash/fleet.py:_wait_for_takeover": "likewise",
    "faults/walk.py:_strike_later": "a caller that is cancelled some milliseconds later",
    "integrations/conftest.py:until": "looks at a queue that other processes write",
    "model/machine.py:hang": "a server on the clock of the model, which jumps",
    "mutants/run.py:_look": "looks whether one of several processes has ended",
    "runs.py:asynchronous": "each test that reads it has a clock of its own",
    "services.py:_wait_until": "looks whether a server of ours has started",
    "vendor.py:__call__": "the latency of a server: a millisecond or two where the clock is real",
}
"""Where a test may wait in real time, and why nothing there could be waited for instead."""


def in_a_new_process(code: str, *options: str) -> str:
    """Run code in an interpreter of its own; return what it printed."""
    done = subprocess.run(  # noqa: S603  # our own code
        [sys.executable, *options, "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_public_names_are_these() -> None:
    """A name is added or taken away on purpose only."""
    assert set(multiwhats_async.__all__) == PUBLIC
    assert all(hasattr(multiwhats_async, name) for name in PUBLIC)
    assert set(dir(multiwhats_async)) >= PUBLIC
    assert not hasattr(multiwhats_async, "Nothing")


def test_a_checker_and_python_find_a_name_in_the_same_place() -> None:
    """The names are imported when they are asked for; a checker reads the imports."""
    text = Path(multiwhats_async.__file__).read_text("utf-8")
    (block,) = [node for node in ast.parse(text).body if isinstance(node, ast.If)]
    read = {
        alias.name: f".{node.module}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert read == multiwhats_async._HOME
    assert {*read, "__version__"} == PUBLIC


def test_every_public_name_has_its_types_checked() -> None:
    """``nox -s types`` reads these files with mypy and pyright; nothing of the face is left out."""
    used = {
        node.id
        for path in (ROOT / "tests" / "typing").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Name)
    }
    modules = (
        "menus",
        "replies",
        "testing",
        "integrations.opentelemetry",
        "integrations.prometheus",
    )
    public = PUBLIC.union(
        *(import_module(f"multiwhats_async.{module}").__all__ for module in modules)
    )
    assert {name for name in public - used if not name.isupper()} == set()


def test_importing_the_package_imports_no_client() -> None:
    """Who asks for no name waits for nothing."""
    loaded = in_a_new_process("import sys, multiwhats_async; print(*sys.modules)").split()
    assert {"httpx", "attrs", "anyio", "cattrs"}.isdisjoint(loaded)


def test_the_public_names_import_nothing_optional() -> None:
    """No extra, and no backend either."""
    loaded = in_a_new_process(
        "import sys\nfrom multiwhats_async import *\n"
        "print(*sorted(n for n in sys.modules if '.' not in n))"
    ).split()
    assert "httpx" in loaded
    optional = {"click", "rich", "starlette", "uvicorn", "trio", "httptools", "msgspec", "openpyxl"}
    optional |= {"psycopg", "coredis", "pgqueuer", "streaq", "prometheus_client", "opentelemetry"}
    optional |= {"aiohttp", "fastapi", "litestar", "pytest"}
    # httpcore imports trio where it is installed; nothing of ours does.
    assert optional.intersection(loaded) <= {"trio"} | ({"click", "rich"} & httpx_brings())


def httpx_brings() -> set[str]:
    """Return what importing httpx alone loads: its own command line, where click is there."""
    return set(in_a_new_process("import sys, httpx; print(*sys.modules)").split())


def test_the_version_is_the_installed_one() -> None:
    """One place says it."""
    assert metadata.version("multiwhats-async") == multiwhats_async.__version__


def test_the_package_says_that_it_is_typed() -> None:
    """PEP 561: without the marker no checker would look."""
    assert (Path(multiwhats_async.__file__).parent / "py.typed").exists()


def test_the_extra_all_names_every_other_extra() -> None:
    """Nobody forgets one."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = set(project["optional-dependencies"]) - {"all"}
    named = [
        name
        for line in project["optional-dependencies"]["all"]
        for name in line.removeprefix("multiwhats-async[").removesuffix("]").split(",")
    ]
    assert sorted(named) == sorted(extras)


def test_the_command_line_says_which_extra_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, no traceback."""
    from multiwhats_async.__main__ import main  # noqa: PLC0415  # what is tested

    for name in [name for name in sys.modules if name.startswith("multiwhats_async.cli")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "click", None)
    with pytest.raises(SystemExit, match=r"needs click: install it with  pip install"):
        main()


def test_a_missing_module_that_is_no_extra_is_no_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken installation says what is broken."""
    from multiwhats_async.__main__ import main  # noqa: PLC0415  # what is tested

    monkeypatch.setitem(sys.modules, "multiwhats_async.cli", None)
    with pytest.raises(ModuleNotFoundError):
        main()


def test_the_module_runs_as_a_program() -> None:
    """``python -m multiwhats_async`` is the command."""
    # In a process: pytest loads a package with a plugin by an importer that runpy cannot use.
    command = [sys.executable, "-m", "multiwhats_async", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # our own program
    assert done.stdout == f"multiwhats {multiwhats_async.__version__}\n"


@pytest.mark.parametrize("few", [0, 2, 100])
def test_seen_keys_tell_new_from_old(few: int) -> None:
    """By their whole text, also once they have moved into a database."""
    seen = SeenKeys(few)
    assert [seen.add(key) for key in ("a", "b", "a", "ğ", "Ğ", "b")] == [
        True,
        True,
        False,
        True,
        True,
        False,
    ]
    seen.close()


def real_sleeps(source: str) -> Iterator[str]:
    """Yield the functions that sleep in real time, by name; "" where it is outside of any.

    ``sleep(0)`` only lets others go on. A module that makes ``anyio_backend`` a virtual one may
    sleep as long as it likes.
    """
    tree = ast.parse(source)
    own_clock = any(
        isinstance(node, ast.FunctionDef)
        and node.name == "anyio_backend"
        and [argument.arg for argument in node.args.args] == ["virtual"]
        for node in tree.body
    )
    nodes: list[tuple[ast.AST, str]] = [] if own_clock else [(tree, "")]
    for node, within in nodes:
        inner = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else within
        nodes += [(child, inner) for child in ast.iter_child_nodes(node)]
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=clock), attr=name), args=args):
                zero = [ast.dump(each) for each in args] == [ast.dump(ast.Constant(0))]
                if clock in CLOCKS and name in ("sleep", "sleep_until") and not zero:
                    yield inner
            case ast.ImportFrom(module=clock, names=names) if clock in CLOCKS:
                # By another name it would be overlooked.
                yield from (inner for each in names if each.name.startswith("sleep"))


def test_no_test_sleeps() -> None:
    """Tests wait for what happens, or on a clock that jumps; each exception has its reason."""
    folder = Path(__file__).parent
    found = {
        f"{path.relative_to(folder).as_posix()}:{function}"
        for path in folder.rglob("*.py")
        for function in real_sleeps(path.read_text("utf-8"))
    }
    assert found == set(REAL_SLEEPS)


@pytest.mark.parametrize(
    ("source", "functions"),
    [
        ("async def f():\n    await anyio.sleep(0)", []),
        ("async def f():\n    await anyio.sleep_forever()", []),
        ("async def f():\n    await anyio.sleep(0.1)", ["f"]),
        ("async def f():\n    await trio.sleep_until(soon)", ["f"]),
        ("def f():\n    def g():\n        time.sleep(delay)", ["g"]),
        ("class C:\n    def f(self):\n        asyncio.sleep(delay=1)", ["f"]),
        ("from time import sleep", [""]),
        ("def anyio_backend(virtual): ...\nasync def f():\n    await anyio.sleep(60)", []),
        ("def anyio_backend(): ...\nasync def f():\n    await anyio.sleep(60)", ["f"]),
    ],
)
def test_a_sleep_is_found(source: str, functions: list[str]) -> None:
    """The check above sees what it must, and nothing else."""
    assert list(real_sleeps(source)) == functions
