"""The API key in a process of its own: its flags, its warnings, its memory, its command line."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from faults.answers import answer
from faults.cases import RECIPIENT, answers
from faults.server import Connection, RawServer
from test_secrets import KEYS, SENDER, assert_clean, echoing, forms

from multiwhats_async import AsyncMultiWhats, Attempt, ButtonMessage, Outcome
from multiwhats_async._settings import Settings

ROOT = Path(__file__).parent.parent
KEY = KEYS["special"]

PROGRAM = """
import asyncio, copy, faulthandler, gc, logging, pickle, pprint, sys, traceback, warnings
from multiwhats_async import AsyncMultiWhats, ButtonMessage, RetryPolicy, SendError

if __debug__ is (sys.flags.optimize > 0):
    raise SystemExit("the flag had no effect")
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
faulthandler.enable()
warnings.simplefilter("always")


async def main():
    options = {"retry": RetryPolicy(attempts=1, throttled_attempts=1)}
    client = AsyncMultiWhats(**options)
    async with client:
        for _ in range(2):
            try:
                await client.send_button_message("905374937766", "Hi", ["Yes"])
            except SendError as error:
                error.add_note("seen")
                print(error, repr(error), error.args, vars(error), "%s %r" % (error, error))
                print(f"{error} {error!r} {error!s:>9}", pickle.dumps(error), copy.deepcopy(error))
                told = traceback.TracebackException.from_exception(error, capture_locals=True)
                print("".join(told.format()))
                pprint.pprint(gc.get_referents(error, *gc.get_referents(error)))
        print(await client.deliver(ButtonMessage("905374937766", "Hi", ["Yes"])))
        for way in (pickle.dumps, lambda value: pickle.dumps(value._settings)):
            try:
                raise SystemExit(f"it pickles: {way(client)!r}")
            except TypeError as error:
                print(error)
        print(client, vars(client), vars(copy.copy(client)))
        faulthandler.dump_traceback(sys.stdout)
    never_closed = AsyncMultiWhats()
    await never_closed.__aenter__()
    await never_closed.deliver(ButtonMessage("905374937766", "Hi", ["Yes"]))
    del never_closed
    gc.collect()
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)  # told by asyncio's own handler
    await asyncio.sleep(0)
    async with AsyncMultiWhats(**options) as client:
        await client.send_button_message("905374937766", "Hi", ["Yes"])  # nobody catches it


