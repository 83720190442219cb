"""What pages of other sites try on a sandbox, and what becomes of it."""

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from sandbox.wire_examples import JSON_HEADERS, PATH, payload, post

from multiwhats_async.sandbox import Emulator, SandboxServer
from multiwhats_async.sandbox._guards import HEADERS
from multiwhats_async.sandbox._page import FOLDER

SEND = f"{PATH}?apikey=KEY"


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    """Run a sandbox with one message on any free port."""
    emulator = Emulator()
    post(emulator)
    with SandboxServer(emulator, port=0) as server:
        yield server


@pytest.fixture
def emulator(server: SandboxServer) -> Emulator:
    """Return its emulator."""
    return server.emulator


@pytest.fixture
def client(server: SandboxServer) -> Iterator[httpx.Client]:
    """Return a client of it."""
    with httpx.Client(base_url=server.url) as client:
        yield client


WRITES = [
    ("POST", "/sandbox/messages/3664/tap", {"index": 0}),
    ("POST", "/sandbox/reset", None),
    ("PUT", "/sandbox/webhook", {"url": "http://127.0.0.1:1/"}),
    ("POST", "/sandbox/faults", {"fault": "500"}),
    ("DELETE", "/sandbox/faults", None),
    ("POST", SEND, payload()),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.com"},
        {"origin": "null"},
        {"origin": "https://{host}"},
        {"origin": "http://{host}.evil.com"},
        {"origin": "http://evil.com/{host}"},
        {"origin": "http://localhost:1"},
        {"origin": "http://["},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "origin": "http://{host}"},
    ],
)
def test_a_page_of_another_site_writes_nothing(
    method: str,
    path: str,
    body: object,
    headers: dict[str, str],
    client: httpx.Client,
    emulator: Emulator,
) -> None:
    """Neither to the test API nor to the vendor's: a form needs no leave to post."""
    host = client.base_url.netloc.decode()
    before = (emulator.store.revision, emulator.faults.faults)
    response = client.request(
        method,
        path,
        json=body,
        headers={name: value.format(host=host) for name, value in headers.items()},
    )
    assert (response.status_code, response.json()["error"]["code"]) == (403, "cross_site")
    assert (emulator.store.revision, emulator.faults.faults) == before


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://{host}", "sec-fetch-site": "same-origin"},
        {"origin": "http://{host}"},
        {"sec-fetch-site": "none"},
    ],
)
def test_programs_and_the_page_itself_write(
    headers: dict[str, str], client: httpx.Client, emulator: Emulator
) -> None:
    """A program sends no Origin; the page sends its own."""
    post(emulator)
    number = emulator.messages[-1].id
    host = client.base_url.netloc.decode()
    filled = {name: value.format(host=host) for name, value in headers.items()}
    tapped = client.post(f"/sandbox/messages/{number}/tap", json={"index": 0}, headers=filled)
    assert tapped.is_success


def test_a_page_of_another_site_asks_nothing(client: httpx.Client) -> None:
    """It could not read the answer, but hold connections; a link to the page is followed."""
    for site in ("cross-site", "same-site"):
        asked = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors"}
        for path in ("/", "/sandbox/messages/wait", "/sandbox/events", "/sandbox/page/app.js"):
            assert client.get(path, headers=asked).status_code == 403
        followed = {"sec-fetch-site": site, "sec-fetch-mode": "navigate", "accept": "text/html"}
        assert client.get("/", headers=followed).status_code == 200


def test_a_form_cannot_send_a_message(client: httpx.Client, emulator: Emulator) -> None:
    """Even without those headers: what a page may post without asking is no JSON."""
    before = emulator.stats().accepted
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        for path in (SEND, "/sandbox/messages/3664/tap", "/sandbox/faults"):
            headers = {"content-type": media_type}
            assert client.post(path, content=b"{}", headers=headers).status_code == 415
    preflight = client.options(
        SEND, headers={"origin": "http://evil.com", "access-control-request-method": "POST"}
    )
    assert preflight.status_code == 405
    assert not [name for name in preflight.headers if name.startswith("access-control")]
    assert emulator.stats().accepted == before


@pytest.mark.parametrize(
    "host",
    ["evil.com", "evil.com:8787", "localhost.evil.com", "127.0.0.1.evil.com", "10.0.0.1", ""],
)
@pytest.mark.parametrize(
    "path", ["/", "/sandbox/messages", "/sandbox/events", "/sandbox/page/app.js"]
)
def test_a_name_that_was_bent_to_this_machine(host: str, path: str, client: httpx.Client) -> None:
    """DNS rebinding: the page's own name leads here, and its Host header gives it away."""
    response = client.get(path, headers={"host": host})
    assert response.status_code == 421
    assert "3664" not in response.text


def test_every_answer_has_the_headers(client: httpx.Client) -> None:
    """The page, its files, the API, the vendor's API, refusals."""
    answers = [
        client.get("/", headers={"accept": "text/html"}),
        client.get("/"),
        client.get("/sandbox/page/index.html"),
        client.get("/sandbox/stats"),
        client.get("/sandbox/nothing"),
        client.post(SEND, json=payload()),
        client.get("/", headers={"host": "evil.com"}),
        client.post("/sandbox/reset", headers={"origin": "http://evil.com"}),
    ]
    for answer in answers:
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    policy = HEADERS["content-security-policy"]
    assert "unsafe" not in policy
    assert "http" not in policy


@pytest.mark.parametrize(
    "name",
    [
        "../_api.py",
        "..%2f_api.py",
        "%2e%2e/_api.py",
        "..%5c_api.py",
        "%2fetc%2fpasswd",
        "nothing.js",
        "",
        "%00",
        "index.html/",
        ".",
        "..",
    ],
)
def test_only_the_pages_own_files_are_served(name: str, server: SandboxServer) -> None:
    """No path leads out of its folder. By hand: a client would tidy the path up."""
    with closing(socket.create_connection(("127.0.0.1", server.port), 10)) as connection:
        request = (
            f"GET /sandbox/page/{name} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        connection.sendall(request.encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 307"))
    assert b"import" not in answer


def test_the_pages_files_have_their_types(client: httpx.Client) -> None:
    """Scripts with another type are not run, for the answer says not to guess it."""
    types = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    names = [path.name for path in FOLDER.iterdir()]
    assert len(names) > 3
    for name in names:
        answer = client.get(f"/sandbox/page/{name}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(types.get(Path(name).suffix, "text/html"))


def test_the_page_asks_nobody_else() -> None:
    """Nothing in it names another host, and nothing writes markup."""
    for path in FOLDER.iterdir():
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        for word in ("https://", "http://", "//cdn", "innerHTML", "insertAdjacentHTML", "eval("):
            allowed = word == "http://" and "http://127.0.0.1" in text
            assert word not in text or allowed, (path.name, word)


def test_what_browsers_ask_unasked_is_no_request(client: httpx.Client, emulator: Emulator) -> None:
    """The icon is answered, and not counted."""
    before = emulator.stats().requests
    assert client.get("/favicon.ico").headers["content-type"].startswith("image/svg+xml")
    assert emulator.stats().requests == before


def test_without_the_page() -> None:
    """Headless: the APIs, and a text at the root."""
    with (
        SandboxServer(Emulator(), port=0, page=False) as server,
        httpx.Client(base_url=server.url, headers=JSON_HEADERS | {"accept": "text/html"}) as client,
    ):
        assert client.get("/").headers["content-type"].startswith("text/plain")
        assert client.get("/sandbox/page/index.html").status_code == 404
        assert client.get("/favicon.ico").status_code == 204
        assert client.get("/sandbox/stats").json()["accepted"] == 0
