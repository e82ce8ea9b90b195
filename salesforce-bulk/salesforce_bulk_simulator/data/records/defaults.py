"""What Salesforce fills in of a record: defaults, stamps, users, auto numbers and names."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property

from salesforce_bulk_simulator.data.clock import stamp_of
from salesforce_bulk_simulator.data.org_protocol import DataOrg
from salesforce_bulk_simulator.data.schema.model import Field, SObject
from salesforce_bulk_simulator.data.values.database import Values

_STAMPS_ON_CREATE = ("CreatedDate", "LastModifiedDate", "SystemModstamp")
_USERS_ON_CREATE = ("CreatedById", "LastModifiedById", "OwnerId")


class RecordDefaults:
    """What Salesforce fills in of one object's records."""

    def __init__(self, org: DataOrg, sobject: SObject) -> None:
        self._org = org
        self._sobject = sobject
        self._names = {each.name for each in sobject.fields.values()}
        name = sobject.field("Name")
        self._name_kind = name.extra_type_info if name else None

    def new_row(self, values: Values, *, record_id: str) -> Values:
        """Return the row of a new record."""
        row = self._values | {name: value for name, value in values.items() if value is not None}
        row["Id"] = record_id
        stamp = self._stamp()
        for name in self._stamped:
            row[name] = values.get(name) or stamp
        self._fill_names(row, record_id)
        return row

    def stamp_change(self, changes: Values) -> None:
        """Add to the changes of a record when it was changed, and by whom."""
        stamp = self._stamp()
        for name in ("LastModifiedDate", "SystemModstamp"):
            if name in self._names:
                changes.setdefault(name, stamp)
        if "LastModifiedById" in self._names:
            changes["LastModifiedById"] = self._org.user_id

    def rename_person(self, row: Values, changes: Values) -> None:
        """Add to the changes of a person the name that its new first or last name makes."""
        if self.is_person(row | changes) and changes.keys() & {"FirstName", "LastName"}:
            changes["Name"] = _person_name(row | changes)

    def is_person(self, values: Values) -> bool:
        """Whether the record's Name is made of its parts."""
        if self._name_kind == "switchablepersonname":
            return values.get("LastName") is not None
        return self._name_kind == "personname"

    def _stamp(self) -> str:
        """Return the stamp of a change that becomes visible now."""
        return stamp_of(self._org.clock.now() - timedelta(seconds=self._org.stamp_delay_s))

    def _fill_names(self, row: Values, record_id: str) -> None:
        if self.is_person(row):
            row["Name"] = _person_name(row)
            if self._name_kind == "switchablepersonname":
                row["IsPersonAccount"] = 1
        for field in self._auto_numbers:
            row.setdefault(field.name, f"{self._org.store.next_number(self._sobject, field):08d}")
        if self._name_defaults_to_id:
            row.setdefault("Name", record_id)

    @cached_property
    def _values(self) -> Values:
        defaults: Values = {}
        for field in self._sobject.stored_fields:
            if field.type == "boolean":
                defaults[field.name] = int(bool(field.default_value))
            elif field.default_value is not None:
                defaults[field.name] = field.default_value
        return defaults | {name: self._org.user_id for name in _USERS_ON_CREATE if name in self._names}

    @cached_property
    def _stamped(self) -> list[str]:
        return [name for name in (*_STAMPS_ON_CREATE, "LoginTime") if name in self._names]

    @cached_property
    def _auto_numbers(self) -> list[Field]:
        return [each for each in self._sobject.stored_fields if each.auto_number]

    @cached_property
    def _name_defaults_to_id(self) -> bool:
        name = self._sobject.field("Name")
        return name is not None and name.defaulted_on_create


def _person_name(row: Values) -> str:
    return " ".join(str(part) for part in (row.get("FirstName"), row.get("LastName")) if part)
