"""What the sandbox keeps and what has changed in it, in memory that has an end.

Not thread-safe: the emulator holds its lock.
"""

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, Generic, Protocol, TypeVar

import attrs

from .messages import WAITING, Conversation, Delivery, Refusal, SandboxMessage

KEEP_DELIVERIES: Final = 2_000
"""Settled deliveries that are kept, the newest. Chosen: about 8 MB."""

KEEP_REFUSALS: Final = 1_000
"""Refused requests that are kept, the newest. Chosen: at most about 10 MB."""

CHANGES: Final = 50
"""The most of one kind that a reader of changes is told; beyond, it reads anew."""


class _Kept(Protocol):
    @property
    def id(self) -> int: ...


Item = TypeVar("Item", bound=_Kept)


class Journal(Protocol):
    """Where what is kept outlives the process."""

    def load(self) -> tuple[list[SandboxMessage], list[Delivery]]:
        """Return what was kept, oldest first."""
        ...

    def save_message(self, message: SandboxMessage) -> None:
        """Keep a new or a changed message."""

    def save_delivery(self, delivery: Delivery) -> None:
        """Keep a new or a changed delivery."""

    def forget_messages(self, messages: Iterable[SandboxMessage]) -> None:
        """Forget messages."""

    def forget_deliveries(self, deliveries: Iterable[Delivery]) -> None:
        """Forget deliveries."""

    def clear(self) -> None:
        """Forget everything."""


class Shelf(Generic[Item]):
    """Things by id, oldest first, with the revision at which each was last changed.

    Args:
        keep: How many are kept, the newest.
        settled: Whether one may be forgotten.
    """

    def __init__(self, keep: int, settled: Callable[[Item], bool] = lambda _: True) -> None:
        self._keep = keep
        self._settled = settled
        self._items: dict[int, Item] = {}
        self._changed: dict[int, int] = {}  # the latest change last

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items.values())

    def __getitem__(self, number: int) -> Item:
        return self._items[number]

    def get(self, number: int) -> Item | None:
        """Return one, or None where it is not kept."""
        return self._items.get(number)

    def put(self, item: Item, revision: int) -> list[Item]:
        """Keep a new or a changed one; return those that are forgotten for it."""
        self._items[item.id] = item
        self._changed.pop(item.id, None)
        self._changed[item.id] = revision
        surplus = len(self._items) - self._keep
        if surplus <= 0:
            return []
        gone = [*islice(filter(self._settled, self._items.values()), surplus)]
        for old in gone:
            del self._items[old.id], self._changed[old.id]
        return gone

    def newest(self) -> list[Item]:
        """Return all, newest first."""
        return [*reversed(self._items.values())]

    def since(self, revision: int) -> tuple[list[Item], bool]:
        """Return what has changed after a revision, oldest change first, and whether that is all.

        At most :data:`CHANGES`, the latest.
        """
        numbers: list[int] = []
        for number in reversed(self._changed):
            if self._changed[number] <= revision:
                break
            if len(numbers) == CHANGES:
                return [self._items[number] for number in reversed(numbers)], False
            numbers.append(number)
        return [self._items[number] for number in reversed(numbers)], True


@attrs.define
class _Thread:
    last: int
    count: int


class Inbox:
    """Messages, conversations, refused requests and deliveries, with one count of changes.

    Args:
        keep: How many messages are kept, the newest.
        revision: Where the count of changes begins.
    """

    def __init__(self, keep: int, revision: int = 0) -> None:
        self.revision = revision
        self.messages: Shelf[SandboxMessage] = Shelf(keep)
        self.refusals: Shelf[Refusal] = Shelf(KEEP_REFUSALS)
        self.deliveries: Shelf[Delivery] = Shelf(
            KEEP_DELIVERIES, lambda delivery: delivery.state != WAITING
        )
        self._threads: dict[tuple[str, str], _Thread] = {}  # that of the newest message last

    def next_revision(self) -> int:
        """Count one change and return its number."""
        self.revision += 1
        return self.revision

    def put_message(self, message: SandboxMessage) -> list[SandboxMessage]:
        """Keep a new or a changed message; return those that are forgotten for it."""
        if self.messages.get(message.id) is None:
            key = (message.sender, message.recipient)
            thread = self._threads.pop(key, None) or _Thread(message.id, 0)
            thread.last = message.id
            thread.count += 1
            self._threads[key] = thread
        gone = self.messages.put(message, self.next_revision())
        for old in gone:
            thread = self._threads[(old.sender, old.recipient)]
            thread.count -= 1
            if not thread.count:
                del self._threads[(old.sender, old.recipient)]
        return gone

    def conversations(self) -> Iterator[Conversation]:
        """Yield every conversation, that of the newest message first."""
        for (sender, recipient), thread in reversed(self._threads.items()):
            yield Conversation(sender, recipient, thread.count, self.messages[thread.last])


def matching(messages: Iterable[SandboxMessage], text: str) -> Iterator[SandboxMessage]:
    """Yield the messages whose text, buttons or recipient hold a text, as people search.

    Upper and lower case, accents and the Turkish dots of the i make no difference.
    """
    wanted = fold(text)
    for message in messages:
        if wanted in fold("\n".join((message.recipient, message.text, *message.buttons))):
            yield message


def fold(text: str) -> str:
    """Return a text as it is compared in a search."""
    if text.isascii():
        return text.lower()
    apart = (
        unicodedata.normalize("NFKD", text)
        .casefold()
        .replace("\N{LATIN SMALL LETTER DOTLESS I}", "i")
    )
    return "".join(char for char in apart if not unicodedata.combining(char))
