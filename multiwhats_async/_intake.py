"""What goes into a bulk run and what comes out of it: the input, checked, and the counts."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sized

from ._certainty import Certainty
from .errors import ConfigurationError, InvalidMessageError, Problem
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

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        self._counts[outcome.certainty] += 1
        self._doubtful += outcome.unknown_attempts
        self.credits += outcome.credits
        self._dearest = max(self._dearest, outcome.credits)

    def add_untried(self, total: int) -> None:
        """Count as not sent what is missing to the total."""
        self._counts[Certainty.NOT_SENT] += max(0, total - sum(self._counts.values()))

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
        self.is_async = self._async is not None
        self.total = len(messages) if isinstance(messages, Sized) else None
        self.exhausted = False

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
