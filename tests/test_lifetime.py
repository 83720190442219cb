"""Where and when a client may be used, and that it leaves nothing behind."""

import gc
import os
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest
from faults.cases import MESSAGE, ONCE
from faults.server import RawServer

from multiwhats_async import AsyncMultiWhats, Certainty, ConfigurationError

OPTIONS: dict[str, Any] = {"sender": "908503080335", "retry": ONCE}
BACKENDS = ("asyncio", "trio")


def new_client(**options: Any) -> AsyncMultiWhats:
    """Return a client for a port on which nobody is ever asked for anything."""
    return AsyncMultiWhats("lifetime-key", base_url="http://127.0.0.1:9/", **OPTIONS, **options)


def forget(clients: list[AsyncMultiWhats]) -> None:
    """Let go of clients for good, with whatever error still holds them."""
    clients.clear()
    gc.collect()


@pytest.mark.anyio
async def test_not_entered() -> None:
    """Before it is entered, a client refuses to send, singly and in bulk."""
    client = new_client()
    with pytest.raises(ConfigurationError, match="not open"):
        await client.deliver(MESSAGE)
    with pytest.raises(ConfigurationError, match="not open"):
        client.bulk([MESSAGE])
    await client.aclose()


@pytest.mark.anyio
async def test_entered_twice() -> None:
    """A client is entered once, open or closed."""
    async with new_client() as client:
        with pytest.raises(ConfigurationError, match="is open"):
            await client.__aenter__()
    with pytest.raises(ConfigurationError, match="is closed"):
        await client.__aenter__()


@pytest.mark.anyio
async def test_closed() -> None:
    """After it is closed, a client refuses to send; closing again does nothing."""
    async with new_client() as client:
        pass
    await client.aclose()
    with pytest.raises(ConfigurationError, match="is closed"):
        await client.deliver(MESSAGE)
    assert "closed" in repr(client)


@pytest.mark.parametrize("first", BACKENDS)
@pytest.mark.parametrize("second", BACKENDS)
def test_another_event_loop(first: str, second: str) -> None:
    """In another loop, of the same or the other backend, it neither sends nor closes."""
    client = new_client()
    anyio.run(client.__aenter__, backend=first)
    with pytest.raises(ConfigurationError, match="another event loop"):
        anyio.run(client.deliver, MESSAGE, backend=second)
    with pytest.raises(ConfigurationError, match="in which it was opened"):
        anyio.run(client.aclose, backend=second)
    forgotten = [client]
    del client
    with pytest.warns(ResourceWarning, match="was not closed"):
        forget(forgotten)


@pytest.mark.anyio
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
async def test_after_a_fork() -> None:
    """In a child process the client refuses to send, and closing touches no connection."""
    async with new_client() as client:
        child = os.fork()
        if not child:
            code = 1
            try:
                client.bulk([MESSAGE])
            except ConfigurationError as error:
                code = 0 if "fork" in str(error) else 2
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)  # noqa: ASYNC222  # the child ends at once
        assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.anyio
@pytest.mark.parametrize("transport", ["httpcore", "direct"])
async def test_closed_in_a_child(transport: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed in another process, the parent's connections are left as they are."""
    server = RawServer().start()
    try:
        async with AsyncMultiWhats(
            "k-in-child", base_url=server.url, transport=transport, **OPTIONS
        ) as client:
            await client.deliver(MESSAGE)
            pool: Any = client._lifetime._pool
            ((connection, _),) = (pool.origin if transport == "direct" else pool)._idle
            with monkeypatch.context() as patch:
                patch.setattr("os.getpid", lambda: 0)
                with pytest.raises(ConfigurationError, match="before a fork"):
                    await client.deliver(MESSAGE)
                await client.aclose()
            assert not client._lifetime.idle
            if transport == "direct":
                assert connection.is_usable()
                connection.close()
                await anyio.to_thread.run_sync(server.wait_idle)
            else:
                assert connection.is_idle()
                await connection.aclose()
    finally:
        server.stop()


@pytest.mark.parametrize("backend", BACKENDS)
def test_forgotten(backend: str) -> None:
    """A client that is never closed says so when it is collected, and does nothing else."""

    async def open_one() -> None:
        await new_client().__aenter__()

    with pytest.warns(ResourceWarning, match=r"http://127\.0\.0\.1:9/ was not closed"):
        anyio.run(open_one, backend=backend)


@pytest.mark.anyio
async def test_nothing_to_forget() -> None:
    """One that was not entered, could not be built, or has an injected client warns of nothing."""
    async with httpx.AsyncClient() as http_client:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            new_client()
            await new_client(http_client=http_client).__aenter__()
            with pytest.raises(ConfigurationError):
                AsyncMultiWhats("k", base_url="nonsense", **OPTIONS)
            gc.collect()
    assert not [warning for warning in caught if "AsyncMultiWhats" in str(warning.message)]


@pytest.mark.anyio
async def test_an_injected_client_is_not_closed() -> None:
    """An injected client stays open when ours is closed, and a closed one is refused at once."""
    requests: list[httpx.Request] = []

    def note(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(400)

    async with httpx.AsyncClient(transport=httpx.MockTransport(note)) as http_client:
        async with new_client(http_client=http_client) as client:
            outcome = await client.deliver(MESSAGE)
        assert not http_client.is_closed
        async with new_client(http_client=http_client) as client:
            await http_client.aclose()
            with pytest.raises(ConfigurationError, match="is closed"):
                await client.deliver(MESSAGE)
    assert outcome.certainty is Certainty.REJECTED
    assert len(requests) == 1


@pytest.mark.parametrize(
    "use",
    [
        lambda client: client.__aenter__(),
        lambda client: client.deliver(MESSAGE),
    ],
    ids=["enter", "deliver"],
)
@pytest.mark.anyio
async def test_a_copy_lives_as_long(use: Callable[[AsyncMultiWhats], Any]) -> None:
    """A copy is not entered itself, and is of no use before or after its original."""
    copy = new_client().with_options(timeout=5)
    with pytest.raises(ConfigurationError):
        await use(copy)


@pytest.mark.anyio
async def test_a_copy_does_not_close() -> None:
    """Closing a copy leaves the pool open."""
    async with new_client() as client:
        await client.with_options(timeout=partial(float, 5)()).aclose()
        assert "open" in repr(client)
