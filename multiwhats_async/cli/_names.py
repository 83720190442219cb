"""Which column of a file, or which field of a JSON object, stands for what."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

import attrs

ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "to": (
        "to",
        "phone",
        "phone number",
        "telefon",
        "telefon no",
        "telefon numarası",  # noqa: RUF001  # Turkish
        "tel",
        "gsm",
        "cep",
        "cep telefonu",
        "number",
        "numara",
        "msisdn",
        "whatsapp",
        "alıcı",  # noqa: RUF001  # likewise
        "recipient",
    ),
    "from": ("from", "sender", "gönderen"),
    "message": ("message", "text", "mesaj", "metin"),
    "buttons": ("buttons", "butonlar", "düğmeler"),
    "key": ("key", "anahtar"),
}
"""What each field may be called, in capitals or not, and with or without the dots of Turkish."""

MARKS: Final = "".join(
    map(chr, (0xAD, 0x61C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F)))
) + "".join(map(chr, (*range(0x2060, 0x206A), 0xFEFF)))
"""Characters that nobody sees: the zero-width ones, and those that set the direction of writing."""

LONGEST_NAME: Final = 100
"""Characters. A longer name stands for nothing."""

_AROUND: Final = MARKS + "".join(sign for sign in map(chr, range(0x3001)) if sign.isspace())
_WITHOUT_MARKS: Final = dict.fromkeys(map(ord, MARKS))
_BETWEEN_WORDS: Final = re.compile(r"[\W_]+")
_NUMBERED: Final = re.compile(r"(?:button|buton|dugme) ?([1-9][0-9]?)")
_NUMBERED_FIELD: Final = re.compile(r"button([1-9][0-9]?)")


class UnreadableError(Exception):
    """The file, or what is left of it, cannot be read; says why, and the way out."""


def trimmed(text: str) -> str:
    """Return a text without the spaces and invisible marks around it."""
    return text.strip(_AROUND)


def plain(name: str) -> str:
    """Return a name as it is compared letter by letter."""
    return unicodedata.normalize("NFC", trimmed(name))


@lru_cache(maxsize=1024)
def field_of(name: str) -> str | None:
    """Return the field that a name stands for by itself: one of ALIASES, button1, … or None."""
    if len(name) > LONGEST_NAME:
        return None
    key = _key(name)
    numbered = _NUMBERED.fullmatch(key)
    return f"button{int(numbered[1])}" if numbered else _FIELDS.get(key)


def numbered_of(fields: Iterable[str]) -> tuple[str, ...]:
    """Return button1, button2, … of some fields, in the order of their numbers."""
    numbered = [found for found in map(_NUMBERED_FIELD.fullmatch, fields) if found]
    return tuple(found[0] for found in sorted(numbered, key=lambda found: int(found[1])))


@lru_cache(maxsize=1024)
def variable_of(name: str) -> str:
    """Return the name by which a text takes a column's value, or "" where there is none.

    It is the column's own where that can stand between braces; else each sign and space becomes
    ``_``, so that ``{First_name}`` takes the column "First name". Case is kept as written.
    """
    name = plain(name)
    if not name or len(name) > LONGEST_NAME or name.isidentifier():
        return "" if len(name) > LONGEST_NAME else name
    # Also the vowel signs of Indian scripts go on with a name, and \w does not know them.
    signs = (sign if f"_{sign}".isidentifier() else " " for sign in name)
    joined = "_".join("".join(signs).split())
    return joined if not joined or joined.isidentifier() else f"_{joined}"


def _plain_names(names: Mapping[str, str]) -> Mapping[str, str]:
    return {field: plain(name) for field, name in names.items()}


@attrs.frozen
class Naming:
    """What stands for what in one file: by choice, else by the names themselves.

    Args:
        chosen: The name of the column, for each field that was chosen by hand.

    Raises:
        UnreadableError: There is no such field.
    """

    chosen: Mapping[str, str] = attrs.field(converter=_plain_names)

    def __attrs_post_init__(self) -> None:
        for field in self.chosen:
            if field not in ALIASES and not numbered_of([field]):
                raise UnreadableError(
                    f"{field!r} is no field to choose a column for: "
                    f"take one of {', '.join(ALIASES)}, or button1, button2, button3"
                )

    def fields_of(self, name: str) -> tuple[str, ...]:
        """Return the fields that a column of that name stands for, seldom more than one."""
        if not self.chosen:
            field = field_of(name)
            return () if field is None else (field,)
        wanted = plain(name)
        chosen = tuple(field for field, column in self.chosen.items() if column == wanted)
        field = field_of(name)
        if chosen or field is None or self._is_chosen(field):
            return chosen
        return (field,)

    def _is_chosen(self, field: str) -> bool:
        """Tell whether a field, or for a button any button, was chosen by hand."""
        if field.startswith("button"):
            return any(one.startswith("button") for one in self.chosen)
        return field in self.chosen


def _key(name: str) -> str:
    """Return what two names that are the same for a reader have in common.

    Lower-casing alone will not do: the small letter of I has no dot in Turkish, and İ has one.
    """
    name = unicodedata.normalize("NFKD", name.replace("\u0131", "i")).lower()
    name = "".join(sign for sign in name if not unicodedata.combining(sign))
    return _BETWEEN_WORDS.sub(" ", name.translate(_WITHOUT_MARKS)).strip()


_FIELDS: Final = {_key(alias): field for field, names in ALIASES.items() for alias in names}
