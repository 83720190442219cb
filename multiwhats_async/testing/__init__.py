"""The test kit: tests of your program against the sandbox, in memory or on a real socket.

With pytest the fixtures ``multiwhats`` and ``multiwhats_server`` are these objects, a fresh one for
each test. They are plain objects, so they work in sync tests and under pytest-asyncio, anyio's
plugin and pytest-trio alike, and without pytest too::

    kit = MultiWhatsKit()
    async with kit.client() as client:
        await client.send_button_message("905374937766", "Hi", ["👍 Yes", "⛔ No"])
    kit.assert_sent(to="905374937766", buttons=["👍 Yes", "⛔ No"])

Nothing is sent to anybody. What the vendor does not document is assumed here as in the sandbox.
"""

from ._kit import TEST_SENDER
from ._memory import MultiWhatsKit
from ._server import MultiWhatsServerKit

__all__ = ["TEST_SENDER", "MultiWhatsKit", "MultiWhatsServerKit"]
