"""Relationship columns: a parent named by its external id, such as ``Account.External_Ref__c`` (Bulk guide, "CSV")."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from salesforce_bulk_client import Field, SObjectDescribe
from salesforce_bulk_client.names import quoted


class ResolvedColumn(NamedTuple):
    """What a column of job data means."""

    name: str
    """The column's header, in Salesforce's spelling."""
    field: Field
    """The field whose values it holds: for a relationship column the parent's."""
    writes: Field
    """The field that it fills."""
    parent: str | None
    """The parent's object, for a relationship column."""


class ColumnProblem(ValueError):
    """A relationship column that cannot be meant as it is written."""


def relationship_column(
    target: str, *, described: SObjectDescribe, describe: Callable[[str], SObjectDescribe]
) -> ResolvedColumn | None:
    """Return what ``Relation.Field`` or ``Object:Relation.Field`` means, or None where there is no such relation.

    Raises: ColumnProblem.
    """
    path, _, parent_field = target.partition(".")
    prefix, _, relation = path.rpartition(":")
    lookup = next((field for field in described.fields if _names(field) == relation.lower()), None)
    if lookup is None:
        return None
    relation = lookup.relationship_name or relation
    parent = _parent(lookup, relation=relation, prefix=prefix, parent_field=parent_field)
    key = describe(parent).field(parent_field)
    if key is None or not (key.id_lookup or key.external_id):
        what = "no external id" if key else "no field"
        raise ColumnProblem(f"{quoted(target)}: {parent_field} is {what} of {parent}, so it cannot name a parent")
    name = f"{parent}:{relation}.{key.name}" if prefix else f"{relation}.{key.name}"
    return ResolvedColumn(name, field=key, writes=lookup, parent=parent)


def _names(field: Field) -> str | None:
    return field.relationship_name.lower() if field.relationship_name and field.reference_to else None


def _parent(lookup: Field, *, relation: str, prefix: str, parent_field: str) -> str:
    """Return the object that is pointed to.

    The prefix is needed where a relation can point to several objects, and refused elsewhere.
    """
    if lookup.polymorphic and not prefix:
        ways = " or ".join(f"{name}:{relation}.{parent_field}" for name in lookup.reference_to[:3])
        raise ColumnProblem(f"{relation}.{parent_field} can point to several objects: write {ways}")
    if prefix and not lookup.polymorphic:
        raise ColumnProblem(f"{relation} can only point to {lookup.reference_to[0]}: write {relation}.{parent_field}")
    for name in lookup.reference_to:
        if not prefix or name.lower() == prefix.lower():
            return name
    raise ColumnProblem(f"{relation} points to {', '.join(lookup.reference_to)}, not to {prefix}")
