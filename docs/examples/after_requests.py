from anyio.from_thread import start_blocking_portal

from multiwhats_async import AsyncMultiWhats, ButtonMessage

with (
    start_blocking_portal() as portal,
    portal.wrap_async_context_manager(AsyncMultiWhats(sender="908503080335")) as client,
):

    def ask(number: str, text: str) -> str:
        message = ButtonMessage(number, text, ["👍 Yes", "⛔ No"])
        return portal.call(client.deliver, message).certainty.value

    for number in ("905300000001", "905300000002"):
        print(number, ask(number, "Is 10:00 all right?"))
