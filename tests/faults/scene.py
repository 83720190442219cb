"""Plays a case out, and tells what came of it: the one source of the tests and of the table."""

import gc
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Final
from unittest.mock import patch

import anyio.lowlevel
import anyio.to_thread
import attrs
from faults.cases import MESSAGE, ONCE, PATIENT, PROBE, Case, Condition, nobody_there
from faults.certificates import TRUSTED, Certificates
from faults.server import RawServer
from faults.transports import Transport

from multiwhats_async import AsyncMultiWhats, Certainty, Outcome

KEY: Final = "raw-socket-key-7f3a"
SENDER: Final = "908503080335"
STEPS: Final = 200
"""Of the loop, after which a socket that was let go of is closed."""


class Outcomes(list[Outcome]):
    """A hook that keeps every outcome, however its call ended."""

    def on_outcome(self, outcome: Outcome) -> None:
        self.append(outcome)


@attrs.frozen(kw_only=True)
class Found:
    """What came of a case.

    Attributes:
        certainty: What the client said of the message.
        posts: How many POSTs of it the server read in full.
        status: The status on the error, or None.
        attempts: How many there were.
        probe: What became of a message to the mended server, or None: it cannot be mended.
        counted: How many connections the client counted after that.
        held: How many the server saw open then.
        sockets: How many were left open when the client was closed.
    """

    certainty: Certainty
    posts: int
    status: int | None
    attempts: int
    probe: Certainty | None
    counted: int
    held: int
    sockets: int


async def play_out(case: Case, transport: Transport, certificates: Certificates) -> Found:
    """Play a case out over a transport."""
    before = open_sockets()
    server = RawServer(
        case.play if case.kept is None else case.kept,
        tls=certificates.servers[case.tls] if case.tls else None,
        handshake=case.handshake,
        receive_buffer=case.receive_buffer,
        door=case.door,
    )
    with ExitStack() as stack:
        stack.callback(server.stop)
        if case.host is not None:
            stack.enter_context(_names(server))
        server.start()
        found = await _played_out(case, transport, certificates, server)
    return attrs.evolve(found, sockets=await _left(before))


async def _played_out(
    case: Case, transport: Transport, certificates: Certificates, server: RawServer
) -> Found:
    told = Outcomes()
    url = server.url.replace("127.0.0.1", case.host or "127.0.0.1")
    async with transport.opened(
        KEY,
        ssl_context=certificates.trusting,
        base_url=url,
        sender=SENDER,
        retry=ONCE,
        timeout=case.timeouts,
        hooks=[told],
        **({"keepalive": None} if case.strays and transport.injected else {}),
    ) as client:
        if case.kept is not None:
            await client.deliver(MESSAGE)
            assert told.pop().certainty is Certainty.ACCEPTED
            await _settle(case, server)
            server.mend(case.play)
        await _deliver(client, case, server)
        (outcome,) = told
        if case.kept is None:
            await _settle(case, server)
        probe = None
        if case.heals:
            server.mend(tls=certificates.servers[TRUSTED] if case.tls else None)
            probe = (await client.deliver(PROBE, timeout=PATIENT)).certainty
        if transport.injected:
            gc.collect()  # httpcore leaves the socket of a cancelled handshake to it
        counted = transport.counted(client)
        if case.heals:
            await until(server, lambda server: server.live <= counted)
        held = server.live
    await until(server, nobody_there)
    read = sum(text == case.message.message for text in server.texts())
    return Found(
        certainty=outcome.certainty,
        posts=read - (case.kept is not None),
        status=outcome.error and outcome.error.status_code,
        attempts=outcome.attempts,
        probe=probe,
        counted=counted,
        held=held,
        sockets=0,
    )


async def _deliver(client: AsyncMultiWhats, case: Case, server: RawServer) -> None:
    """Deliver the message, and give up where the case does."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.deliver, case.message)
        if case.cancelled is not None:
            await until(server, case.cancelled)
            tasks.cancel_scope.cancel()


async def _settle(case: Case, server: RawServer) -> None:
    if case.settled is not None:
        await until(server, case.settled)


async def until(server: RawServer, holds: Condition) -> None:
    """Wait for a condition on the server's counters."""
    await anyio.to_thread.run_sync(server.wait_until, lambda: holds(server))


@contextmanager
def _names(server: RawServer) -> Iterator[None]:
    """Resolve names on this machine alone: none at first, and every one once it is mended."""
    resolve = socket.getaddrinfo

    def resolved(host: Any, *args: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if not name.endswith(".invalid"):
            return resolve(host, *args, **options)
        if not server.released.is_set():
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve("127.0.0.1", *args, **options)

    with patch.object(socket, "getaddrinfo", resolved):  # no question leaves this machine
        yield


def open_sockets() -> int:
    """Return how many sockets this process has open."""
    count = 0
    for name in os.listdir("/dev/fd"):  # noqa: PTH208  # a descriptor's number is all there is
        with suppress(OSError):  # the descriptor of this listing is closed again
            count += stat.S_ISSOCK(os.fstat(int(name)).st_mode)
    return count


async def _left(before: int) -> int:
    """Return how many sockets more than before are open, once the loop had time to close them."""
    for _ in range(STEPS):
        if open_sockets() <= before:
            break
        await anyio.lowlevel.checkpoint()
    return max(open_sockets() - before, 0)
