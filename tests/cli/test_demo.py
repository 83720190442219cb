"""``multiwhats demo``: it runs, it adds up, and it says so when it does not."""

import os
import re
import signal
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from multiwhats_async import Certainty, Report
from multiwhats_async.cli import demo
from multiwhats_async.cli._reading import check
from multiwhats_async.cli._reckoning import Reckoning, reckoning_lines
from multiwhats_async.cli._sending import Sent
from multiwhats_async.sandbox import Emulator, SandboxStats


def test_the_shipped_file_is_good() -> None:
    """Every row of the file that ships is valid, its number of its own and fictitious."""
    with demo.files("multiwhats_async.cli").joinpath("demo.csv").open("rb") as file:
        checked = check(file, sender=demo.SENDER)
        rows = demo.Rows(file, sender=demo.SENDER, count=checked.good)
        numbers = {message.to for message in rows}
    assert (checked.good, checked.bad, checked.repeated) == (demo.ROWS, 0, 0)
    assert len(numbers) == demo.ROWS
    assert all(re.fullmatch(r"90500000\d{4}", number) for number in numbers)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_it_adds_up(cli: Callable[..., Any], backend: str) -> None:
    """On both backends every message has an outcome, and the sandbox agrees."""
    said = cli("demo", "--messages", "150", "--backend", backend, "--seed", "7")
    assert (said.code, said.out) == (0, "")
    assert re.search(r"  total +150 ", said.err)
    assert re.search(r"sent twice +0\n", said.err)
    assert "It adds up: " in said.err
    assert "Nobody got a message twice." in said.err


def test_the_whole_of_it_in_a_process(program: Callable[..., Any]) -> None:
    """The whole demo, as a user starts it, sends 1,200 messages and adds up."""
    process = program("demo")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "")
    assert re.search(r"  total +1,200 ", err)
    assert re.search(r" of 1,200 \(\d+%\) · ", err)


def test_trio_that_is_not_installed(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backend that is missing is one line that says how to install it."""
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    said = cli("demo", "--backend", "trio")
    assert said.code == 2
    assert said.err == "multiwhats: trio is not installed: pip install 'multiwhats-async[trio]'\n"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_interrupted(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    """Ctrl-C ends the demo with 130, and what was sent still adds up."""
    handle = Emulator.handle

    def interrupt(self: Emulator, request: Any) -> Any:
        monkeypatch.setattr(Emulator, "handle", handle)
        os.kill(os.getpid(), signal.SIGINT)
        return handle(self, request)

    monkeypatch.setattr(Emulator, "handle", interrupt)
    said = cli("demo", "--backend", backend)
    assert said.code == 130
    assert "Stopped: interrupted." in said.err
    assert "It adds up: " in said.err


GOOD = Reckoning(
    sent=Sent(report=Report(accepted=5, rejected=1, unknown=2, credits=5), expected=8),
    stats=SandboxStats(requests=9, accepted=6, credits=6, dropped={"timeout": 1}),
    at_sandbox={
        Certainty.ACCEPTED: 5,
        Certainty.REJECTED: 0,
        Certainty.NOT_SENT: 0,
        Certainty.UNKNOWN: 1,
        Certainty.SKIPPED: 0,
    },
)


def _said(reckoning: Reckoning) -> str:
    return "\n".join(line.text for line in reckoning_lines(reckoning))


def test_what_adds_up_is_said() -> None:
    """The line names the unknown messages that did go out, and those that did not."""
    assert GOOD.adds_up
    assert "5 accepted + 1 unknown that did go out = 6 at the sandbox." in _said(GOOD)
    assert "The other 1 unknown did not go out." in _said(GOOD)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sent": attrs.evolve(GOOD.sent, expected=9)}, "9 messages were given, 8 have an outcome"),
        (
            {"at_sandbox": {**GOOD.at_sandbox, Certainty.ACCEPTED: 4}},
            "of 5 accepted messages the sandbox has 4",
        ),
        (
            {"at_sandbox": {**GOOD.at_sandbox, Certainty.NOT_SENT: 1}},
            "1 messages said to be not_sent did go out",
        ),
        ({"stats": attrs.evolve(GOOD.stats, accepted=7)}, "the sandbox accepted 7 messages"),
        (
            {"stats": attrs.evolve(GOOD.stats, credits=7)},
            "the client counts 5 credits, the sandbox 7",
        ),
        ({"stats": attrs.evolve(GOOD.stats, sent_twice=1)}, "1 messages were sent twice"),
    ],
)
def test_what_does_not_add_up_is_said(change: dict[str, Any], words: str) -> None:
    """Each way in which two counts can differ is named, and the praise is left out."""
    reckoning = attrs.evolve(GOOD, **change)
    assert not reckoning.adds_up
    assert f"Does not add up: {words}" in _said(reckoning)
    assert "Nobody got a message twice." not in _said(reckoning)


def test_a_demo_that_does_not_add_up_fails(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sandbox that counts otherwise is exit code 1."""
    stats = Emulator.stats
    monkeypatch.setattr(Emulator, "stats", lambda self: attrs.evolve(stats(self), sent_twice=1))
    said = cli("demo", "--messages", "20")
    assert said.code == 1
    assert "Does not add up: 1 messages were sent twice." in said.err
