"""The MultiWhats API on your own machine: no account, no network, no credits.

One :class:`Emulator` stands behind three doors: :func:`mock_transport` (in memory),
:func:`create_app` (ASGI) and :class:`SandboxServer` (a real socket). The last two need the extra:
``pip install 'multiwhats-async[sandbox]'``.

Documented by the vendor, and spoken byte for byte: the endpoint, the key in the query string or in
the JSON data, the five fields of the request, and the fields, order and types of the record that
answers it. Its own example request is answered with its own example answer.

Assumed, because the vendor documents none of it: every error status and body (each body says so),
the checks behind them, what the ids look like, that each message costs one credit, that times are
UTC, and everything that a :class:`Fault` does.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from ._journal import SandboxJournal
from ._tally import SandboxStats
from .emulator import Emulator
from .exchange import Action, SandboxRequest, SandboxResponse
from .faults import MAGIC_NUMBERS, Fault, FaultPlan
from .messages import Delivery, DeliveryAttempt, SandboxError, SandboxMessage, Tap
from .pushes import Webhook, read_template
from .transport import mock_transport

if TYPE_CHECKING:
    from .app import ConnectionDroppedError, create_app
    from .server import SandboxServer

__all__ = [
    "MAGIC_NUMBERS",
    "Action",
    "ConnectionDroppedError",
    "Delivery",
    "DeliveryAttempt",
    "Emulator",
    "Fault",
    "FaultPlan",
    "SandboxError",
    "SandboxJournal",
    "SandboxMessage",
    "SandboxRequest",
    "SandboxResponse",
    "SandboxServer",
    "SandboxStats",
    "Tap",
    "Webhook",
    "create_app",
    "mock_transport",
    "read_template",
]

_NEEDS_EXTRA = {
    "ConnectionDroppedError": ".app",
    "SandboxServer": ".server",
    "create_app": ".app",
}
_EXTRA_PACKAGES = frozenset({"starlette", "uvicorn"})


def __getattr__(name: str) -> object:
    """Import what needs the extra when it is first asked for."""
    if name not in _NEEDS_EXTRA:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(_NEEDS_EXTRA[name], __name__)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRA_PACKAGES:
            raise
        raise ImportError(
            f"{name} needs {package}: pip install 'multiwhats-async[sandbox]'"
        ) from error
    value: object = getattr(module, name)
    return value
