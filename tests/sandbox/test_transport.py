"""Through the in-memory transport a client sees what a socket would show it."""

from typing import Any

import anyio
import httpx
import pytest
from sandbox.wire_examples import PATH, payload

from multiwhats_async.sandbox import Emulator, FaultPlan, mock_transport

pytestmark = pytest.mark.anyio

URL = f"http://127.0.0.1{PATH}"


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let no time pass; return what was slept."""
    seconds: list[float] = []
    checkpoint = anyio.lowlevel.checkpoint

    async def sleep(delay: float) -> None:
        await checkpoint()
        seconds.append(delay)

    monkeypatch.setattr(anyio, "sleep", sleep)
    return seconds


async def send(emulator: Emulator, **options: Any) -> httpx.Response:
    """Post the vendor's example through the transport."""
    async with httpx.AsyncClient(transport=mock_transport(emulator)) as client:
        return await client.post(
            URL, **{"params": {"apikey": "a ğ&=+"}, "json": payload()} | options
        )


async def test_sends() -> None:
    """A message gets its record, and the emulator has it."""
    emulator = Emulator(api_keys=["a ğ&=+"])
    response = await send(emulator)
    assert response.status_code == 200
    assert response.json() == emulator.messages[0].response
    assert response.headers["content-length"] == str(len(response.content))
    assert "transfer-encoding" not in response.headers


async def test_key_in_a_target_of_its_own() -> None:
    """A raw request target that replaces the URL's is what the emulator reads."""
    emulator = Emulator(api_keys=["KEY"])
    target = f"{PATH}?apikey=KEY".encode()
    assert (await send(emulator, params=None)).status_code == 401
    response = await send(emulator, params=None, extensions={"target": target})
    assert response.status_code == 200


async def test_undecodable_path() -> None:
    """A path that is no UTF-8 is an unknown path."""
    response = await send(Emulator(), extensions={"target": b"/%ff\xff?apikey=KEY"})
    assert response.status_code == 404


@pytest.mark.parametrize(
    ("fault", "error", "requests", "accepted"),
    [
        ("refuse", httpx.ConnectError, 0, 0),
        ("disconnect_before", httpx.ReadError, 1, 0),
        ("disconnect_after", httpx.ReadError, 1, 1),
        ("timeout", httpx.ReadTimeout, 1, 0),
    ],
)
async def test_no_answer(
    fault: str, error: type[httpx.TransportError], requests: int, accepted: int
) -> None:
    """Each fault without an answer is the error that httpx raises for it."""
    emulator = Emulator(faults=FaultPlan([fault]))
    with pytest.raises(error) as caught:
        await send(emulator)
    assert caught.type is error
    assert (emulator.stats().requests, emulator.stats().accepted) == (requests, accepted)
    assert emulator.stats().dropped == {fault: 1}


async def test_latency(slept: list[float]) -> None:
    """Latency is waited for."""
    response = await send(Emulator(faults=FaultPlan(["latency=2.5"])))
    assert response.status_code == 200
    assert slept == [2.5]


async def test_latency_over_the_read_timeout(slept: list[float]) -> None:
    """Latency over the read timeout is a ReadTimeout, of a message that was accepted."""
    emulator = Emulator(faults=FaultPlan(["latency=30"]))
    with pytest.raises(httpx.ReadTimeout):
        await send(emulator, timeout=2)
    assert slept == [2]
    assert emulator.stats().accepted == 1


async def test_no_timeout_waits_as_long_as_it_takes(slept: list[float]) -> None:
    """Without a read timeout any latency is waited for."""
    await send(Emulator(faults=FaultPlan(["latency=3600"])), timeout=None)
    assert slept == [3600]


async def test_slow_drip(slept: list[float]) -> None:
    """A dripped answer is whole in the end, and takes its time."""
    emulator = Emulator(faults=FaultPlan(["slow_drip=0.5"]))
    response = await send(emulator)
    assert response.json() == emulator.messages[0].response
    assert slept == [0] + [0.5] * -(-len(response.content) // 32)


async def test_slow_drip_over_the_read_timeout(slept: list[float]) -> None:
    """A pause over the read timeout ends a dripped answer."""
    with pytest.raises(httpx.ReadTimeout):
        await send(Emulator(faults=FaultPlan(["slow_drip=9"])), timeout=2)
    assert slept == [0, 2]
