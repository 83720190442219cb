"""Staged menus: a message, a tap, the next message.

:class:`Menu`, :class:`Stage` and :class:`Option` are frozen data, in Python or in TOML, checked
when they are built. :func:`step` is the pure rule: a session and a reply lead to a session and
messages. :class:`MenuEngine` joins it with a client that sends and a store that remembers.
"""

from ._actions import Action, ActionContext, ActionResult
from ._engine import MenuEngine, Messenger, WithoutSession
from ._menu import Menu, Option, Stage
from ._results import MenuEvent, MenuResult
from ._session import OldTaps, Session, step
from ._stores import MemoryMenuStore, MenuStore, SQLiteMenuStore

__all__ = [
    "Action",
    "ActionContext",
    "ActionResult",
    "MemoryMenuStore",
    "Menu",
    "MenuEngine",
    "MenuEvent",
    "MenuResult",
    "MenuStore",
    "Messenger",
    "OldTaps",
    "Option",
    "SQLiteMenuStore",
    "Session",
    "Stage",
    "WithoutSession",
    "step",
]
