"""What the tests against raw sockets share: servers, certificates, and both transports."""

import gc
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import attrs
import httpx
import pytest
import trustme
from faults.cases import ONCE, PATIENT
from faults.server import Play, RawServer, behave

from multiwhats_async import AsyncMultiWhats

KEY = "raw-socket-key-7f3a"
SENDER = "908503080335"


@attrs.frozen
class Certificates:
    """A server's certificate, and clients that do or do not trust it."""

    server: ssl.SSLContext
    trusting: ssl.SSLContext
    suspicious: ssl.SSLContext


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    """Issue certificates for this machine."""
    authority, other = trustme.CA(), trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(trusting)
    suspicious = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    other.configure_trust(suspicious)
    return Certificates(server, trusting, suspicious)


@pytest.fixture
def start_server() -> Iterator[Callable[..., RawServer]]:
    """Start servers, and stop them after the test."""
    servers: list[RawServer] = []

    def start(play: Play = behave, **options: Any) -> RawServer:
        server = RawServer(play, **options).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()


GARBAGE = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""httpcore leaves a socket whose connecting was cancelled to the garbage collector."""


@pytest.fixture(params=["own", "direct", pytest.param("injected", marks=GARBAGE)])
def transport(request: pytest.FixtureRequest) -> str:
    """Run a test over either transport of our own, and over a plain client of the user's."""
    which: str = request.param
    return which


class OpenClient(Protocol):
    """Opens a client for a server."""

    def __call__(
        self, server: RawServer, **options: Any
    ) -> AbstractAsyncContextManager[AsyncMultiWhats]:
        """Open a client; options are those of the class."""
        ...


@pytest.fixture(scope="session")
def _small_heap() -> Iterator[None]:
    """Take what is imported out of the collector's sight: it runs after every test."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def open_client(
    transport: str,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    _small_heap: None,
) -> Iterator[OpenClient]:
    """Open clients that go over the transport under test."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)

    @asynccontextmanager
    async def opened(server: RawServer, **options: Any) -> AsyncIterator[AsyncMultiWhats]:
        context = options.pop("ssl_context", certificates.trusting)
        settings = {
            "sender": SENDER,
            "base_url": server.url,
            "retry": ONCE,
            "timeout": PATIENT,
            **options,
        }
        if transport != "injected":
            which: Any = "direct" if transport == "direct" else "httpcore"
            async with AsyncMultiWhats(
                KEY, ssl_context=context, transport=which, **settings
            ) as client:
                yield client
            return
        async with (
            httpx.AsyncClient(verify=context) as http_client,
            AsyncMultiWhats(KEY, http_client=http_client, **settings) as client,
        ):
            yield client

    yield opened
    gc.collect()  # what is left behind warns in the test that left it
