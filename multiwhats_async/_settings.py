"""What a client was asked for, checked before anything is opened."""

from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import attrs

from ._numbers import NumberError, normalise_number
from ._secret import Secret, mask_number, shown
from .errors import ConfigurationError
from .options import Breaker, KeyPlace, Rate, Timeouts, TransportName, is_number
from .retry import RetryPolicy

BASE_URL: Final = "https://api.multiwhats.app/api/v1/"
"""Documented: all endpoints use this base URL."""

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Settings:
    """Everything of a client that ``with_options`` may change, checked."""

    key: Secret
    key_place: KeyPlace
    sender: str | None = attrs.field(repr=lambda number: repr(number and mask_number(number)))
    timeouts: Timeouts
    max_concurrency: int
    rate: Any  # a Rate, a RateLimiter (a port, of a floor above this one) or None
    retry: RetryPolicy
    hooks: tuple[object, ...]
    breaker: Breaker | None


def checked_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of :class:`Settings` for the options that were given, checked.

    Args:
        given: Options under the names that the user wrote.

    Raises:
        ConfigurationError: An option cannot work; names it, the value, and the way out.
    """
    return {_FIELDS.get(name, name): _CHECKS[name](name, value) for name, value in given.items()}


def checked_base_url(url: object) -> str:
    """Return the base URL with a slash at its end.

    Raises:
        ConfigurationError: It is no URL, not HTTPS off this machine, or holds what it must not.
    """
    if not isinstance(url, str):
        raise ConfigurationError(f"base_url must be text, not {type(url).__name__}")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigurationError(f"base_url is no URL: {error}") from None
    if parts.scheme not in ("https", "http") or not host:
        raise ConfigurationError(f"base_url must be such as {BASE_URL}, not {shown(url)}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigurationError(
            "base_url must hold no user, query or fragment; the API key goes into api_key"
        )
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigurationError(
            f"base_url must begin with https:// for {host}: the API key would go out in the clear. "
            "http:// is for this machine only, such as the sandbox"
        )
    return url if url.endswith("/") else url + "/"


def is_loopback(host: str) -> bool:
    """Tell whether a host name can only mean this machine (RFC 6761, RFC 5735, RFC 4291)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def checked_seconds(name: str, value: float | None) -> float | None:
    """Return a number above 0, or None.

    Raises:
        ConfigurationError: It is neither.
    """
    if value is None or (is_number(value) and value > 0):
        return value
    raise ConfigurationError(f"{name} must be a number above 0, or None, not {shown(value)}")


def checked_count(name: str, value: object) -> int:
    """Return a whole number of at least 1.

    Raises:
        ConfigurationError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(f"{name} must be a whole number of at least 1, not {shown(value)}")
    return value


def checked_instance(name: str, value: object, kind: type[T]) -> T:
    """Return a value of the type that it must have.

    Raises:
        ConfigurationError: It has another.
    """
    if not isinstance(value, kind):
        raise ConfigurationError(f"{name} must be of type {kind.__name__}, not {shown(value)}")
    return value


MOST_AT_ONCE: Final = 100_000
"""Ours: each is a task, and no machine has so many connections."""


def checked_concurrency(name: str, value: object) -> int:
    """Return how many at once.

    Raises:
        ConfigurationError: It is no whole number, or more than any machine can have.
    """
    count = checked_count(name, value)
    if count > MOST_AT_ONCE:
        raise ConfigurationError(f"{name} must be at most {MOST_AT_ONCE:,}, not {shown(count)}")
    return count


def checked_flag(name: str, value: object) -> bool:
    """Return True or False: what may double messages is not agreed to by a 1.

    Raises:
        ConfigurationError: It is neither.
    """
    return checked_instance(name, value, bool)


LONGEST_NAME: Final = 200
"""Characters of a campaign's name. Ours: a name is no document."""


def checked_name(name: str, value: object) -> str:
    """Return a name of 1 to 200 characters.

    Raises:
        ConfigurationError: It is none.
    """
    if value is None:
        raise ConfigurationError(
            f"{name} is missing: name it, so that the same call goes on with it after a crash"
        )
    text = checked_text(name, value)
    if not 0 < len(text) <= LONGEST_NAME:
        raise ConfigurationError(
            f"{name} must be a name of 1 to {LONGEST_NAME} characters, not {len(text)}"
        )
    return text


