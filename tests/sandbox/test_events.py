"""What changes in the sandbox, told as it happens."""

import json
from contextlib import ExitStack

import httpx
import pytest
from sandbox.wire_examples import payload, post, request_of

from multiwhats_async.sandbox import Emulator, SandboxServer
from multiwhats_async.sandbox._api import openapi_document


@pytest.fixture
def emulator() -> Emulator:
    """Return an emulator."""
    return Emulator()


def test_events(emulator: Emulator) -> None:
    """The counters come at once, then each change, as it is in the lists."""
    with (
        SandboxServer(emulator, port=0) as server,
        httpx.Client(base_url=server.url) as client,
        client.stream("GET", "sandbox/events") as stream,
    ):
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        events = (json.loads(line[6:]) for line in lines if line.startswith("data: "))
        first = next(events)
        assert (first["messages"], first["stats"]["accepted"]) == ([], 0)
        emulator.store.bell.ring()  # where nothing has changed, nothing is told
        assert client.get("sandbox/openapi.json").json() == openapi_document()
        post(emulator)
        change = next(events)
        (message,) = change["messages"]
        assert message == client.get("sandbox/messages").json()["items"][0]
        assert (change["stats"]["accepted"], change["more"]) == (1, False)
        emulator.handle(request_of(payload(), query=b""))
        (refusal,) = next(events)["refusals"]
        assert refusal["status"] == 401
        client.post("sandbox/faults", json={"fault": "429"})
        assert next(events)["settings"]
        client.post("sandbox/reset")
        assert next(events)["reset"]


def test_events_keep_the_connection(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing changes a comment goes out from time to time."""
    monkeypatch.setattr("multiwhats_async.sandbox._stream.HEARTBEAT_SECONDS", 0.01)
    with (
        SandboxServer(emulator, port=0) as server,
        httpx.Client(base_url=server.url) as client,
        client.stream("GET", "sandbox/events") as stream,
    ):
        assert any(line == ":" for line in stream.iter_lines())


def test_the_end_waits_for_no_open_page(emulator: Emulator) -> None:
    """Pages that are open, and programs that wait, do not hold the sandbox up."""
    with httpx.Client(timeout=20) as client, ExitStack() as pages:
        with SandboxServer(emulator, port=0) as server:
            streams = [
                pages.enter_context(client.stream("GET", server.url + "sandbox/events"))
                for _ in range(12)
            ]
        for stream in streams:
            with pytest.raises(httpx.TransportError):
                stream.read()
