"""WhatsApp button messages through MultiWhats, for asyncio and trio.

Never sent twice by itself, never lost, never guessed.
"""

import logging

from ._bulk import BulkRun
from ._certainty import Certainty
from ._converter import configure_converter, make_converter
from ._version import __version__
from .client import AsyncMultiWhats
from .errors import (
    AuthenticationError,
    ConfigurationError,
    InsufficientCreditError,
    InvalidMenuError,
    InvalidMessageError,
    InvalidReplyError,
    InvalidRequestError,
    LedgerError,
    MultiWhatsError,
    NotSentError,
    OutcomeUnknownError,
    Problem,
    RateLimitedError,
    RejectedError,
    SendError,
    TemplateError,
)
from .ledger import MemoryLedger, SQLiteLedger
from .models import ButtonMessage, ExtraData, MessageReceipt, MessageTarget
from .options import WHATSAPP_LIMITS, Breaker, MessageLimits, Rate, Timeouts
from .outcomes import Attempt, Outcome, Progress, Report, StopReason, Summary
from .retry import RetryDetails, RetryPolicy

__all__ = [
    "WHATSAPP_LIMITS",
    "AsyncMultiWhats",
    "Attempt",
    "AuthenticationError",
    "Breaker",
    "BulkRun",
    "ButtonMessage",
    "Certainty",
    "ConfigurationError",
    "ExtraData",
    "InsufficientCreditError",
    "InvalidMenuError",
    "InvalidMessageError",
    "InvalidReplyError",
    "InvalidRequestError",
    "LedgerError",
    "MemoryLedger",
    "MessageLimits",
    "MessageReceipt",
    "MessageTarget",
    "MultiWhatsError",
    "NotSentError",
    "Outcome",
    "OutcomeUnknownError",
    "Problem",
    "Progress",
    "Rate",
    "RateLimitedError",
    "RejectedError",
    "Report",
    "RetryDetails",
    "RetryPolicy",
    "SQLiteLedger",
    "SendError",
    "StopReason",
    "Summary",
    "TemplateError",
    "Timeouts",
    "__version__",
    "configure_converter",
    "make_converter",
]

# A library says nothing by itself; whoever wants its log gives this logger a handler.
logging.getLogger("multiwhats_async").addHandler(logging.NullHandler())
