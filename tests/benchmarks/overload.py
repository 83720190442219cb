"""What is used of a server that takes only so much, and how often it is asked in vain.

    python tests/benchmarks/overload.py [SCENE ...]

10,000 messages at a concurrency of 500, on a real socket, to a server in a process of its own that
admits 150 a second and refuses the others, 4 s in each way. Goodput is what was accepted during the
run, by what the server would have admitted in that time.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio

sys.path.insert(0, str(Path(__file__).parent.parent))

from _server import ServedConnection, shaped
from overload import REFUSALS, Admission, Wave, in_waves

from multiwhats_async import AsyncMultiWhats, ButtonMessage

MESSAGES = 10_000
CONCURRENCY = 500
RATE = 150.0
LATENCY = 0.05

SCENES = {
    "in waves": in_waves(RATE),
    **{name: [Wave(seconds=60, rate=RATE, refusal=name)] for name in REFUSALS},
}


class Busy(ServedConnection):
    """Answers what is admitted, after a while, and refuses the others at once."""

    def __init__(self, admission: Admission, accepted: Counter[bytes]) -> None:
        super().__init__(shaped("plain"), LATENCY)
        self._admission = admission
        self._accepted = accepted

    def reply(self, recipient: bytes) -> None:
        refusal = self._admission.admit(time.monotonic())
        if refusal is None:
            self._accepted[recipient] += 1
            super().reply(recipient)
            return
        status, seconds = refusal
        later = f"Retry-After: {seconds}\r\n" if seconds else ""
        head = f"HTTP/1.1 {status} Busy\r\n{later}Content-Length: 0\r\n\r\n"
        self._transport.write(head.encode())


async def serve(scene: str) -> None:
    """Serve until the standard input ends; then say what was seen."""
    admission, accepted = Admission(waves=SCENES[scene]), Counter[bytes]()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Busy(admission, accepted), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201  # read by the parent
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()
    seen = {
        "answers": admission.answers,
        "people": len(accepted),
        "sent_twice": sum(count > 1 for count in accepted.values()),
    }
    print(json.dumps(seen))  # noqa: T201  # likewise


@contextmanager
def serving(scene: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Run the server; give its base URL, and after the block what it has seen."""
    process = subprocess.Popen(  # noqa: S603  # this very file
        [sys.executable, __file__, "serve", scene], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    seen: dict[str, Any] = {}
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/api/v1/", seen
    finally:
        seen.update(json.loads(process.communicate()[0] or "{}"))


async def send(base_url: str, scene: str) -> dict[str, Any]:
    """Send all messages; return the figures."""
    source = (
        ButtonMessage(str(905_000_000_000 + number), "Merhaba 👤", ["👍 Evet", "⛔ Hayır"])
        for number in range(MESSAGES)
    )
    course: list[float] = []
    async with AsyncMultiWhats(
        "KEY", sender="908503080335", base_url=base_url, max_concurrency=CONCURRENCY
    ) as client:
        limit = client._limits.concurrency.limit
        async with client.bulk(source) as run:
            async for _ in run:
                course.append(limit.value)  # noqa: PERF401  # a comprehension hides the await
        tokens = client._limits.budget.tokens
    report = run.report
    settled = course[len(course) // 4 :]
    return {
        "goodput": round(
            report.accepted / Admission(waves=SCENES[scene]).capacity(report.elapsed), 3
        ),
        "seconds": round(report.elapsed, 1),
        "accepted": report.accepted,
        "rejected": report.rejected,
        "not_sent": report.not_sent,
        "unknown": report.unknown,
        "without_outcome": MESSAGES - report.finished,
        "retries": report.retries,
        "budget_left": tokens,
        "limit_settled": [round(min(settled)), round(max(settled))],
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(serve(sys.argv[2]))
    else:
        for name in sys.argv[1:] or SCENES:
            for backend in ("asyncio", "trio"):
                with serving(name) as (url, seen):
                    figures = anyio.run(send, url, name, backend=backend)
                requests = sum(seen["answers"].values())
                refused = round(1 - seen["answers"]["200"] / requests, 3)
                figures = {"scene": name, "backend": backend, **figures, "refused": refused}
                sys.stdout.write(json.dumps(figures | {"sent_twice": seen["sent_twice"]}) + "\n")
                sys.stdout.flush()
