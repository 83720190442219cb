"""What every shared rate does: keep reserved slots at hand, and be patient with its server."""

import logging
import os
import random as random_module
from abc import abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable
from functools import cache, partial
from importlib.resources import files
from itertools import accumulate
from math import ceil
from typing import Final, TypeVar

import anyio
import anyio.lowlevel

from .._entered import Entered
from .._secret import shown
from .._settings import checked_name
from ..errors import ConfigurationError, RateError
from ..options import Rate, is_number

logger = logging.getLogger("multiwhats_async")

T = TypeVar("T")

TRIP_SECONDS: Final = 0.02
"""A trip to the server reserves slots for so long, so that there are at most 50 a second."""

TOLERANCE: Final = 0.02
"""Seconds. A slot that is later than this is dropped: those that pile up behind a process that was
held up must not go out as a burst. The shared time may lag behind by as much, so that the way to
the server costs no rate."""

IDLE: Final = 1.0
"""Seconds after which a sender that has taken no slot begins anew."""

DEFAULT_PATIENCE: Final = 60.0
"""Seconds: a database that is restarted is back by then."""

ANSWER_SECONDS: Final = 5.0
"""After so long without an answer the server counts as not there."""

FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 2.0
"""Seconds between two attempts to reach the server; they double."""


class UnreachableError(Exception):
    """The server gave no answer, or one that is none; with a text that holds no password."""


class Stash:
    """The slots of one sender that are reserved already, in this machine's time."""

    __slots__ = ("slots", "turn")

    def __init__(self) -> None:
        self.slots: deque[float] = deque()
        self.turn: anyio.Lock = anyio.Lock()

    def take(self, earliest: float) -> float | None:
        """Take the next slot that is not earlier; None where there is none."""
        while self.slots:
            slot = self.slots.popleft()
            if slot >= earliest:
                return slot
        return None


