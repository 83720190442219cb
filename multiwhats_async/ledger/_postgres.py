"""The PostgreSQL database behind a ledger: connected with patience, written in groups.

Everything here blocks; it is called from one thread at a time.
"""

import logging
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from .._secret import Secret
from ..errors import ConfigurationError, LedgerError, MultiWhatsError
from ._commits import Ticket, do_tickets
from ._statements import POSTGRES, Session, sql

if TYPE_CHECKING:
    import psycopg

logger = logging.getLogger("multiwhats_async")

MIGRATIONS: Final = ("migration_1",)
"""Each brings a database from the version before to its own; ``multiwhats_schema`` counts them."""

LOCK: Final = 0x4D574C47
"""Of the migrations: many workers may start at once. ``MWLG``, as in the header of a file."""

LIVELINESS: Final = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # milliseconds
}
"""A server that has gone without a word is noticed in about 25 s, not in two hours."""

PATIENCE: Final = 60.0
"""Seconds for which a server that restarts is waited for."""

FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 2.0

GOES_BY: Final = frozenset(
    {
        "40001",  # could not serialize
        "40P01",  # deadlock
        "25006",  # read only: it was the primary until now
        "53300",  # too many connections
        "57P01",  # shutting down
        "57P02",  # another process of the server has crashed
        "57P03",  # starting up
    }
)
"""States after which the same transaction may be tried again."""


def is_passing(error: Exception, connection: Any) -> bool:
    """Tell whether the same transaction may succeed soon, on a new connection.

    Args:
        error: What it came to.
        connection: The connection, or None where none could be made.
    """
    if getattr(error, "sqlstate", None) in GOES_BY:
        return True
    return connection is None or bool(connection.closed)


def driver() -> Any:
    """Return psycopg.

    Raises:
        ConfigurationError: It is not installed.
    """
    try:
        import psycopg  # noqa: PLC0415  # an extra, loaded only where it is used
    except ImportError as error:
        raise ConfigurationError(
            f"PostgreSQL needs psycopg ({error}): "
            'python -m pip install "multiwhats-async[postgres]"'
        ) from None
    return psycopg


class Address:
    """Where a database is, without ever showing its password.

    Args:
        dsn: As libpq takes it: ``postgresql://user:password@host/database``, or ``key=value``
            pairs. What it leaves out comes from ``PGPASSWORD``, ``PGHOST`` and their like.

    Raises:
        ConfigurationError: It is none, or psycopg is not installed.
    """

    def __init__(self, dsn: object) -> None:
        psycopg = driver()
        if not isinstance(dsn, str) or not dsn.strip():
            raise ConfigurationError(
                "dsn must be the address of a PostgreSQL database, such as "
                f'"postgresql://user@host/database", not {type(dsn).__name__}'
            )
        try:
            told: dict[str, Any] = psycopg.conninfo.conninfo_to_dict(dsn)
        except (psycopg.Error, UnicodeError):  # its text may hold the password
            raise ConfigurationError(
                'dsn cannot be read: write "postgresql://user@host/database", and special '
                "characters of a password as %-escapes"
            ) from None
        password = told.pop("password", None)
        self._password: Secret | None = Secret(str(password)) if password else None
        self.parameters: dict[str, Any] = LIVELINESS | told

    def __str__(self) -> str:
        told = self.parameters
        return f"postgresql://{told.get('host', '')}/{told.get('dbname', '')}"

    def reveal(self) -> dict[str, Any]:
        """Return what psycopg connects with, the password in clear."""
        password = self._password
        return self.parameters | ({} if password is None else {"password": password.reveal()})

    def redacted(self, text: object) -> str:
        """Return a text of a lower layer on one line, without the password."""
        line = " ".join(str(text).split())
        return line if self._password is None else self._password.redact(line)


