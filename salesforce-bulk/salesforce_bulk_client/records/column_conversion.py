"""Whole columns of values made into cells at once: what `rows` does for one value, for a thousand. Pure.

Most columns are of one type throughout, and need only one check of all their values. What is not as simple
is done by the same function of `rows` that does single values, so both roads make the same cells.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec import UNSET, Raw

from salesforce_bulk_client.limits import NULL_IN_JOB_DATA
from salesforce_bulk_client.records.cells import (
    ID_LENGTHS,
    ID_TYPES,
    INTEGER_TYPES,
    LONGEST_PLAIN_EXPONENT,
    NUMBER_TYPES,
    ValueRefused,
    converter,
    decode_json,
    id_start,
    is_text,
    key_prefix_of,
    longest_text,
)

Cells = Sequence[str]
Refused = dict[int, ValueRefused]
"""Why some of a column's values cannot be cells, by their places."""

MISSING = b"~"
"""Stands for a number that a record does not have; no JSON begins with it."""

_WHOLE_NUMBERS = b"-0123456789,"
_NUMBERS = b"." + _WHOLE_NUMBERS


class WrongKind(Exception):
    """A value is not of the kind that its schema declares, so its record has to be checked by itself."""


class ColumnConverter:
    """Makes the cells of one column, for a field of describe's ``field_type``."""

    def __init__(
        self, *, field_type: str, length: int, null_text: str, is_raw: bool, takes_null: bool, key_prefix: str = ""
    ) -> None:
        """``is_raw``: the values are undecoded numbers, so that none of their digits is lost.

        ``takes_null``: the schema allows nulls; msgspec sees to that for all values but undecoded ones.
        """
        self._convert = converter(field_type, length=length, key_prefix=key_prefix)
        self._length = longest_text(length)
        self._key_prefix = key_prefix
        self._null_text = null_text
        self._words = {True: "true", False: "false", None: null_text, UNSET: ""}
        self._is_raw = is_raw
        self._plain_numbers = _WHOLE_NUMBERS if field_type in INTEGER_TYPES else _NUMBERS
        self._takes_null = takes_null
        self._whole: Callable[[Sequence[Any]], Cells | None] = self._converted
        if field_type in NUMBER_TYPES:
            self._whole = self._raw_numbers if is_raw else self._integers
        elif field_type == "boolean":
            self._whole = self._booleans
        elif field_type == "datetime":
            self._whole = self._datetimes
        elif field_type in ID_TYPES:
            self._whole = self._ids
        elif is_text(field_type):
            self._whole = self._texts

    def cells(self, values: Sequence[Any]) -> tuple[Cells, Refused]:
        """Return the cells, and the values that have none (their cells are empty).

        Raises: WrongKind.
        """
        whole = self._whole(values)
        if whole is not None:
            return whole, {}
        cells: list[str] = []
        refused: Refused = {}
        for place, value in enumerate(map(self._number, values) if self._is_raw else values):
            cell = ""
            if value is None or value == "":
                cell = self._null_text
            elif value is not UNSET:
                try:
                    cell = self._convert(value)
                except ValueRefused as error:
                    refused[place] = error
            cells.append(cell)
        return cells, refused

    # Whole columns: each returns None for one that it cannot do.

    def _texts(self, values: Sequence[Any]) -> Cells | None:
        if set(map(type, values)) - _TEXT_KINDS:
            return None
        null = self._null_text
        cells = [value or (null if value is not UNSET else "") for value in values]
        if NULL_IN_JOB_DATA in values or max(map(len, cells)) > self._length:
            return None
        return cells

    def _ids(self, values: Sequence[Any]) -> Cells | None:
        if set(map(type, values)) - _TEXT_KINDS:
            return None
        present = [value for value in values if value]
        joined = "".join(present)
        if not (ID_LENGTHS.issuperset(map(len, present)) and joined.isascii() and joined.isalnum()):
            return None
        if self._key_prefix and {key_prefix_of(*start) for start in set(map(id_start, present))} - {self._key_prefix}:
            return None
        return [value or (self._null_text if value is not UNSET else "") for value in values]

    def _converted(self, values: Sequence[Any]) -> Cells | None:
        if set(map(type, values)) - _TEXT_KINDS:
            return None
        convert, null = self._convert, self._null_text
        try:
            return [convert(value) if value else (null if value is not UNSET else "") for value in values]
        except ValueRefused:
            return None

    def _datetimes(self, values: Sequence[Any]) -> Cells | None:
        if set(map(type, values)) - _TEXT_KINDS:
            return None
        present = [value for value in values if value]
        if not _UTC_DATETIMES.fullmatch("\n".join(present)):
            return self._converted(values)
        try:
            list(map(datetime.fromisoformat, present))  # there is such a moment
        except ValueError:
            return None
        cells = [value and f"{value[:19]}{value[19:23] if value[19] == '.' else '.000'}Z" for value in values]
        return [cell or (self._null_text if cell is not UNSET else "") for cell in cells]

    def _integers(self, values: Sequence[Any]) -> Cells | None:
        kinds = set(map(type, values))
        if kinds == {int}:
            cells = list(map(str, values))
        elif kinds - _INTEGER_KINDS:
            return None
        else:
            cells = [str(value) if value is not None else self._null_text for value in values]
        return cells if max(map(len, cells)) < LONGEST_PLAIN_EXPONENT else None

    def _booleans(self, values: Sequence[Any]) -> Cells | None:
        if set(map(type, values)) - _BOOLEAN_KINDS:
            return None
        return [self._words[value] for value in values]

    def _raw_numbers(self, values: Sequence[Any]) -> Cells | None:
        joined = b",".join(values)
        rest = joined.replace(b"null", b"").translate(None, self._plain_numbers)
        cells = joined.replace(b"null", b"").decode().split(",") if not rest else []
        if len(cells) != len(values) or max(map(len, cells)) >= LONGEST_PLAIN_EXPONENT or "-0" in cells:
            return None
        if "" not in cells:
            return cells
        if not self._takes_null:
            raise WrongKind
        return [cell or self._null_text for cell in cells]

    def _number(self, raw: Raw) -> Any:
        """Return a number exactly, or None, or UNSET."""
        if bytes(raw) == MISSING:
            return UNSET
        try:
            value = decode_json(raw)
        except ValueError:
            raise WrongKind from None
        if type(value) in (int, Decimal) or (value is None and self._takes_null):
            return value
        raise WrongKind


_UTC_DATETIMES = re.compile(
    r"(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3}(?:\d{3})?)?(?:Z|\+00:00)(?:\n|\Z))*", re.ASCII
)
"""Whole columns of the usual spellings, which need no more than their milliseconds."""

_TEXT_KINDS = {str, type(None), type(UNSET)}
_INTEGER_KINDS = {int, type(None)}
_BOOLEAN_KINDS = {bool, type(None), type(UNSET)}
