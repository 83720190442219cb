"""``multiwhats contract``: one message, harmless questions, and what differs from what we take."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from vendor import RESPONSE

from multiwhats_async.cli import contract
from multiwhats_async.cli._contract import (
    DIFFERS,
    EXTRA_DATA,
    OPEN,
    PROBES,
    RECORD,
    SAME,
    TARGET,
    Sent,
    of_probe,
    of_record,
)
from multiwhats_async.sandbox import (
    Emulator,
    FaultPlan,
    SandboxRequest,
    SandboxResponse,
    SandboxServer,
)

KEY = "k3y-that-must-not-show"
ARGUMENTS = ["contract", "--to", "+90 537 493 77 66", "--yes"]
NOW = datetime(2023, 4, 26, 11, 12)  # noqa: DTZ001  # as the vendor writes it: without a zone


class Liar(Emulator):
    """A sandbox whose answers are changed on their way out."""

    def __init__(self, lie: Callable[[SandboxRequest, SandboxResponse], SandboxResponse]) -> None:
        super().__init__(api_keys=[KEY])
        self._lie = lie

    def handle(self, request: SandboxRequest) -> SandboxResponse:
        return self._lie(request, super().handle(request))


def lying(**changes: Any) -> Callable[[SandboxRequest, SandboxResponse], SandboxResponse]:
    """Return a lie that changes fields of every record; None leaves one out."""

    def lie(_: SandboxRequest, answer: SandboxResponse) -> SandboxResponse:
        if answer.status != 200:
            return answer
        record = json.loads(answer.body) | changes
        record = {name: value for name, value in record.items() if value is not None}
        return SandboxResponse(200, answer.headers, json.dumps(record).encode())

    return lie


def differing(said: Any) -> dict[str, tuple[str, str]]:
    """Return what was seen, and on which basis, of everything that is not as expected."""
    return {
        one["what"]: (one["basis"], one["seen"])
        for one in json.loads(said.out)["findings"]
        if one["verdict"] != SAME
    }


def test_the_sandbox_does_what_is_documented_and_assumed(
    cli: Callable[..., Any], serve: Callable[[Emulator], SandboxServer]
) -> None:
    """One message, four questions that send nothing, no difference; no key and no number shown."""
    emulator = serve(Emulator(api_keys=[KEY])).emulator
    said = cli(*ARGUMENTS)
    assert said.code == 0
    assert said.out.endswith("24 as expected, 0 differ, 0 not known.\n")
    assert "ok         no data, a key that is none       assumed     401\n" in said.out
    assert said.err.startswith("1 message from ••••••••0335 to ••••••••7766 through 127.0.0.1:")
    stats = emulator.stats()
    assert (stats.accepted, stats.requests) == (1, 5)
    assert [(one.recipient, one.status) for one in emulator.store.refusals] == [
        (None, 422),
        (None, 401),
        (None, 400),
        (None, 404),
    ]
    for text in (KEY, "905374937766", "908503080335"):
        assert text not in said.out + said.err


def test_findings_as_json(
    cli: Callable[..., Any], serve: Callable[[Emulator], SandboxServer]
) -> None:
    """For a program, with the key in the JSON data too."""
    serve(Emulator(api_keys=[KEY]))
    said = cli(*ARGUMENTS, "--json", "--api-key-in", "json")
    data = json.loads(said.out)
    assert (said.code, data["certainty"], data[SAME], data[DIFFERS], data[OPEN]) == (
        0,
        "accepted",
        24,
        0,
        0,
    )
    assert data["findings"][0] == {
        "what": "message",
        "basis": "documented",
        "expected": "200, application/json, with the record",
        "seen": "200, application/json",
        "verdict": "same",
    }
    assert KEY not in said.out


def test_a_server_that_lies_about_the_record(
    cli: Callable[..., Any], serve: Callable[[Emulator], SandboxServer]
) -> None:
    """Each difference is named, with what was documented; what it holds is masked."""
    changes = {
        "file_url": None,
        "total_credit": 2,
        "status": f"queued {KEY} 905374937766",
        "id": "24",
        "colour": ["blue"],
        "sent_count": True,
    }
    emulator = serve(Liar(lying(**changes))).emulator
    said = cli(*ARGUMENTS, "--json")
    assert said.code == 1
    assert differing(said) == {
        "record.file_url": ("documented", "missing"),
        "record.total_credit": ("assumed", "2"),
        "record.status": ("documented", "queued **** ••••••••7766"),
        "record.id": ("documented", "a text"),
        "record.colour": ("documented", "a list"),
        "record.sent_count": ("documented", "true or false"),
        "target.queue_id": ("documented", "3664"),
    }
    said = cli(*ARGUMENTS)
    assert "DIFFERS    record.total_credit" in said.out
    assert "expected    1\n" in said.out
    assert said.out.endswith("Please tell us what differs.\n")
    assert emulator.stats().accepted == 2


def test_a_server_with_other_statuses(
    cli: Callable[..., Any], serve: Callable[[Emulator], SandboxServer]
) -> None:
    """A wrong key that is answered 200, a path that is there, a question put off till later."""
    statuses = {401: 200, 404: 500, 400: 429, 422: 403}

    def lie(_: SandboxRequest, answer: SandboxResponse) -> SandboxResponse:
        status = statuses.get(answer.status, answer.status)
        return SandboxResponse(status, {"content-type": "text/plain" * 9}, answer.body)

    serve(Liar(lie))
    said = cli(*ARGUMENTS, "--json")
    assert said.code == 1
    assert differing(said) == {
        "message": ("documented", f"200, {('text/plain' * 9)[:59]}…"),
        "no such path, no key": ("assumed", "500"),
        "a body that is no JSON, no key": ("assumed", "429"),
        "no data, a key that is none": ("assumed", "200"),
        "no data, your key in the JSON": ("assumed", "403"),
    }


def test_a_server_that_answers_with_something_else(
    cli: Callable[..., Any], serve: Callable[[Emulator], SandboxServer]
) -> None:
    """No record: the message is unknown, is not sent again, and the questions are still asked."""

    def lie(_: SandboxRequest, answer: SandboxResponse) -> SandboxResponse:
        return SandboxResponse(200, {}, b"[]") if answer.status == 200 else answer

    emulator = serve(Liar(lie)).emulator
    said = cli(*ARGUMENTS, "--json")
    assert said.code == 1
    seen = "200, no content type: The server answered 200 for the message to ••••••••7766"
    assert differing(said)["message"][1].startswith(seen)
    assert said.err.count("multiwhats: unknown: ") == 1
    assert (emulator.stats().accepted, emulator.stats().requests) == (1, 5)


@pytest.mark.parametrize(("fault", "code"), [("401", 4), ("402", 4), ("503=0", 1)])
def test_a_message_that_is_refused(
    cli: Callable[..., Any],
    serve: Callable[[Emulator], SandboxServer],
    fault: str,
    code: int,
) -> None:
    """It is tried once, whatever the answer says; the exit code is that of send."""
    plan = FaultPlan([f"{fault}@nth:1"])
    emulator = serve(Emulator(api_keys=[KEY], faults=plan)).emulator
    said = cli(*ARGUMENTS, "--json")
    assert (said.code, json.loads(said.out)["certainty"]) == (code, "rejected")
    assert [*differing(said)] == ["message"]
    assert (emulator.stats().accepted, emulator.stats().requests) == (0, 5)


@pytest.mark.usefixtures("no_account")
def test_a_server_that_is_not_there(cli: Callable[..., Any]) -> None:
    """Nothing is known, and nothing more is asked."""
    said = cli(*ARGUMENTS, "--json")
    assert said.code == 1
    assert [*differing(said)] == ["message"]
    assert json.loads(said.out)[OPEN] == 1
    assert "multiwhats: not sent: " in said.err


def test_questions_that_are_not_answered(
    cli: Callable[..., Any],
    serve: Callable[[Emulator], SandboxServer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection that drops and an answer that never comes are not known."""
    plan = FaultPlan(["disconnect_before@nth:2", "timeout@nth:3"])
    serve(Emulator(api_keys=[KEY], faults=plan))
    monkeypatch.setattr("multiwhats_async.cli._probing.PROBE_SECONDS", 1.0)
    said = cli(*ARGUMENTS, "--json")
    assert said.code == 1
    assert [one.partition(" (")[0] for _, one in differing(said).values()] == [
        "no answer",
        "no answer within 1 s",
    ]


