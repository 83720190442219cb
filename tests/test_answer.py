"""What either parser of the direct transport makes of the bytes of an answer."""

import gc
import sys
from collections.abc import Callable, Iterable

import attrs
import httpx
import pytest
from faults.answers import Header, answer, head
from httpcore._async.http11 import AsyncHTTP11Connection

from multiwhats_async._transport import _answer, _direct
from multiwhats_async._transport._answer import (
    LONGEST_KNOWN,
    MAX_ANSWER,
    MAX_HEAD,
    MOST_KNOWN,
    IncomingAnswer,
    KnownHeads,
)
from multiwhats_async._transport._with_h11 import H11Answer
from multiwhats_async._transport._with_httptools import HttptoolsAnswer
from multiwhats_async._wire import MAX_BODY

BODY = b'{"id": 1}'
CHUNKED: tuple[Header, ...] = (("Transfer-Encoding", "chunked"),)
CHUNKS = b"4\r\n" + BODY[:4] + b"\r\n5;x=y\r\n" + BODY[4:] + b"\r\n0\r\n"

Read = tuple[int | None, bytes, bool, bool]


@attrs.frozen
class Case:
    """Bytes, and what is read of them: status, body, whether complete, whether it keeps."""

    raw: bytes
    read: Read
    at_the_end: bool = False


COMPLETE = {
    "a plain answer": Case(answer(200, BODY), (200, BODY, True, True)),
    "nginx": Case(answer(200, BODY, [("Connection", "keep-alive")]), (200, BODY, True, True)),
    "an empty body": Case(answer(422), (422, b"", True, True)),
    "204": Case(head(204), (204, b"", True, True)),
    "304": Case(head(304, [("Content-Length", "9")]), (304, b"", True, True)),
    "a body of one byte": Case(answer(200, b"1"), (200, b"1", True, True)),
    "chunks": Case(head(200, CHUNKED) + CHUNKS + b"\r\n", (200, BODY, True, True)),
    "a close that is said": Case(
        answer(200, BODY, [("Connection", "close")]), (200, BODY, True, False)
    ),
    "an interim answer": Case(head(103) + answer(200, BODY), (200, BODY, True, False)),
    "an interim answer before chunks": Case(
        head(103) + head(200, CHUNKED) + CHUNKS + b"\r\n", (200, BODY, True, False)
    ),
    "a body longer than a head may be": Case(
        answer(200, b"x" * 2 * MAX_HEAD), (200, b"x" * 2 * MAX_HEAD, True, True)
    ),
    "HTTP/1.0": Case(b"HTTP/1.0 200 OK\r\n\r\n" + BODY, (200, BODY, True, False), at_the_end=True),
    "until the end": Case(head() + BODY, (200, BODY, True, False), at_the_end=True),
}

BROKEN = {
    "another version": b"HTTP/2.0 200 OK\r\nContent-Length: 9\r\n\r\n" + BODY,
    "another protocol": b"220 mail.example ESMTP\r\n\r\n",
    "a switch of protocols": head(101, [("Upgrade", "x"), ("Connection", "Upgrade")]),
    "two lengths": head(200, [("Content-Length", "9"), ("Content-Length", "3")]) + BODY,
    "a length and chunks": head(200, [("Content-Length", "9"), *CHUNKED]) + CHUNKS,
    "an unknown coding": head(200, [("Transfer-Encoding", "gzip")]) + BODY,
    "a NUL": head(200, [("X", "a\0b")]),
    "a broken chunk": head(200, CHUNKED) + b"zz\r\n",
    "a head without an end": head(200, [("X", "x" * MAX_HEAD)])[:-2],
    "a long head": head(200, [("X", "x" * MAX_HEAD)]),
}

EARLY = {
    "without an answer": b"",
    "within the head": b"HTTP/1.1 200 OK\r\nContent",
    "within the body of its answer": answer(200, BODY)[:-1],
    "within the body": answer(200, b"{}")[:-1],
}
EARLY_CHUNK = head(200, CHUNKED) + CHUNKS[:8]


NewAnswer = Callable[..., IncomingAnswer]


@pytest.fixture(params=[HttptoolsAnswer, H11Answer])
def new_answer(request: pytest.FixtureRequest) -> NewAnswer:
    """Run a test with either parser."""
    kind: NewAnswer = request.param
    return kind


def read(incoming: IncomingAnswer, pieces: Iterable[bytes]) -> Read:
    """Feed pieces until the answer is complete; return what was read."""
    for piece in pieces:
        is_complete = incoming.feed(piece)
        assert is_complete is incoming.complete
        if is_complete:
            break
    return incoming.status, incoming.body, incoming.complete, incoming.keeps


