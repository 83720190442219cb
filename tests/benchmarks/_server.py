"""A small server for the benchmarks: reads POSTs on kept connections, gives the documented answer.

Run as a program it prints its port, and serves until its standard input ends.
"""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RECORD = json.loads((Path(__file__).parent.parent / "data/seed_response.json").read_text("utf-8"))
BODY = json.dumps(RECORD, ensure_ascii=False, separators=(",", ":")).encode()
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)
) + BODY
RECIPIENT = RECORD["targets"][0]["target_identifier"].encode()
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
TO = re.compile(rb'"to": *"(\d{12})"')


class ServedConnection(asyncio.Protocol):
    """Answers each complete request, for the recipient that it names."""

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            length = LENGTH.search(self._buffer, 0, end)
            total = end + 4 + int(length[1] if length else 0)
            if len(self._buffer) < total:
                return
            to = TO.search(self._buffer, end, total)
            self._buffer = self._buffer[total:]
            self.reply(to[1] if to else RECIPIENT)

    def reply(self, recipient: bytes) -> None:
        """Answer a request that was read in full."""
        self.write(ANSWER.replace(RECIPIENT, recipient))

    def write(self, answer: bytes) -> None:
        """Write an answer, when it is time."""
        if self._latency:
            asyncio.get_running_loop().call_later(self._latency, self._transport.write, answer)
        else:
            self._transport.write(answer)


@contextmanager
def serving(*, latency: float = 0.0) -> Iterator[str]:
    """Run the server in a process of its own; give its base URL."""
    process = subprocess.Popen(  # noqa: S603  # this very file
        [sys.executable, __file__, str(latency)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/api/v1/"
    finally:
        process.communicate()


async def _serve(latency: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: ServedConnection(latency), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201  # read by the parent
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))
