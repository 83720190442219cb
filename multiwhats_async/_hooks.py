"""What a user's own functions are told, and how long they are waited for."""

import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import anyio

from ._waits import Waits
from .errors import MultiWhatsError

logger = logging.getLogger("multiwhats_async")

HOOK_SECONDS: Final = 5.0
"""How long a hook may take once its call was cancelled: the outcome is still told."""


class Hooks:
    """The methods of a user's objects that are told of attempts, retries and outcomes.

    Args:
        hooks: Objects with any of the methods ``on_attempt``, ``on_retry`` and ``on_outcome``.
        waits: Those of the caller: a stop breaks them.
    """

    def __init__(self, hooks: Iterable[object], waits: Waits) -> None:
        hooks = tuple(hooks)
        self.on_attempt = _methods(hooks, "on_attempt")
        self.on_retry = _methods(hooks, "on_retry")
        self.on_outcome = _methods(hooks, "on_outcome")
        self._waits = waits

    async def tell(self, methods: Iterable[Callable[[Any], Any]], details: object) -> None:
        """Tell hooks, each in its turn; one that raises is logged and costs nothing."""
        for method in methods:
            try:
                answer = method(details)
                if inspect.isawaitable(answer):
                    await self._hear(answer)
            except Exception:
                logger.exception("A hook raised; the message is not affected")

    async def _hear(self, answer: Awaitable[Any]) -> None:
        """Wait for a hook. Where its call was cancelled or its run stopped, it still has time."""
        if self._waits.over or anyio.current_effective_deadline() == float("-inf"):
            with anyio.move_on_after(HOOK_SECONDS, shield=True):
                await settle(answer)
        else:
            with self._waits.breakable():
                await settle(answer)


def _methods(hooks: Iterable[object], name: str) -> tuple[Callable[[Any], Any], ...]:
    """Return the methods of that name which the hooks have."""
    return tuple(method for hook in hooks if callable(method := getattr(hook, name, None)))


async def settle(answer: Any) -> Any:
    """Return what a user's function answered, awaited where it is to be awaited.

    In a task of its own: a cancellation that comes from within, such as of a future that somebody
    else has cancelled, must not pass for a cancellation of ours.

    Raises:
        Exception: What the function raised, or a MultiWhatsError where it was cancelled.
    """
    if not inspect.isawaitable(answer):
        return answer
    results: list[Any] = []
    errors: list[Exception] = [MultiWhatsError("it was cancelled from within")]

    async def run() -> None:
        try:
            results.append(await answer)
        except Exception as error:  # noqa: BLE001  # raised again below, outside the task group
            errors.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
    if not results:
        raise errors[-1]
    return results[0]
