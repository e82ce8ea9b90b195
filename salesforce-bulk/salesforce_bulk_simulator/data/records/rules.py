"""The rules of records: what an insert, update, upsert or delete requires, and the errors if it is not met."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from salesforce_bulk_simulator.data.errors import RecordRefused
from salesforce_bulk_simulator.data.history import Change
from salesforce_bulk_simulator.data.ids import as_18
from salesforce_bulk_simulator.data.org_protocol import DataOrg
from salesforce_bulk_simulator.data.schema.model import Field, SObject
from salesforce_bulk_simulator.data.values.database import Value, Values

from .defaults import RecordDefaults


class RecordRules:
    """The rules of one object's records, prepared for many records. Callers hold the org's lock."""

    def __init__(self, org: DataOrg, sobject: SObject) -> None:
        self._org = org
        self._store = org.store
        self._sobject = sobject
        self._fields = {each.name: each for each in sobject.fields.values()}
        self._required = [each for each in sobject.fields.values() if each.is_required]
        self._unique = [each for each in sobject.fields.values() if each.unique]
        self._defaults = RecordDefaults(org, sobject)

    # --- the four operations ------------------------------------------------------------------------------------

    def insert(self, values: Values, *, is_admin: bool = False) -> str:
        """Create a record and return its id. ``is_admin`` allows setting read-only fields."""
        if not is_admin:
            self._refuse_unwritable(values, [each for each in values if not self._fields[each].createable])
            self._refuse_blank_owner(values)
        is_person = self._defaults.is_person(values)
        missing = [
            each.name
            for each in self._required
            if values.get(each.name) is None and not (is_person and each.name == "Name")
        ]
        if missing:
            message = f"Required fields are missing: [{', '.join(missing)}]"
            raise RecordRefused("REQUIRED_FIELD_MISSING", message, *missing)
        self._check_parents(values)
        self._check_unique(values, record_id=None)
        record_id = str(values.get("Id") or self._store.new_ids(self._sobject, 1)[0])
        row = self._defaults.new_row(values, record_id=record_id)
        self._store.insert(self._sobject, list(row), [list(row.values())])
        self._record_change("create", row, values=values)
        return record_id

    def update(self, record_id: str | None, values: Values, *, is_admin: bool = False) -> str:
        """Update the given fields of a record, and return its id in 18 characters."""
        if not record_id:
            raise RecordRefused("MISSING_ARGUMENT", "Id not specified in an update call")
        row = self._live_row(record_id)
        if not is_admin:
            self._refuse_unwritable(values, [each for each in values if not self._fields[each].updateable])
            self._refuse_blank_owner(values)
        emptied = [name for name, value in values.items() if value is None and not self._fields[name].nillable]
        if emptied:
            message = f"Required fields are missing: [{', '.join(emptied)}]"
            raise RecordRefused("REQUIRED_FIELD_MISSING", message, *emptied)
        self._check_parents(values)
        self._check_unique(values, record_id=str(row["Id"]))
        changes = dict(values)
        self._defaults.stamp_change(changes)
        self._defaults.rename_person(row, changes)
        self._store.update(self._sobject, str(row["Id"]), changes)
        self._record_change("update", row | changes, values=values)
        return str(row["Id"])

    def upsert(
        self, key: Field, key_value: Value, values: Values, *, is_create_allowed: bool = True
    ) -> tuple[str, bool]:
        """Update the record whose ``key`` field has the value, or create it. Return its id and whether it is new."""
        if key.name == "Id":
            if not key_value:
                return self.insert(values), True
            return self.update(str(key_value), values), False
        if key_value is None:
            raise RecordRefused("MISSING_ARGUMENT", f"{key.name} not specified")
        found = self._store.ids_with(self._sobject, key, key_value)
        if len(found) > 1:
            message = f"{key.name}: more than one record found for external id field: [{', '.join(found)}]"
            raise RecordRefused("DUPLICATE_EXTERNAL_ID", message, key.name)
        if found:
            return self.update(found[0], values), False
        if not is_create_allowed:
            raise RecordRefused("NOT_FOUND", "The requested resource does not exist")
        return self.insert(values | ({key.name: key_value} if key.createable else {})), True

    def delete(self, record_id: str | None, *, is_hard: bool = False) -> str:
        """Move a record to the recycle bin, or delete it permanently. Return its id."""
        if not record_id:
            raise RecordRefused("MISSING_ARGUMENT", "Id not specified in a delete call")
        if is_hard and (gone := self._row(record_id)) and gone.get("IsDeleted"):
            row = gone
        else:
            row = self._live_row(record_id)
        for child, reference in self._children:
            if child_ids := self._store.ids_with(child, reference, str(row["Id"]), limit=-1):
                rules = RecordRules(self._org, child)
                for child_id in child_ids:
                    rules.delete(child_id, is_hard=is_hard)
        if is_hard or not self._sobject.has_recycle_bin:
            self._store.remove(self._sobject, str(row["Id"]))
        else:
            changes: Values = {"IsDeleted": 1}
            self._defaults.stamp_change(changes)
            self._store.update(self._sobject, str(row["Id"]), changes)
        self._record_change("delete", row, values={})
        return str(row["Id"])

    def _record_change(self, kind: Literal["create", "update", "delete"], row: Values, *, values: Values) -> None:
        if self._org.keeps_history:
            keys = {name: row.get(name) for name in self._external_ids}
            change = Change(
                kind=kind,
                sobject=self._sobject.name,
                id=str(row["Id"]),
                keys=keys,
                values=dict(values),
                origin=self._store.origin,
            )
            self._store.history.append(change)

    @cached_property
    def _external_ids(self) -> list[str]:
        return [each.name for each in self._sobject.stored_fields if each.id_lookup and each.name != "Id"]

    @cached_property
    def _children(self) -> list[tuple[SObject, Field]]:
        return cascades(self._org.objects, self._sobject)

    # --- checks --------------------------------------------------------------------------------------------------

    def _live_row(self, record_id: str) -> Values:
        row = self._row(record_id)
        if row is None:
            raise RecordRefused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        if row.get("IsDeleted"):
            raise RecordRefused("ENTITY_IS_DELETED", "entity is deleted")
        return row

    def _row(self, record_id: str) -> Values | None:
        full = as_18(record_id)
        if full is None or not full.startswith(self._sobject.key_prefix):
            message = f"{self._sobject.describe['label']} ID: id value of incorrect type: {record_id}"
            raise RecordRefused("MALFORMED_ID", message, "Id")
        return self._store.row(self._sobject, full)

    def _refuse_unwritable(self, values: Values, names: list[str]) -> None:
        names = [name for name in names if name != "Id" or values[name] is not None]
        if "Id" in names:
            raise RecordRefused("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call", "Id")
        if names:
            message = (
                f"Unable to create/update fields: {', '.join(names)}. Please check the security settings of this"
                " field and verify that it is read/write for your profile or permission set."
            )
            raise RecordRefused("INVALID_FIELD_FOR_INSERT_UPDATE", message, *names)

    def _refuse_blank_owner(self, values: Values) -> None:
        if "OwnerId" in values and values["OwnerId"] is None and not self._fields["OwnerId"].nillable:
            raise RecordRefused("INVALID_CROSS_REFERENCE_KEY", "Owner ID: owner cannot be blank", "OwnerId")

    def _check_parents(self, values: Values) -> None:
        for name, value in values.items():
            field = self._fields[name]
            if field.type != "reference" or value is None:
                continue
            known = [parent for each in field.reference_to if (parent := self._org.objects.get(each.lower()))]
            if not known:
                continue  # it refers to objects that this org does not have: there is nothing to check
            parent = next((each for each in known if str(value).startswith(each.key_prefix)), None)
            if parent is None:
                message = f"{field.describe['label']}: id value of incorrect type: {value!s}"
                raise RecordRefused("MALFORMED_ID", message, field.name)
            if not self._store.exists(parent, str(value)):
                raise RecordRefused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")

    def _check_unique(self, values: Values, *, record_id: str | None) -> None:
        for field in self._unique:
            value = values.get(field.name)
            if value is None:
                continue
            for other in self._store.ids_with(self._sobject, field, value):
                if other != record_id:
                    message = f"duplicate value found: {field.name} duplicates value on record with id: {other}"
                    raise RecordRefused("DUPLICATE_VALUE", message)


def cascades(objects: dict[str, SObject], sobject: SObject) -> list[tuple[SObject, Field]]:
    """Return the objects whose records are deleted with this object's, and the field of each that refers to it."""
    return [
        (child, child.fields[each["field"].lower()])
        for each in sobject.describe["childRelationships"]
        if each["cascadeDelete"] and (child := objects.get(each["childSObject"].lower()))
        if each["field"].lower() in child.fields
    ]
