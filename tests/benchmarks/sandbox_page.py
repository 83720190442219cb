"""The sandbox's page while 50,000 messages come in: what it costs, and whether it stays usable.

    python tests/benchmarks/sandbox_page.py

The sandbox is a process of its own, the client another one, the page is open in Chromium. Linux
only: memory is read from ``/proc``. One machine has to do all of it, so the messages a second are
no measure of the client; the ratio of with and without the page tells what the page takes.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx

sys.path.insert(0, str(Path(__file__).parent.parent))

from browser.chromium import chromium  # the path comes first

from multiwhats_async import AsyncMultiWhats, ButtonMessage

MESSAGES = 50_000
CUSTOMERS = 500
WATCHED = str(905_000_000_000)
BUTTONS = ("👍 Evet", "⛔ Hayır")
LAST = f"Message {MESSAGES}"

WATCH = """() => {
    window.frames_ = [];
    let before = performance.now();
    const tick = (now) => {
        window.frames_.push(now - before);
        before = now;
        requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
}"""
FRAMES = """() => {
    const all = window.frames_.splice(0).slice(1).sort((a, b) => a - b);
    const at = (share) => Math.round(all[Math.floor((all.length - 1) * share)]);
    return {count: all.length, p50: at(0.5), p99: at(0.99), longest: at(1)};
}"""


def messages() -> Iterator[ButtonMessage]:
    """Yield different messages, to many customers; the last one to the customer who is watched."""
    for number in range(1, MESSAGES + 1):
        yield ButtonMessage(
            str(905_000_000_000 + number % CUSTOMERS), f"Message {number}", BUTTONS, key=str(number)
        )


async def send() -> None:
    """Send all of them; print the messages a second and when the last one was accepted."""
    began = time.perf_counter()
    async with AsyncMultiWhats(sender="908503080335") as client, client.bulk(messages()) as run:
        async for _ in run:
            pass
    seconds = time.perf_counter() - began
    assert run.report.accepted == MESSAGES
    rate = round(MESSAGES / seconds)
    sys.stdout.write(json.dumps({"ended": time.time(), "messages_a_second": rate}) + "\n")


@contextmanager
def sandbox() -> Iterator[tuple[int, str, dict[str, str]]]:
    """Run a sandbox with its page; give its process, its address and its environment."""
    command = [sys.executable, "-m", "multiwhats_async", "sandbox", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603  # our own
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline().removeprefix("export ").strip() for _ in range(2)]
        env = dict(line.split("=", 1) for line in lines)
        yield process.pid, env["MULTIWHATS_BASE_URL"].removesuffix("api/v1/"), env
    finally:
        process.terminate()
        process.wait()


def megabytes(process: int) -> dict[str, int]:
    """Return the memory of a process, now and at its most."""
    status = Path(f"/proc/{process}/status").read_text("utf-8")
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return {
        name: round(int(fields[key].split()[0]) / 1024)
        for name, key in (("now", "VmRSS"), ("most", "VmHWM"))
    }


def sending(env: dict[str, str]) -> subprocess.Popen[str]:
    """Begin to send, in a process of its own."""
    return subprocess.Popen(  # noqa: S603  # this very file
        [sys.executable, __file__, "send"],
        env=os.environ | env,
        stdout=subprocess.PIPE,
        text=True,
    )


def sent(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait until all are sent; return what the sender measured."""
    output, _ = process.communicate()
    assert process.returncode == 0
    result: dict[str, Any] = json.loads(output)
    return result


def without_page() -> dict[str, Any]:
    """Measure with nobody looking."""
    with sandbox() as (process, _, env):
        before = megabytes(process)["now"]
        rate = sent(sending(env))["messages_a_second"]
        return {
            "page": False,
            "messages_a_second": rate,
            "server_mb": {"before": before, **megabytes(process)},
        }


def with_page() -> dict[str, Any]:
    """Measure with the page open at the chat of one of the customers."""
    with sandbox() as (process, url, env), chromium() as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(120_000)
        page.goto(f"{url}?to={WATCHED}")
        page.wait_for_selector('[data-testid="connection"][data-state="live"]')
        page.evaluate(WATCH)
        before = megabytes(process)["now"]
        result = sent_with(page, env)
        session = page.context.new_cdp_session(page)
        session.send("HeapProfiler.collectGarbage")
        session.send("Performance.enable")
        metrics = {
            one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]
        }
        began = time.perf_counter()
        page.locator('[data-testid="message"]').last.locator('[data-testid="button"]').first.click()
        page.wait_for_selector('[data-testid="message"]:last-child [data-testid="reply"]')
        tap = time.perf_counter() - began
        newest = httpx.get(f"{url}sandbox/messages", params={"limit": 1}).json()["items"][0]
        assert newest["tap"]["label"] == BUTTONS[0]
        return {
            "page": True,
            **result,
            "tap_shown_after_s": round(tap, 2),
            "server_mb": {"before": before, **megabytes(process)},
            "page_heap_mb": round(metrics["JSHeapUsedSize"] / 1e6, 1),
            "page_nodes": page.evaluate("document.querySelectorAll('*').length"),
            "rows": page.locator('[data-testid="conversation"]').count(),
            "bubbles": page.locator('[data-testid="message"]').count(),
        }


def sent_with(page: Any, env: dict[str, str]) -> dict[str, Any]:
    """Send all of them under the eyes of the page; return what was measured of both."""
    process = sending(env)
    page.wait_for_function(
        """(text) => [...document.querySelectorAll('[data-testid="message"]')]
            .at(-1)?.querySelector(".words .text").textContent === text""",
        arg=LAST,
    )
    shown = time.time()
    result = sent(process)
    page.wait_for_function(
        """(text) => document.querySelector('[data-testid="stats-accepted"]')
            .textContent.replace(/[^0-9]/g, "") === text""",
        arg=str(MESSAGES),
    )
    return {
        "messages_a_second": result["messages_a_second"],
        "last_shown_after_s": round(shown - result["ended"], 2),
        "frames_ms": page.evaluate(FRAMES),
    }


if __name__ == "__main__":
    if sys.argv[1:] == ["send"]:
        anyio.run(send)
    else:
        for measure in (without_page, with_page):
            sys.stdout.write(json.dumps(measure()) + "\n")
            sys.stdout.flush()
