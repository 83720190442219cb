"""From a name to a connected socket: every address of it is tried, none is left behind.

RFC 8305: IPv6 and IPv4 in turn, the next one a quarter of a second after the one before, or as
soon as that has failed. The sockets are made here, so that they can be closed here, whatever is
cancelled.
"""

import socket
from collections.abc import Awaitable, Callable
from itertools import chain, zip_longest
from typing import Any, Final

import anyio
import httpx

HEAD_START: Final = 0.25
"""Seconds that an address has before the next is tried beside it; RFC 8305, 5."""

Address = tuple[int, Any]
"""A family, and an address within it."""


async def dial(
    host: str, port: int, connect: Callable[[socket.socket, Any], Awaitable[None]]
) -> socket.socket:
    """Return a socket that is connected to a host.

    Args:
        host: Its name or address.
        port: Its port.
        connect: Connects a socket to an address in the running loop.

    Raises:
        httpx.ConnectError: No address of it can be reached.
    """
    try:
        addresses = await _addresses(host, port)
    except OSError as error:
        raise httpx.ConnectError(str(error)) from error
    race = _Race(connect)
    try:
        await race.run(_in_turn(addresses))
    except BaseException:
        race.close()
        raise
    if race.winner is None:
        raise httpx.ConnectError("; ".join(dict.fromkeys(map(str, race.errors))))
    return race.winner


async def _addresses(host: str, port: int) -> list[Address]:
    """Return the addresses of a host; one that is written in numbers needs no resolver."""
    kind, numeric = socket.SOCK_STREAM, socket.AI_NUMERICHOST
    try:
        found: list[Any] = socket.getaddrinfo(host, port, type=kind, flags=numeric)
    except socket.gaierror:
        found = await anyio.getaddrinfo(host, port, type=kind)
    return [(info[0], info[4]) for info in found]


def _in_turn(addresses: list[Address]) -> list[Address]:
    """Return IPv6 and IPv4 addresses in turn."""
    six = [address for address in addresses if address[0] == socket.AF_INET6]
    others = [address for address in addresses if address[0] != socket.AF_INET6]
    pairs = chain.from_iterable(zip_longest(six, others))
    return [address for address in pairs if address is not None]


class _Race:
    """Addresses that are tried one beside the other; the first connection wins."""

    def __init__(self, connect: Callable[[socket.socket, Any], Awaitable[None]]) -> None:
        self._connect = connect
        self.winner: socket.socket | None = None
        self.errors: list[OSError] = []

    async def run(self, addresses: list[Address]) -> None:
        """Try the addresses until one is reached."""
        if len(addresses) == 1:
            await self._try(*addresses[0])
            return
        async with anyio.create_task_group() as tasks:
            for family, address in addresses:
                over = anyio.Event()
                tasks.start_soon(self._enter, family, address, over)
                with anyio.move_on_after(HEAD_START):
                    await over.wait()
                if self.winner is not None:
                    break
            else:
                return
            tasks.cancel_scope.cancel()

    async def _enter(self, family: int, address: Any, over: anyio.Event) -> None:
        await self._try(family, address)
        over.set()

    async def _try(self, family: int, address: Any) -> None:
        """Try one address; keep the socket if it is the first that is connected."""
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:  # a family that this machine does not speak
            self.errors.append(error)
            return
        try:
            sock.settimeout(0)  # as every event loop asks for
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._connect(sock, address)
            if self.winner is None:
                self.winner = sock
        except OSError as error:
            self.errors.append(error)
        finally:
            if sock is not self.winner:
                sock.close()

    def close(self) -> None:
        """Close what was won."""
        if self.winner is not None:
            self.winner.close()