def checked_text(name: str, value: object) -> str:
    """Return a text that UTF-8 can hold.

    Raises:
        ConfigurationError: It is none.
    """
    text = checked_instance(name, value, str)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(f"{name} holds half an emoji (a lone surrogate)") from None
    return text


def _checked_key(_: str, value: object) -> Secret:
    """Return the API key, shut away; the error never shows it."""
    if value is None or (isinstance(value, str) and not value):
        raise ConfigurationError(
            "No API key: pass it as the first argument, or set MULTIWHATS_API_KEY. "
            "To try without an account, run: multiwhats sandbox"
        )
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise ConfigurationError(f"api_key must be text, not {type(value).__name__}")
    if not value.isprintable() or not value.isascii() or " " in value:
        raise ConfigurationError(
            "api_key holds a space, a line break or a sign that no key has: was it copied whole?"
        )
    return Secret(str.__str__(value))  # a plain one, whatever a class of its own would show


def _checked_place(_: str, value: object) -> KeyPlace:
    if isinstance(value, str) and value == "query":
        return "query"
    if isinstance(value, str) and value == "json":
        return "json"
    raise ConfigurationError(f'api_key_in must be "query" or "json", not {shown(value)}')


def checked_transport(value: object, *, injected: bool) -> TransportName:
    """Return the name of a transport.

    Args:
        value: What was given.
        injected: Whether a user's own client is used.

    Raises:
        ConfigurationError: There is none of that name, or the user's client has its own.
    """
    if value == "httpcore":
        return "httpcore"
    if value != "direct":
        raise ConfigurationError(f'transport must be "httpcore" or "direct", not {value!r}')
    if injected:
        raise ConfigurationError(
            'transport="direct" opens connections of its own, and an http_client (for a proxy, '
            "say) brings its own: give one of the two"
        )
    return "direct"


def _checked_sender(_: str, value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ConfigurationError(f"sender must be text, not {type(value).__name__}")
    try:
        return normalise_number(value)
    except NumberError as error:
        raise ConfigurationError(f"sender {mask_number(value)!r} {error}") from None


def _checked_hooks(_: str, value: object) -> tuple[object, ...]:
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        raise ConfigurationError(f"hooks must be a list of objects, not {shown(value)}")
    hooks = tuple(value)
    for hook in hooks:
        if not any(hasattr(hook, name) for name in ("on_attempt", "on_retry", "on_outcome")):
            raise ConfigurationError(
                f"the hook {shown(hook)} has none of on_attempt, on_retry and on_outcome"
            )
    return hooks


def checked_rate(name: str, value: Any) -> Any:
    """Return None, the rate of a number, or what hands out slots itself: a ``RateLimiter``.

    Raises:
        ConfigurationError: It is none of these. The value is not shown: it may be an address
            with a password in it.
    """
    if value is None or isinstance(value, Rate):
        return value
    if isinstance(value, int | float):
        return Rate.of(value)
    methods = (getattr(value, method, None) for method in ("reserve", "postpone"))
    if not isinstance(value, type) and all(map(callable, methods)):
        return value
    raise ConfigurationError(
        f"{name} must be messages a second, a Rate, a RateLimiter such as "
        f'PostgresRate("postgresql://...", 80), or None, not of type {type(value).__name__}'
    )


def _checked_retry(name: str, value: object) -> RetryPolicy:
    return checked_instance(name, value, RetryPolicy)


def _checked_breaker(name: str, value: object) -> Breaker | None:
    return None if value is None else checked_instance(name, value, Breaker)


def _checked_timeout(_: str, value: Any) -> Timeouts:
    return Timeouts.of(value)


_FIELDS: Final = {"api_key": "key", "api_key_in": "key_place", "timeout": "timeouts"}
"""The fields of :class:`Settings` whose name is not the option's."""

_CHECKS: Final[Mapping[str, Callable[[str, Any], object]]] = {
    "api_key": _checked_key,
    "api_key_in": _checked_place,
    "sender": _checked_sender,
    "timeout": _checked_timeout,
    "max_concurrency": checked_concurrency,
    "rate": checked_rate,
    "retry": _checked_retry,
    "hooks": _checked_hooks,
    "breaker": _checked_breaker,
}
