"""The pytest plugin: the fixtures ``multiwhats`` and ``multiwhats_server``.

pytest imports this module in every run of everybody who has the package installed, so it imports
nothing of it: each fixture imports what it needs when a test asks for it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .testing import MultiWhatsKit, MultiWhatsServerKit


@pytest.fixture
def multiwhats() -> "MultiWhatsKit":
    """The MultiWhats API in memory: no socket, no account, nothing is sent to anybody."""
    from .testing import MultiWhatsKit  # noqa: PLC0415  # see above

    return MultiWhatsKit()


@pytest.fixture
def multiwhats_server() -> "Iterator[MultiWhatsServerKit]":
    """The MultiWhats API on a real socket of this machine, in a thread."""
    from .testing import MultiWhatsServerKit  # noqa: PLC0415  # see above

    with MultiWhatsServerKit() as server:
        yield server
