"""Makes the `Plan` of a stream, and checks it against describe before anything is sent.

All problems of a stream are reported in one message.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from salesforce_bulk_client import ConfigError, Field, Operation, SObjectDescribe
from salesforce_bulk_client.limits import MAX_RECORD_FIELDS, NULL_IN_JOB_DATA
from salesforce_bulk_client.names import quoted
from salesforce_bulk_client.records.cells import INTEGER_TYPES, NUMBER_TYPES, converter
from salesforce_bulk_client.records.columns import Column
from salesforce_bulk_client.records.relationships import ColumnProblem, ResolvedColumn, relationship_column

from target_salesforce_bulk.json_schema import types_of
from target_salesforce_bulk.mapping.plan import ColumnMapping, Destination, Plan
from target_salesforce_bulk.mapping.sources import Source
from target_salesforce_bulk.mapping.stream_settings import NullPolicy, StreamSettings

logger = logging.getLogger(__name__)

Describe = Callable[[str], SObjectDescribe]
"""Gives an object's describe answer; raises ConfigError when there is no such object."""

NOT_IN_JOB_DATA = frozenset({"address", "location", "base64", "complexvalue", "json"})
"""Field types that job data cannot carry (Bulk guide: no binary attachments, no compound fields)."""

_BY_ID = frozenset({Operation.UPDATE, Operation.DELETE, Operation.HARD_DELETE})
_DELETES = frozenset({Operation.DELETE, Operation.HARD_DELETE})


def make_plan(
    stream: str,
    *,
    schema: dict[str, Any],
    key_properties: Sequence[str],
    settings: StreamSettings,
    describe: Describe,
    source: Source | None = None,
) -> Plan:
    """Return the plan of one stream; ``source`` is what it was before stream maps.

    Raises: ConfigError that names everything in the schema or the settings that does not fit the object.
    """
    described = describe(settings.object)
    _check_operation(described, settings.operation)
    draft = _PlanBuilder(described, settings=settings, describe=describe)
    draft.find_key(key_properties)
    properties: dict[str, Any] = schema["properties"]
    for name, property_schema in properties.items():
        draft.place(name, property_schema)
    draft.check_columns()
    draft.raise_problems(stream)
    draft.warn(stream, absent=sorted(settings.fields.keys() - properties.keys()))
    draft.note_uncleared(stream)
    source = source or Source(stream=stream, schema=schema, key_properties=key_properties, properties=tuple(properties))
    return Plan(
        destination=Destination(
            stream=stream,
            object=described.name,
            operation=settings.operation,
            external_id_field=draft.key_field if settings.operation is Operation.UPSERT else None,
            assignment_rule_id=settings.assignment_rule_id,
            columns=tuple(entry.column for entry in draft.placed),
            key_column=draft.key_field,
            parents=tuple(sorted({entry.parent for entry in draft.placed if entry.parent})),
            references=tuple(sorted({name for entry in draft.placed for name in entry.writes.reference_to})),
            key_properties=tuple(source.key_properties),
            stream_schema=source.schema,
            source_stream=source.stream,
            mapping=_digest(draft.placed, settings=settings, source=source),
            number_columns=tuple(
                place
                for place, entry in enumerate(draft.placed)
                if entry.column.type not in INTEGER_TYPES  # whose cells have one spelling each
                and (entry.column.type in NUMBER_TYPES or types_of(properties[entry.property]) & {"number", "integer"})
            ),
            key_prefix=described.key_prefix,
            takes_mapped=source.is_shared,
            is_retry=source.is_retry,
        ),
        column_mappings=tuple(
            ColumnMapping(
                entry.property,
                converter(entry.column.type, length=entry.length, key_prefix=draft.key_prefix(entry)),
                NULL_IN_JOB_DATA if draft.clears(entry) else "",
                entry.length,
                draft.key_prefix(entry),
            )
            for entry in draft.placed
        ),
        known_properties=frozenset(properties),
        drops_unknown=settings.drops_unknown_fields,
        shared_fields=draft.shared_fields(),
    )


def _digest(placed: Sequence[_Placed], *, settings: StreamSettings, source: Source) -> str:
    """Return what distinguishes one mapping of a stream from another: which property fills which column, and how."""
    columns = sorted((entry.property, entry.column.name) for entry in placed)
    parts = [columns, settings.null_policy.value, source.settings]
    return blake2b(json.dumps(parts, sort_keys=True, default=str).encode(), digest_size=16).hexdigest()


