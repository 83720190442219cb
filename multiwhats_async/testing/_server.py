"""The kit on a real socket."""

from types import TracebackType
from typing import Any, Self

from ..client import AsyncMultiWhats
from ..replies import AssumedItemId
from ..sandbox import Emulator, Webhook
from ._kit import TEST_SENDER, Kit, client_of


class MultiWhatsServerKit(Kit):
    """The sandbox on a real socket, in a thread, for as long as the ``with`` block lasts.

    For programs that run in another process, or speak HTTP themselves. Needs the extra ``sandbox``.

    Args:
        options: Arguments of :class:`~multiwhats_async.sandbox.Emulator`. Magic numbers are off.

    Attributes:
        emulator: The sandbox behind it.
    """

    def __init__(self, **options: Any) -> None:
        from ..sandbox import SandboxServer  # noqa: PLC0415  # an extra: only where it is used

        defaults: dict[str, Any] = {"magic_numbers": False}
        super().__init__(Emulator(**defaults | options))
        self._server = SandboxServer(self.emulator, port=0, page=False)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.stop()

    @property
    def base_url(self) -> str:
        """The base URL to give to a program."""
        return self._server.base_url

    @property
    def env(self) -> dict[str, str]:
        """The environment variables that point a program at this server."""
        return {**self._server.env, "MULTIWHATS_FROM": TEST_SENDER}

    def client(self, **options: Any) -> AsyncMultiWhats:
        """Return a new client of this server; as :meth:`MultiWhatsKit.client`."""
        return client_of(self.emulator, {"base_url": self.base_url} | options)

    def push_to(
        self, url: str, *, assumed_item_id: AssumedItemId | str = AssumedItemId.LABEL
    ) -> None:
        """Push the replies of all further taps to a program on this machine.

        Args:
            url: Its address, with the token.
            assumed_item_id: As of :class:`MultiWhatsKit`.

        Raises:
            SandboxError: It is no address on this machine.
        """
        self.emulator.store.set_webhook(Webhook(url, AssumedItemId(assumed_item_id)))
