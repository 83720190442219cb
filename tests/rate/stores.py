"""The servers that keep a shared rate, as one kind of thing for the tests."""

import math
import socket
import time
from typing import Any, Protocol
from urllib.parse import urlsplit

import psycopg
from services import Postgres, Redis

from multiwhats_async import PostgresRate, RedisRate
from multiwhats_async.rate._shared import SharedRate


class Server(Protocol):
    """What both servers of the tests can do."""

    def crash(self) -> None: ...

    def start(self) -> None: ...


class PostgresStore:
    """A database with its schedule."""

    kind = PostgresRate
    module = "psycopg"
    unreachable = "postgresql://ayşe:gizli-söz@127.0.0.1:1/none"
    broken = "postgresql://u:gizli-söz@[no"

    def __init__(self, server: Postgres, address: str) -> None:
        self.server: Server = server
        self.address = address

    def rate(self, rate: Any, **options: Any) -> SharedRate:
        return PostgresRate(self.address, rate, **options)

    def next_slot(self, sender: str, name: str = "default") -> float:
        """Return when a sender's next slot is, in seconds of the server."""
        return self._one(
            "SELECT extract(epoch FROM next_at) FROM multiwhats_rate_slot"
            " WHERE name = %s AND sender = %s",
            name,
            sender,
        )

    def held_until(self, name: str = "default") -> float:
        """Return until when all are held, in seconds of the server."""
        return self._one(
            "SELECT extract(epoch FROM held_until) FROM multiwhats_rate_hold WHERE name = %s", name
        )

    def rewind(self, sender: str, seconds: float) -> None:
        """Let the next slot of a sender have been so long ago."""
        with psycopg.connect(self.address) as connection:
            connection.execute(
                "UPDATE multiwhats_rate_slot"
                " SET next_at = clock_timestamp() - make_interval(secs => %s) WHERE sender = %s",
                [seconds, sender],
            )

    def _one(self, query: Any, *values: str) -> float:
        with psycopg.connect(self.address) as connection:
            row = connection.execute(query, values).fetchone()
        return math.nan if row is None else float(row[0])


class RedisStore:
    """A server with its schedule."""

    kind = RedisRate
    module = "coredis"
    unreachable = "redis://ayşe:gizli-söz@127.0.0.1:1"
    broken = "redis://u:gizli-söz@host:gizli-söz"

    def __init__(self, server: Redis, address: str) -> None:
        self.server: Server = server
        self.address = address

    def rate(self, rate: Any, **options: Any) -> SharedRate:
        return RedisRate(self.address, rate, **options)

    def next_slot(self, sender: str, name: str = "default") -> float:
        """Return when a sender's next slot is, in seconds of the server."""
        return float(self.command("GET", f"multiwhats_rate:{{{name}}}:slot:{sender}")) / 1e6

    def held_until(self, name: str = "default") -> float:
        """Return until when all are held, in seconds of the server."""
        return float(self.command("GET", f"multiwhats_rate:{{{name}}}:hold")) / 1e6

    def rewind(self, sender: str, seconds: float) -> None:
        """Let the next slot of a sender have been so long ago."""
        slot = str(round((time.time() - seconds) * 1e6))  # this machine's clock is the server's
        self.command("SET", f"multiwhats_rate:{{default}}:slot:{sender}", slot)

    def command(self, *words: str) -> str:
        """Have the server do something; return the last line of its answer."""
        text = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
        place = urlsplit(self.address)
        assert place.port is not None
        with socket.create_connection(("127.0.0.1", place.port), timeout=5) as connection:
            connection.sendall(f"*{len(words)}\r\n{text}".encode())
            answer = connection.recv(65536).decode()
        assert not answer.startswith("-"), answer
        return answer.split("\r\n")[-2].lstrip(":+")
