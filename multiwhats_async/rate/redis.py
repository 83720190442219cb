"""A rate that many processes and machines share in Redis."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from .._secret import Secret
from .._settings import checked_text
from ..errors import ConfigurationError
from ..options import Rate
from ._shared import (
    DEFAULT_PATIENCE,
    IDLE,
    TOLERANCE,
    SharedRate,
    UnreachableError,
    missing,
    statement,
)

if TYPE_CHECKING:
    import coredis

CLIENT_SECONDS: Final = 4.0
"""Shorter than ``ANSWER_SECONDS``: the client is to notice first, and is made anew."""

MICROSECONDS: Final = 1_000_000
SCHEMES: Final = ("redis", "rediss", "unix")


class RedisRate(SharedRate):
    """A rate for each sender that many processes and machines share in Redis.

    An async context manager, entered before the client that uses it, and left by the task that
    has entered it::

        async with (
            RedisRate("redis://host", 80) as rate,
            AsyncMultiWhats("KEY", sender="908503080335", rate=rate) as client,
        ):
            ...

    All that give the same server and name take their slots from one schedule, by the server's
    clock. After a "later" (429) to one of them, all hold. Nothing is sent without a slot: where
    the server cannot be reached for ``patience`` seconds, the message is not sent and a bulk run
    stops.

    Its keys begin with ``multiwhats_rate:`` and are gone soon after the last message. A server
    that dies may forget them, and the schedule begins anew.

    Needs Redis 6 or later, and ``pip install "multiwhats-async[redis]"``.

    Args:
        url: The address of the server: ``redis://``, ``rediss://`` (TLS) or ``unix://``. The
            password never shows in a repr, log or error.
        rate: Messages a second for each sender, or a :class:`Rate`. Give the same everywhere.
        name: The name under which the rate is shared; 1 to 200 characters.
        patience: For how many seconds a server is tried that does not answer.
        clock: Tells seconds of this machine; the event loop's by default.
        sleep: Waits seconds; the event loop's by default.
        random: Gives numbers from 0 to 1.

    Raises:
        ConfigurationError: An argument cannot work, or coredis is not installed.
    """

    def __init__(
        self,
        url: str,
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
        self._url, self._password = _read(url)
        self._make(set())  # what is wrong with the address is said at once
        self._client: coredis.Redis[bytes] | None = None

    async def _connect(self) -> None:
        self._ready = anyio.Event()
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._keep_client)
        try:
            await self._hold(0)  # whether it may write is told now, not at the first message
        except BaseException:
            await self._disconnect()
            raise

    async def _disconnect(self) -> None:
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(None, None, None)

    async def _keep_client(self) -> None:
        """Hold a client open for all tasks, and another one after each that has failed.

        In a task of its own: the connections of coredis live in the task that has entered their
        pool, and whoever asks for a slot may end at any time.
        """
        while True:
            self._failed = anyio.Event()
            begun: set[Any] = set()
            try:
                async with self._make(begun) as client:
                    self._client = client
                    self._ready.set()
                    try:
                        await self._failed.wait()
                    finally:
                        self._client = None
            finally:
                for connection in begun:  # cancelled before it ran
                    _close_streams(connection)

    async def _advance(self, sender: str, seconds: float) -> float:
        keys = [self._key(f"slot:{sender}"), self._key("hold")]
        numbers = [seconds * MICROSECONDS, TOLERANCE * MICROSECONDS, IDLE * MICROSECONDS]
        wait: int = await self._evaluate("reserve.lua", keys, numbers)
        return wait / MICROSECONDS

    async def _hold(self, seconds: float) -> None:
        await self._evaluate("postpone.lua", [self._key("hold")], [seconds * MICROSECONDS])

    async def _evaluate(self, name: str, keys: list[str], numbers: list[float]) -> Any:
        """Run a script on the server."""
        from coredis.exceptions import RedisError  # noqa: PLC0415  # an extra

        await self._ready.wait()
        client = self._client
        if client is None:
            raise UnreachableError("it is being closed")
        try:
            return await client.eval(
                statement("lua", name), keys, [round(each) for each in numbers]
            )
        except (RedisError, OSError, TimeoutError, RuntimeError) as error:
            if client is self._client:  # not yet replaced by another task
                self._client, self._ready = None, anyio.Event()
                self._failed.set()
            why = self._explained(error)
        # Not above: coredis' error would hang on it, and its frames may hold the password.
        raise UnreachableError(why)

    def _key(self, what: str) -> str:
        # The braces keep the keys of a rate on one node of a cluster.
        return f"multiwhats_rate:{{{self.name}}}:{what}"

    def _make(self, begun: set[Any]) -> "coredis.Redis[bytes]":
        """Return a client that is not connected yet. It tries once: the patience is ours.

        Args:
            begun: Holds each of its connections until that has ended.
        """
        try:
            import coredis  # noqa: PLC0415  # an extra
            from coredis.retry import NoRetryPolicy  # noqa: PLC0415  # an extra
        except ImportError:
            raise missing("redis") from None
        try:
            client = coredis.Redis.from_url(
                self._url.reveal(),
                decode_components=True,
                retry_policy=NoRetryPolicy(),
                connect_timeout=CLIENT_SECONDS,
                stream_timeout=CLIENT_SECONDS,
                pool_timeout=CLIENT_SECONDS,
            )
        except Exception:  # noqa: BLE001  # its text would show the address, with the password
            raise ConfigurationError("url has a part that coredis does not know") from None
        pool: Any = client.connection_pool
        pool.connection_class = _tidy(pool.connection_class, begun)
        return client

    def _explained(self, error: Exception) -> str:
        causes = [error, error.__cause__]
        said = [" ".join(str(each).split()) or type(each).__name__ for each in causes if each]
        text = ": ".join(said)
        return text if self._password is None else self._password.redact(text)


def _tidy(kind: Any, begun: set[Any]) -> Any:
    """Return a kind of connection that leaves no stream open where it could not connect."""

    def init(self: Any, *values: Any, **options: Any) -> None:
        kind.__init__(self, *values, **options)
        begun.add(self)

    async def run(self: Any, **options: Any) -> None:
        try:
            await kind.run(self, **options)
        finally:
            begun.discard(self)
            _close_streams(self)

    return type(kind.__name__, (kind,), {"__init__": init, "run": run})


def _close_streams(connection: Any) -> None:
    for value in vars(connection).values():
        if isinstance(value, MemoryObjectReceiveStream | MemoryObjectSendStream):
            value.close()


def _read(url: str) -> tuple[Secret, Secret | None]:
    """Return the address, and the password in it."""
    text = checked_text("url", url)
    refusal = ConfigurationError("url is no address of a Redis server, such as redis://host:6379/0")
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:  # its text may show what was given, and the password in it
        raise refusal from None
    if parts.scheme not in SCHEMES or not (parts.hostname or parts.scheme == "unix"):
        raise refusal
    return Secret(text), Secret(unquote(parts.password)) if parts.password else None
