"""A client's settings: checked by name, from arguments or the environment."""

import ssl

import httpx
import pytest
from vendor import SENDER

from multiwhats_async import AsyncMultiWhats, ConfigurationError, MultiWhatsError
from multiwhats_async._secret import Secret, mask_number
from multiwhats_async._settings import is_loopback


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Key, sender and base URL, where no argument says otherwise."""
    monkeypatch.setenv("MULTIWHATS_API_KEY", "from-env")
    monkeypatch.setenv("MULTIWHATS_FROM", "+90 850 308 03 35")
    monkeypatch.setenv("MULTIWHATS_BASE_URL", "http://127.0.0.1:8787/api/v1")
    client = AsyncMultiWhats()
    assert client._settings.key.reveal() == "from-env"
    assert client._settings.sender == SENDER
    assert "http://127.0.0.1:8787/api/v1/ (not entered)" in repr(client)
    assert AsyncMultiWhats("arg")._settings.key.reveal() == "arg"


def test_empty_variables_count_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """``MULTIWHATS_FROM=`` in a file of settings is no number."""
    monkeypatch.setenv("MULTIWHATS_FROM", "")
    monkeypatch.setenv("MULTIWHATS_BASE_URL", "")
    client = AsyncMultiWhats("KEY")
    assert client._settings.sender is None
    assert "https://api.multiwhats.app/api/v1/" in repr(client)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"api_key": ""}, "No API key"),
        ({"api_key": 5}, "api_key must be text, not int"),
        ({"api_key": "a b"}, "was it copied whole"),
        ({"api_key": "key\n"}, "was it copied whole"),
        ({"api_key": "şifre"}, "was it copied whole"),
        ({"api_key_in": "header"}, 'api_key_in must be "query" or "json"'),
        ({"sender": "0850"}, "sender '••••' begins with 0"),
        ({"sender": 908503080335}, "sender must be text, not int"),
        ({"base_url": ""}, "base_url must be such as"),
        ({"base_url": "api.multiwhats.app"}, "base_url must be such as"),
        ({"base_url": 7}, "base_url must be text, not int"),
        ({"base_url": "https://[::1"}, "base_url is no URL"),
        ({"base_url": "https://x:99999/"}, "base_url is no URL"),
        ({"base_url": "http://api.multiwhats.app/"}, "must begin with https://"),
        ({"base_url": "https://u:p@x/"}, "must hold no user"),
        ({"base_url": "https://x/?apikey=1"}, "must hold no user, query"),
        ({"timeout": 0}, "timeout must be"),
        ({"max_concurrency": 0}, "max_concurrency must be a whole number"),
        ({"max_concurrency": True}, "max_concurrency must be a whole number"),
        ({"rate": -1}, "Rate.per_second must be"),
        ({"retry": None}, "retry must be of type RetryPolicy"),
        ({"hooks": "x"}, "hooks must be a list"),
        ({"hooks": 7}, "hooks must be a list"),
        ({"hooks": [object()]}, "has none of on_attempt"),
        ({"http_client": 7}, "http_client must be of type AsyncClient"),
        ({"ssl_context": True}, "ssl_context must be of type SSLContext"),
        ({"keepalive": -1}, "keepalive must be a number above 0"),
        ({"breaker": 5}, "breaker must be of type Breaker"),
    ],
)
def test_what_cannot_work_is_refused_by_name(options: dict[str, object], expected: str) -> None:
    """Before anything is opened; the error never shows the key."""
    with pytest.raises(ConfigurationError) as caught:
        AsyncMultiWhats(**{"api_key": "sEcReT"} | options)  # type: ignore[arg-type]  # wrong on purpose
    assert expected in str(caught.value)
    assert "sEcReT" not in str(caught.value)


def test_without_a_key_the_error_says_where_it_may_stand() -> None:
    """And that there is a way without an account."""
    with pytest.raises(ConfigurationError, match=r"MULTIWHATS_API_KEY.*multiwhats sandbox"):
        AsyncMultiWhats()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("a.localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),  # noqa: S104  # not bound, only named
    ],
)
def test_loopback_is_what_can_only_mean_this_machine(host: str, expected: bool) -> None:
    """Plain HTTP is for nothing else."""
    assert is_loopback(host) is expected


def test_good_settings_are_taken() -> None:
    """Each in its own type; None switches off."""
    context = ssl.create_default_context()
    client = AsyncMultiWhats(
        "KEY",
        base_url="http://[::1]:9/x",
        rate=3,
        keepalive=None,
        ssl_context=context,
        breaker=None,
        http_client=httpx.AsyncClient(),
    )
    assert client._settings.breaker is None
    copy = client.with_options(api_key="other", rate=None, timeout=3, max_concurrency=7)
    assert copy._settings.key.reveal() == "other"
    assert copy._settings.timeouts.attempt == 3


def test_copies_share_the_limits_that_they_do_not_change() -> None:
    """A copy with another timeout must not double the rate or the concurrency."""
    client = AsyncMultiWhats("KEY", rate=3)
    same = client.with_options(timeout=3, hooks=[], sender=SENDER, api_key_in="json")
    other = client.with_options(rate=5, max_concurrency=3, retry=attempts_once())
    assert same._limits == client._limits
    assert other._limits.rate is not client._limits.rate
    assert other._limits.concurrency is not client._limits.concurrency
    assert other._limits.budget is not client._limits.budget
    assert client.with_options(breaker=None)._limits == client._limits


def attempts_once() -> object:
    """Return a policy that differs from the default."""
    from multiwhats_async import RetryPolicy  # noqa: PLC0415  # used once

    return RetryPolicy(attempts=1)


def test_secrets_are_passed_on_as_they_are() -> None:
    """A key that is shut away already stays so."""
    secret = Secret("KEY")
    client = AsyncMultiWhats(secret)  # type: ignore[arg-type]  # accepted, not advertised
    assert client._settings.key is secret
    assert f"{secret}{secret:>9}" + str(secret) == "****" * 3


def test_masks_hide_all_but_the_end() -> None:
    """Short texts are hidden whole."""
    assert mask_number("905374937766") == "••••••••7766"
    assert mask_number("7766") == "••••"
    assert issubclass(ConfigurationError, MultiWhatsError)
