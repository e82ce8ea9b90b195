"""An object and its fields: its describe, and the parts of it that the rules need."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .field_types import NUMBER_TYPES, TEXT_TYPES


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of an object, read from its describe."""

    name: str
    type: str
    length: int
    precision: int
    scale: int
    digits: int
    nillable: bool
    createable: bool
    updateable: bool
    filterable: bool
    sortable: bool
    unique: bool
    case_sensitive: bool
    id_lookup: bool
    auto_number: bool
    calculated: bool
    defaulted_on_create: bool
    default_value: Any
    relationship_name: str | None
    reference_to: tuple[str, ...]
    restricted_to: frozenset[str] | None
    compound_field_name: str | None
    extra_type_info: str | None
    name_field: bool
    describe: dict[str, Any]

    @classmethod
    def from_describe(cls, describe: dict[str, Any]) -> Field:
        values = frozenset(value["value"] for value in describe["picklistValues"] if value["active"])
        return cls(
            name=describe["name"],
            type=describe["type"],
            length=describe["length"],
            precision=describe["precision"],
            scale=describe["scale"],
            digits=describe["digits"],
            nillable=describe["nillable"],
            createable=describe["createable"],
            updateable=describe["updateable"],
            filterable=describe["filterable"],
            sortable=describe["sortable"],
            unique=describe["unique"],
            case_sensitive=describe["caseSensitive"],
            id_lookup=describe["idLookup"],
            auto_number=describe["autoNumber"],
            calculated=describe["calculated"],
            defaulted_on_create=describe["defaultedOnCreate"],
            default_value=describe["defaultValue"],
            relationship_name=describe["relationshipName"],
            reference_to=tuple(describe["referenceTo"]),
            restricted_to=values if describe["restrictedPicklist"] else None,
            compound_field_name=describe["compoundFieldName"],
            extra_type_info=describe.get("extraTypeInfo"),
            name_field=describe["nameField"],
            describe=describe,
        )

    @property
    def is_compound(self) -> bool:
        """Whether the value is an address or a location, composed of other fields."""
        return self.type in ("address", "location")

    @property
    def is_polymorphic(self) -> bool:
        return len(self.reference_to) > 1

    @property
    def is_text(self) -> bool:
        return self.type in TEXT_TYPES

    @property
    def is_number(self) -> bool:
        return self.type in NUMBER_TYPES

    @property
    def is_required(self) -> bool:
        """Whether an insert must set a value: createable, not nillable, not defaulted."""
        return self.createable and not self.nillable and not self.defaulted_on_create and self.type != "boolean"


@dataclass(frozen=True, slots=True)
class SObject:
    """One object of the org."""

    name: str
    key_prefix: str
    describe: dict[str, Any]
    fields: dict[str, Field]
    """Fields by name in lower case, in describe's order: names are case-insensitive in Salesforce."""
    by_relationship: dict[str, Field] = field(default_factory=dict)
    is_in_bulk: bool = True
    """Whether the Bulk API supports the object; some are only available in the REST API."""
    filter_needed: tuple[str, ...] = ()
    """Fields of which a query must filter by one, or it is refused."""

    @classmethod
    def from_describe(
        cls, describe: dict[str, Any], *, key_prefix: str, is_in_bulk: bool = True, filter_needed: tuple[str, ...] = ()
    ) -> SObject:
        fields = {each["name"].lower(): Field.from_describe(each) for each in describe["fields"]}
        relationships = {f.relationship_name.lower(): f for f in fields.values() if f.relationship_name}
        return cls(describe["name"], key_prefix, describe, fields, relationships, is_in_bulk, filter_needed)

    def field(self, name: str) -> Field | None:
        """Return the field of that name, case-insensitively."""
        return self.fields.get(name.lower())

    def relationship(self, name: str) -> Field | None:
        """Return the reference field with that relationship name, case-insensitively."""
        return self.by_relationship.get(name.lower())

    def components(self, compound: Field) -> dict[str, Field]:
        """Return the parts of an address or a location, by their keys in JSON: ``city``, ``postalCode``."""
        parts = {}
        for each in self.fields.values():
            if each.compound_field_name == compound.name and each is not compound:
                name = each.name.removesuffix("__s").rpartition("__")[2] if compound.type == "location" else each.name
                name = name.removeprefix(compound.name.removesuffix("Address"))
                parts[name[:1].lower() + name[1:]] = each
        return parts

    @property
    def stored_fields(self) -> list[Field]:
        """The fields that are stored: all but the compound ones."""
        return [each for each in self.fields.values() if not each.is_compound]

    @property
    def has_recycle_bin(self) -> bool:
        """Whether deleted rows are kept, with ``IsDeleted``, or removed at once."""
        return "isdeleted" in self.fields

    def flag(self, key: str) -> bool:
        """Return a boolean of the object's describe, such as ``queryable``."""
        return bool(self.describe.get(key))
