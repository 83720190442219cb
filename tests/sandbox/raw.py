"""Plain connections to a sandbox: what no HTTP client would write, and all that comes back."""

import socket
from contextlib import closing

from multiwhats_async.sandbox import SandboxServer

HANG_SECONDS = 10
"""Nothing waits so long unless something is broken."""


def connect(server: SandboxServer) -> socket.socket:
    """Return a plain connection to a server."""
    return socket.create_connection(("127.0.0.1", server.port), HANG_SECONDS)


def read_all(connection: socket.socket) -> bytes:
    """Return everything up to the end of the connection."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def read_all_or_reset(connection: socket.socket) -> bytes:
    """Return everything up to the end of the connection, however it ends."""
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received


def answers_to(server: SandboxServer, data: bytes) -> bytes:
    """Return everything that a server says to some bytes, after which nothing more comes."""
    with closing(connect(server)) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return read_all_or_reset(connection)
