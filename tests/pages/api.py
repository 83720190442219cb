"""The reference of the API, from the docstrings.

PYTHONPATH=tests python -m pages.api docs/reference/api
"""

import enum
import inspect
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple

from . import faces
from .docstrings import markdown_of

COMMAND: Final = "PYTHONPATH=tests python -m pages.api docs/reference/api"


class Page(NamedTuple):
    """A page: its title, what stands on it, and from which module it is imported."""

    title: str
    module: str
    names: tuple[str, ...] = ()
    """In their order; empty: all that the module names."""


MADE: Final = "This page is made from the docstrings; to make it anew:"

CORE: Final = "multiwhats_async"
PAGES: Final = {
    "client": Page("The client and its runs", CORE, ("AsyncMultiWhats", "BulkRun")),
    "messages": Page(
        "Messages and receipts",
        CORE,
        (
            "ButtonMessage",
            "MessageReceipt",
            "MessageTarget",
            "ExtraData",
            "make_converter",
            "configure_converter",
        ),
    ),
    "outcomes": Page(
        "What became of messages",
        CORE,
        ("Certainty", "Outcome", "Report", "StopReason", "Progress", "Summary", "Attempt"),
    ),
    "options": Page(
        "Options",
        CORE,
        (
            "Timeouts",
            "Rate",
            "RetryPolicy",
            "RetryDetails",
            "Breaker",
            "MessageLimits",
            "WHATSAPP_LIMITS",
        ),
    ),
    "errors": Page(
        "Errors, as classes",
        CORE,
        (
            "MultiWhatsError",
            "ConfigurationError",
            "InvalidMessageError",
            "Problem",
            "InvalidReplyError",
            "InvalidMenuError",
            "TemplateError",
            "LedgerError",
            "CampaignHeldError",
            "ClaimLostError",
            "RateError",
            "SendError",
            "NotSentError",
            "RejectedError",
            "AuthenticationError",
            "InsufficientCreditError",
            "InvalidRequestError",
            "RateLimitedError",
            "OutcomeUnknownError",
        ),
    ),
    "ledgers": Page(
        "Ledgers and shared rates",
        CORE,
        ("SQLiteLedger", "PostgresLedger", "MemoryLedger", "PostgresRate", "RedisRate"),
    ),
    "fleet": Page(
        "Campaigns of many machines",
        CORE,
        (
            "enqueue_campaign",
            "send_chunk",
            "reconcile",
            "keep_reconciling",
            "CampaignStatus",
            "CampaignState",
            "RunStatus",
            "Chunk",
            "Enqueued",
        ),
    ),
    "replies": Page("Replies", "multiwhats_async.replies"),
    "menus": Page("Menus", "multiwhats_async.menus"),
    "templates": Page("Templates", "multiwhats_async.templates", ("Template",)),
    "sandbox": Page("The sandbox", "multiwhats_async.sandbox"),
    "testing": Page("The test kit", "multiwhats_async.testing"),
    "fastapi": Page("FastAPI", "multiwhats_async.integrations.fastapi"),
    "starlette": Page("Starlette", "multiwhats_async.integrations.starlette"),
    "litestar": Page("Litestar", "multiwhats_async.integrations.litestar"),
    "aiohttp": Page("aiohttp", "multiwhats_async.integrations.aiohttp"),
    "pgqueuer": Page(
        "PgQueuer", "multiwhats_async.integrations.pgqueuer", ("PgQueuerQueue", "run_worker")
    ),
    "streaq": Page("streaQ", "multiwhats_async.integrations.streaq", ("StreaqQueue", "run_worker")),
    "opentelemetry": Page("OpenTelemetry", "multiwhats_async.integrations.opentelemetry"),
    "prometheus": Page("Prometheus", "multiwhats_async.integrations.prometheus"),
    "ports": Page("Ports: what can be replaced", "multiwhats_async.abc"),
}


def names_of(page: Page) -> tuple[str, ...]:
    """Return what stands on a page."""
    return page.names or tuple(import_module(page.module).__all__)