class SharedRate(Entered):
    """A rate whose slots lie on a server, and are taken by whoever comes first (GCRA).

    Args:
        rate: Messages a second for each sender, and the jitter between them.
        name: The name under which the rate is shared.
        patience: For how many seconds a server is tried that does not answer.
        clock: Tells seconds of this machine; only differences of it count.
        sleep: Waits seconds.
        random: Gives numbers from 0 to 1.
    """

    def __init__(
        self,
        rate: float | Rate,
        *,
        name: str,
        patience: float,
        clock: Callable[[], float] | None,
        sleep: Callable[[float], Awaitable[None]] | None,
        random: Callable[[], float] | None,
    ) -> None:
        self.rate: Rate = Rate.of(rate)
        self.name: str = checked_name("name", name)
        if not is_number(patience) or patience < 0:
            raise ConfigurationError(f"patience must be seconds, 0 or more, not {shown(patience)}")
        self._patience = patience
        self._clock = clock or anyio.current_time
        self._sleep = sleep or anyio.sleep
        self._random = random or random_module.random
        between = 1 / self.rate.per_second + self.rate.jitter / 2
        self._count = max(1, ceil(round(TRIP_SECONDS / between, 6)))
        self._stashes: dict[str, Stash] = {}
        self._holds = 0
        self._home: tuple[int, object] | None = None

    def __repr__(self) -> str:
        state = "closed" if self._home is None else "open"
        return f"<{type(self).__name__} {self.name!r} {self.rate.per_second:g} a second ({state})>"

    # --- lifetime -----------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect to the server, and make there what is missing.

        Raises:
            RateError: The server cannot be reached, or refuses. It is tried once: waiting would
                hide a wrong address.
            ConfigurationError: It is open already.
        """
        if self._home is not None:
            raise ConfigurationError(f"The shared rate {self.name!r} is open already")
        home = os.getpid(), anyio.lowlevel.current_token()
        try:
            await self._connect()
        except UnreachableError as error:
            raise RateError(self._text(error)) from None
        self._home = home

    async def aclose(self) -> None:
        """Close the connection. A second call does nothing."""
        if self._home is not None:
            self._home = None
            self._stashes.clear()
            await self._disconnect()

    def _check(self) -> None:
        """Refuse to be used where no answer would arrive."""
        if self._home is None:
            kind = type(self).__name__
            raise ConfigurationError(
                f"The shared rate {self.name!r} is not open: async with {kind}(...) as rate"
            )
        process, loop = self._home
        if os.getpid() != process:
            raise ConfigurationError(
                "This shared rate was opened before a fork: let each process open its own"
            )
        if anyio.lowlevel.current_token() != loop:
            raise ConfigurationError(
                "This shared rate was opened in another event loop: open one in each"
            )

    # --- slots --------------------------------------------------------------------------------

    async def reserve(self, sender: str) -> float:
        """Take the next slot of a sender; return the seconds until it comes.

        A slot may be lost, as where this is cancelled. None is given away twice.

        Raises:
            RateError: The server could not be reached for as long as there is patience.
            ConfigurationError: It is not open, or was opened in another event loop or process.
        """
        self._check()
        began = self._clock()
        stash = self._stashes.get(sender) or self._stashes.setdefault(sender, Stash())
        async with stash.turn:
            slot = stash.take(self._clock() - TOLERANCE)
            while slot is None:
                slot = await self._fetch(stash, sender, began)
        return max(0.0, slot - self._clock())

    async def postpone(self, sender: str, seconds: float) -> None:  # noqa: ARG002  # the port's
        """Let no slot of this rate's name come before so many seconds from now, on any machine.

        It holds every sender, as what the server of the messages has said is said to all. What
        another process has reserved before (slots of 20 ms, and the one that is waited for) still
        goes.

        Raises:
            RateError: The server could not be reached for as long as there is patience.
            ConfigurationError: It is not open, or was opened in another event loop or process.
        """
        self._check()
        until = self._clock() + seconds
        try:
            await self._persist(lambda: self._hold(max(0.0, until - self._clock())), self._clock())
        finally:
            self._holds += 1
            for stash in self._stashes.values():
                stash.slots.clear()

    async def _fetch(self, stash: Stash, sender: str, began: float) -> float | None:
        """Reserve slots for a moment; return the first, and keep the others at hand."""
        holds = self._holds
        jitter = self.rate.jitter
        gaps = [1 / self.rate.per_second + jitter * self._random() for _ in range(self._count)]
        wait = await self._persist(partial(self._advance, sender, sum(gaps)), began)
        if holds != self._holds:
            return None  # those slots may lie before the hold that came meanwhile
        # From the moment of the answer: late by the way back, and never early.
        slot, *others, _ = accumulate(gaps, initial=self._clock() + wait)
        stash.slots.extend(others)
        return slot

    async def _persist(self, trip: Callable[[], Awaitable[T]], began: float) -> T:
        """Make a trip to the server, again and again while there is patience."""
        pause = FIRST_PAUSE
        while True:
            self._check()
            try:
                with anyio.fail_after(ANSWER_SECONDS):
                    return await trip()
            except (UnreachableError, TimeoutError) as error:
                if self._clock() + pause - began > self._patience:
                    raise RateError(self._text(error)) from None
                if pause == FIRST_PAUSE:
                    logger.warning("%s; trying again", self._text(error))
            await self._sleep(pause * (1 + self._random()) / 2)
            pause = min(LONGEST_PAUSE, pause * 2)

    def _text(self, error: Exception) -> str:
        why = str(error) or f"no answer within {ANSWER_SECONDS:g} s"
        return f"the shared rate {self.name!r} could not be reached: {why}"

    # --- the server ---------------------------------------------------------------------------

    @abstractmethod
    async def _connect(self) -> None:
        """Connect to the server; raise UnreachableError where that cannot be."""

    @abstractmethod
    async def _disconnect(self) -> None:
        """Let go of the server."""

    @abstractmethod
    async def _advance(self, sender: str, seconds: float) -> float:
        """Move a sender's next slot on; return the seconds until the slot that was taken."""

    @abstractmethod
    async def _hold(self, seconds: float) -> None:
        """Let no slot of the name come before so many seconds from now."""


@cache
def statement(folder: str, name: str) -> str:
    """Return the text of a statement, each in a file of its own that a tool can read."""
    return files("multiwhats_async.rate").joinpath(folder, name).read_text("utf-8")


def missing(extra: str) -> ConfigurationError:
    """Return the error that says which extra is to be installed."""
    return ConfigurationError(
        f'This rate needs another package: pip install "multiwhats-async[{extra}]"'
    )
