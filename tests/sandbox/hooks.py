"""A program that gets the customers' choices: a real server on a port of its own."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[["Hook", Any], tuple[int, bytes]]


class Hook:
    """What was pushed, and how to wait for it.

    Args:
        answer: Takes the hook and a pushed body; returns the status and the body of the answer.
    """

    def __init__(self, answer: Answer | None = None) -> None:
        self.url = ""
        self.bodies: list[Any] = []
        self.requests: list[tuple[str, dict[str, str]]] = []
        self._answer = answer or (lambda _hook, _body: (200, b"{}"))
        self._changed = threading.Condition()

    def take(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Keep one request; return the answer."""
        data = json.loads(body)
        with self._changed:
            self.bodies.append(data)
            self.requests.append((path, headers))
            self._changed.notify_all()
        return self._answer(self, data)

    def wait(self, count: int) -> None:
        """Wait until so many were pushed."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.bodies) >= count, timeout=20)

    @property
    def choices(self) -> list[tuple[int, str]]:
        """The message and the choice of each."""
        return [(body["id"], body["extra_data"]["selectedItemId"]) for body in self.bodies]


@contextmanager
def running(hook: Hook) -> Iterator[Hook]:
    """Serve a hook on any free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, answer = hook.take(self.path, headers, body)
            if not status:  # the connection is dropped
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("content-length", str(len(answer)))
            if status in range(300, 400):
                self.send_header("location", hook.url + "/elsewhere")
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Say nothing where the sandbox has ended in the middle."""

    with Server(("127.0.0.1", 0), Handler) as server:
        hook.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield hook
        finally:
            server.shutdown()
            thread.join()
