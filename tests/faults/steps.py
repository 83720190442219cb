"""The steps of an attempt, as httpcore tells of them in whichever client stands on it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import httpcore

Tell = Callable[[str], None]


@contextmanager
def told_of_steps(after: Tell, before: Tell = lambda _: None) -> Iterator[None]:
    """Tell of each step, such as ``send_request_headers.started``.

    Args:
        after: Told once the client knows.
        before: Told before it does.
    """
    handle = httpcore.AsyncHTTPConnection.handle_async_request

    async def handled(connection: Any, request: httpcore.Request) -> httpcore.Response:
        theirs = request.extensions.get("trace")

        async def trace(name: str, info: Any) -> None:
            before(name.partition(".")[2])
            if theirs is not None:
                await theirs(name, info)
            after(name.partition(".")[2])

        request.extensions = {**request.extensions, "trace": trace}
        return await handle(connection, request)

    with mock.patch.object(httpcore.AsyncHTTPConnection, "handle_async_request", handled):
        yield
