"""The pytest plugin, as the tests of others use it: under each async plugin, and without one."""

import subprocess
import sys
import textwrap

import pytest

pytest_plugins = ["pytester"]

SYNC = """
    from multiwhats_async.sandbox import SandboxMessage

    def test_in_memory(multiwhats):
        anyio.run(said, multiwhats)
        told(multiwhats)

    def test_on_a_socket(multiwhats_server):
        anyio.run(said, multiwhats_server)
        told(multiwhats_server)
        assert multiwhats_server.base_url.startswith("http://127.0.0.1:")

    def test_a_fresh_one_for_each_test(multiwhats, multiwhats_server):
        multiwhats.assert_nothing_sent()
        multiwhats_server.assert_nothing_sent()
"""
COMMON = """
    import anyio
    import pytest

    async def said(kit):
        kit.fail_next("429")
        async with kit.client() as client:
            await client.send_button_message("905374937766", "Hi", ["Yes", "No"])
        assert (await kit.wait_for(to="905374937766")).text == "Hi"

    async def answered(kit):
        async def app(scope, receive, send):
            if scope["type"] == "lifespan":
                await receive()
                await send({"type": "lifespan.startup.complete"})
                await receive()
                await send({"type": "lifespan.shutdown.complete"})
                return
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        async with kit.running(app) as web:
            assert (await web.get("/")).status_code == 204
            (answer,) = await kit.deliver_to(app, "/replies")
            assert answer.status_code == 204

    def told(kit):
        kit.assert_sent(to="905374937766", buttons=["Yes", "No"], times=1)
        assert kit.tap(kit.last, "Yes").tap.label == "Yes"
"""
ASYNC = """
    {mark}
    async def test_in_memory(multiwhats):
        await said(multiwhats)
        told(multiwhats)
        await answered(multiwhats)

    {mark}
    async def test_on_a_socket(multiwhats_server):
        await said(multiwhats_server)
        told(multiwhats_server)
"""


@pytest.fixture(autouse=True)
def _no_other_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Load those that a test names, by their entries, and no other that is installed."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def run(pytester: pytest.Pytester, *code: str, plugin: str | None = None) -> pytest.RunResult:
    """Run tests in a process of their own, warnings as errors, with our plugin and one more."""
    pytester.makepyfile("\n".join(textwrap.dedent(part) for part in code))
    more = [] if plugin is None else ["-p", plugin]
    return pytester.runpytest_subprocess("-W", "error", "-p", "multiwhats", *more)


def test_in_sync_tests(pytester: pytest.Pytester) -> None:
    """The fixtures need no plugin for async tests."""
    run(pytester, COMMON, SYNC).assert_outcomes(passed=3)


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_under_pytest_asyncio(pytester: pytest.Pytester, mode: str) -> None:
    """In its two modes."""
    pytester.makeini(
        f"[pytest]\nasyncio_mode = {mode}\nasyncio_default_fixture_loop_scope = function"
    )
    code = ASYNC.format(mark="@pytest.mark.asyncio" if mode == "strict" else "")
    run(pytester, COMMON, code, plugin="asyncio").assert_outcomes(passed=2)


def test_under_anyios_plugin(pytester: pytest.Pytester) -> None:
    """On asyncio and on trio."""
    code = ASYNC.format(mark="@pytest.mark.anyio")
    run(pytester, COMMON, code, plugin="anyio").assert_outcomes(passed=4)


@pytest.mark.parametrize("mode", ["true", "false"])
def test_under_pytest_trio(pytester: pytest.Pytester, mode: str) -> None:
    """In its trio mode, and with its mark."""
    pytester.makeini(f"[pytest]\ntrio_mode = {mode}")
    code = ASYNC.format(mark="@pytest.mark.trio" if mode == "false" else "")
    run(pytester, COMMON, code, plugin="trio").assert_outcomes(passed=2)


def test_a_failure_stands_in_the_test(pytester: pytest.Pytester) -> None:
    """The diff is the test's own failure, the kit's code is not shown; the teardown is clean."""
    code = """
    def test_it(multiwhats_server):
        anyio.run(said, multiwhats_server)
        multiwhats_server.assert_sent(text="Hello")
    """
    result = run(pytester, COMMON, code)
    result.assert_outcomes(failed=1, errors=0)
    result.stdout.fnmatch_lines(
        [
            '>       multiwhats_server.assert_sent(text="Hello")',
            "E       AssertionError: No message fits; 1 sent. The nearest, message 3664, differs*",
            "E         text  - Hello",
            "E               + Hi",
        ]
    )
    result.stdout.no_fnmatch_line("*testing?_kit.py*")


def test_the_plugin_costs_a_run_nothing() -> None:
    """In every run it is imported: beside pytest it brings itself, and nothing heavy."""
    code = (
        "import sys, pytest\n"
        "before = set(sys.modules)\n"
        "import multiwhats_async._pytest\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(  # noqa: S603  # our own code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [
        "multiwhats_async",
        "multiwhats_async._pytest",
        "multiwhats_async._version",
    ]


def test_a_run_that_uses_no_fixture_imports_no_client(pytester: pytest.Pytester) -> None:
    """Loaded by its entry, as it is in every run of everybody who has it installed."""
    code = """
    import sys

    def test_it(pytestconfig):
        assert pytestconfig.pluginmanager.has_plugin("multiwhats")
        assert not {"httpx", "attrs", "cattrs", "multiwhats_async.client"} & set(sys.modules)
    """
    run(pytester, code).assert_outcomes(passed=1)
