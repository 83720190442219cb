"""Slots in time: how fast a sender may send."""

from .local import LocalRate

__all__ = ["LocalRate"]
