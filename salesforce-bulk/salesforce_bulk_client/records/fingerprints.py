"""Fingerprints: 16 bytes that stand for a row or a text, the same for all spellings of a number. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from operator import itemgetter
from typing import Any

import msgspec

from salesforce_bulk_client.limits import NULL_IN_JOB_DATA

SIZE = 16
"""Bytes of a fingerprint."""

Fingerprint = Callable[[str | bytes], bytes]

_encode = msgspec.json.Encoder().encode


def fingerprint_after(*parts: str | bytes) -> Fingerprint:
    """Return what gives the fingerprint of these texts and one more, for many that begin alike.

    Each text's end is part of it.

    >>> fingerprint_after("a")("bc") == fingerprint_after("ab")("c")
    False
    """
    beginning = blake2b(digest_size=SIZE)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        beginning.update(len(data).to_bytes(8, "big"))
        beginning.update(data)

    def fingerprint_of(part: str | bytes) -> bytes:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest = beginning.copy()
        digest.update(len(data).to_bytes(8, "big") + data)
        return digest.digest()

    return fingerprint_of


def fingerprint_of_rows(
    prefix: str, *, columns: Sequence[str], number_columns: Sequence[int] = (), nulls_clear: bool = True
) -> Callable[[Sequence[str]], bytes]:
    """Return what gives the fingerprint of a row's cells, which do not have to be in the same order each time.

    ``number_columns`` are the places of columns whose cells are compared as numbers. ``nulls_clear``: whether ``#N/A``
    is another value than an empty cell.
    """
    fingerprint_of = fingerprint_after(prefix)
    in_order = _cells_at(sorted(range(len(columns)), key=columns.__getitem__))
    numbers_in = _cells_at(number_columns)

    def of_row(cells: Sequence[str]) -> bytes:
        if not nulls_clear:
            cells = ["" if cell == NULL_IN_JOB_DATA else cell for cell in cells]
        if number_columns and not _are_canonical(",".join(numbers_in(cells))):
            cells = list(cells)
            for place in number_columns:
                cells[place] = canonical_number(cells[place])
        return fingerprint_of(_encode(in_order(cells)))

    return of_row


def _cells_at(places: Sequence[int]) -> Callable[[Sequence[str]], Sequence[str]]:
    """Return what takes the cells at these places out of a row."""
    if len(places) < 2:  # for which itemgetter has other types
        return lambda cells: [cells[place] for place in places]
    return itemgetter(*places)


def canonical_number(text: str) -> str:
    """Return one text for all spellings of a number; a text that is not a number stays as it is.

    >>> [canonical_number(text) for text in ("1.50", "1.5", "1e3", "1000", "-0.0", "0", "9007199254740993", "n/a")]
    ['1.5', '1.5', '1000', '1000', '0', '0', '9007199254740993', 'n/a']
    """
    if len(text) < LONGEST_PLAIN and _is_plain(text):  # in a fifth of the time that Decimal takes
        short = text.rstrip("0").rstrip(".") if "." in text else text
        return "0" if short == "-0" else short
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    return _number_text(number) if number.is_finite() else text


_is_plain = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?", re.ASCII).fullmatch

LONGEST_PLAIN = 40
"""Numbers with more places than that are compared in scientific notation: `1e999999` has a million zeros."""

_CANONICAL = rf"(?:0|-?(?:0|[1-9]\d{{0,14}})\.\d{{0,14}}[1-9]|-?[1-9]\d{{0,14}}|{NULL_IN_JOB_DATA})?"

_are_canonical = re.compile(f"{_CANONICAL}(?:,{_CANONICAL})*", re.ASCII).fullmatch
"""Whether a row's numbers, with commas between them, are all as `canonical_number` would write them: most are."""


def _number_text(number: Decimal) -> str:
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits)).lstrip("0")
    stripped = text.rstrip("0")
    if not stripped:
        return "0"
    exponent += len(text) - len(stripped)
    minus = "-" if sign else ""
    if abs(exponent) > LONGEST_PLAIN or len(stripped) > LONGEST_PLAIN:
        return f"{minus}{stripped}E{exponent}"
    return format(Decimal(f"{minus}{stripped}E{exponent}"), "f")


def canonical_value(value: Any) -> Any:
    """Return a value of JSON so that numbers that are equal are the same."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        # A list, so that a number is never the same as a text.
        return ["number", _number_text(number) if number.is_finite() else str(number)]
    if isinstance(value, Mapping):
        return {name: canonical_value(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return ["list", *map(canonical_value, value)]
    return value
