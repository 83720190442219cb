"""What is opened and closed, as an async context manager."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Entered(ABC):
    """Opened where its block is entered, closed where it is left."""

    @abstractmethod
    async def open(self) -> None:
        """Open it, or count one more user."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close it once nobody uses it any more."""

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