asyncio.run(main())
"""


@pytest.fixture
def server() -> Iterator[RawServer]:
    """Run a server that says no, and repeats the key to everybody."""
    server = RawServer(echoing(KEY)).start()
    yield server
    server.stop()


@pytest.fixture(params=[[], ["-O"], ["-OO"], ["-X", "dev"]], ids="".join)
def flags(request: pytest.FixtureRequest) -> list[str]:
    """Run a test without flags, without assertions, and with all that asyncio can tell."""
    which: list[str] = request.param
    return which


def environment(server: RawServer, **more: str) -> dict[str, str]:
    """Return what a program needs to send to a server."""
    return {
        **os.environ,
        "MULTIWHATS_API_KEY": KEY,
        "MULTIWHATS_BASE_URL": server.url,
        "MULTIWHATS_FROM": SENDER,
        "PYTHONPATH": str(ROOT),
        **more,
    }


def test_a_process_tells_it_to_nobody(flags: list[str], server: RawServer) -> None:
    """Not without assertions either, nor in asyncio's debug mode, nor as it dies of an error."""
    done = subprocess.run(  # noqa: S603  # our own code
        [sys.executable, *flags, "-c", PROGRAM],
        env=environment(server),
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert said.count("The server answered 400") > 6
    assert "ZeroDivisionError" in said
    assert server.posts == 5
    assert KEY in {request.query["apikey"][0] for request in server.requests}
    for form in forms(KEY):
        assert form not in said


def test_no_proxy_of_the_environment_hears_it(server: RawServer) -> None:
    """It sees no request at all: what goes to loopback in plain text goes there directly."""
    proxy = RawServer().start()
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
    done = subprocess.run(  # noqa: S603  # our own code
        [sys.executable, "-c", PROGRAM],
        env=environment(server, **dict.fromkeys(names, proxy.url)),
        capture_output=True,
        check=False,
    )
    proxy.stop()
    assert done.returncode == 1
    assert server.posts == 5
    assert proxy.connections == 0


def test_the_command_line_of_a_process_does_not_hold_it(server: RawServer) -> None:
    """Whoever lists the processes while one sends sees no key where the environment names it."""

    def hold(connection: Connection) -> None:
        connection.read_request()
        connection.server.released.wait()
        connection.send(answer(400, b"{}"))

    server.play = hold
    words = ["send", "--to", RECIPIENT, "--message", "Hi", "--button", "Yes"]
    with subprocess.Popen(  # noqa: S603  # our own program
        [sys.executable, "-m", "multiwhats_async", *words],
        env=environment(server),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        server.wait_until(lambda: server.posts == 1)
        listed = Path(f"/proc/{process.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        server.mend()
        said = "".join(process.communicate())
    assert "multiwhats_async send" in listed
    assert children == ""
    for form in forms(KEY):
        assert form not in listed + said


def test_no_file_of_a_campaign_holds_it(server: RawServer, tmp_path: Path) -> None:
    """Neither the ledger, its journal and results, nor the reports made of them."""
    table = tmp_path / "in.csv"
    table.write_text(f"to,message,button1\n{RECIPIENT},Hi,Yes\n905374930000,Hi,Yes\n")
    ways = [
        ["bulk", "in.csv", "--yes", "--out", "out.jsonl"],
        ["report", "in.csv", "--html", "report.html", "--out", "report.jsonl"],
        ["status", "in.csv"],
        ["config"],
    ]
    said = ""
    for words in ways:
        done = subprocess.run(  # noqa: S603  # our own program
            [sys.executable, "-m", "multiwhats_async", *words],
            env=environment(server),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        said += done.stdout + done.stderr
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} >= {".csv", ".jsonl", ".html"}
    assert len(files) > 4, said
    assert server.posts == 2
    for form in forms(KEY):
        assert form not in said
        for path in files:
            assert form.encode() not in path.read_bytes(), path.name


def shown_as_data(value: Any) -> str:
    """Return all that the usual ways of making data of an object give."""
    ways: list[Callable[[Any], object]] = [
        vars,
        attrs.asdict,
        lambda one: attrs.asdict(one, recurse=False),
        lambda one: json.dumps(attrs.asdict(one), default=str),
        lambda one: json.dumps(attrs.asdict(one), default=repr),
        lambda one: [getattr(one, field.name) for field in attrs.fields(type(one))],
    ]
    shown: list[str] = []
    for way in ways:
        try:
            shown.append(repr(way(value)))
        except TypeError as error:
            shown.append(f"{error!r} {error}")
    return "\n".join(shown)


@pytest.mark.anyio
async def test_as_plain_data(server: RawServer) -> None:
    """Whatever makes data of the settings, or of what a hook is told, makes a mask of the key."""
    told: list[object] = []

    class Hook:
        def on_attempt(self, attempt: Attempt) -> None:
            told.append(attempt)

        def on_outcome(self, outcome: Outcome) -> None:
            told.append(outcome)

    async with AsyncMultiWhats(KEY, base_url=server.url, sender=SENDER, hooks=[Hook()]) as client:
        await client.deliver(ButtonMessage(RECIPIENT, "Hi", ["Yes"]))
        settings: Settings = client._settings
    shown = shown_as_data(settings)
    assert "****" in shown
    assert len(told) == 2
    for form in forms(KEY):
        assert form not in shown
        for each in told:
            assert form not in shown_as_data(each)


@pytest.mark.anyio
async def test_a_number_in_what_is_told_is_masked() -> None:
    """Of the message itself and of its errors, in every notation of the texts that are logged."""
    server = RawServer(answers(answer(422, b'{"message": "905374937766 is no number"}'))).start()
    async with AsyncMultiWhats(KEY, base_url=server.url, sender=SENDER) as client:
        message = ButtonMessage(RECIPIENT, "Hi", ["Yes"])
        outcome = await client.deliver(message)
    server.stop()
    error = outcome.error
    assert error is not None
    texts = [f"{message} {message!r} {outcome} {outcome!r} {error} {error!r} {client!r}"]
    texts += [json.dumps(error.to_dict()), "%s %r" % (error, outcome)]  # noqa: UP031  # one of the ways
    assert_clean("\n".join(texts), KEY)
    assert RECIPIENT[-4:] in str(error)
