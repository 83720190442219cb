"""``multiwhats config``: each setting and its source, and never the key."""

from collections.abc import Callable
from typing import Any

import pytest

URL = "https://api.multiwhats.app/api/v1/"


def rows(out: str) -> dict[str, tuple[str, str]]:
    """Return the value and the source of each setting."""
    found = {}
    for line in out.splitlines():
        name, value, source = (part.strip() for part in line.split("  ") if part.strip())
        found[name] = (value, source)
    return found


def test_nothing_is_set(cli: Callable[..., Any]) -> None:
    """It says what to set, and its exit code is 2."""
    said = cli("config")
    assert said.code == 2
    assert rows(said.out) == {
        "key": ("not set", "set MULTIWHATS_API_KEY"),
        "sender": ("not set", "set MULTIWHATS_FROM, or give --from"),
        "base URL": (URL, "documented by the vendor"),
        "key goes in": ("query", "default"),
    }


def test_settings_of_the_environment(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is named by its variable."""
    monkeypatch.setenv("MULTIWHATS_API_KEY", "K3Y-s3cr3t")
    monkeypatch.setenv("MULTIWHATS_FROM", "+90 850 308 03 35")
    monkeypatch.setenv("MULTIWHATS_BASE_URL", "http://127.0.0.1:8787/api/v1/")
    said = cli("config")
    assert said.code == 0
    assert rows(said.out) == {
        "key": ("****", "MULTIWHATS_API_KEY"),
        "sender": ("••••••••0335", "MULTIWHATS_FROM"),
        "base URL": ("http://127.0.0.1:8787/api/v1/", "MULTIWHATS_BASE_URL"),
        "key goes in": ("query", "default"),
    }
    assert "s3cr3t" not in said.out + said.err


def test_options_go_before_the_environment(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they do for the commands that send."""
    monkeypatch.setenv("MULTIWHATS_API_KEY", "of the environment")
    monkeypatch.setenv("MULTIWHATS_FROM", "905300000001")
    said = cli(
        *("config", "--api-key", "K3Y-s3cr3t", "--from", "908503080335"),
        *("--base-url", "http://localhost:1/", "--api-key-in", "json"),
    )
    assert said.code == 0
    assert rows(said.out) == {
        "key": ("****", "--api-key"),
        "sender": ("••••••••0335", "--from"),
        "base URL": ("http://localhost:1/", "--base-url"),
        "key goes in": ("json", "--api-key-in"),
    }
    assert "s3cr3t" not in said.out + said.err


def test_a_number_that_is_none(cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused as the sending commands refuse it."""
    monkeypatch.setenv("MULTIWHATS_FROM", "0850")
    said = cli("config")
    assert said.code == 2
    assert "begins with 0" in said.err


def test_a_ledger_and_a_queue_are_shown_without_their_passwords(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the environment names them; what they are not needed for does without."""
    monkeypatch.setenv("MULTIWHATS_LEDGER", "postgresql://me:s3cr3t@db.example/x")
    monkeypatch.setenv("MULTIWHATS_REDIS", "redis://:s3cr3t@queue.example")
    found = rows(cli("config").out)
    assert found["ledger"] == ("postgresql://me@db.example/x", "MULTIWHATS_LEDGER")
    assert found["redis"] == ("redis://@queue.example", "MULTIWHATS_REDIS")
