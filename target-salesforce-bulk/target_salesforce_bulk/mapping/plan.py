"""`Plan`: how the records of one stream become rows for one object. Made by `mapping`; pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec
from salesforce_bulk_client import IngestSpec, Operation
from salesforce_bulk_client.limits import MAX_RECORD_CHARACTERS, NULL_IN_JOB_DATA
from salesforce_bulk_client.names import quoted
from salesforce_bulk_client.records.canonical_form import Canonical, canonical_key
from salesforce_bulk_client.records.cells import Convert, ValueRefused
from salesforce_bulk_client.records.columns import Column

_MISSING = object()


class Destination(msgspec.Struct, kw_only=True, dict=True):
    """Where rows go and what they are: all that is needed to send them and to recognise them, also in a later run."""

    stream: str
    """The stream's name after stream maps."""
    object: str
    operation: Operation
    external_id_field: str | None
    assignment_rule_id: str | None
    columns: tuple[Column, ...]
    key_column: str | None
    """The column that names the record: the external id of an upsert, ``Id`` otherwise; None for insert."""
    parents: tuple[str, ...]
    """Objects that relationship columns point to."""
    references: tuple[str, ...] = ()
    """Objects that any lookup points to, also one that is filled by Id."""
    key_properties: tuple[str, ...]
    """Those of the stream as it came in."""
    stream_schema: dict[str, Any]
    """The schema as it came in, before stream maps: the failed file is read with the same settings again."""
    source_stream: str = ""
    """The stream's name as it came in."""
    mapping: str = ""
    """Digest of how properties become columns: other settings make another destination."""
    number_columns: tuple[int, ...] = ()
    """Columns whose values may be numbers, which are compared by value."""
    key_prefix: str = ""
    """How the Ids of the object's records begin; rows by Id are checked for it. Empty where nothing can be checked."""
    takes_mapped: bool = False
    """Whether its records are kept as they were mapped, because several streams are made of one source."""
    is_retry: bool = False
    """Whether its records come from the list of outstanding records, by whose ids they are recognized."""

    first_pass: Destination | None = None
    """For a second pass, which only fills lookups of records that are loaded: where these came in."""

    @cached_property
    def id(self) -> str:
        """What distinguishes destinations, also in a later run: stream, object, operation, key and mapping."""
        if self.first_pass:
            return self.first_pass.id
        parts = [self.object, self.operation.value, self.external_id_field, self.assignment_rule_id, self.mapping]
        if self.is_retry:
            parts.append("retry")  # an unfinished run of the stream's own input knows nothing of it
        return blake2b(msgspec.json.encode([self.stream, *parts]), digest_size=16).hexdigest()

    @cached_property
    def key_index(self) -> int | None:
        """Which of the columns is the key."""
        names = [column.name for column in self.columns]
        return None if self.key_column is None else names.index(self.key_column)

    @cached_property
    def _key_of(self) -> Callable[[bytes], Any]:
        """Decodes the key properties of a record and skips the others; their values stay as they are."""
        names = {f"key_{number}": name for number, name in enumerate(self.key_properties)}
        fields = [(field, msgspec.Raw, msgspec.Raw(b"null")) for field in names]
        try:
            return msgspec.json.Decoder(msgspec.defstruct("Key", fields, rename=names)).decode
        except ValueError:  # a name that msgspec cannot take, such as one with a quote
            decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
            return lambda record: {name: value for name, value in decode(record).items() if name in self.key_properties}

    def key_of(self, record: bytes) -> msgspec.Raw:
        """Return the key properties of a record in JSON, with their values as they came in."""
        return msgspec.Raw(msgspec.json.encode(self._key_of(record)))

    def key_text(self, cells: Sequence[str]) -> str | None:
        """Return what rows for the same record have in common, or None where rows have no key."""
        index = self.key_index
        return None if index is None else self.key_form(cells[index])

    @cached_property
    def key_form(self) -> Canonical:
        """Gives the text that all spellings of a key have in common."""
        return canonical_key(self.columns[self.key_index or 0].type)

    @property
    def of_records(self) -> Destination:
        """What outcomes and the order of rows are about: for a second pass the destination of the first."""
        return self.first_pass or self

    @property
    def fills_lookups(self) -> bool:
        """Whether its rows only fill lookups of records that are loaded: in a second pass, or from a failed file."""
        return LOOKUP_UPDATE in self.stream_schema

    def second_pass(self, lookups: Collection[str]) -> Destination:
        """Return where rows go that fill these lookups of records which are loaded without them."""
        columns = tuple(column for column in self.columns if column.name in lookups)
        schema = lookup_schema(self.object, (column.name for column in columns))
        return msgspec.structs.replace(
            self,
            operation=Operation.UPDATE,
            external_id_field=None,
            assignment_rule_id=None,
            columns=(Column("Id", "id"), *columns),
            key_column="Id",
            parents=tuple(sorted({column.parent for column in columns})),
            references=(),
            key_properties=("Id",),
            stream_schema=schema,
            number_columns=(),
            first_pass=self,
        )

    def ingest_spec(self, *, line_ending: str) -> IngestSpec:
        """Return what a job for these rows is to do."""
        return IngestSpec(
            object=self.object,
            operation=self.operation,
            external_id_field=self.external_id_field,
            assignment_rule_id=self.assignment_rule_id,
            line_ending=line_ending,
        )


LOOKUP_UPDATE = "x-salesforce-bulk"
"""Where the schema of a stream of lookup updates says what they are."""


