"""Slots in time: how fast a sender may send, within a process or over many that share them."""

from .local import LocalRate
from .postgres import PostgresRate
from .redis import RedisRate

__all__ = ["LocalRate", "PostgresRate", "RedisRate"]
