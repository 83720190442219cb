"""Waiting that can be ended from outside at once, while whatever does not wait goes on.

A run's workers stand under a shield, so that nothing tears an attempt; what they wait for before
and after it is ended here. A scope where something waits, instead of two a message.
"""

from collections.abc import Generator
from contextlib import contextmanager

import anyio


class Waits:
    """What the messages of one run, or of one call, wait for.

    Attributes:
        over: Whether nothing is waited for any more.
    """

    __slots__ = ("_scopes", "over")

    def __init__(self) -> None:
        self.over: bool = False
        self._scopes: set[anyio.CancelScope] = set()

    @contextmanager
    def breakable(self) -> Generator[None]:
        """Within it something waits; the block ends early, without an error, once all is over."""
        with anyio.CancelScope() as scope:
            self._scopes.add(scope)
            if self.over:
                scope.cancel()
            try:
                yield
            finally:
                self._scopes.discard(scope)

    def end(self) -> None:
        """End whatever is waited for, now and from now on."""
        self.over = True
        for scope in tuple(self._scopes):
            scope.cancel()
