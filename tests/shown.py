"""All that can be shown of an error, and a program that shows all there is of a client.

    python -O tests/shown.py BASE_URL BACKEND TRANSPORT

The key is in ``MULTIWHATS_API_KEY``. ``tests/test_secrets.py`` reads what it prints.
"""

import copy
import json
import logging
import os
import pickle
import sys
import traceback
from contextlib import suppress

import anyio
import attrs
import httpx
from faults.cases import MESSAGE, ONCE, RECIPIENT, SHORT
from faults.transports import TRANSPORTS

from multiwhats_async import MultiWhatsError
from multiwhats_async._secret import Secret

SENDER = "908503080335"


def everything_about(error: BaseException, *, but: str) -> str:
    """Return all that can be shown of an error: texts, fields, notes, chain, frames with locals.

    Args:
        error: The error.
        but: The file whose own frames hold what is secret.
    """
    seen: list[str] = []
    chain: list[BaseException] = [error]
    for each in chain:
        seen += [str(each), repr(each), repr(each.args), repr(vars(each))]
        told = traceback.TracebackException.from_exception(each, capture_locals=True)
        frames = [frame for frame in told.stack if frame.filename != but]
        seen += traceback.StackSummary.from_list(frames).format()
        chain += [more for more in (each.__cause__, each.__context__) if more is not None]
        chain += getattr(each, "exceptions", ())
    return "\n".join(seen)


def show(*what: object) -> None:
    """Print something."""
    print(*what, flush=True)  # noqa: T201  # read by the test


async def on_request(request: httpx.Request) -> None:
    """Show a request, as a hook of httpx sees it."""
    show(request.url, repr(request), request.headers, request.extensions, pickle.dumps(request.url))


async def main(url: str, transport: str) -> None:
    """Send well and badly, and show everything."""
    key = os.environ["MULTIWHATS_API_KEY"]
    hooks = {"event_hooks": {"request": [on_request]}} if TRANSPORTS[transport].injected else {}
    async with TRANSPORTS[transport].opened(
        key, http=hooks, base_url=url, sender=SENDER, retry=ONCE, timeout=SHORT
    ) as client:
        show("debug", __debug__)
        show(repr(client), repr(vars(client)), repr(client._settings))
        for text in ("record", "refusal", "reset", "hang"):
            outcome = await client.deliver(attrs.evolve(MESSAGE, message=text))
            show(text, outcome.certainty, repr(outcome), json.dumps(outcome.to_dict()["error"]))
            try:
                await client.send_button_message(RECIPIENT, text, ["Yes"])
            except MultiWhatsError as error:
                show(everything_about(error, but=__file__), pickle.dumps(error))
                show(repr(copy.deepcopy(error)), repr(pickle.loads(pickle.dumps(error))))  # noqa: S301  # our own
        for one in (client, client._settings, Secret(key)):
            with suppress(TypeError):
                show("pickled", pickle.dumps(one))
        with suppress(TypeError):
            show("written", json.dumps({"key": Secret(key)}))
        show(Secret(key), repr(Secret(key)), f"{Secret(key):>20}", copy.deepcopy(Secret(key)))


if __name__ == "__main__":
    logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
    anyio.run(main, sys.argv[1], sys.argv[3], backend=sys.argv[2])
