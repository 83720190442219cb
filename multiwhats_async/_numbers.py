"""Phone numbers: to the digits that the vendor's API takes, or a reason why not.

The vendor documents only that a number "must contain the country code". The rest follows
ITU-T E.164: at most 15 digits, beginning with an assigned country calling code, none of which
begins with 0.
"""

import re
from typing import Final

MAX_DIGITS: Final = 15
"""ITU-T E.164, 6.2.1."""

MIN_DIGITS: Final = 8
"""Shorter ones are service or local numbers, except in :data:`SHORT_COUNTRIES`."""

SHORT_COUNTRIES: Final = {"683": 7, "690": 7}
"""Niue and Tokelau: four digits after the country code."""

_TWO: Final = (
    "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 "
    "63 64 65 66 81 82 84 86 90 91 92 93 94 95 98 "
)
_THREE: Final = (
    "211 212 213 216 218 220 221 222 223 224 225 226 227 228 229 230 231 232 233 234 235 236 "
    "237 238 239 240 241 242 243 244 245 246 247 248 249 250 251 252 253 254 255 256 257 258 "
    "260 261 262 263 264 265 266 267 268 269 290 291 297 298 299 350 351 352 353 354 355 356 "
    "357 358 359 370 371 372 373 374 375 376 377 378 380 381 382 383 385 386 387 389 420 421 "
    "423 500 501 502 503 504 505 506 507 508 509 590 591 592 593 594 595 596 597 598 599 670 "
    "672 673 674 675 676 677 678 679 680 681 682 683 685 686 687 688 689 690 691 692 800 808 "
    "850 852 853 855 856 870 878 880 881 882 883 886 888 960 961 962 963 964 965 966 967 968 "
    "970 971 972 973 974 975 976 977 979 992 993 994 995 996 998 "
)

ONE_DIGIT_CODES: Final = frozenset("17")
TWO_DIGIT_CODES: Final = frozenset(_TWO.split())
THREE_DIGIT_CODES: Final = frozenset(_THREE.split())
"""The country codes that ITU-T E.164 assigns, with the shared and global ones."""

_SEPARATORS: Final = re.compile(
    r"[\s\-./()\u00ad\u200b-\u200f\u202a-\u202e\u2010-\u2015\u2060-\u2069\ufeff]"
)


class NumberError(ValueError):
    """Why a text is no phone number, with the way out. The text never holds the whole number."""


def country_code(digits: str) -> str | None:
    """Return the country calling code that a number in digits begins with, or None."""
    if digits[:1] in ONE_DIGIT_CODES:
        return digits[0]
    if digits[:2] in TWO_DIGIT_CODES:
        return digits[:2]
    return digits[:3] if digits[:3] in THREE_DIGIT_CODES else None


_BEGINNINGS: Final = frozenset(filter(country_code, map(str, range(100, 1000))))
"""The first three digits of the numbers that have a country code: one look for nearly all."""


def normalise_number(text: str) -> str:
    """Return the digits of a phone number, country code first, without ``+`` or ``00``.

    Spaces, dashes, dots, slashes, brackets and the invisible marks that come along when a
    number is copied are taken out. Digits of other scripts become ASCII digits.

    Args:
        text: The number as a person wrote it, such as ``+90 537 493 77 66``.

    Returns:
        8 to 15 ASCII digits (7 for the countries in :data:`SHORT_COUNTRIES`).

    Raises:
        NumberError: The text cannot be a number with a country code; says why and the way out.
    """
    if (
        text[:3] in _BEGINNINGS
        and MIN_DIGITS <= len(text) <= MAX_DIGITS
        and text.isascii()
        and text.isdigit()
    ):
        return text
    digits = _strip(text)
    code = country_code(digits)
    if code is None:
        raise NumberError(
            f"no country code begins with {digits[:3]}: "
            "write the country code first, such as 90 for Türkiye"
        )
    least = SHORT_COUNTRIES.get(code, MIN_DIGITS)
    if len(digits) < least:
        raise NumberError(
            f"only {len(digits)} digits, fewer than {least}: "
            "write all of it with its country code, such as +90 537 493 77 66"
        )
    if len(digits) > MAX_DIGITS:
        raise NumberError(f"{len(digits)} digits, more than the {MAX_DIGITS} of ITU-T E.164")
    return digits


def _strip(text: str) -> str:
    """Return the bare digits of a number in any notation, or raise a NumberError."""
    compact = _SEPARATORS.sub("", text)
    if not compact:
        raise NumberError("empty: write it with its country code, such as +90 537 493 77 66")
    if re.search(r"\d[eE][+]?\d", compact) or "," in compact:
        raise NumberError(
            "looks like a number that a spreadsheet rewrote (9.05E+11): "
            "format the column as text and enter the number again"
        )
    if re.search(r"\(\s*0\s*\)", text):
        raise NumberError("has (0) in it: write it without the (0), country code first")
    international = compact.startswith("+")
    digits = compact.removeprefix("+")
    if not digits.isdecimal():
        raise NumberError("has letters or signs in it: write digits only, country code first")
    digits = "".join(str(int(digit)) for digit in digits)  # other scripts' digits, to ASCII
    if not international and digits.startswith("00"):
        digits = digits[2:]
    if digits.startswith("0"):
        raise NumberError(
            "begins with 0, so it has no country code: "
            "write the country code in place of the 0, such as 90 for Türkiye"
        )
    if not digits:
        raise NumberError("empty: write it with its country code, such as +90 537 493 77 66")
    return digits
