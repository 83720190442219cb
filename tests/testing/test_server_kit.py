"""The kit on a real socket: the same words, for programs that speak HTTP."""

from functools import partial

import anyio
import httpx
import pytest
from faults.server import Connection, RawServer, Request

from multiwhats_async.sandbox import SandboxError
from multiwhats_async.testing import TEST_SENDER, MultiWhatsServerKit

pytestmark = pytest.mark.anyio

GUEST = "905374937766"


@pytest.fixture
def kit(multiwhats_server: MultiWhatsServerKit) -> MultiWhatsServerKit:
    """Return the kit of our own plugin."""
    return multiwhats_server


async def test_a_client_of_it_speaks_over_the_socket(kit: MultiWhatsServerKit) -> None:
    """The same words hold, and a fault is retried without a pause."""
    kit.fail_next("429")
    async with kit.client() as client:
        receipt = await client.send_button_message(GUEST, "Hi", ["Yes"])
    assert kit.assert_sent(to=GUEST, sender=TEST_SENDER, times=1) == kit.last
    assert kit.tap(receipt, "Yes").tap is not None
    assert kit.emulator.stats().by_status == {429: 1, 200: 1}


async def test_a_program_of_its_own_is_waited_for(kit: MultiWhatsServerKit) -> None:
    """With its settings from the environment; the message comes from another thread."""
    body = {"from": kit.env["MULTIWHATS_FROM"], "to": GUEST, "message": "Hi", "type": "button"}
    url = kit.env["MULTIWHATS_BASE_URL"] + "basic/whatsapp/send-dynamic"
    assert url.startswith(kit.base_url)
    params = {"apikey": kit.env["MULTIWHATS_API_KEY"]}
    send = partial(httpx.post, url, json=body | {"buttons": ["Yes"]}, params=params)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.to_thread.run_sync, send)
        message = await kit.wait_for(text="Hi", within=20)
    assert message.sender == TEST_SENDER


async def test_taps_are_pushed_to_a_program(kit: MultiWhatsServerKit) -> None:
    """To its address on this machine, in the form that it has asked for."""
    pushed: list[Request] = []

    def play(connection: Connection) -> None:
        pushed.append(connection.read_request())
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    server = RawServer(play).start()
    kit.push_to(f"http://127.0.0.1:{server.port}/replies?token=s", assumed_item_id="index_from_1")
    try:
        async with kit.client() as client:
            await client.send_button_message(GUEST, "Hi", ["Yes", "No"])
        kit.tap(kit.last, "No")
        await anyio.to_thread.run_sync(server.wait_until, lambda: server.posts == 1)
    finally:
        server.stop()
    (request,) = pushed
    assert request.target == "/replies?token=s"
    assert b'"selectedItemId":2' in request.body
    with pytest.raises(SandboxError, match="another machine"):
        kit.push_to("http://web.example/replies")


def test_options_go_to_the_sandbox() -> None:
    """Without pytest's fixture it is a context manager."""
    with MultiWhatsServerKit(credits=0) as kit:
        answer = httpx.post(
            f"{kit.base_url}basic/whatsapp/send-dynamic",
            params={"apikey": "any"},
            json={"from": GUEST, "to": GUEST, "message": "x", "type": "button", "buttons": ["x"]},
        )
    assert answer.status_code == 402
    kit.assert_nothing_sent()
