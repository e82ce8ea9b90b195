"""`FastRecords`: the records of one stream made into rows a thousand at a time, decoded and checked by msgspec.

It does the same as the SDK's path for one record (validate, then `Plan.row`), for the records with which nothing is
wrong; the others it leaves to that road, so that there is one place that says what is wrong with a record.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw
from salesforce_bulk_client.limits import MAX_RECORD_CHARACTERS, MAX_RECORD_FIELDS
from salesforce_bulk_client.records.cells import LONGEST_PLAIN_EXPONENT
from salesforce_bulk_client.records.column_conversion import ColumnConverter, WrongKind

from target_salesforce_bulk.mapping.plan import Plan, Refusal
from target_salesforce_bulk.messages.record_types import is_number, record_type, takes_null

Row = tuple[str, ...] | Refusal | None
"""Cells; or why there are none; or None for a record that has to be checked by itself."""

SURELY_SHORT_BYTES = MAX_RECORD_CHARACTERS - MAX_RECORD_FIELDS * LONGEST_PLAIN_EXPONENT
"""The row of a shorter record has no more than `MAX_RECORD_CHARACTERS`: only numbers and times become longer."""

_values_of = msgspec.structs.astuple


class FastRecords:
    """Made for one schema of one stream."""

    def __init__(self, plan: Plan, *, schema: dict[str, Any], record: type[msgspec.Struct]) -> None:
        self._plan = plan
        self._decode = msgspec.json.Decoder(record).decode
        places = {name: place for place, name in enumerate(schema["properties"])}
        self._columns = [
            (
                mapping.property,
                places[mapping.property],
                ColumnConverter(
                    field_type=column.type,
                    length=mapping.length,
                    null_text=mapping.null_text,
                    is_raw=is_number(schema["properties"][mapping.property]),
                    takes_null=takes_null(schema["properties"][mapping.property]),
                    key_prefix=mapping.key_prefix,
                ),
            )
            for column, mapping in zip(plan.destination.columns, plan.column_mappings, strict=True)
        ]

    @classmethod
    def for_plan(cls, plan: Plan, *, schema: dict[str, Any], key_properties: Sequence[str]) -> FastRecords | None:
        """Return what makes the rows of a stream, or None if its schema wants checks that cannot be made here."""
        record = record_type(schema, key_properties=key_properties)
        return cls(plan, schema=schema, record=record) if record else None

    def rows(self, records: Sequence[Raw]) -> list[Row]:
        """Return a row for each record, in the same order."""
        rows: list[Row] = [None] * len(records)
        good: list[int] = []
        values: list[tuple[Any, ...]] = []
        for place, record in enumerate(records):
            if len(memoryview(record)) > SURELY_SHORT_BYTES:
                continue
            try:
                values.append(_values_of(self._decode(record)))
            except ValueError:  # not as the schema says, or no JSON at all
                continue
            good.append(place)
        if not good:
            return rows
        try:
            for place, row in zip(good, self._converted(values), strict=True):
                rows[place] = row
        except WrongKind:
            return [None] * len(records)
        return rows

    def _converted(self, values: list[tuple[Any, ...]]) -> list[Row]:
        by_property = list(zip(*values, strict=True))
        refusals: dict[int, Refusal] = {}
        columns = []
        for number, (name, place, converter) in enumerate(self._columns):
            cells, refused = converter.cells(by_property[place])
            columns.append(cells)
            for row, error in refused.items():
                refusals.setdefault(row, self._plan.refusal(name, error, column=number))
        rows: list[Row] = list(zip(*columns, strict=True))
        if self._plan.shared_fields:
            for row, cells in enumerate(zip(*columns, strict=True)):
                merged = list(cells)
                refusal = self._plan.shared(merged)
                rows[row] = tuple(merged)
                if refusal:
                    refusals.setdefault(row, refusal)
        key = self._plan.destination.key_index
        if key is not None:
            for row, cell in enumerate(columns[key]):
                if not cell.strip():
                    refusals.setdefault(row, self._plan.missing_key())
        for row, refusal in refusals.items():
            rows[row] = refusal
        return rows
