"""Record ids: 15 case-sensitive characters, and the 18-character form with its checksum suffix."""

from __future__ import annotations

import re

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_SHAPE = re.compile(r"[0-9A-Za-z]{15}(?:[A-Z0-5]{3})?")

INSTANCE = "SIM"
"""The three characters after the key prefix, which identify the instance of an org."""


def suffix(id15: str) -> str:
    """Return the three characters that make a 15-character id safe for case-insensitive use.

    >>> suffix("00130000006LTY3")
    'AAO'
    """
    return "".join(
        _SUFFIX[sum(1 << bit for bit, character in enumerate(id15[start : start + 5]) if "A" <= character <= "Z")]
        for start in (0, 5, 10)
    )


def make_id(prefix: str, *, number: int) -> str:
    """Return the 18-character id of an object's ``number``-th record.

    >>> make_id("001", number=1)
    '001SIM000000001YBA'
    """
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    id15 = prefix + INSTANCE + digits.rjust(9, "0")
    return id15 + suffix(id15)


def as_18(text: str) -> str | None:
    """Return the 18-character form of an id given in 15 or 18 characters; None if it is not an id."""
    if not _SHAPE.fullmatch(text):
        return None
    return text[:15] + suffix(text[:15])