class _Placed(NamedTuple):
    """A property with the column that it fills."""

    property: str
    column: Column
    length: int
    parent: str | None
    writes: Field
    may_be_null: bool
    """Whether the stream's schema allows a null."""


class _PlanBuilder:
    """A plan in the making: the columns so far, and what was found wrong."""

    def __init__(self, described: SObjectDescribe, *, settings: StreamSettings, describe: Describe) -> None:
        self.described = described
        self.settings = settings
        self.operation = settings.operation
        self._describe = describe
        self.key_field: str | None = None
        self.placed: list[_Placed] = []
        self.problems: list[str] = []
        self._unknown: list[str] = []
        self._read_only: list[str] = []
        self._compound: list[str] = []

    def find_key(self, key_properties: Sequence[str]) -> None:
        """Find the field that names a record, or note why there is none."""
        if self.operation in _BY_ID:
            self.key_field = "Id"
        elif self.operation is Operation.UPSERT:
            self.key_field = self._upsert_key(key_properties)

    def _upsert_key(self, key_properties: Sequence[str]) -> str | None:
        chosen = self.settings.external_id_field
        if chosen is None and len(key_properties) == 1:
            chosen = self.settings.fields.get(key_properties[0], key_properties[0])
        field = self.described.field(chosen) if chosen else None
        if field and (field.external_id or field.id_lookup):
            return field.name
        name = self.described.name
        if field and self.settings.external_id_field:
            self.problems.append(
                f"{field.name} is not an external ID field of {name}, so it cannot be the key of an upsert"
            )
        elif self.settings.external_id_field:
            self.problems.append(f"{name} has no field {quoted(chosen or '')} to upsert by")
        else:
            self.problems.append(
                f'upsert into {name} needs an external id: set "external_id_field", or send key_properties'
                " of one property that is an external id"
            )
        return None

    def place(self, name: str, property_schema: Any) -> None:
        """Find the column for a property, or note why there is none."""
        target = self.settings.fields.get(name, name)
        if target is None or (self.operation in _DELETES and target.lower() != "id"):
            return  # a delete sends nothing but Ids
        try:
            found = self._find(target)
        except ColumnProblem as problem:
            self.problems.append(str(problem))
            return
        if found is None:
            self._unknown.append(quoted(target) if target == name else f"{quoted(name)} → {quoted(target)}")
        elif self._may_write(name, found):
            self._add(name, found, property_schema)

    def _find(self, target: str) -> ResolvedColumn | None:
        field = self.described.field(target)
        if field:
            return ResolvedColumn(field.name, field=field, writes=field, parent=None)
        if "." in target:
            return relationship_column(target, described=self.described, describe=self._describe)
        return None

    def _may_write(self, name: str, found: ResolvedColumn) -> bool:
        """Whether the operation can write the field; one that is not named in ``fields`` is only left out."""
        is_chosen = name in self.settings.fields
        field = found.writes
        if field.name == self.key_field:
            return True
        is_writable = self._is_writable(field)
        if is_writable and field.type not in NOT_IN_JOB_DATA:
            return True
        parts = self._parts_of(field)
        if is_chosen:
            why = "it is read-only" if not is_writable else f"job data cannot carry the type {field.type}"
            if parts:
                why = f"it is a compound field; write its parts instead: {', '.join(parts)}"
            self.problems.append(f"{found.name} cannot be written by {self.operation.value}: {why}")
        elif parts:
            self._compound.append(f"{quoted(name)} (its parts: {', '.join(parts)})")
        else:
            self._read_only.append(quoted(name))
        return False

    def _parts_of(self, field: Field) -> list[str]:
        """Return the fields that a compound field, such as an address, is made of and that can be written."""
        parts = (each for each in self.described.fields if each.compound_field_name == field.name and each is not field)
        return [part.name for part in parts if self._is_writable(part)]

    def _is_writable(self, field: Field) -> bool:
        return {
            Operation.INSERT: field.createable,
            Operation.UPDATE: field.updateable,
            Operation.UPSERT: field.createable or field.updateable,
        }[self.operation]

    def _add(self, name: str, found: ResolvedColumn, property_schema: Any) -> None:
        taken = next((entry for entry in self.placed if entry.column.name == found.name), None)
        if taken:
            self.problems.append(f"{quoted(taken.property)} and {quoted(name)} both fill {found.name}")
        elif types_of(property_schema) - {"null"} == {"object"}:
            self.problems.append(
                f"{quoted(name)} is an object, which {found.name} cannot take: set flattening_enabled,"
                " take it apart by stream_maps, or map it to null in fields"
            )
        else:
            is_deferrable = found.parent is not None and found.writes.nillable and found.writes.updateable
            column = Column(found.name, found.field.type, parent=found.parent or "", is_deferrable=is_deferrable)
            kinds = types_of(property_schema)
            may_be_null = not kinds or "null" in kinds
            self.placed.append(_Placed(name, column, found.field.length, found.parent, found.writes, may_be_null))

    def key_prefix(self, entry: _Placed) -> str:
        """Return how the Ids of a column begin that names records of the object, or an empty text."""
        return self.described.key_prefix if entry.column.name == self.key_field == "Id" else ""

    def clears(self, entry: _Placed) -> bool:
        """Whether a null clears the field; otherwise it leaves it as it is, and a new record gets its default."""
        return self._wants_to_clear(entry) and entry.writes.nillable

    def _wants_to_clear(self, entry: _Placed) -> bool:
        is_update = self.operation in {Operation.UPDATE, Operation.UPSERT}
        return is_update and self.settings.null_policy is NullPolicy.CLEAR and entry.column.name != self.key_field

    def shared_fields(self) -> tuple[tuple[int, ...], ...]:
        """Return the places of the columns that fill one field together, such as a lookup that has two parents."""
        places: dict[str, list[int]] = {}
        for place, entry in enumerate(self.placed):
            places.setdefault(entry.writes.name, []).append(place)
        return tuple(tuple(group) for group in places.values() if len(group) > 1)

    def check_columns(self) -> None:
        """Note problems that concern several columns."""
        names = {entry.column.name for entry in self.placed}
        if self.key_field and self.key_field not in names:
            self.problems.append(f"{self.operation.value} needs {self.key_field}, which no property fills")
        if len(names) > MAX_RECORD_FIELDS:
            self.problems.append(f"{len(names)} columns are more than the {MAX_RECORD_FIELDS} that Salesforce takes")
        if not names and (self.settings.drops_unknown_fields or not self._unknown):
            self.problems.append("no property fills any field")

    def raise_problems(self, stream: str) -> None:
        """Raise ConfigError if anything was found wrong."""
        problems = list(self.problems)
        if self._unknown and not self.settings.drops_unknown_fields:
            problems.insert(
                0,
                f"{self.described.name} has no field {', '.join(self._unknown)} (or your user may not see it);"
                ' name the right field under "fields" in "mappings", or set "unknown_fields" to "drop"',
            )
        if problems:
            raise ConfigError(f"stream {quoted(stream)}: {'; '.join(problems)}")

    def warn(self, stream: str, *, absent: Sequence[str]) -> None:
        """Say once what is left out, and what ``fields`` maps that the stream does not have (not yet, maybe)."""
        name = self.described.name
        for names, what in (
            (self._unknown, f"these properties are not loaded, because {name} has no such field"),
            (self._read_only, f"these properties are not loaded, because they are read-only in {name}"),
            (self._compound, f"these properties are not loaded, because they are compound fields of {name}"),
            (list(map(quoted, absent)), "fields maps properties that its SCHEMA does not have"),
        ):
            if names:
                logger.warning("stream %s: %s: %s", quoted(stream), what, ", ".join(names))

    def note_uncleared(self, stream: str) -> None:
        """Say once which fields a null leaves as they are, because Salesforce does not let them be null."""
        names = [
            entry.column.name
            for entry in self.placed
            if self._wants_to_clear(entry) and entry.may_be_null and not entry.writes.nillable
        ]
        if names:
            what = "a null leaves these fields as they are, because they cannot be empty"
            logger.info("stream %s: %s: %s", quoted(stream), what, ", ".join(names))


def _check_operation(described: SObjectDescribe, operation: Operation) -> None:
    allowed = {
        Operation.INSERT: described.createable,
        Operation.UPDATE: described.updateable,
        Operation.UPSERT: described.createable and described.updateable,
        Operation.DELETE: described.deletable,
        Operation.HARD_DELETE: described.deletable,
    }
    if not allowed[operation]:
        raise ConfigError(f"{operation.value} is not possible for {described.name}, or your user may not do it")
