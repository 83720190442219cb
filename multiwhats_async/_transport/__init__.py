"""The way to the server: one POST at a time, with evidence of what was written."""

from ._lifetime import Lifetime

__all__ = ["Lifetime"]
