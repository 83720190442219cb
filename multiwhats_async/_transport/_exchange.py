"""One POST through an ``httpx.AsyncClient``: deadline, shield, cap, and evidence.

The modules of this package are the only ones that know httpx; the client's façade takes a user's
``httpx.AsyncClient`` and hands it on.
"""

import json
import re
import socket
import ssl
from contextlib import suppress
from typing import Any, Final

import anyio
import httpx

from .._evidence import Answer, Evidence, Failure, Silence, weigh
from .._secret import Secret
from .._wire import MAX_BODY, decode_body, load_json, may_belong
from ..options import KeyPlace, Timeouts
from ._pool import KEY_EXTENSION, Content, PooledTransport, with_key

_BEFORE_WRITING: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
)
"""The errors that can only occur before anything is written, on any transport."""

_MAX_TEXT: Final = 200

_TELLING_LENGTH: Final = 8
"""A shorter key is a word: looked for in a record, it would spoil the message's own text."""

_ESCAPED_ASCII: Final = re.compile(rb"\\u00[2-7]")
"""JSON escapes of letters that need none; a key is ASCII."""


def open_http_client(
    base_url: str, *, ssl_context: ssl.SSLContext | None, keepalive: float | None
) -> httpx.AsyncClient:
    """Return the pooled client: our own transport, no redirects, nothing from the environment.

    Args:
        base_url: Its scheme, host and port are the only ones that are ever spoken to.
        ssl_context: Verifies the server; None takes certifi's authorities.
        keepalive: Seconds for which an idle connection is kept; None keeps none.
    """
    url = httpx.URL(base_url)
    if ssl_context is None and url.scheme == "https":
        ssl_context = httpx.create_ssl_context(trust_env=False)
    transport = PooledTransport(url, ssl_context=ssl_context, keepalive=keepalive)
    return httpx.AsyncClient(transport=transport, trust_env=False, follow_redirects=False)


class InFlight:
    """One attempt under way: what it has written, and the way to end it."""

    __slots__ = ("_interrupted", "_scope", "abandoned", "evidence", "result")

    def __init__(self) -> None:
        self.evidence = Evidence(self._look_again)
        self.result: Answer | Silence | None = None
        self._scope: anyio.CancelScope | None = None
        self._interrupted = False
        self.abandoned = False

    def begin(self, scope: anyio.CancelScope) -> None:
        """Note the scope in which the attempt runs."""
        self._scope = scope
        if self.abandoned:
            scope.cancel()

    def interrupt(self) -> None:
        """End the attempt if it provably has not written anything; else let it finish."""
        self._interrupted = True
        if self._scope is None or (self.evidence.traced and not self.evidence.may_have_left):
            self.abandon()

    def _look_again(self) -> None:
        """Heed an interruption that came before anything was known."""
        if self._interrupted and not self.evidence.may_have_left:
            self.abandon()

    def abandon(self) -> None:
        """End the attempt now, whatever was written."""
        self.abandoned = True
        if self._scope is not None:
            self._scope.cancel()


class _KeyedURL(httpx.URL):
    """A URL whose text never shows the key, while transports find it in the path and query.

    Only for clients that a user brings, whose transport (a mock, an ASGI app, a proxy) reads the
    request's URL and nothing else.
    """

    _raw: bytes

    @property
    def raw_path(self) -> bytes:
        return self._raw

    @property
    def query(self) -> bytes:
        return self._raw.partition(b"?")[2]

    def __reduce__(self) -> tuple[Any, ...]:
        return httpx.URL, (str(self),)


