"""What goes into a bulk run and what comes out of it: the input, checked, and the counts."""

from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sized,
)

import attrs

from ._certainty import Certainty
from ._keys import SeenKeys
from ._secret import mask_number
from .abc import Claim
from .errors import (
    NOT_TRIED,
    ConfigurationError,
    InvalidMessageError,
    NotSentError,
    Problem,
    SendError,
)
from .models import ButtonMessage
from .outcomes import Outcome

Messages = Iterable[ButtonMessage] | AsyncIterable[ButtonMessage]


class Tally:
    """The counts of a run."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(Certainty, 0)
        self._doubtful = 0
        self._dearest: int | float = 1  # what a message costs at most, as far as is known
        self.credits: int | float = 0
        self.retries = 0

    def add(self, outcome: Outcome, *, doubts_before: int) -> None:
        """Count one outcome.

        Args:
            outcome: The outcome.
            doubts_before: How many of its unknown attempts belong to earlier runs.
        """
        self._counts[outcome.certainty] += 1
        self._doubtful += max(0, outcome.unknown_attempts - doubts_before)
        cost = outcome.credits
        self.credits += cost
        self._dearest = max(self._dearest, cost)
        self.retries += max(0, outcome.attempts - 1)

    def add_untried(self, counts: Mapping[Certainty, int]) -> None:
        """Count messages that were not tried, by what is known of them."""
        for certainty, count in counts.items():
            self._counts[certainty] += count

    @property
    def finished(self) -> int:
        """How many messages were counted."""
        return sum(self._counts.values())

    def by_word(self) -> dict[str, int]:
        """Return the counts under the words of the certainties."""
        return {certainty.value: count for certainty, count in self._counts.items()}

    def worst_cost(self, under_way: int) -> int | float:
        """Return what the run may have cost once so many more messages are through."""
        return self.credits + self._dearest * (self._doubtful + under_way)


class Source:
    """The input of a run, pulled message by message and checked on the way."""

    def __init__(self, messages: object, sender_number: str | None) -> None:
        self._messages = messages
        self._sender_number = sender_number
        self._index = 0
        self._async: AsyncIterator[object] | None = None
        self._sync: Iterator[object] = iter(())
        if isinstance(messages, AsyncIterable):
            self._async = aiter(messages)
        elif isinstance(messages, Iterable) and not isinstance(messages, str | bytes | Mapping):
            self._sync = iter(messages)
        else:
            raise ConfigurationError(
                "messages must be an iterable or async iterable of ButtonMessage, "
                f"not {type(messages).__name__}"
            )
        self.is_async: bool = self._async is not None
        self.total: int | None = len(messages) if isinstance(messages, Sized) else None
        self.exhausted: bool = False

    def check(self) -> None:
        """Check a list or tuple as a whole, before anything is sent."""
        if isinstance(self._messages, list | tuple):
            for index, message in enumerate(self._messages):
                self._checked(index, message)

    def pull(self) -> tuple[int, ButtonMessage] | None:
        """Return the next message with its position, or None at the end."""
        try:
            item = next(self._sync)
        except StopIteration:
            self.exhausted = True
            return None
        return self._numbered(item)

    async def pull_async(self) -> tuple[int, ButtonMessage] | None:
        """As :meth:`pull`, from an async input."""
        assert self._async is not None  # noqa: S101  # asked only where is_async
        try:
            item = await anext(self._async)
        except StopAsyncIteration:
            self.exhausted = True
            return None
        return self._numbered(item)

    def _numbered(self, item: object) -> tuple[int, ButtonMessage]:
        index = self._index
        self._index += 1
        return index, self._checked(index, item)

    def _checked(self, index: int, item: object) -> ButtonMessage:
        if not isinstance(item, ButtonMessage):
            text = f"must be a ButtonMessage, not {type(item).__name__}"
            raise InvalidMessageError([Problem("message", text)], index=index)
        if item.sender is None and self._sender_number is None:
            text = (
                "no sender: give one to AsyncMultiWhats or to the message, or set MULTIWHATS_FROM"
            )
            raise InvalidMessageError([Problem("sender", text)], index=index)
        return item


@attrs.define(kw_only=True, eq=False)
class Item:
    """One message of a run, as its intake hands it out.

    Attributes:
        index: Its position in the input.
        message: The message.
        key: Its key.
        claim: Its place in a ledger, or None.
        is_skipped: Whether it is not to be sent, because its key has its outcome.
    """

    index: int
    message: ButtonMessage
    key: str
    claim: Claim | None = None
    is_skipped: bool = False

    @classmethod
    def claimed(cls, claim: Claim) -> "Item":
        """Return the item of a message that was claimed from a ledger."""
        item = cls(index=claim.index, message=claim.message, key=claim.key)
        item.take(claim)
        return item

    def take(self, claim: Claim) -> None:
        """Note the message's place in the ledger."""
        self.claim = claim
        self.is_skipped = not claim.may_send

    def skipped(self) -> Outcome:
        """Return the outcome of a message that is not to be sent."""
        return Outcome(
            message=self.message,
            key=self.key,
            certainty=Certainty.SKIPPED,
            index=self.index,
            earlier=None if self.claim is None else self.claim.earlier,
        )

    def not_tried(self, why: str) -> Outcome:
        """Return the outcome of a message that its run was ended before."""
        claim = self.claim
        recipient = mask_number(self.message.to)
        error: SendError = NotSentError(
            f"The message to {recipient} was not tried: {why}",
            attempts=0 if claim is None else claim.attempts,
            recipient=recipient,
            cause=NOT_TRIED,
        )
        if claim is not None and claim.doubt is not None:
            error = claim.doubt  # of an earlier run: that it was not tried again undoes nothing
        return Outcome(
            message=self.message,
            key=self.key,
            certainty=error.certainty,
            error=error,
            attempts=error.attempts,
            unknown_attempts=0 if claim is None else claim.unknown_attempts,
            index=self.index,
        )


class Intake:
    """Hands out the messages of an input, each key once. Nothing of it is on record.

    Args:
        source: The input.
        sender: The number that sends where a message names none.
    """

    def __init__(self, source: Source, sender: str | None) -> None:
        self._source = source
        self._sender = sender

    @property
    def is_async(self) -> bool:
        """Whether a message may be long in coming."""
        return self._source.is_async

    @property
    def total(self) -> int | None:
        """How many messages there are, or None where the input does not tell."""
        return self._source.total

    async def open(self, goes_on: Callable[[], bool]) -> None:  # noqa: ARG002  # others load
        """Get ready, before anything is sent.

        Args:
            goes_on: Whether the run was not stopped meanwhile.
        """
        self._source.check()
        self._seen = SeenKeys()

    async def pull(self) -> Item | None:
        """Return the next message, or None at the end."""
        source = self._source
        pulled = await source.pull_async() if source.is_async else source.pull()
        if pulled is None:
            return None
        index, message = pulled
        return Item(index=index, message=message, key=message.identity(self._sender))

    async def admit(self, item: Item) -> None:
        """Look whether a message that was pulled is to be sent, and note it."""
        item.is_skipped = not self._seen.add(item.key)

    async def rest(self, finished: int) -> Mapping[Certainty, int]:
        """Count what a cancelled run has left of a collection: it was not sent.

        Args:
            finished: How many messages were counted.
        """
        source = self._source
        if source.total is None or source.exhausted:
            return {}
        return {Certainty.NOT_SENT: max(0, source.total - finished)}

    async def aclose(self) -> None:
        """Let go of everything."""
        self._seen.close()
