"""The columns of job data: the field that each one sets, and how its cells become values."""

from __future__ import annotations

from salesforce_bulk_simulator.data.org_protocol import DataOrg
from salesforce_bulk_simulator.data.records.keys import find_parent, refuse_second_reference
from salesforce_bulk_simulator.data.schema.model import Field, SObject
from salesforce_bulk_simulator.data.values.database import Values
from salesforce_bulk_simulator.data.values.text import Parser, text_parser, to_result_text

NULL_TEXT = "#N/A"
"""The cell that sets a field to null (Bulk API 2.0 guide, "Valid Date Format in Records")."""
NULL_ECHO = ""
"""How result files echo such a cell. [inferred]"""


class UnknownColumn(Exception):
    """A column header that does not name a field."""


class FieldColumn:
    """A column with the values of a field."""

    def __init__(self, header: str, field: Field) -> None:
        self.header = header
        self.field = field
        self._parse: Parser = text_parser(field)

    def fill(self, values: Values, text: str) -> str:
        """Add the value of a non-empty cell to ``values``, and return it as result files echo it."""
        if self.field.name in values:
            refuse_second_reference(values, self.field)
        if text == NULL_TEXT:
            values[self.field.name] = None
            return NULL_ECHO
        value = values[self.field.name] = self._parse(text)
        return value if type(value) is str else to_result_text(self.field, value)


class ParentColumn:
    """A column that identifies a parent by one of its keys: ``Account.External_Id__c``, ``Lead:Who.Email``."""

    def __init__(self, header: str, field: Field, parent: SObject, key: Field, org: DataOrg) -> None:
        self.header = header
        self.field = field
        self._parent = parent
        self._key = key
        self._parse = text_parser(key)
        self._org = org

    def fill(self, values: Values, text: str) -> str:
        """Add the id of the parent to ``values``, and return the cell unchanged, as result files echo it."""
        refuse_second_reference(values, self.field)
        if text == NULL_TEXT:
            values[self.field.name] = None
            return NULL_ECHO
        values[self.field.name] = find_parent(self._org, self._parent, self._key, self._parse(text))
        return text


Column = FieldColumn | ParentColumn


def resolve_columns(org: DataOrg, sobject: SObject, header: list[str]) -> list[Column]:
    """Return the columns of a header.

    Raises:
        UnknownColumn: with the first header that is not a field, or is a duplicate.
    """
    columns: list[Column] = []
    for name in header:
        column = _resolve(org, sobject, name)
        if column is None or any(column.header.lower() == other.header.lower() for other in columns):
            raise UnknownColumn(name)
        columns.append(column)
    return columns


def _resolve(org: DataOrg, sobject: SObject, header: str) -> Column | None:
    path, _, key_name = header.rpartition(".")
    if not path:
        field = sobject.field(header)
        return FieldColumn(header, field) if field and not field.is_compound else None
    object_name, has_object, relationship = path.rpartition(":")
    field = sobject.relationship(relationship)
    if field is None or bool(has_object) != field.is_polymorphic:
        return None
    parent_name = object_name if has_object else field.reference_to[0] if field.reference_to else ""
    if parent_name.lower() not in (name.lower() for name in field.reference_to):
        return None
    parent = org.objects.get(parent_name.lower())
    key = parent.field(key_name) if parent else None
    if parent is None or key is None or not key.id_lookup:
        return None
    return ParentColumn(header, field, parent, key, org)