class HttpxExchange:
    """Carries requests through an ``httpx.AsyncClient``, ours or one that a user brought.

    Args:
        http_client: The client.
        url: Where to POST, without the key.
        key: The API key.
        place: Where the key goes.
        own: Whether the client is ours, with our transport below.
        user_agent: What to say who we are.
        keep: Whether connections are kept between requests.
    """

    def __init__(
        self,
        http_client: httpx.AsyncClient,
        *,
        url: str,
        key: Secret,
        place: KeyPlace,
        own: bool,
        user_agent: str,
        keep: bool = True,
    ) -> None:
        self._http = http_client
        self._url = httpx.URL(url)
        self._key = key
        self._place: KeyPlace = place
        self._own = own
        self._headers = {
            "Host": self._url.netloc.decode(),
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": user_agent,
        } | ({} if keep else {"Connection": "close"})

    def flight(self) -> InFlight:
        """Return a fresh watch for one attempt."""
        return InFlight()

    async def post(self, body: bytes, *, timeouts: Timeouts, flight: InFlight) -> Answer | Silence:
        """POST a body once; return what is known of it. Lower-layer errors come back as data."""
        flight.result = await self._post(body, timeouts, flight)
        return flight.result

    async def _post(self, body: bytes, timeouts: Timeouts, flight: InFlight) -> Answer | Silence:
        collected = _Collected()
        failure: Failure | None = None
        deadline = anyio.current_time() + timeouts.attempt
        with anyio.CancelScope(shield=True, deadline=deadline) as scope:
            flight.begin(scope)
            try:
                if flight.abandoned:
                    failure = Failure(cause="Cancelled", text="", before_writing=True)
                elif self._http.is_closed:
                    failure = Failure(cause="Closed", text="the client", before_writing=True)
                else:
                    await self._round_trip(body, timeouts, flight.evidence, collected)
            except Exception as error:  # noqa: BLE001  # classified by evidence, not by type
                failure = self._describe(error)
        if scope.cancelled_caught:
            failure = _ended(timeouts, by_deadline=anyio.current_time() >= deadline)
        status = collected.status if collected.status is not None else flight.evidence.status
        if status is None:
            # Without a failure there would be a status; a transport that lies is unknown.
            failure = failure or Failure(cause="NoAnswer", text="")
            return Silence(failure=failure, certainty=weigh(flight.evidence, failure))
        return Answer(
            status=status,
            body=None if failure else collected.body,
            retry_after=collected.retry_after,
            date=collected.date,
            failure=failure,
        )

    async def distrust(self) -> None:
        """Drop every idle connection of our own pool."""
        transport = self._http._transport  # noqa: SLF001  # ours, where the client is
        if isinstance(transport, PooledTransport):
            await transport.close_idle()

    async def _round_trip(
        self, body: bytes, timeouts: Timeouts, evidence: Evidence, collected: "_Collected"
    ) -> None:
        """Send the request and collect the answer as far as it comes."""
        request = self._build(body, timeouts, evidence)
        response = await self._http.send(request, stream=True, follow_redirects=False)
        try:
            collected.note_head(response)
            raw = await _read_capped(response)
            if not may_belong(response.status_code, raw, body):
                _hang_up(response)
        finally:
            await response.aclose()
        plain = decode_body(raw, response.headers.get("content-encoding"))
        collected.body = self._masked(plain, is_record=response.is_success)

    def _masked(self, body: bytes, *, is_record: bool) -> bytes:
        """Return a body without the key: a server that echoes it would put it into receipts."""
        if is_record and len(self._key) < _TELLING_LENGTH:
            return body
        plain = self._key.redact_bytes(body)
        if plain is body and not _ESCAPED_ASCII.search(body):
            return body
        try:  # text by text: a number that looks like the key must stay a number
            return json.dumps(self._key.redact_within(load_json(body))).encode()
        except (ValueError, RecursionError):
            return plain

    def _build(self, body: bytes, timeouts: Timeouts, evidence: Evidence) -> httpx.Request:
        """Return the request; with our own transport it does not hold the key."""
        extensions: dict[str, Any] = {
            "timeout": {
                "connect": timeouts.connect,
                "write": timeouts.write,
                "read": timeouts.read,
                "pool": timeouts.connect,
            },
            "trace": evidence,
        }
        if self._own:
            extensions[KEY_EXTENSION] = (self._key, self._place)
            return httpx.Request(
                "POST", self._url, headers=self._headers, content=body, extensions=extensions
            )
        request = self._http.build_request(
            "POST", self._url, headers=self._headers, extensions=extensions
        )
        target, body = with_key(request.url.raw_path, body, self._key, self._place)
        keyed = httpx.Request(
            "POST", request.url, headers=self._headers, content=body, extensions=extensions
        )
        keyed.stream = Content(body)
        for name, value in request.headers.multi_items():
            keyed.headers.setdefault(name, value)
        keyed.url = _KeyedURL(request.url)
        keyed.url._raw = target  # noqa: SLF001  # our own class
        return keyed

    def _describe(self, error: Exception) -> Failure:
        """Turn an error into plain data, so that no frame or text of it can leak."""
        certificate = _certificate_error(error)
        told = certificate or error
        text = " ".join(self._key.redact(str(told)).split())
        if isinstance(error, _BEFORE_WRITING):
            text = f"{self._url.netloc.decode()}: {text}"
        return Failure(
            cause=type(told).__name__,
            text=text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…",
            before_writing=isinstance(error, _BEFORE_WRITING),
        )


