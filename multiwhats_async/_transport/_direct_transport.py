"""The direct way as an ``httpx`` transport: for whoever reaches for the pooled client itself."""

import attrs
import httpx

from .._secret import Secret
from ..options import KeyPlace, Timeouts
from ._answer import IncomingAnswer
from ._direct import Origin
from ._flight import InFlight
from ._pool import DEFAULT_PORTS, DROPPED_HEADERS, KEY_EXTENSION, with_key
from ._port import OutOfTimeError

_LONG = 365 * 86400.0
"""Seconds, where httpx has no deadline."""


class DirectTransport(httpx.AsyncBaseTransport):
    """Sends requests of an ``httpx.AsyncClient`` over the connections of an :class:`Origin`.

    Args:
        origin: The connections, and the only server that requests may go to.
    """

    def __init__(self, origin: Origin) -> None:
        self.origin = origin

    @property
    def idle(self) -> int:
        """How many connections are kept, and carry nothing."""
        return self.origin.idle

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request, with the key added below everything that logs."""
        origin, url = self.origin, request.url
        asked = (url.scheme, url.raw_host.decode(), url.port or DEFAULT_PORTS.get(url.scheme))
        if asked != (origin.scheme, origin.host, origin.port):
            raise httpx.UnsupportedProtocol("this transport speaks to its own origin only")
        answer = origin.new_answer()
        try:
            await origin.carry(
                _WholeRequest(request, await request.aread()),
                answer,
                flight=InFlight(),
                timeouts=_timeouts(request.extensions.get("timeout", {})),
            )
        except (OutOfTimeError, ValueError) as error:
            raise httpx.RemoteProtocolError(str(error)) from None
        assert answer.status is not None  # noqa: S101  # it is complete
        return httpx.Response(
            answer.status,
            headers=[item for item in answer.headers if item[0].lower() not in DROPPED_HEADERS],
            content=answer.body,
            extensions={"http_version": b"HTTP/1.1"},
        )

    async def aclose(self) -> None:
        """Close every idle connection, and from now on each that comes back."""
        await self.origin.aclose()

    def forget(self) -> None:
        """Let go of the connections without touching them: after a fork they are the parent's."""
        self.origin.forget()


def _timeouts(given: dict[str, float | None]) -> Timeouts:
    """Return httpx's timeouts as ours; it has none for the whole."""
    parts = {name: given.get(name) or _LONG for name in ("connect", "write", "read")}
    return Timeouts(attempt=_LONG, **parts)


@attrs.frozen(repr=False)
class _WholeRequest:
    """A request of httpx's, with the key where it asks for one."""

    request: httpx.Request
    content: bytes

    def may_be_answered_by(self, answer: IncomingAnswer) -> bool:  # noqa: ARG002  # as the port has it
        return True  # of what others ask we know nothing

    def reveal(self) -> bytes:
        target, content = self.request.url.raw_path, self.content
        key: tuple[Secret, KeyPlace] | None = self.request.extensions.get(KEY_EXTENSION)
        if key is not None:
            target, content = with_key(target, content, *key)
        lines = [
            b"%b: %b\r\n" % (name, value)
            for name, value in self.request.headers.raw
            if name.lower() not in (b"content-length", b"transfer-encoding")
        ]
        return b"%b %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b" % (
            self.request.method.encode(),
            target,
            b"".join(lines),
            len(content),
            content,
        )
