"""What is no documented request is answered with an error, and never raises."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox.wire_examples import (
    JSON_HEADERS,
    MISSING,
    PATH,
    REQUEST,
    payload,
    post,
    request_of,
)

from multiwhats_async.sandbox import Emulator, SandboxRequest

KEY = "s3cr3t-key"


def error_of(emulator: Emulator, request: SandboxRequest) -> tuple[int, str]:
    """Return the status and the code of the error that a request is answered with."""
    response = emulator.handle(request)
    body = json.loads(response.body)
    assert list(body) == ["error", "assumed"]
    assert "MultiWhats documents no error" in body["assumed"]
    return response.status, body["error"]["code"]


@pytest.mark.parametrize(
    ("query", "body_key"),
    [
        (b"apikey=s3cr3t-key", MISSING),
        (b"a=1&apikey=s3cr3t%2Dkey", MISSING),
        (b"", KEY),
        (b"apikey=s3cr3t-key", KEY),
    ],
)
def test_key_in_query_or_body(query: bytes, body_key: object) -> None:
    """The key is accepted in both documented places."""
    assert post(Emulator(api_keys=["other", KEY]), query=query, apikey=body_key) == 200


@pytest.mark.parametrize(
    ("query", "body_key"),
    [
        (b"", MISSING),
        (b"apikey=", MISSING),
        (b"apikey", MISSING),
        (b"apikey=wrong", MISSING),
        (b"", ""),
        (b"", 7),
        (b"", None),
        (b"", [KEY]),
        (b"apikey=wrong", KEY),
        (b"apikey=s3cr3t-key", "wrong"),
        (b"apikey=s3cr3t-key&apikey=wrong", MISSING),
        (b"APIKEY=s3cr3t-key", MISSING),
        (b"apikey=s3cr3t-key" + b"&x" * 200, MISSING),
    ],
)
def test_no_key_or_wrong_key(query: bytes, body_key: object) -> None:
    """A key that is missing, empty, wrong or contradicted is answered 401."""
    request = request_of(payload(apikey=body_key), query=query)
    assert error_of(Emulator(api_keys=[KEY]), request) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"path": "/"}, (404, "not_found")),
        ({"path": PATH + "/"}, (404, "not_found")),
        ({"path": PATH.upper()}, (404, "not_found")),
        ({"path": "/basic/whatsapp/send-dynamic"}, (404, "not_found")),
        ({"path": "/nowhere", "method": "GET"}, (404, "not_found")),
        ({"method": "GET"}, (405, "method_not_allowed")),
        ({"method": "OPTIONS"}, (405, "method_not_allowed")),
        ({"headers": {}}, (415, "unsupported_media_type")),
        ({"headers": {"content-type": "text/json"}}, (415, "unsupported_media_type")),
        (
            {"headers": {"content-type": "application/x-www-form-urlencoded"}},
            (415, "unsupported_media_type"),
        ),
    ],
)
def test_wrong_request(changes: dict[str, Any], expected: tuple[int, str]) -> None:
    """A wrong path, method or content type has its own status."""
    assert error_of(Emulator(), request_of(payload(), **changes)) == expected


def test_content_type_with_charset_and_allow_header() -> None:
    """A charset after the content type is no fault, and 405 says which method to use."""
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    emulator = Emulator()
    assert emulator.handle(request_of(payload(), headers=headers)).status == 200
    assert emulator.handle(request_of(b"", method="PUT")).headers["allow"] == "POST"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"7",
        b"NaN",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"buttons":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"\xef\xbb\xbf" + REQUEST.encode(),
        REQUEST.encode("utf-16"),
        REQUEST.encode()[:-1] + b"\xff}",
        REQUEST.encode() + b"\x00",
        REQUEST.encode() + REQUEST.encode(),
        REQUEST.encode()[:-1] + b', "x": NaN}',
        REQUEST.encode()[:-1] + b', "x": -Infinity}',
        REQUEST.encode()[:-1] + b', "x": ' + b"9" * 5_000 + b"}",
        REQUEST.encode()[:-1] + b', "to": "905374937767"}',
        REQUEST.encode()[:-1] + b', "x": {"y": 1, "y": 1}}',
        REQUEST.replace("guest", "guest\x00").encode(),
    ],
)
def test_body_that_is_no_strict_json_object(body: bytes) -> None:
    """Broken, deep, doubled, marked or non-standard JSON is answered 400 and counts nothing."""
    emulator = Emulator()
    assert error_of(emulator, request_of(body)) == (400, "invalid_json")
    assert emulator.messages == ()


def test_body_at_and_over_the_cap() -> None:
    """A body of exactly 1 MB is read, a byte more is answered 413."""
    spare = 1_000_000 - len(json.dumps(payload(x="")))
    body = json.dumps(payload(x="a" * spare)).encode()
    assert len(body) == 1_000_000
    assert Emulator().handle(request_of(body)).status == 200
    assert error_of(Emulator(), request_of(body + b" ")) == (413, "too_large")


@pytest.mark.parametrize(
    "changes",
    [
        *(
            {field: value}
            for field in ("sender", "to")
            for value in (
                MISSING,
                None,
                "",
                905374937766,
                10**4000,
                ["905374937766"],
                "+905374937766",
                "00905374937766",
                "05374937766",
                "5374",
                "9053749",
                "9053749377661234",
                "9" * 100_000,
                "90537493776\x00",
                "90 537 493 77 66",
                "٩٠٥٣٧٤٩٣٧٧٦٦",
                "9053749377²6",
                "2105374937766",
            )
        ),
        *({"message": value} for value in (MISSING, None, "", " \n", 7, ["a"], "half \ud83d")),
        *({"type": value} for value in (MISSING, None, "", "text", "Button", ["button"], 0)),
        *(
            {"buttons": value}
            for value in (MISSING, None, [], "Yes", {"a": "b"}, [""], ["Yes", 7], ["Yes", "\ud83d"])
        ),
    ],
)
def test_invalid_message(changes: dict[str, Any]) -> None:
    """A field that is missing, empty, of a wrong type or no number is answered 422."""
    emulator = Emulator()
    request = request_of(payload(**changes))
    assert error_of(emulator, request) == (422, "invalid_message")
    assert emulator.stats().accepted == 0


def test_every_problem_is_named_at_once() -> None:
    """One answer names all the fields that are wrong, and no value of them."""
    body = json.loads(Emulator().handle(request_of({"from": "0532", "apikey": KEY})).body)
    text = body["error"]["message"]
    assert [part.split(":")[0] for part in text.split("; ")] == [
        "from",
        "to",
        "message",
        "buttons",
        "type",
    ]
    assert "0532" not in text


@settings(deadline=None)  # a busy machine is no failure
@given(
    method=st.sampled_from(["POST", "GET"]) | st.text(max_size=9),
    path=st.just(PATH) | st.text(max_size=20),
    query=st.binary(max_size=40) | st.just(b"apikey=KEY"),
    headers=st.just(JSON_HEADERS)
    | st.dictionaries(st.sampled_from(["content-type", "host"]), st.text(max_size=20)),
    body=st.binary(max_size=200),
)
def test_any_bytes_get_an_answer(
    method: str, path: str, query: bytes, headers: dict[str, str], body: bytes
) -> None:
    """Whatever comes in, the emulator answers with JSON and does not raise."""
    emulator = Emulator()
    response = emulator.handle(SandboxRequest(method, path, query, headers, body))
    assert 400 <= response.status < 500
    json.loads(response.body)
    assert emulator.stats().by_status == {response.status: 1}


ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.text(alphabet=st.characters(categories=None))
    | st.sampled_from(["button", "905374937766", "\ud83d", KEY]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)


@settings(deadline=None)  # a busy machine is no failure
@given(
    changes=st.dictionaries(
        st.sampled_from(["sender", "to", "message", "type", "buttons", "apikey", "x"]), ANY_JSON
    )
)
def test_any_fields_get_an_answer_without_the_key(changes: dict[str, Any]) -> None:
    """Whatever stands in the fields, no error echoes the key, and every answer is UTF-8 JSON."""
    emulator = Emulator(api_keys=[KEY])
    response = emulator.handle(request_of(payload(**changes), query=b"apikey=s3cr3t-key"))
    assert response.status in {200, 400, 401, 422}
    json.loads(response.body.decode())
    if response.status != 200:
        assert KEY.encode() not in response.body
