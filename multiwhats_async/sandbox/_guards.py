"""What keeps web pages of other sites away from the sandbox, and the headers of every answer."""

from collections.abc import Collection, Mapping
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ._reading import error_response
from .exchange import SandboxResponse
from .pushes import is_loopback

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Nothing from another host, nothing inline, no text that becomes markup, no frame around it."""

HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES: Final = frozenset({"same-origin", "none"})


class Guards:
    """Lets requests through whose Host names this machine, and which no other site makes.

    A page of another site can have its own name resolve to this machine, and can ask and post
    without being able to read the answer. Programs send neither ``Origin`` nor
    ``Sec-Fetch-Site``; a link to a page is followed from anywhere.
    """

    def __init__(self, app: ASGIApp, allowed_hosts: Collection[str] | None) -> None:
        self._app = app
        self._allowed = None if allowed_hosts is None else {name.lower() for name in allowed_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope, headers_of(scope))
        if refusal is None:
            await self._app(scope, receive, _with_headers(send))
        else:
            await send_plain(refusal, _with_headers(send))

    def _refusal(self, scope: Scope, headers: Mapping[str, str]) -> SandboxResponse | None:
        host = headers.get("host", "")
        if not self._allows(host):
            return error_response(
                421,
                "misdirected_request",
                "The sandbox answers to loopback names and allowed hosts.",
            )
        here = f"{scope.get('scheme', 'http')}://{host}".lower()
        if not _from_here(scope["method"], here, headers):
            return error_response(
                403, "cross_site", "The sandbox takes nothing but links from pages of other sites."
            )
        return None

    def _allows(self, host: str) -> bool:
        if "," in host:  # more than one
            return False
        if self._allowed is None:
            return bool(host)
        name = host_name(host)
        return is_loopback(name) or name in self._allowed


def headers_of(scope: Scope) -> dict[str, str]:
    """Return the headers of a request, names in lower case; what comes twice, joined by commas.

    Joined (RFC 9110, 5.2), no second ``Host`` or ``Origin`` can stand in for the first: a list is
    neither a name of this machine nor the page's own address.
    """
    headers: dict[str, str] = {}
    raw: list[tuple[bytes, bytes]] = scope["headers"]
    for name, value in ((name.decode("latin-1"), value.decode("latin-1")) for name, value in raw):
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def host_name(host: str) -> str:
    """Return the name in a Host header, without the port and an IPv6 address's brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def start_of(response: SandboxResponse) -> Message:
    """Return the message that begins an answer."""
    headers = {**response.headers, "content-length": str(len(response.body))}
    return {
        "type": "http.response.start",
        "status": response.status,
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }


async def send_plain(response: SandboxResponse, send: Send) -> None:
    """Send an answer as it is, at once."""
    await send(start_of(response))
    await send({"type": "http.response.body", "body": response.body})


def _from_here(method: str, here: str, headers: Mapping[str, str]) -> bool:
    """Return whether a request comes from a program, from a page of the sandbox, or by a link."""
    own_site = headers.get("sec-fetch-site", "none") in _OWN_SITES
    if method in _SAFE_METHODS:
        return own_site or headers.get("sec-fetch-mode") == "navigate"
    return own_site and headers.get("origin", here).lower() == here


def _with_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return guarded