class PostgresDatabase:
    """One connection to one database, made again where it breaks.

    A transaction that was under way then is done once more, though the server may have committed
    it: every work of a ledger changes nothing where it was done before.

    Args:
        address: Where it is.
        on_open: Done in the database when it is opened.
        patience: Seconds for which a server that cannot be reached is tried again.
        idle: Seconds after which the server ends a transaction in which nothing is done. A
            machine that hangs in the middle of one would hold its locks against all others.
        sleep: Waits seconds.
        clock: Tells seconds.
    """

    def __init__(
        self,
        address: Address,
        *,
        on_open: Callable[[Session], None],
        patience: float = PATIENCE,
        idle: float = PATIENCE,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = address
        self._on_open = on_open
        self._patience = patience
        self._idle = idle
        self._sleep = sleep
        self._clock = clock
        self._psycopg = driver()
        self._connection: psycopg.Connection[dict[str, Any]] | None = None

    def open(self) -> None:
        """Connect, and bring the schema to this version.

        Raises:
            LedgerError: It cannot be reached, used or migrated; says why, and the way out.
        """

        def work(session: Session) -> None:
            self._migrate(session)
            self._on_open(session)

        self.do(work, patience=0.0)

    def close(self) -> None:
        """Let the connection go."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(self._psycopg.Error):
                connection.close()

    def run(self, tickets: Sequence[Ticket[Any]]) -> None:
        """Do the work of several tickets in one transaction. Raises nothing.

        Work that raises an error of its own has written nothing, and concerns nobody else.
        Anything else fails all of them: none may go on as if it were on record.
        """
        try:
            self.do(partial(do_tickets, tickets))
        except LedgerError as error:
            for ticket in tickets:
                ticket.error = LedgerError(str(error))

    def do(self, work: Callable[[Session], Any], *, patience: float | None = None) -> None:
        """Do work in one transaction; again, where the server was lost meanwhile.

        Args:
            work: Changes nothing where it was done before.
            patience: Seconds for which it is tried again; None takes the database's.

        Raises:
            LedgerError: It was not done.
        """
        until = self._clock() + (self._patience if patience is None else patience)
        pause = FIRST_PAUSE
        while True:
            try:
                connection = self._connected()
                with connection.transaction():
                    work(Session(connection, POSTGRES))
            except self._psycopg.Error as error:
                goes_by = self._goes_by(error, until)
                why = self._why(error)
            except MultiWhatsError:
                raise
            except Exception as error:
                raise LedgerError(f"The ledger failed: {type(error).__name__}: {error}") from error
            else:
                return
            if not goes_by:
                # Not above: psycopg's error would hang on it, and its frames hold the password.
                raise LedgerError(why)
            logger.warning("%s; it is tried again", why)
            self._sleep(pause * (0.5 + random.random()))  # noqa: S311  # many wait for one server
            pause = min(LONGEST_PAUSE, pause * 2)

    # --- the connection -----------------------------------------------------------------------

    def _connected(self) -> "psycopg.Connection[dict[str, Any]]":
        """Return the connection, a new one where there is none."""
        if self._connection is None:
            connection: psycopg.Connection[dict[str, Any]] = self._psycopg.connect(
                **self._address.reveal(), autocommit=True, row_factory=self._rows
            )
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    @property
    def _rows(self) -> Any:
        from psycopg.rows import dict_row  # noqa: PLC0415  # an extra

        return dict_row

    def _prepare(self, connection: Any) -> None:
        """Refuse a server that cannot hold the texts, and let it confirm nothing that it may lose.

        Raises:
            LedgerError: Its encoding is another.
        """
        told = Session(connection, POSTGRES).execute("server").fetchone()
        if told["encoding"] != "UTF8":
            raise LedgerError(
                f"The database {self._address} has the encoding {told['encoding']}, which cannot "
                "hold every message: make one with UTF8"
            )
        if told["synchronous_commit"] == "off":  # it would lose the last intents in a crash
            connection.execute("SET synchronous_commit = on")
        Session(connection, POSTGRES).execute("bound", {"idle": f"{self._idle:.3f}s"})

    def _goes_by(self, error: Exception, until: float) -> bool:
        """Tell whether to try again; lets go of a connection that is of no use."""
        passing = is_passing(error, self._connection)
        if passing:
            self.close()
        return passing and self._clock() < until

    def _why(self, error: Exception) -> str:
        """Return what an error of psycopg means for the person who reads it, and the way out."""
        state = getattr(error, "sqlstate", None) or ""
        text = self._address.redacted(error)
        if state == "53100":
            said = "cannot be written: the server's disk is full. Free some space"
        elif state in ("42501", "3F000"):
            said = "cannot be used by this user: let it make and write tables there"
        elif state == "25006":
            said = "is read only: name the primary server"
        elif self._connection is None or self._connection.closed:
            said = "cannot be reached: is the server up, and are its name and password right?"
        else:
            said = "failed"
        return f"The ledger {self._address} {said} ({text})"

    # --- the schema ---------------------------------------------------------------------------

    def _migrate(self, session: Session) -> None:
        """Bring the schema to this version; of many that start at once, one does it."""
        if self._version(session) == len(MIGRATIONS):
            return
        session.connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        version = self._version(session)
        if version > len(MIGRATIONS):
            raise LedgerError(
                f"The ledger {self._address} was written by a newer version of multiwhats-async "
                f"(schema {version}, this one knows {len(MIGRATIONS)}): upgrade to use it"
            )
        for name in MIGRATIONS[version:]:
            session.say(sql(name, POSTGRES))
        if version == 0:
            session.say("CREATE TABLE multiwhats_schema (version integer NOT NULL)")
            session.say("INSERT INTO multiwhats_schema (version) VALUES (0)")
        session.connection.execute("UPDATE multiwhats_schema SET version = %s", [len(MIGRATIONS)])

    @staticmethod
    def _version(session: Session) -> int:
        """Return the version of the schema; 0 is none yet."""
        if not session.execute("is_there").fetchone()["is_there"]:
            return 0
        version: int = session.execute("version").fetchone()["version"]
        return version
