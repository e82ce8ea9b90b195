"""The fields in a query, and the joins to their objects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from salesforce_bulk_simulator.data.schema.model import Field, SObject

from . import syntax
from .tokens import malformed

_NO_SUCH_COLUMN = (
    "No such column '{name}' on entity '{entity}'. If you are attempting to use a custom field, be sure to append the"
    " '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names."
)


@dataclass
class Compiler:
    """The state of compiling one query to SQL. ``inner`` returns the SQL of the query in a semi-join."""

    objects: dict[str, SObject]
    query: syntax.Query
    sobject: SObject
    today: date
    include_deleted: bool
    inner: Callable[[syntax.Query], tuple[list[str], str, list[Any]]]
    joins: dict[str, str] = field(default_factory=dict)
    parameters: list[Any] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Parent:
    """A parent record in the path of a field: its path (``Contact.Account``), and the SQL of its id."""

    path: str
    id_sql: str
    is_polymorphic: bool


@dataclass(frozen=True, slots=True)
class Resolved:
    """A field in a query: the SQL of its value, the parents in its path, and its path in describe's case."""

    sql: str
    field: Field
    parents: tuple[Parent, ...]
    path: str


def resolve(compiler: Compiler, item: syntax.FieldPath) -> Resolved:
    """Return the field that a path refers to, or refuse it with INVALID_FIELD."""
    query, path = compiler.query, item.path
    if len(path) > 1 and path[0].lower() in (query.sobject.lower(), (query.alias or query.sobject).lower()):
        path = path[1:]
    places = [("t0", compiler.sobject)]
    names: list[str] = []
    parents: list[Parent] = []
    for step in path[:-1]:
        references = [(table, found) for table, each in places if (found := each.relationship(step))]
        if not references:
            problem = (
                f"Didn't understand relationship '{step}' in field path. If you are attempting to use a custom"
                " relationship, be sure to append the '__r' after the custom relationship name. Please reference your"
                " WSDL or the describe call for the appropriate names."
            )
            raise malformed(query.text, at=item.at, problem=problem, code="INVALID_FIELD")
        names.append(str(references[0][1].relationship_name))
        places = [place for table, found in references for place in _parents(compiler, table, found)]
        ids = [f'{table}."Id"' for table, _ in places]
        parents.append(Parent(".".join(names), _first(ids), any(found.is_polymorphic for _, found in references)))
    matches = [(table, each, found) for table, each in places if (found := each.field(path[-1]))]
    if not matches:
        entity = places[0][1].name if places else path[-2]
        problem = _NO_SUCH_COLUMN.format(name=path[-1], entity=entity)
        raise malformed(query.text, at=item.at, problem=problem, code="INVALID_FIELD")
    columns = [_column(table, each, found) for table, each, found in matches]
    found = matches[0][2]
    return Resolved(_first(columns), found, tuple(parents), ".".join([*names, found.name]))


def _first(columns: list[str]) -> str:
    """Return the SQL of the first value that is not null."""
    if not columns:
        return "NULL"
    return columns[0] if len(columns) == 1 else f"coalesce({', '.join(columns)})"


def _column(table: str, sobject: SObject, found: Field) -> str:
    """Return the SQL of a field; a compound one is JSON of its components, null if they all are."""
    if not found.is_compound:
        return f'{table}."{found.name}"'
    parts = {key: f'{table}."{part.name}"' for key, part in sobject.components(found).items()}
    pairs = ", ".join(f"'{key}', {sql}" for key, sql in parts.items())
    return f"CASE WHEN coalesce({', '.join(parts.values())}) IS NOT NULL THEN json_object({pairs}) END"


def _parents(compiler: Compiler, table: str, reference: Field) -> list[tuple[str, SObject]]:
    """Join the objects that a reference refers to; several, if it is polymorphic."""
    parents = []
    for name in reference.reference_to:
        parent = compiler.objects.get(name.lower())
        if parent is None:
            continue
        key = f"{table}.{reference.name}.{parent.name}"
        alias = f"t{list(compiler.joins).index(key) + 1}" if key in compiler.joins else f"t{len(compiler.joins) + 1}"
        compiler.joins[key] = f'LEFT JOIN "{parent.name}" AS {alias} ON {alias}."Id" = {table}."{reference.name}"'
        parents.append((alias, parent))
    return parents
