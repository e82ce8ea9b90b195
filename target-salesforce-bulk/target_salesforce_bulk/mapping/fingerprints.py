"""16 bytes that identify a record or a key, so that a later run recognises them (docs/decisions/0006). Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from operator import itemgetter
from typing import Any

import msgspec
from salesforce_bulk_client import Operation
from salesforce_bulk_client.limits import NULL_IN_JOB_DATA

from target_salesforce_bulk.mapping.cells import decode_json
from target_salesforce_bulk.mapping.plan import Destination

SIZE = 16

_encode = msgspec.json.Encoder().encode
_encode_sorted = msgspec.json.Encoder(order="sorted").encode

Fingerprint = Callable[[str | bytes], bytes]


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


def key_fingerprint(destination: Destination) -> Callable[[str], bytes]:
    """Return what gives for a key's text what any row for the same Salesforce record has, whatever its stream."""
    return fingerprint_after(destination.object, destination.key_column or "")


def source_key_fingerprint(destination: Destination) -> Callable[[bytes], bytes | None]:
    """Return what gives for a record in JSON what records of the same key properties have; None if it lacks one.

    It stands in for a key where rows have none in Salesforce: for inserts.
    """
    fingerprint_of = fingerprint_after(destination.id, b"key")
    names = destination.key_properties

    def of_record(record: bytes) -> bytes | None:
        key: dict[str, Any] = decode_json(destination.key_of(record))
        values = [key.get(name) for name in names]
        if not values or None in values:
            return None
        return fingerprint_of(_encode_sorted([_canonical(value) for value in values]))

    return of_record


def row_fingerprint(destination: Destination) -> Callable[[Sequence[str]], bytes]:
    """Return what identifies a record by the cells of its row, for records that are loaded as they come in."""
    fingerprint_of = fingerprint_after(destination.id)
    numbers = destination.number_columns
    names = [column.name for column in destination.columns]
    in_order = _cells_at(sorted(range(len(names)), key=names.__getitem__))
    numbers_in = _cells_at(numbers)
    is_insert = destination.operation is Operation.INSERT

    def of_row(cells: Sequence[str]) -> bytes:
        if is_insert:  # there is nothing yet that a null could clear
            cells = ["" if cell == NULL_IN_JOB_DATA else cell for cell in cells]
        if numbers and not _are_canonical(",".join(numbers_in(cells))):
            cells = list(cells)
            for place in numbers:
                cells[place] = canonical_number(cells[place])
        return fingerprint_of(_encode(in_order(cells)))  # a tap may write its properties in another order next time

    return of_row


def _cells_at(places: Sequence[int]) -> Callable[[Sequence[str]], Sequence[str]]:
    """Return what takes the cells at these places out of a row."""
    if len(places) < 2:  # for which itemgetter has other types
        return lambda cells: [cells[place] for place in places]
    return itemgetter(*places)


def record_fingerprint(
    destination: Destination, *, properties: Collection[str]
) -> Callable[[Mapping[str, Any]], bytes]:
    """Return what identifies a record by these properties as they came in: those that are loaded."""
    fingerprint_of = fingerprint_after(destination.id, b"record")
    is_insert = destination.operation is Operation.INSERT

    def of_record(record: Mapping[str, Any]) -> bytes:
        kept = {
            name: _canonical(value)
            for name, value in record.items()
            if name in properties and not (is_insert and value is None)
        }
        return fingerprint_of(_encode_sorted(kept))

    return of_record


def canonical_number(text: str) -> str:
    """Return one text for all spellings of a number; what is no number stays as it is.

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


def _canonical(value: Any) -> Any:
    """Return a value of JSON so that numbers that are equal are the same."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        # A list, so that a number is never the same as a text.
        return ["number", _number_text(number) if number.is_finite() else str(number)]
    if isinstance(value, Mapping):
        return {name: _canonical(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return ["list", *map(_canonical, value)]
    return value