def lookup_schema(sobject: str, lookups: Iterable[str]) -> dict[str, Any]:
    """Return the schema of records that fill lookups by Id: the target does just that, whatever its settings.

    >>> lookup_schema("Account", ["Parent.Code__c"])["x-salesforce-bulk"]
    {'object': 'Account', 'operation': 'update'}
    """
    return {
        "type": "object",
        "properties": {name: {"type": "string"} for name in ("Id", *lookups)},
        LOOKUP_UPDATE: {"object": sobject, "operation": Operation.UPDATE.value},
    }


class DeferredLookups(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a second pass is to fill in a record that is loaded without some of its lookups."""

    cells: dict[str, str]
    """By column."""
    id: str = ""
    """The record's, when it is loaded."""
    status: str = ""
    """What it is then: ``created`` or ``updated``."""
    key: str = ""
    """The text of its key, if it has one."""

    @property
    def is_second_pass(self) -> bool:
        """Whether the record is loaded, and only its lookups are missing."""
        return bool(self.id)

    @property
    def record(self) -> bytes:
        """The update that fills the lookups, as a record of `lookup_schema`."""
        return msgspec.json.encode({"Id": self.id, **self.cells})


class Refusal(msgspec.Struct, frozen=True, array_like=True):
    """Why a record cannot become a row, in the shape of a Salesforce error."""

    code: str
    message: str
    fields: tuple[str, ...] = ()


class ColumnMapping(NamedTuple):
    """How one column is filled from a record."""

    property: str
    convert: Convert
    null_text: str
    """What null and the empty string become: ``#N/A`` clears the field, an empty cell leaves it."""
    length: int = 0
    """Most characters of the field's text, 0 for any."""
    key_prefix: str = ""
    """How the Ids begin that name records of the object; empty for all other columns."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How the records of one stream become rows."""

    destination: Destination
    column_mappings: tuple[ColumnMapping, ...]
    """One for each column, in the columns' order."""
    known_properties: frozenset[str]
    """Those of the stream's schema, dropped ones included."""
    drops_unknown: bool
    shared_fields: tuple[tuple[int, ...], ...] = ()
    """Places of columns that fill one field together: at most one of them may have a value in a row."""

    def row(self, record: Mapping[str, Any]) -> list[str] | Refusal:
        """Return the cells of a record's row, or why there can be none."""
        cells = []
        for prop, convert, null_text, *_ in self.column_mappings:
            value = record.get(prop, _MISSING)
            if value is _MISSING:
                cells.append("")
            elif value is None or value == "":
                cells.append(null_text)
            else:
                try:
                    cells.append(convert(value))
                except ValueRefused as error:
                    return self.refusal(prop, error, column=len(cells))
        if not (self.drops_unknown or record.keys() <= self.known_properties):
            names = quoted(*sorted(record.keys() - self.known_properties))
            return Refusal("UNDECLARED_PROPERTY", f"the record has what its SCHEMA does not declare: {names}")
        return self.shared(cells) or self._without_key(cells) or self._too_long(cells) or cells

    def shared(self, cells: list[str]) -> Refusal | None:
        """Keep the one value of each field that several columns fill, or return why a row has too many.

        A null counts only where all are null or absent; then one column is enough to clear the field.
        """
        for places in self.shared_fields:
            filled = [place for place in places if cells[place] not in {"", NULL_IN_JOB_DATA}]
            if len(filled) > 1:
                names = tuple(self.destination.columns[place].name for place in filled)
                properties = " and ".join(quoted(self.column_mappings[place].property) for place in filled)
                return Refusal("FIELD_FILLED_TWICE", f"{properties} have values for one field, which takes one", names)
            chosen = filled or [place for place in places if cells[place]]
            for place in places:
                if place not in chosen[:1]:
                    cells[place] = ""
        return None

    def _without_key(self, cells: list[str]) -> Refusal | None:
        index = self.destination.key_index
        return None if index is None or cells[index].strip() else self.missing_key()

    def _too_long(self, cells: list[str]) -> Refusal | None:
        number = sum(map(len, cells))
        if number <= MAX_RECORD_CHARACTERS:
            return None
        what = f"the record has {number} characters, and Salesforce takes {MAX_RECORD_CHARACTERS}"
        return Refusal("ROW_TOO_LARGE", what)

    def key_text(self, record: Mapping[str, Any]) -> str | None:
        """Return what rows for the same Salesforce record have in common, for a record that may have no row."""
        index = self.destination.key_index
        if index is None:
            return None
        mapping = self.column_mappings[index]
        value = record.get(mapping.property)
        try:
            cell = "" if value is None or value == "" else mapping.convert(value)
        except ValueRefused:
            return None
        return self.destination.key_form(cell) if cell.strip() else None

    def refusal(self, name: str, error: ValueRefused, *, column: int) -> Refusal:
        """Return why a property's value cannot fill its column."""
        return Refusal(error.code, f"{quoted(name)}: {error}", (self.destination.columns[column].name,))

    def missing_properties(self, names: Collection[str], *, line: int) -> Refusal:
        """Return why a record is refused that lacks key properties; ``line`` is its place in the input."""
        columns = zip(self.destination.columns, self.column_mappings, strict=True)
        fields = tuple(column.name for column, mapping in columns if mapping.property in names)
        return Refusal("MISSING_KEY", f"line {line} of the input lacks the key property {quoted(*names)}", fields)

    def missing_key(self) -> Refusal:
        """Return why a record without its key is refused."""
        name = self.destination.key_column or ""
        return Refusal("MISSING_KEY", f"{name} is empty, and {self.destination.operation.value} needs it", (name,))
