"""The durable record of campaigns: what was to be sent, and what became of it."""

from .memory import MemoryLedger
from .sqlite import SQLiteLedger

__all__ = ["MemoryLedger", "SQLiteLedger"]
