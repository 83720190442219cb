"""A server for the benchmarks: reads POSTs on kept connections, gives the documented answer.

It does as little as can be, in a process of its own on a core of its own where there is one, so
that the client is what is measured. Run as a program it prints its port, and serves until its
standard input ends.
"""

import argparse
import asyncio
import json
import os
import re
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

RECORD: Final = json.loads(
    (Path(__file__).parent.parent / "data/seed_response.json").read_text("utf-8")
)
BODY: Final = json.dumps(RECORD, ensure_ascii=False, separators=(",", ":")).encode()
RECIPIENT: Final = RECORD["targets"][0]["target_identifier"].encode()
TO: Final = re.compile(rb'"to": *"(\d{12})"')
LENGTH: Final = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)

HEADS: Final = {
    "plain": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
    "nginx": b"HTTP/1.1 200 OK\r\nServer: nginx/1.27.2\r\nDate: Fri, 27 Nov 2026 04:00:00 GMT\r\n"
    b"Content-Type: application/json; charset=UTF-8\r\nTransfer-Encoding: chunked\r\n"
    b"Connection: keep-alive\r\nVary: Accept-Encoding\r\nX-Powered-By: PHP/8.3.4\r\n"
    b"Cache-Control: no-cache, private\r\n\r\n",
}
"""Shapes of an answer: the plainest, and one as servers of such an API often give it."""


def shaped(shape: str) -> bytes:
    """Return the whole answer in a shape."""
    if shape == "nginx":
        return HEADS[shape] + b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    return HEADS[shape] % len(BODY) + BODY


class ServedConnection(asyncio.Protocol):
    """Answers each complete request, for the recipient that it names."""

    def __init__(self, answer: bytes, latency: float) -> None:
        # The recipient has twelve digits in each message, so that the answer keeps its length.
        self._parts = answer.split(RECIPIENT)
        self._latency = latency
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport  # uvloop's is no asyncio.Transport

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
        self.write(recipient.join(self._parts))

    def write(self, answer: bytes) -> None:
        """Write an answer, when it is time."""
        if self._latency:
            asyncio.get_running_loop().call_later(self._latency, self._transport.write, answer)
        else:
            self._transport.write(answer)


def pin(core: int) -> None:
    """Stay on one core, where the system lets a process and has more than one."""
    if hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[core]})


@contextmanager
def serving(
    *, latency: float = 0.0, shape: str = "plain", certificate: Path | None = None
) -> Iterator[str]:
    """Run the server in a process of its own; give its base URL.

    Args:
        latency: Seconds before each answer.
        shape: Of the answer.
        certificate: A file with a certificate and its key, for TLS.
    """
    command = [sys.executable, __file__, "--latency", str(latency), "--shape", shape]
    if certificate is not None:
        command += ["--certificate", str(certificate)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603  # this very file
    assert process.stdout is not None
    try:
        scheme = "http" if certificate is None else "https"
        yield f"{scheme}://127.0.0.1:{int(process.stdout.readline())}/api/v1/"
    finally:
        process.communicate()


@contextmanager
def certified() -> Iterator[tuple[Path, ssl.SSLContext]]:
    """Give a file with a certificate for this machine, and a context that trusts it."""
    import trustme  # noqa: PLC0415  # only where TLS is measured

    authority = trustme.CA()
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "server.pem"
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(path))
        yield path, context


async def _serve(answer: bytes, latency: float, context: ssl.SSLContext | None) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: ServedConnection(answer, latency), "127.0.0.1", 0, ssl=context, backlog=2048
    )
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201  # read by the parent
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


def main() -> None:
    """Serve as asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--shape", choices=[*HEADS], default="plain")
    parser.add_argument("--certificate")
    asked = parser.parse_args()
    context = None
    if asked.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(asked.certificate)
    pin(-1)
    run = asyncio.run
    try:
        import uvloop  # noqa: PLC0415  # it makes a lighter server, where it is

        run = uvloop.run
    except ImportError:
        pass
    run(_serve(shaped(asked.shape), asked.latency, context))


if __name__ == "__main__":
    main()
