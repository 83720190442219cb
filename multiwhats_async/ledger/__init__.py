"""The durable record of campaigns: what was to be sent, and what became of it."""

from .memory import MemoryLedger
from .postgres import PostgresLedger
from .sqlite import SQLiteLedger

__all__ = ["MemoryLedger", "PostgresLedger", "SQLiteLedger"]