class _Collected:
    """What of an answer has come so far."""

    __slots__ = ("body", "date", "retry_after", "status")

    def __init__(self) -> None:
        self.status: int | None = None
        self.retry_after: str | None = None
        self.date: str | None = None
        self.body = b""

    def note_head(self, response: httpx.Response) -> None:
        """Take what matters of the head."""
        self.status = response.status_code
        self.retry_after = response.headers.get("retry-after")
        self.date = response.headers.get("date")


async def _read_capped(response: httpx.Response) -> bytes:
    """Read a body as it comes on the wire, up to the cap.

    Raises:
        ValueError: It is larger than the cap.
    """
    if response.is_stream_consumed:  # a mock's answer, decoded by httpx already
        response.headers.pop("content-encoding", None)
        chunks = [response.content]
        size = len(response.content)
    else:
        chunks, size = [], 0
        try:
            # Not by aiter_raw(), which gives the connection back before its answer is looked at.
            async for chunk in response.stream:  # type: ignore[union-attr]  # it is async
                size += len(chunk)
                if size <= MAX_BODY:
                    chunks.append(chunk)
                else:
                    # Reading on from a closed connection ends every generator underneath.
                    await response.stream.aclose()  # type: ignore[union-attr]  # it is async
        except Exception:
            if size <= MAX_BODY:
                raise
    if size > MAX_BODY:
        raise ValueError(f"the answer is larger than {MAX_BODY} bytes")
    return b"".join(chunks)


def _hang_up(response: httpx.Response) -> None:
    """End the connection below an answer, before its pool can hand it out again.

    Where the answer is another's, that to our request comes next, and would be taken for the
    answer to whatever follows. The pool finds the end of the connection when it looks at it: one
    that is closed under its hands is handed out on trio. HTTP/2 tells answers apart.
    """
    stream = response.extensions.get("network_stream")
    if stream is not None and response.http_version.startswith("HTTP/1"):
        with suppress(Exception):  # it has ended by itself, or is no socket
            stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


def _ended(timeouts: Timeouts, *, by_deadline: bool) -> Failure:
    """Say why an attempt was ended from our side."""
    if by_deadline:
        text = f"no answer within the {timeouts.attempt:g} s of the attempt"
        return Failure(cause="Deadline", text=text)
    return Failure(cause="Cancelled", text="the attempt was ended before its answer came")


def _certificate_error(error: BaseException) -> ssl.SSLCertVerificationError | None:
    """Return the refusal of a certificate that an error stems from, if it does."""
    cause: BaseException | None = error
    for _ in range(10):
        if cause is None or isinstance(cause, ssl.SSLCertVerificationError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None
