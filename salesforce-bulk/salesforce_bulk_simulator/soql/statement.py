"""A SOQL query as one SQLite query over the org's tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from salesforce_bulk_simulator.data.schema.model import Field, SObject
from salesforce_bulk_simulator.http.errors import RequestRefused

from . import syntax
from .conditions import condition_sql
from .fields import Compiler, Parent, resolve
from .tokens import malformed

MAX_OFFSET = 2000
"""Maximum OFFSET (SOQL guide, "OFFSET")."""

_NO_SUCH_OBJECT = (
    "sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure to append the"
    " '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names."
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a result: its name as a CSV header has it, the SQL of its value, and where it comes from."""

    name: str
    sql: str
    field: Field
    parents: tuple[Parent, ...]


@dataclass(slots=True)
class Statement:
    """The parts of a SQLite query; ``parameters`` belong to ``where``."""

    sobject: SObject
    columns: list[Column]
    joins: list[str]
    where: str
    parameters: list[Any]
    order_by: list[str]
    limit: int | None
    offset: int | None

    @property
    def tail(self) -> str:
        """Everything from FROM to the end of WHERE."""
        return " ".join([f'FROM "{self.sobject.name}" AS t0', *self.joins, f"WHERE {self.where}"])


def compile_query(query: syntax.Query, *, objects: dict[str, SObject], today: date, include_deleted: bool) -> Statement:
    """Return the SQL of a query without aggregates or subqueries.

    Raises:
        RequestRefused: INVALID_TYPE, INVALID_FIELD, INVALID_QUERY_FILTER_OPERATOR …
    """
    sobject = find_object(query, objects)
    if query.offset is not None and query.offset > MAX_OFFSET:
        message = f"Maximum SOQL offset allowed is {MAX_OFFSET}"
        raise RequestRefused(400, "NUMBER_OUTSIDE_VALID_RANGE", message)

    def inner(query: syntax.Query) -> tuple[list[str], str, list[Any]]:
        found = compile_query(query, objects=objects, today=today, include_deleted=include_deleted)
        columns = [column.sql for column in found.columns] if len(query.select) == 1 else []
        return columns, found.tail, found.parameters

    compiler = Compiler(objects, query, sobject, today, include_deleted, inner)
    columns = [_column(compiler, item) for item in query.select if isinstance(item, syntax.FieldPath)]
    names = [column.name.lower() for column in columns]
    for item, name in zip(query.select, names, strict=False):
        if names.count(name) > 1 and isinstance(item, syntax.FieldPath):
            problem = f"duplicate field selected: {item.path[-1]}"
            raise malformed(query.text, at=item.at, problem=problem)
    where = [] if include_deleted or not sobject.has_recycle_bin else ['t0."IsDeleted" = 0']
    if query.where is not None:
        where.append(condition_sql(compiler, query.where))
    orderings = [_ordering(compiler, item) for item in query.order_by]
    return Statement(
        sobject=sobject,
        columns=columns,
        joins=list(compiler.joins.values()),
        where=" AND ".join(where) or "1",
        parameters=compiler.parameters,
        order_by=orderings,
        limit=query.limit,
        offset=query.offset,
    )


def find_object(query: syntax.Query, objects: dict[str, SObject]) -> SObject:
    """Return the object that a query is about, or refuse the query."""
    sobject = objects.get(query.sobject.lower())
    if sobject is None:
        problem = _NO_SUCH_OBJECT.format(name=query.sobject)
        raise malformed(query.text, at=query.sobject_at, problem=problem, code="INVALID_TYPE")
    if not sobject.flag("queryable"):
        raise RequestRefused(400, "INVALID_TYPE_FOR_OPERATION", f"entity type {sobject.name} does not support query")
    return sobject


def _column(compiler: Compiler, item: syntax.FieldPath) -> Column:
    resolved = resolve(compiler, item)
    return Column(resolved.path, resolved.sql, resolved.field, resolved.parents)


def _ordering(compiler: Compiler, item: syntax.Ordering) -> str:
    resolved = resolve(compiler, item.field)
    if not resolved.field.sortable:
        problem = f"field '{resolved.field.name}' can not be sorted in a query call"
        raise malformed(compiler.query.text, at=item.field.at, problem=problem)
    return f"{resolved.sql} {'DESC' if item.is_descending else 'ASC'} NULLS {'LAST' if item.nulls_last else 'FIRST'}"
