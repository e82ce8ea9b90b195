"""Describe answers: which objects an org has, and what their fields are (REST guide, "sObject Describe")."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from msgspec import convert

if TYPE_CHECKING:
    from salesforce_bulk_client.client import SalesforceClient


@dataclass(frozen=True, kw_only=True)
class SObjectSummary:
    """One object, as describe global lists it; the flags are what this user may do."""

    name: str
    label: str
    custom: bool
    queryable: bool
    createable: bool
    updateable: bool
    deletable: bool

    @classmethod
    def from_json(cls, answer: dict[str, Any]) -> Self:
        """Return the object of one entry of describe global, or of a describe answer."""
        return convert(_summary(answer), cls)


def _summary(answer: dict[str, Any]) -> dict[str, Any]:
    flags = ("custom", "queryable", "createable", "updateable", "deletable")
    return {
        "name": answer["name"],
        "label": answer.get("label") or answer["name"],
        **{flag: bool(answer.get(flag)) for flag in flags},
    }


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of an object, in Salesforce's words."""

    name: str
    label: str
    type: str
    soap_type: str
    length: int
    """Characters; 0 where it does not apply."""
    digits: int
    """Of an int; 0 otherwise."""
    precision: int
    scale: int
    nillable: bool
    """Whether it may be null on the way in; on the way out only ``Id`` is never null."""
    createable: bool
    updateable: bool
    filterable: bool
    calculated: bool
    custom: bool
    external_id: bool
    id_lookup: bool
    """Whether it may be the key of an upsert, or name a parent in a relationship column."""
    unique: bool
    defaulted_on_create: bool
    relationship_name: str | None
    reference_to: tuple[str, ...]
    polymorphic: bool
    compound_field_name: str | None
    picklist_values: tuple[str, ...]
    """The active ones."""
    restricted_picklist: bool

    @classmethod
    def from_json(cls, answer: dict[str, Any]) -> Self:
        """Return the field of one entry of a describe answer's ``fields``."""
        references = tuple(answer.get("referenceTo") or ())
        values = {
            "name": answer["name"],
            "label": answer.get("label") or answer["name"],
            "type": answer["type"],
            "soap_type": answer.get("soapType") or "",
            "length": int(answer.get("length") or 0),
            "digits": int(answer.get("digits") or 0),
            "precision": int(answer.get("precision") or 0),
            "scale": int(answer.get("scale") or 0),
            "nillable": bool(answer.get("nillable", True)),
            "createable": bool(answer.get("createable")),
            "updateable": bool(answer.get("updateable")),
            "filterable": bool(answer.get("filterable")),
            "calculated": bool(answer.get("calculated")),
            "custom": bool(answer.get("custom")),
            "external_id": bool(answer.get("externalId")),
            "id_lookup": bool(answer.get("idLookup")),
            "unique": bool(answer.get("unique")),
            "defaulted_on_create": bool(answer.get("defaultedOnCreate")),
            "relationship_name": answer.get("relationshipName"),
            "reference_to": references,
            "polymorphic": bool(answer.get("polymorphicForeignKey")) or len(references) > 1,
            "compound_field_name": answer.get("compoundFieldName"),
            "picklist_values": tuple(
                entry["value"] for entry in answer.get("picklistValues") or () if entry.get("active", True)
            ),
            "restricted_picklist": bool(answer.get("restrictedPicklist")),
        }
        return convert(values, cls)


@dataclass(frozen=True, kw_only=True)
class SObjectDescribe(SObjectSummary):
    """One object with its fields, in describe's order."""

    fields: tuple[Field, ...]
    key_prefix: str = ""
    """How the Ids of its records begin; empty where they have no prefix of their own."""

    @classmethod
    def from_json(cls, answer: dict[str, Any]) -> Self:
        """Return the object of a describe answer."""
        return cls(
            **vars(SObjectSummary.from_json(answer)),
            fields=tuple(map(Field.from_json, answer["fields"])),
            key_prefix=str(answer.get("keyPrefix") or ""),
        )

    @cached_property
    def _by_name(self) -> dict[str, Field]:
        return {field.name.lower(): field for field in self.fields}

    def field(self, name: str) -> Field | None:
        """Return the field of this name, in any case, as Salesforce itself reads names."""
        return self._by_name.get(name.lower())


def _summaries(answer: Any) -> list[SObjectSummary]:
    return [SObjectSummary.from_json(entry) for entry in answer["sobjects"]]


def describe_global(client: SalesforceClient) -> list[SObjectSummary]:
    """Return all objects that the user may see."""
    return client.get_as(_summaries, "sobjects")


def describe(client: SalesforceClient, name: str) -> SObjectDescribe:
    """Return one object with its fields.

    Raises: NotFound if it does not exist, or the user may not see it.
    """
    return client.get_as(SObjectDescribe.from_json, f"sobjects/{quote(name, safe='')}/describe")
