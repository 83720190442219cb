"""What a worker tells the machines that watch it: ``/healthz`` and ``/metrics``.

The extra ``worker``. Counts only: no number, no text, no name of a campaign.
"""

import re
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from ipaddress import ip_address
from socket import AF_INET, AF_INET6, SO_REUSEADDR, SOL_SOCKET
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from ..errors import ConfigurationError
from ._engine import Activity
from .prometheus import PrometheusHooks

STALE_AFTER: Final = 30.0
"""Seconds since the reconciler last succeeded after which a worker is not well: six passes."""

REQUEST_SECONDS: Final = 5.0
"""For a request to arrive, so that one who says nothing keeps no thread."""

_PLACE: Final = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:\[\]]*)):(?P<port>[0-9]{1,5})")
_MAX_PORT: Final = 65535


class Metrics(PrometheusHooks):
    """Counts what becomes of the messages of a worker: a hook of its client.

    Args:
        activity: What it does with chunks.
    """

    def __init__(self, activity: Activity) -> None:
        super().__init__()
        self.registry = CollectorRegistry()
        self._activity = activity
        self.registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """Return what is read off at the moment: prometheus_client calls this."""
        yield from super().collect()
        now = self._activity
        chunks = CounterMetricFamily(
            "multiwhats_chunks", "Chunks that a worker has done with.", labels=["result"]
        )
        chunks.add_metric(["finished"], now.finished)
        chunks.add_metric(["failed"], now.failed)
        chunks.add_metric(["refused"], now.refused)
        yield chunks
        yield GaugeMetricFamily(
            "multiwhats_chunks_in_flight", "Chunks that it sends now.", value=now.in_flight
        )
        if now.reconciled_ago is not None:
            yield GaugeMetricFamily(
                "multiwhats_reconciled_seconds_ago",
                "Seconds since the reconciler last succeeded.",
                value=now.reconciled_ago,
            )


@contextmanager
def served(place: str, metrics: Metrics, activity: Activity) -> Generator[int]:
    """Serve ``/healthz`` and ``/metrics`` on a thread for as long as the block lasts.

    Args:
        place: ``HOST:PORT``, such as ``127.0.0.1:9100`` or ``[::]:9100``; port 0 takes a free one.
        metrics: What ``/metrics`` tells.
        activity: What ``/healthz`` judges by: 200, or 503 where the reconciler has not succeeded
            for half a minute, or not yet.

    Yields:
        The port.

    Raises:
        ConfigurationError: The place is none, or taken.
    """
    host, port = read_place(place)
    try:
        server = _server_class(host)((host, port), _Handler)
    except OSError as error:
        raise ConfigurationError(f"Nothing can listen on {place}: {error.strerror}") from None
    server.set_app(_app(metrics, activity))
    thread = Thread(target=server.serve_forever, args=(0.1,), name="multiwhats-health", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def read_place(place: str) -> tuple[str, int]:
    """Return the host and the port of ``HOST:PORT``.

    Raises:
        ConfigurationError: It is not written so.
    """
    found = _PLACE.fullmatch(place)
    if found is None or int(found["port"]) > _MAX_PORT:
        raise ConfigurationError(
            f"{place!r} is no HOST:PORT: write 127.0.0.1:9100, or [::1]:9100 for IPv6"
        )
    return found["six"] or found["host"] or "127.0.0.1", int(found["port"])


def _app(metrics: Metrics, activity: Activity) -> Callable[..., Iterable[bytes]]:
    told: Callable[..., Iterable[bytes]] = make_wsgi_app(metrics.registry)

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            return told(environ, start_response)
        status, text = _health(activity) if path == "/healthz" else ("404 Not Found", "not found")
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{text}\n".encode()]

    return app


def _health(activity: Activity) -> tuple[str, str]:
    ago = activity.reconciled_ago
    if ago is None:
        return "503 Service Unavailable", "the reconciler has not succeeded yet"
    if ago > STALE_AFTER:
        return "503 Service Unavailable", f"the reconciler last succeeded {ago:.0f} s ago"
    return "200 OK", "ok"


class _Handler(WSGIRequestHandler):
    timeout = REQUEST_SECONDS

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class says so
        """Say nothing of every request: one comes every few seconds."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Bind without the name look-up of the base class, which may take seconds.

        A worker that is started again takes its port again, though connections linger there.
        """
        self.socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()


def _server_class(host: str) -> type[_Server]:
    try:
        family = AF_INET6 if ip_address(host).version == 6 else AF_INET  # noqa: PLR2004  # IPv6
    except ValueError:  # a name
        family = AF_INET
    return type("_FamilyServer", (_Server,), {"address_family": family})
