"""Reads answers with h11, which httpcore brings along: where httptools is not installed."""

from typing import Any, Final

import h11
import httpx

from ._answer import MAX_HEAD, IncomingAnswer, check_head, ended_early

_ANY_REQUEST: Final = h11.Request(
    method="POST", target="/", headers=[("Host", "x"), ("Content-Length", "0")]
)
"""h11 reads no answer before it was told of a request."""


class H11Answer(IncomingAnswer):
    """One answer, read by h11."""

    _h11: Any = None  # made where it is needed
    _interim = False

    def _read(self, data: bytes) -> bool:
        if self._h11 is None:
            self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
            self._h11.send(_ANY_REQUEST)
            self._h11.send(h11.EndOfMessage())
        had, self._fed = self._fed, self._fed + len(data)
        try:
            self._h11.receive_data(data)
            while not self.complete:
                event = self._h11.next_event()
                if event is h11.NEED_DATA:
                    break
                self._take(event)
        except h11.ProtocolError as error:
            if not data:
                raise ended_early(self, had) from None
            raise httpx.RemoteProtocolError(str(error)) from None
        self._check_size()
        return self.complete

    def _take(self, event: object) -> None:
        """Note what h11 has read."""
        if isinstance(event, h11.Data):
            self._note_body(bytes(event.data))
        elif isinstance(event, h11.Response):
            self.headers = list(event.headers.raw_items())
            check_head(self.headers)
            if event.http_version not in (b"1.1", b"1.0"):
                raise h11.RemoteProtocolError("the server speaks another protocol")
            # h11 would heed one of the two; what another has heeded may lie behind the answer.
            if self.header(b"transfer-encoding") and self.header(b"content-length") is not None:
                raise h11.RemoteProtocolError("an answer with two lengths")
            self.status = event.status_code
        elif isinstance(event, h11.EndOfMessage):
            self.complete = True
            self.keeps = (
                not self._interim
                and self._h11.their_state is h11.DONE
                and self._h11.trailing_data == (b"", False)
            )
        elif isinstance(event, h11.ConnectionClosed):
            raise h11.RemoteProtocolError("no answer")
        else:
            self._interim = True
