"""WhatsApp button messages through MultiWhats, for asyncio and trio.

Never sent twice by itself, never lost, never guessed.
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Final

from ._version import __version__

if TYPE_CHECKING:
    from ._bulk import BulkRun
    from ._certainty import Certainty
    from ._converter import configure_converter, make_converter
    from .campaigns import CampaignState, CampaignStatus, Chunk, Enqueued, RunStatus
    from .client import AsyncMultiWhats
    from .errors import (
        AuthenticationError,
        CampaignHeldError,
        ClaimLostError,
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
        RateError,
        RateLimitedError,
        RejectedError,
        SendError,
        TemplateError,
    )
    from .fleet import enqueue_campaign, keep_reconciling, reconcile, send_chunk
    from .ledger import MemoryLedger, PostgresLedger, SQLiteLedger
    from .models import ButtonMessage, ExtraData, MessageReceipt, MessageTarget
    from .options import WHATSAPP_LIMITS, Breaker, MessageLimits, Rate, Timeouts
    from .outcomes import Attempt, Outcome, Progress, Report, StopReason, Summary
    from .rate import PostgresRate, RedisRate
    from .retry import RetryDetails, RetryPolicy

__all__ = [
    "WHATSAPP_LIMITS",
    "AsyncMultiWhats",
    "Attempt",
    "AuthenticationError",
    "Breaker",
    "BulkRun",
    "ButtonMessage",
    "CampaignHeldError",
    "CampaignState",
    "CampaignStatus",
    "Certainty",
    "Chunk",
    "ClaimLostError",
    "ConfigurationError",
    "Enqueued",
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
    "PostgresLedger",
    "PostgresRate",
    "Problem",
    "Progress",
    "Rate",
    "RateError",
    "RateLimitedError",
    "RedisRate",
    "RejectedError",
    "Report",
    "RetryDetails",
    "RetryPolicy",
    "RunStatus",
    "SQLiteLedger",
    "SendError",
    "StopReason",
    "Summary",
    "TemplateError",
    "Timeouts",
    "__version__",
    "configure_converter",
    "enqueue_campaign",
    "keep_reconciling",
    "make_converter",
    "reconcile",
    "send_chunk",
]

_HOME: Final = {
    name: module
    for module, names in {
        "._bulk": ("BulkRun",),
        "._certainty": ("Certainty",),
        "._converter": ("configure_converter", "make_converter"),
        ".campaigns": ("CampaignState", "CampaignStatus", "Chunk", "Enqueued", "RunStatus"),
        ".client": ("AsyncMultiWhats",),
        ".errors": (
            "AuthenticationError",
            "CampaignHeldError",
            "ClaimLostError",
            "ConfigurationError",
            "InsufficientCreditError",
            "InvalidMenuError",
            "InvalidMessageError",
            "InvalidReplyError",
            "InvalidRequestError",
            "LedgerError",
            "MultiWhatsError",
            "NotSentError",
            "OutcomeUnknownError",
            "Problem",
            "RateError",
            "RateLimitedError",
            "RejectedError",
            "SendError",
            "TemplateError",
        ),
        ".fleet": ("enqueue_campaign", "keep_reconciling", "reconcile", "send_chunk"),
        ".ledger": ("MemoryLedger", "PostgresLedger", "SQLiteLedger"),
        ".models": ("ButtonMessage", "ExtraData", "MessageReceipt", "MessageTarget"),
        ".options": ("Breaker", "MessageLimits", "Rate", "Timeouts", "WHATSAPP_LIMITS"),
        ".outcomes": ("Attempt", "Outcome", "Progress", "Report", "StopReason", "Summary"),
        ".rate": ("PostgresRate", "RedisRate"),
        ".retry": ("RetryDetails", "RetryPolicy"),
    }.items()
    for name in names
}
"""The module of each public name. It is imported when the name is first asked for, so that a
program which asks for no client, such as ``multiwhats --help``, waits for none."""


def __getattr__(name: str) -> object:
    """Import a public name from its module, once."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOME[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


# A library says nothing by itself; whoever wants its log gives this logger a handler.
logging.getLogger("multiwhats_async").addHandler(logging.NullHandler())
