"""The API key and phone numbers, kept out of everything that is shown or stored."""

import json
import re
from typing import Any, Final, NoReturn, Self
from urllib.parse import quote, quote_plus

MASK: Final = "****"
VISIBLE_DIGITS: Final = 4

SUBSCRIBER_DIGITS: Final = 7
"""So many last digits tell one number from another, with its country code or without."""

LONGEST_SHOWN: Final = 80
"""Characters of a refused value in an error."""

_LONG_DIGITS: Final = re.compile(
    r"""\d{7,}                                 # 905374937766
      | \+\d(?:[ ().\-/]{0,2}\d){6,}            # +90 (537) 493-77-66
      | \b\d{2,4}(?:[ ]\d{2,4}){2,}[ ]\d{2,4}\b  # 0537 493 77 66
    """,
    re.VERBOSE,
)


class Secret:
    """A text that never shows itself: not a ``str``, masked, not picklable.

    Not being a ``str`` is the point: ``json.dumps``, ``%s`` and string concatenation either
    fail or show the mask. Only :meth:`reveal` gives the text, at the last moment.

    Args:
        value: The text to keep.
    """

    __slots__ = ("_forms", "_value", "_written")

    def __init__(self, value: str) -> None:
        self._value = value
        self._forms = _written_forms(value)
        self._written = tuple(form.encode("utf-8", "surrogatepass") for form in self._forms)

    def reveal(self) -> str:
        """Return the text itself; call it only where the bytes for the wire are made."""
        return self._value

    def redact(self, text: str) -> str:
        """Return ``text`` with every form of the secret replaced by the mask."""
        for form in self._forms:
            text = text.replace(form, MASK)
        return text

    def redact_bytes(self, data: bytes) -> bytes:
        """Return ``data`` with every form of the secret replaced by the mask."""
        for written in self._written:
            if written in data:
                data = data.replace(written, MASK.encode())
        return data

    def redact_within(self, value: Any) -> Any:
        """Return JSON data with every form of the secret masked in its texts and names."""
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, list):
            return [self.redact_within(item) for item in value]
        if isinstance(value, dict):
            return {self.redact(name): self.redact_within(item) for name, item in value.items()}
        return value

    def __len__(self) -> int:
        return len(self._value)

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, format_spec: str) -> str:
        return MASK

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "The API key cannot be pickled. Let each process read MULTIWHATS_API_KEY itself."
        )


def _written_forms(value: str) -> tuple[str, ...]:
    """Return every way in which a URL, JSON or a repr may write a text, the longest first."""
    # A command line may hold bytes that are no UTF-8: what is refused must be masked all the same.
    quoted = {
        write(value, safe=safe, errors="surrogatepass")
        for write in (quote, quote_plus)
        for safe in ("", "/")
    }
    escaped = json.dumps(value)[1:-1]
    forms = {value, escaped, escaped.replace("/", "\\/"), repr(value)[1:-1], *quoted}
    forms |= {json.dumps(form)[1:-1] for form in forms}  # JSON within JSON
    return tuple(sorted(forms, key=len, reverse=True))


def mask_number(number: str) -> str:
    """Return a phone number with all but its last four digits hidden, for logs and errors."""
    if len(number) <= VISIBLE_DIGITS:
        return "•" * len(number)
    return "•" * min(len(number) - VISIBLE_DIGITS, LONGEST_SHOWN) + number[-VISIBLE_DIGITS:]


def masked(text: str) -> str:
    """Return a text in which what may be a phone number is masked, written in groups or not."""
    return _LONG_DIGITS.sub(lambda found: mask_number(found[0]), text)


def key_in_logs(key: str, number: str) -> str:
    """Return a message's key for a log: where it is made of the recipient's number, masked.

    The caller's own names, such as the number of an order, stay as they are.

    Args:
        key: The key.
        number: The recipient's number, in digits.
    """

    def hide(found: re.Match[str]) -> str:
        digits = "".join(filter(str.isdigit, found[0]))
        return mask_number(found[0]) if number[-SUBSCRIBER_DIGITS:] in digits else found[0]

    return _LONG_DIGITS.sub(hide, key)


def shown(value: object) -> str:
    """Return how an error shows a value that it refuses: short, and with numbers masked."""
    try:
        text = masked(repr(value))
    except Exception:  # noqa: BLE001  # of an object of the caller's: the error is ours
        return f"something of type {type(value).__name__}"
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"
