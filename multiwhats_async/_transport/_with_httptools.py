"""Reads answers with llhttp, through httptools: the fast way."""

from typing import Any, Final

import httptools
import httpx

from ._answer import END_OF_HEAD, MAX_HEAD, IncomingAnswer, ended_early

_SWITCHING: Final = 101
_FIRST_FINAL: Final = 200
_BODILESS: Final = (204, 304)
_LAST_CHUNK: Final = b"\r\n0\r\n\r\n"
_CHUNKED: Final = -1
_UNTIL_CLOSE: Final = -2
_TOO_LONG: Final = "the head of the answer is too long"


class HttptoolsAnswer(IncomingAnswer):
    """One answer, read by llhttp. It is called back by its parser."""

    _parser: Any = None  # made where it is needed
    _error: str | None = None
    _head = b""
    _head_size = 0
    _interim = False
    _keep_alive = False
    _length = _UNTIL_CLOSE
    _surplus = False
    _tail = b""

    def _read(self, data: bytes) -> bool:
        if not data:
            return self._end()
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)
        self._fed += len(data)
        if self.status is None:
            self._head += data
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._surplus = True  # behind a complete answer it is the connection that is wrong
            if not self.complete and self._error is None:
                self._error = " ".join(map(str, error.args)) or type(error).__name__
        if self._error is None and self.status is None and len(self._head) > MAX_HEAD:
            self._error = _TOO_LONG
        if self._error is not None:
            raise httpx.RemoteProtocolError(self._error)
        self._check_size()
        if self.complete:
            self.keeps = self._keep_alive and not self._surplus and self._ends_with(data)
            self._parser = None  # it holds this answer, as this holds it
        elif self._length == _CHUNKED:
            self._tail = (self._tail + data)[-len(_LAST_CHUNK) :]
        return self.complete

    def _end(self) -> bool:
        """Take the end of the connection, which ends a body without a length."""
        if self.status is None or self._length != _UNTIL_CLOSE:
            raise ended_early(self, self._fed)
        self.complete = True
        self._parser = None
        return True

    def _ends_with(self, data: bytes) -> bool:
        """Tell whether the last bytes that came are the last of the answer.

        llhttp passes over line breaks behind it; nothing of ours is to have any.
        """
        if self._length == _CHUNKED:
            return (self._tail + data).endswith(_LAST_CHUNK)
        return self._fed == self._head_size + self._length

    # --- what the parser calls ----------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Note that an answer begins: a second one was not asked for."""
        self._surplus = self.complete

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; one behind the body says nothing that is looked at."""
        if self.status is None:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Take the status, and how the end of the body will be found."""
        if self.complete:
            return
        status = self._parser.get_status_code()
        self._head_size = self._head.find(END_OF_HEAD) + len(END_OF_HEAD)
        if self._head_size > MAX_HEAD:
            self._error = _TOO_LONG
        elif status == _SWITCHING or self._parser.get_http_version() not in ("1.1", "1.0"):
            self._error = "the server speaks another protocol"
        elif status < _FIRST_FINAL:
            self._interim = True
        else:
            self._length = self._framing(status)
            self.status = None if self._error is not None else status

    def _framing(self, status: int) -> int:
        """Return where the body ends; RFC 9112, 6.3."""
        length, coding = self.header(b"content-length"), self.header(b"transfer-encoding")
        if coding is not None:
            if length is not None or coding.lower() != "chunked":
                self._error = "a transfer encoding that was not asked for"
            return _CHUNKED
        if status in _BODILESS:
            return 0
        return _UNTIL_CLOSE if length is None else int(length)  # llhttp has seen that it is one

    def on_body(self, piece: bytes) -> None:
        """Keep a piece of the body."""
        if not self.complete:
            self._note_body(piece)

    def on_message_complete(self) -> None:
        """Note the end; that of an interim answer is not the end of the answer."""
        if self.status is None:
            self.headers = []
            self._head = b""
        elif not self.complete:
            self.complete = True
            self._keep_alive = not self._interim and self._parser.should_keep_alive()
