"""What the tests against raw sockets share: servers, certificates, and every transport."""

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import pytest
from faults.cases import ONCE, PATIENT
from faults.certificates import Certificates, issue
from faults.scene import KEY, SENDER
from faults.server import Play, RawServer, behave
from faults.transports import TRANSPORTS, Transport

from multiwhats_async import AsyncMultiWhats


def issue_certificates() -> Certificates:
    """Issue certificates for this machine."""
    return issue()


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    """Issue certificates once for all tests."""
    return issue_certificates()


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


def over(names: Iterable[str]) -> list[Any]:
    """Return the parameters of a test that runs over these transports."""
    return [
        pytest.param(name, marks=GARBAGE if TRANSPORTS[name].injected else ()) for name in names
    ]


@pytest.fixture(params=over(TRANSPORTS))
def transport(request: pytest.FixtureRequest) -> Transport:
    """Run a test over each of our own ways, and over a plain client of the user's."""
    return TRANSPORTS[request.param]


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
def _all_collected(_small_heap: None) -> Iterator[None]:
    """Have what is left behind warn in the test that left it."""
    yield
    gc.collect()


@pytest.fixture
def open_client(
    transport: Transport, certificates: Certificates, _all_collected: None
) -> OpenClient:
    """Open clients that go over the transport under test."""

    def opened(server: RawServer, **options: Any) -> AbstractAsyncContextManager[AsyncMultiWhats]:
        settings = {
            "ssl_context": certificates.trusting,
            "sender": SENDER,
            "base_url": server.url,
            "retry": ONCE,
            "timeout": PATIENT,
        }
        return transport.opened(KEY, **settings | options)

    return opened