def page_of(page: Page) -> str:
    """Return a page as Markdown."""
    module = import_module(page.module)
    parts = [
        f"# {page.title}",
        f"{_named(names_of(page))}, from `{page.module}`. {MADE}",
        f"```sh\n{COMMAND}\n```",
    ]
    if page.module != CORE and module.__doc__:
        parts.append(markdown_of(inspect.cleandoc(module.__doc__)).strip())
    for name in names_of(page):
        parts += _entry(module, name)
    return "\n\n".join(parts) + "\n"


def _named(names: tuple[str, ...]) -> str:
    """Return the first few names, for a reader who looks for one."""
    shown = ", ".join(f"`{name}`" for name in names[:4])
    return f"{shown} and {len(names) - 4} more" if len(names) > 4 else shown


def _entry(module: Any, name: str) -> Iterator[str]:
    value = getattr(module, name)
    yield f"## {name}"
    if isinstance(value, type) and value.__name__ == name:
        yield from _class(value, name)
    elif inspect.isfunction(value):
        yield _code(faces.signature(value, name, bound=False))
        yield _text(value)
    else:
        yield from _constant(module, name)


def _class(kind: type, name: str) -> Iterator[str]:
    bases = ", ".join(
        base.__name__
        for base in kind.__bases__
        if base is not object and not base.__name__.startswith("_")
    )
    head = f"class {name}({bases})" if bases else f"class {name}"
    if issubclass(kind, enum.Enum):
        yield _code(head)
        yield _text(kind)
        yield "\n".join(
            f"- `{member}` = `{value!r}`: {markdown_of(text).strip()}".removesuffix(": ")
            for member, value, text in faces.values(kind)
        )
        return
    if "__init__" in vars(kind) and _written(kind.__init__):
        yield _code("class " + faces.signature(kind.__init__, name, bound=True, word=""))
    else:
        yield _code("\n".join([head, *(f"    {field}" for field in faces.fields(kind))]))
    yield _text(kind)
    for member, value in faces.members(kind):
        yield from _member(name, member, value)


def _written(function: Any) -> bool:
    """Tell whether a function stands in a file: attrs makes some that do not."""
    return not function.__code__.co_filename.startswith("<")


def _member(owner: str, name: str, value: Any) -> Iterator[str]:
    yield f"### {owner}.{name}"
    if isinstance(value, property):
        yield _code(f"{name}: {faces.returned(value.fget)}")
        yield _text(value.fget)
        return
    function = getattr(value, "__func__", value)
    mark = {classmethod: "@classmethod\n", staticmethod: "@staticmethod\n"}.get(type(value), "")
    is_bound = not isinstance(value, staticmethod)
    yield _code(mark + faces.signature(function, name, bound=is_bound))
    yield _text(function)


def _constant(module: Any, name: str) -> Iterator[str]:
    """Yield what is no class and no function, from the module where it is assigned."""
    for home in (module, *_parts_of(module)):
        try:
            code, text = faces.assigned(home, name)
        except LookupError:
            continue
        yield _code(code)
        if text:
            yield markdown_of(text).strip()
        return
    raise LookupError(f"no part of {module.__name__} assigns {name}")


def _parts_of(module: Any) -> Iterator[Any]:
    """Yield the modules of this package, those beside the one that is asked first."""
    known = [one for name, one in sorted(sys.modules.items()) if name.startswith(CORE)]
    yield from sorted(known, key=lambda one: not one.__name__.startswith(module.__name__))


def _code(text: str) -> str:
    return f"```pyi\n{text}\n```"


def _text(value: Any) -> str:
    return markdown_of(inspect.getdoc(value) or "").strip()


def main() -> None:
    """Write the pages into the folder that is named."""
    folder = Path(sys.argv[1])
    for name, page in PAGES.items():
        (folder / f"{name}.md").write_text(page_of(page), "utf-8")


if __name__ == "__main__":
    main()