def test_redirections_are_not_followed(
    cli: Callable[..., Any], serve: Callable[[Emulator], SandboxServer]
) -> None:
    """The key goes to the one server only."""
    elsewhere = serve(Emulator())

    def lie(_: SandboxRequest, answer: SandboxResponse) -> SandboxResponse:
        return SandboxResponse(307, {"location": elsewhere.url})

    server = serve(Liar(lie))
    said = cli(*ARGUMENTS, "--json")
    assert [seen for _, seen in differing(said).values()][1:] == ["307"] * 4
    requests = [one.emulator.stats().requests for one in (server, elsewhere)]
    assert requests == [5, 0]


@pytest.mark.usefixtures("no_account")
def test_without_a_terminal_it_wants_yes(cli: Callable[..., Any]) -> None:
    """Nobody is there to agree to the credit."""
    said = cli(*ARGUMENTS[:-1])
    assert (said.code, said.out) == (2, "")
    assert "add --yes to send the message" in said.err


@pytest.mark.parametrize("answer", [True, False])
def test_it_asks_once_it_has_said_what_it_will_do(
    cli: Callable[..., Any],
    serve: Callable[[Emulator], SandboxServer],
    monkeypatch: pytest.MonkeyPatch,
    answer: bool,
) -> None:
    """No is nothing sent."""
    emulator = serve(Emulator(api_keys=[KEY])).emulator
    asked: list[str] = []

    def confirm(text: str, *, err: bool) -> bool:
        assert err
        asked.append(text)
        return answer

    monkeypatch.setattr(contract, "can_ask", lambda: True)
    monkeypatch.setattr(contract.click, "confirm", confirm)
    said = cli(*ARGUMENTS[:-1])
    assert (asked, said.code) == (["Go on?"], 0 if answer else 3)
    assert "It costs a credit." in said.err
    assert emulator.stats().requests == (5 if answer else 0)
    assert ("Nothing was sent." in said.err) is not answer


