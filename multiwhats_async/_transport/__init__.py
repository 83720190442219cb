"""The way to the server: one POST at a time, with evidence of what was written."""

from ._exchange import HttpxExchange
from ._lifetime import Lifetime

__all__ = ["HttpxExchange", "Lifetime"]
