"""A rate that many processes and machines share in PostgreSQL."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio

from .._secret import Secret
from .._settings import checked_text
from .._soon import Soon, soon_here
from .._worker import Worker
from ..errors import ConfigurationError
from ..options import Rate
from ._shared import (
    DEFAULT_PATIENCE,
    IDLE,
    TOLERANCE,
    SharedRate,
    T,
    UnreachableError,
    missing,
    statement,
)

if TYPE_CHECKING:
    import psycopg

CONNECTION: Final = {
    "application_name": "multiwhats-async",
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "5000",
}
"""What the connection is asked for, where the address does not say otherwise: a server that is gone
without a word is noticed within seconds."""

_TABLES: Final = b"SELECT to_regclass('multiwhats_rate_slot'), to_regclass('multiwhats_rate_hold')"


class PostgresRate(SharedRate):
    """A rate for each sender that many processes and machines share in PostgreSQL.

    An async context manager, entered before the client that uses it::

        async with (
            PostgresRate("postgresql://user@host/database", 80) as rate,
            AsyncMultiWhats("KEY", sender="908503080335", rate=rate) as client,
        ):
            ...

    All that give the same database and name take their slots from one schedule, by the database's
    clock. After a "later" (429) to one of them, all hold. Nothing is sent without a slot: where
    the database cannot be reached for ``patience`` seconds, the message is not sent and a bulk run
    stops.

    Its tables are ``multiwhats_rate_slot`` and ``multiwhats_rate_hold``; they are made where they
    are missing. A database that dies forgets the slots of its last half second at most.

    Needs ``pip install "multiwhats-async[postgres]"``.

    Args:
        dsn: The address of the database, in any form that psycopg takes. The password never
            shows in a repr, log or error.
        rate: Messages a second for each sender, or a :class:`Rate`. Give the same everywhere.
        name: The name under which the rate is shared; 1 to 200 characters.
        patience: For how many seconds a database is tried that does not answer.
        clock: Tells seconds of this machine; the event loop's by default.
        sleep: Waits seconds; the event loop's by default.
        random: Gives numbers from 0 to 1.

    Raises:
        ConfigurationError: An argument cannot work, or psycopg is not installed.
    """

    def __init__(
        self,
        dsn: str,
        rate: float | Rate,
        *,
        name: str = "default",
        patience: float = DEFAULT_PATIENCE,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] | None = None,
        random: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(
            rate, name=name, patience=patience, clock=clock, sleep=sleep, random=random
        )
        self._address, self._password = _read(dsn)
        self._connection: psycopg.Connection[Any] | None = None

    async def _connect(self) -> None:
        self._worker = Worker("rate")
        self._soon: Soon = soon_here()
        try:
            await self._hold(0)  # whether it may write is told now, not at the first message
        except BaseException:
            await self._disconnect()
            raise

    async def _disconnect(self) -> None:
        try:
            await self._worker.run(self._drop)
        finally:
            self._worker.end()

    async def _advance(self, sender: str, seconds: float) -> float:
        row = await self._in_thread(
            partial(
                self._execute,
                "reserve.sql",
                {"sender": sender, "advance": seconds, "tolerance": TOLERANCE, "idle": IDLE},
            )
        )
        return float(row[0])

    async def _hold(self, seconds: float) -> None:
        await self._in_thread(partial(self._execute, "postpone.sql", {"seconds": seconds}))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Do work in the thread. Who is cancelled does not wait for it: a slot may be lost."""
        done = anyio.Event()
        results: list[T] = []
        errors: list[Exception] = []

        def job() -> None:
            try:
                results.append(work())
            except Exception as error:  # noqa: BLE001  # raised again, where it is waited for
                errors.append(error)

        self._worker.submit(job, done.set, self._soon)
        await done.wait()
        if errors:
            raise errors[0]
        return results[0]

    # --- in the thread ------------------------------------------------------------------------

    def _execute(self, name: str, values: dict[str, Any]) -> Any:
        """Execute a statement, which is a transaction; return its first row, if it has any."""
        import psycopg  # noqa: PLC0415  # an extra

        try:
            text = statement("sql", name).encode()
            cursor = self._connected().execute(text, values | {"name": self.name})
            return cursor.fetchone() if cursor.description else None
        except psycopg.Error as error:
            self._drop()
            why = self._explained(error)
        # Not above: psycopg's error would hang on it, and its frames hold the password.
        raise UnreachableError(why)

    def _connected(self) -> "psycopg.Connection[Any]":
        """Return the connection, opened anew where it is lost."""
        import psycopg  # noqa: PLC0415  # an extra

        if self._connection is None:
            self._connection = psycopg.connect(
                self._address.reveal(),
                autocommit=True,
                prepare_threshold=None,  # a pooler may give each statement another connection
            )
            tables = self._connection.execute(_TABLES).fetchone()
            if tables is None or None in tables:
                self._connection.execute(statement("sql", "tables.sql").encode())
        return self._connection

    def _drop(self) -> None:
        import psycopg  # noqa: PLC0415  # an extra

        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):  # it is gone
                connection.close()

    def _explained(self, error: Exception) -> str:
        text = " ".join(str(error).split()) or type(error).__name__
        return text if self._password is None else self._password.redact(text)


def _read(dsn: str) -> tuple[Secret, Secret | None]:
    """Return the address with what it leaves open, and the password in it."""
    try:
        import psycopg  # noqa: PLC0415  # an extra
        from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415  # an extra
    except ImportError:
        raise missing("postgres") from None
    try:
        given = conninfo_to_dict(checked_text("dsn", dsn))
        password = given.get("password")
        return (
            Secret(make_conninfo("", **CONNECTION | given)),
            Secret(str(password)) if password else None,
        )
    except psycopg.Error:  # its text would show what was given, and the password in it
        raise ConfigurationError(
            "dsn is no address of a PostgreSQL database, such as postgresql://user@host/database"
        ) from None