def test_what_is_missing_is_named(cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A number to send from, then a key."""
    assert "no number to send from" in cli(*ARGUMENTS).err
    monkeypatch.setenv("MULTIWHATS_FROM", "908503080335")
    assert "no API key" in cli(*ARGUMENTS).err


# --- the rules --------------------------------------------------------------------------------


def of(record: Any, *, now: datetime = NOW) -> dict[str, str]:
    """Return what was seen of everything in a record that is not as expected."""
    sent = Sent(
        sender="908503080335",
        to="905374937766",
        text=RESPONSE["message"],
        buttons=["👍 Yes", "⛔ No"],
    )
    return {one.what: one.seen for one in of_record(record, sent, now=now) if one.verdict != SAME}


def test_the_documented_example_is_as_documented() -> None:
    """The rules know every field of it, and no other."""
    assert of(RESPONSE) == {}
    (target,) = RESPONSE["targets"]
    assert set(RESPONSE) == set(RECORD)
    assert set(target) == set(TARGET)
    assert set(RESPONSE["extra_data"]) == set(target["extra_data"]) == set(EXTRA_DATA)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"extra_data": None}, {"record.extra_data": "null"}),
        ({"targets": {}}, {"record.targets": "an object"}),
        ({"targets": []}, {"record.targets": "0 of them"}),
        ({"targets": ["x"]}, {"target": "a text"}),
        ({"created_at": 5}, {"record.created_at": "no time"}),
        ({"total_credit": 1.5}, {"record.total_credit": "1.5"}),
        ({"updated_at": "2023-04-26T11:11:58Z"}, {"record.updated_at": "a text"}),
        ({"message_type": None}, {"record.message_type": "null"}),
        ({"file_url": 0.5}, {"record.file_url": "a number"}),
        ({"file_url": "https://files.example/1"}, {}),
        ({"message": "x" * 99}, {"record.message": "x" * 59 + "…"}),
        ({"status": "\x1b[2J\x07gone\u202e"}, {"record.status": "[2J gone"}),
        ({"\x1b[31m": 1}, {"record.[31m": "a whole number"}),
    ],
)
def test_a_record_that_differs(changes: dict[str, Any], found: dict[str, str]) -> None:
    """Whatever stands there, it is told and nothing raises."""
    seen = of(RESPONSE | changes)
    assert {name: seen.get(name) for name in found} == found
    assert bool(seen) is bool(found)


@pytest.mark.parametrize(
    ("hours", "seen"),
    [(3, "3 h ahead of UTC"), (-4.5, "4.5 h behind UTC"), (0.05, None)],
)
def test_the_clock_of_the_vendor(hours: float, seen: str | None) -> None:
    """No zone is documented: the check finds out which one it is."""
    assert of(RESPONSE, now=NOW - timedelta(hours=hours)).get("record.created_at") == seen


@pytest.mark.parametrize(
    ("probe", "status", "verdict"),
    [
        (PROBES[0], 404, SAME),
        (PROBES[0], 301, DIFFERS),
        (PROBES[1], 409, OPEN),
        (PROBES[2], 403, SAME),
        (PROBES[2], 422, DIFFERS),
        (PROBES[3], 401, DIFFERS),
        (PROBES[3], 200, DIFFERS),
        (PROBES[3], "no answer", OPEN),
    ],
)
def test_what_a_status_says(probe: Any, status: int | str, verdict: str) -> None:
    """A question's answer is as assumed, or it is not, or it says nothing."""
    assert of_probe(probe, status).verdict == verdict


def test_no_question_names_a_recipient() -> None:
    """So that none of them can reach anybody, whatever the server makes of it."""
    assert all(b"to" not in (probe.body or b"") for probe in PROBES)
    assert {probe.body for probe in PROBES} == {b"{}", b"{", None}