@pytest.mark.parametrize("case", COMPLETE.values(), ids=COMPLETE)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_complete(case: Case, size: int, new_answer: NewAnswer) -> None:
    """However it is cut, an answer is read to its end, and says whether its connection is kept."""
    size = max(size, len(case.raw) // 1_000)
    pieces = [case.raw[start : start + size] for start in range(0, len(case.raw), size)]
    incoming = new_answer()
    early = read(incoming, pieces)
    if case.at_the_end:
        assert not early[2]
        assert read(incoming, [b""]) == case.read
    else:
        assert early == case.read


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("size", [1, 300_000])
def test_broken(raw: bytes, size: int, new_answer: NewAnswer) -> None:
    """What is no HTTP/1 answer, or ambiguous, is an error, however it is cut."""
    if size == 1 and len(raw) > MAX_HEAD:
        size = 4096
    pieces = [raw[start : start + size] for start in range(0, len(raw), size)]
    incoming = new_answer()
    with pytest.raises(httpx.RemoteProtocolError):  # at once, and not only at the end
        read(incoming, pieces)
    assert not incoming.complete


def test_the_parsers_words_are_told() -> None:
    """What llhttp says of a broken answer helps whoever looks for the reason."""
    with pytest.raises(httpx.RemoteProtocolError, match=r"(?i)invalid character in chunk size"):
        HttptoolsAnswer().feed(BROKEN["a broken chunk"])


def long_head(size: int) -> bytes:
    """Return a head of so many bytes."""
    filled = head(204, [("X", "")])
    return head(204, [("X", "x" * (size - len(filled)))])


@pytest.mark.parametrize("more", [0, 1])
def test_the_longest_head(more: int) -> None:
    """Up to the cap it is read, whole or in two pieces; with one byte more it is not."""
    raw = long_head(MAX_HEAD + more)
    for pieces in ([raw], [raw[:-1], raw[-1:]]):
        if more:
            with pytest.raises(httpx.RemoteProtocolError, match="too long"):
                read(HttptoolsAnswer(), pieces)
        else:
            assert read(HttptoolsAnswer(), pieces) == (204, b"", True, True)
    endless = HttptoolsAnswer()
    assert not endless.feed(raw[:200] + b"x" * (MAX_HEAD - 200))
    with pytest.raises(httpx.RemoteProtocolError, match="too long"):
        endless.feed(b"x")


@pytest.mark.parametrize("more", [0, 1])
def test_the_longest_head_that_h11_reads(more: int) -> None:
    """It counts names and values."""
    raw = head(204, [("X", "x" * (MAX_HEAD - 1 + more))])
    if more:
        with pytest.raises(httpx.RemoteProtocolError, match="too long"):
            read(H11Answer(), [raw])
    else:
        assert read(H11Answer(), [raw]) == (204, b"", True, True)


@pytest.mark.parametrize("name", ["a plain answer", "until the end"])
def test_what_was_read_leaves_no_cycle(name: str) -> None:
    """Its parser is let go of with it: a run of a million makes no work for the collector."""
    gc.collect()
    gc.disable()
    try:
        read(HttptoolsAnswer(), [COMPLETE[name].raw, b""])
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.parametrize("told", EARLY)
def test_ended_early(told: str, new_answer: NewAnswer) -> None:
    """An end that comes too early is an error that says how far the answer was."""
    raw = EARLY[told]
    with pytest.raises(httpx.RemoteProtocolError, match=told):
        read(new_answer(), [raw, b""] if raw else [b""])


def test_ended_within_a_chunk(new_answer: NewAnswer) -> None:
    """An end within a chunk is none of the body."""
    with pytest.raises(httpx.RemoteProtocolError, match="within the body"):
        read(new_answer(), [EARLY_CHUNK, b""])


SURPLUS = {
    "a line break": b"\r\n",
    "an answer": answer(400, b"{}"),
    "a long answer": answer(200, b"x" * 1000, [("Retry-After", "1")]),
    "an answer in chunks": head(429, CHUNKED) + b"3\r\nabc\r\n0\r\n\r\n",
    "garbage": b"garbage",
    "garbage that ends as chunks do": b"garbage\r\n0\r\n\r\n",
    "one byte": b"H",
}


@pytest.mark.parametrize("surplus", SURPLUS.values(), ids=SURPLUS)
@pytest.mark.parametrize("name", ["a plain answer", "an empty body", "chunks"])
def test_surplus(surplus: bytes, name: str, new_answer: NewAnswer) -> None:
    """Bytes behind an answer change nothing of it, and end its connection."""
    case = COMPLETE[name]
    status, body, complete, _ = case.read
    incoming = new_answer()
    assert read(incoming, [case.raw + surplus]) == (status, body, complete, False)
    assert incoming.header(b"retry-after") is None


def test_a_trailer(new_answer: NewAnswer) -> None:
    """A header behind the body is none of the answer's."""
    incoming = new_answer()
    raw = head(429, CHUNKED) + CHUNKS + b"Retry-After: 9\r\n\r\n"
    assert read(incoming, [raw])[:3] == (429, BODY, True)
    assert incoming.header(b"retry-after") is None


def test_an_interim_answers_headers(new_answer: NewAnswer) -> None:
    """A header of an interim answer is none of the answer's."""
    incoming = new_answer()
    read(incoming, [head(103, [("Retry-After", "9")]), answer(503, BODY, [("Date", "D")])])
    assert incoming.header(b"retry-after") is None
    assert incoming.header(b"date") == "D"


def test_headers_of_one_name(new_answer: NewAnswer) -> None:
    """They are one, as RFC 9110 has it; a name is written in any case."""
    incoming = new_answer()
    read(incoming, [answer(429, b"", [("retry-AFTER", "1"), ("Retry-After", "\u00e4")])])
    assert incoming.header(b"retry-after") == "1, \u00e4"


@pytest.mark.parametrize("framing", ["length", "chunks", "end"])
def test_too_large(framing: str, new_answer: NewAnswer) -> None:
    """A body beyond the cap ends the reading, and little more than the cap is held."""
    piece = bytes(MAX_BODY // 4)
    chunk = b"%x\r\n%b\r\n" % (len(piece), piece)
    pieces = {
        "length": [head(200, [("Content-Length", str(MAX_BODY * 2))]), *[piece] * 8],
        "chunks": [head(200, CHUNKED), *[chunk] * 8],
        "end": [head(200), *[piece] * 8],
    }[framing]
    incoming = new_answer()
    with pytest.raises(ValueError, match="larger than"):
        read(incoming, pieces)
    assert len(incoming.body) <= MAX_BODY


@pytest.mark.parametrize("framing", ["length", "end"])
def test_the_largest_body(framing: str, new_answer: NewAnswer) -> None:
    """A body as long as the cap is read to its end; with one byte more it is refused."""
    length = [("Content-Length", str(MAX_BODY))] if framing == "length" else []
    assert read(new_answer(), [head(200, length), bytes(MAX_BODY), b""])[1] == bytes(MAX_BODY)
    length = [("Content-Length", str(MAX_BODY + 1))] if framing == "length" else []
    with pytest.raises(ValueError, match="larger than"):
        read(new_answer(), [head(200, length), bytes(MAX_BODY), b"x"])


def test_the_longest_answer(new_answer: NewAnswer, monkeypatch: pytest.MonkeyPatch) -> None:
    """All its bytes count, the head as well as the body."""
    assert (MAX_HEAD, MAX_ANSWER) == (AsyncHTTP11Connection.MAX_INCOMPLETE_EVENT_SIZE, 8 * MAX_BODY)
    raw = answer(200, BODY)
    monkeypatch.setattr(_answer, "MAX_ANSWER", len(raw))
    assert read(new_answer(), [raw[:20], raw[20:]])[2]
    monkeypatch.setattr(_answer, "MAX_ANSWER", len(raw) - 1)
    with pytest.raises(ValueError, match="larger than"):
        read(new_answer(), [raw[:20], raw[20:]])


def test_endless_interim_answers(new_answer: NewAnswer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interim answers without an end are read up to a cap, too."""
    monkeypatch.setattr(_answer, "MAX_ANSWER", 100_000)
    with pytest.raises(ValueError, match="larger than"):
        read(new_answer(), [head(102) * 1000] * 1000)


# --- heads that are known -----------------------------------------------------------------------

ANSWERS = [case.raw for case in COMPLETE.values()]
AMISS = [
    *BROKEN.values(),
    *EARLY.values(),
    *(ANSWERS[0] + surplus for surplus in SURPLUS.values()),
    ANSWERS[0][:-1],
    head(204, [("Content-Length", "9")]),
]


def whole(incoming: IncomingAnswer, raw: bytes) -> Read | str:
    """Return what is read of bytes that come at once and are the last, or the kind of error."""
    try:
        return read(incoming, [raw, b""])
    except (httpx.RemoteProtocolError, ValueError) as error:
        return type(error).__name__


@pytest.mark.parametrize("raw", [*ANSWERS, *AMISS])
def test_a_known_head_changes_nothing(raw: bytes, new_answer: NewAnswer) -> None:
    """Whatever came before, an answer is read as if it were the first: each byte of it counts."""
    known: KnownHeads = {}
    for earlier in [*ANSWERS, *AMISS] * 2:
        whole(new_answer(known), earlier)
    incoming, fresh = new_answer(known), new_answer()
    assert whole(incoming, raw) == whole(fresh, raw)
    assert incoming.headers == fresh.headers
    assert incoming.header(b"content-length") == fresh.header(b"content-length")


def test_a_known_head_needs_no_parser(
    new_answer: NewAnswer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same bytes again only the body is taken; of a body of another length all is read."""
    known: KnownHeads = {}
    raw = answer(200, BODY, [("Date", "D")])
    assert read(new_answer(known), [raw]) == (200, BODY, True, True)
    assert [*known] == [raw[: -len(BODY)]]
    monkeypatch.setattr(new_answer, "_read", lambda _, data: pytest.fail(f"it reads {data!r}"))
    again = new_answer(known)
    assert read(again, [raw.replace(BODY, b"[1, 2, 3]")]) == (200, b"[1, 2, 3]", True, True)
    assert again.header(b"date") == "D"
    with pytest.raises(pytest.fail.Exception, match="it reads"):
        read(new_answer(known), [raw[:-1]])


@pytest.mark.parametrize(
    "raw",
    [
        answer(200, BODY, [("Connection", "close")]),
        answer(200, BODY) + b"\r\n",
        head(103) + answer(200, BODY),
        head(200, CHUNKED) + CHUNKS + b"\r\n",
        head(304, [("Content-Length", "9")]),
        head(204),
        answer(200, BODY, [("X", "x" * LONGEST_KNOWN)]),
    ],
)
def test_heads_that_are_not_remembered(raw: bytes, new_answer: NewAnswer) -> None:
    """Those that say anything unusual, and long ones, are read anew each time."""
    known: KnownHeads = {}
    assert new_answer(known).feed(raw)
    assert known == {}


def test_a_head_in_pieces_is_not_remembered(new_answer: NewAnswer) -> None:
    """Wherever it is cut: where it ends is then not told by the first bytes alone."""
    raw = answer(200, BODY)
    for cut in range(1, len(raw)):
        known: KnownHeads = {}
        assert read(new_answer(known), [raw[:cut], raw[cut:]]) == (200, BODY, True, True)
        assert known == {}


def test_a_known_head_behind_another_is_no_first_one(new_answer: NewAnswer) -> None:
    """After an interim answer the connection is not kept, however well the next head is known."""
    known: KnownHeads = {}
    raw = answer(200, BODY)
    assert read(new_answer(known), [raw])[3]
    assert read(new_answer(known), [head(103), raw]) == (200, BODY, True, False)


def test_how_many_heads_and_how_long() -> None:
    """Some dozens of a few thousand bytes: what a server says varies by a time and a length."""
    assert (MOST_KNOWN, LONGEST_KNOWN) == (64, 4096)


@pytest.mark.parametrize("more", [0, 1])
def test_the_longest_head_that_is_remembered(more: int, new_answer: NewAnswer) -> None:
    """Up to its bound, and with one byte more no longer."""
    known: KnownHeads = {}
    filled = len(answer(200, BODY, [("X", "")])) - len(BODY)
    assert new_answer(known).feed(answer(200, BODY, [("X", "x" * (LONGEST_KNOWN - filled + more))]))
    assert len(known) == 1 - more


def test_heads_that_are_new_each_time_fill_no_memory(new_answer: NewAnswer) -> None:
    """Beyond a number all are forgotten, and those that come now are remembered."""
    known: KnownHeads = {}
    sizes = []
    for number in range(MOST_KNOWN + 2):
        assert new_answer(known).feed(answer(200, BODY, [("X-Request-Id", str(number))]))
        sizes.append(len(known))
    assert max(sizes) == MOST_KNOWN
    assert sizes[-2:] == [1, 2]


def test_without_httptools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the extra is not installed h11 reads, and the direct transport works all the same."""
    assert _direct._fastest_answer() is HttptoolsAnswer
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "httptools", None)
        patch.delitem(sys.modules, HttptoolsAnswer.__module__)
        assert _direct._fastest_answer() is H11Answer
