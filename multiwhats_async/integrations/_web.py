"""What every web framework's module shares: the door for replies, and what a missing extra says."""

from collections.abc import AsyncIterable, Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Final, Required, TypedDict

from ..client import AsyncMultiWhats
from ..errors import ConfigurationError
from ..replies import AssumedItemId, Reply, ReplyHandler, ReplyResponse

STATE: Final = "multiwhats"
"""The name of the client in an application's state."""

JSON: Final = "application/json"

MakeClient = Callable[[], AsyncMultiWhats]
Adapt = Callable[[Any], Any]
OnReply = Callable[[Reply, AsyncMultiWhats], Awaitable[object] | object]


class ReplyOptions(TypedDict, total=False):
    """How pushed choices are taken; as the arguments of :class:`ReplyHandler`.

    Attributes:
        token: The secret in the address; None takes deliveries from anybody.
        assumed_item_id: What ``selectedItemId`` holds: ``"label"``, ``"index_from_0"`` or
            ``"index_from_1"``. The vendor does not document it.
        adapt: For a payload of another shape.
        max_body: Bytes that are read at the most.
    """

    token: Required[str | None]
    assumed_item_id: Required[AssumedItemId | str]
    adapt: Adapt | None
    max_body: int


class ReplyDoor:
    """Takes pushed choices for a web framework, and hands each to your code with the client.

    Args:
        on_reply: Your code, sync or async.
        options: How they are taken.
    """

    def __init__(self, on_reply: OnReply, options: ReplyOptions) -> None:
        self._on_reply = on_reply
        self._client: ContextVar[AsyncMultiWhats] = ContextVar("client of this delivery")
        self._handler = ReplyHandler(self._hand_over, **options)

    async def take(
        self, client: AsyncMultiWhats, chunks: AsyncIterable[bytes], token: str | None
    ) -> ReplyResponse:
        """Take one delivery; see :meth:`ReplyHandler.handle_stream`."""
        self._client.set(client)  # of this request's own task
        return await self._handler.handle_stream(chunks, token)

    def _hand_over(self, reply: Reply) -> Awaitable[object] | object:
        return self._on_reply(reply, self._client.get())


def found(client: object) -> AsyncMultiWhats:
    """Return the client of an application's state.

    Raises:
        ConfigurationError: There is none, since the lifespan was not run.
    """
    if isinstance(client, AsyncMultiWhats):
        return client
    raise ConfigurationError(
        "the application's lifespan has not opened the client: give it this module's lifespan, "
        "and in tests run the application within  multiwhats.running(app)"
    )


def missing(error: ModuleNotFoundError, extra: str, *, package: str | None = None) -> ImportError:
    """Return what an import of a framework's module raises: which extra to install.

    Args:
        error: What the import raised.
        extra: The extra, which has the name of the module.
        package: The framework's package; None is of the extra's name.
    """
    if (error.name or "").partition(".")[0] != (package or extra):
        return error
    text = f"multiwhats_async.integrations.{extra} needs {package or extra}"
    return ImportError(f"{text}: pip install 'multiwhats-async[{extra}]'", name=error.name)
