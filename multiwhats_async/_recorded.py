"""The input of a bulk run by way of a ledger: on record before it is sent, and sent once."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Final

import anyio
import anyio.lowlevel

from ._certainty import Certainty
from ._intake import Intake, Item, Messages, Source
from ._secret import shown
from ._settings import checked_flag, checked_name
from .abc import Campaign, Claim, Ledger, SharedLedger
from .campaigns import Chunk
from .errors import ConfigurationError, LedgerError
from .models import ButtonMessage

LOAD: Final = 10_000
"""Messages that are loaded at once. Their keys come in random order, so that a small block writes
about a page for each: 200,000 take 1.3 times as long in blocks of 1,000."""

SLICE: Final = 500
"""Messages that are read from the input before others have their turn."""

BLOCK: Final = 100
"""Messages that are claimed at once."""


class LedgerIntake(Intake):
    """Hands out the messages of an input by way of a ledger.

    A sync input is loaded as a whole before anything is sent, so that what is wrong with it costs
    nothing, and a crash leaves all of it on record. An async one may take days to end: each of its
    messages is loaded when it comes.

    Args:
        source: The input.
        sender: The number that sends where a message names none.
        ledger: The ledger; it is opened and closed here.
        campaign: The campaign's name.
        resend_unknown: Whether messages that may have gone out are sent again.
        only_failed: Whether only those are sent that were refused, or tried and not sent.
    """

    def __init__(
        self,
        source: Source,
        sender: str | None,
        *,
        ledger: Ledger,
        campaign: str,
        resend_unknown: bool,
        only_failed: bool,
    ) -> None:
        super().__init__(source, sender)
        self._ledger = ledger
        self._name = campaign
        self._choice = {"resend_unknown": resend_unknown, "only_failed": only_failed}
        self._loaded = 0
        self._block: list[Claim] = []
        self._turn = anyio.Lock()
        self._is_at_end = False

    @property
    def total(self) -> int | None:
        """How many messages there are, or None where the input does not tell."""
        known = self._source.total
        return self._loaded if known is None and not self.is_async else known

    async def open(self, goes_on: Callable[[], bool]) -> None:
        """Open the ledger, and load an input that can be loaded as a whole."""
        self._goes_on = goes_on
        self._source.check()
        await self._ledger.open()
        try:
            self._campaign = await self._begin()
            try:
                if not self.is_async:
                    await self._load(goes_on)
            except BaseException:
                with suppress(LedgerError):  # what went wrong first is what is told
                    await self._campaign.aclose()
                raise
        except BaseException:
            await self._ledger.aclose()
            raise

    async def _begin(self) -> Campaign:
        return await self._ledger.begin(self._name, sender=self._sender, **self._choice)

    async def _load(self, goes_on: Callable[[], bool]) -> None:
        try:
            while goes_on() and (block := await self._read_block(goes_on)):
                await self._campaign.load(self._loaded, block)
                self._loaded += len(block)
        except Exception:
            with suppress(LedgerError):  # what is left there is pending, and sent by no other run
                await self._campaign.withdraw()
            raise

    async def _read_block(self, goes_on: Callable[[], bool]) -> Sequence[ButtonMessage]:
        block: list[ButtonMessage] = []
        pulled = iter(self._source.pull, None)
        while len(block) < LOAD and goes_on():
            read = [message for _, message in islice(pulled, SLICE)]
            block += read
            if len(read) < SLICE:
                break
            await anyio.lowlevel.checkpoint()
        return block

    async def pull(self) -> Item | None:
        """Return the next message, or None at the end."""
        if self.is_async:
            return await super().pull()
        if self._block:
            return Item.claimed(self._block.pop())
        async with self._turn:
            if not self._block and not self._is_at_end:
                claims = await self._campaign.claim(BLOCK, to_send=self._goes_on())
                self._block = [*reversed(claims)]
                self._is_at_end = not claims  # every worker asks; the ledger is asked once
            if self._block:
                return Item.claimed(self._block.pop())
        return None

    async def admit(self, item: Item) -> None:
        """Load a message that has just come."""
        if item.claim is None:
            item.take(await self._campaign.admit(item.index, item.message))

    async def rest(self, finished: int) -> Mapping[Certainty, int]:  # noqa: ARG002  # it is on record
        """Count what a cancelled run has left, by what is known of it."""
        if self.is_async:
            return {}
        counts = Counter(map(_untried, self._block))
        counts[Certainty.NOT_SENT] += (self.total or 0) - self._loaded  # stopped while it loaded
        return counts if self._is_at_end else counts + await self._campaign.rest()

    async def aclose(self) -> None:
        """Let go of the ledger."""
        try:
            await self._campaign.aclose()
        finally:
            await self._ledger.aclose()


class ChunkIntake(LedgerIntake):
    """Hands out what of a chunk may be sent now: its messages were loaded before.

    Args:
        chunk: The chunk.
        ledger: Its ledger; it is opened and closed here.
    """

    def __init__(self, chunk: Chunk, ledger: SharedLedger) -> None:
        super().__init__(
            Source((), None),
            None,
            ledger=ledger,
            campaign=chunk.campaign,
            resend_unknown=False,
            only_failed=False,
        )
        self._chunk = chunk
        self._shared = ledger

    @property
    def total(self) -> int | None:
        """None: others may have sent some of it, and some may not be due."""
        return None

    async def _begin(self) -> Campaign:
        return await self._shared.begin_chunk(self._chunk)

    async def rest(self, finished: int) -> Mapping[Certainty, int]:  # noqa: ARG002  # see below
        """Count what was claimed and not tried; the rest of the chunk is nobody's."""
        return Counter(map(_untried, self._block))


def _untried(claim: Claim) -> Certainty:
    """Return what is known of a message that is not tried."""
    if not claim.may_send:
        return Certainty.SKIPPED
    return Certainty.NOT_SENT if claim.doubt is None else Certainty.UNKNOWN


def intake_of(
    messages: Messages | Chunk,
    sender: str | None,
    *,
    ledger: Ledger | None,
    campaign: str | None,
    resend_unknown: bool,
    only_failed: bool,
) -> Intake:
    """Return the intake for an input, by way of a ledger where there is one.

    Raises:
        ConfigurationError: The input is none, or the options do not fit together.
    """
    if ledger is not None and not isinstance(ledger, Ledger):  # pyright: ignore[reportUnnecessaryIsInstance]  # a user's
        raise ConfigurationError(
            f'ledger must be a ledger such as SQLiteLedger("spring.db"), not {shown(ledger)}'
        )
    if isinstance(messages, Chunk):
        if not isinstance(ledger, SharedLedger) or campaign or resend_unknown or only_failed:
            raise ConfigurationError(
                "A chunk needs the ledger that it is of, a PostgresLedger, and no other option: "
                "bulk(chunk, ledger=ledger)"
            )
        return ChunkIntake(messages, ledger)
    resend_unknown = checked_flag("resend_unknown", resend_unknown)
    only_failed = checked_flag("only_failed", only_failed)
    source = Source(messages, sender)
    if ledger is not None:
        return LedgerIntake(
            source,
            sender,
            ledger=ledger,
            campaign=checked_name("campaign", campaign),
            resend_unknown=resend_unknown,
            only_failed=only_failed,
        )
    if campaign is not None or resend_unknown or only_failed:
        raise ConfigurationError(
            "campaign, resend_unknown and only_failed need a ledger: pass ledger=SQLiteLedger(…)"
        )
    return Intake(source, sender)
