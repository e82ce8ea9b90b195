"""The records of a query in JSON, each with its ``attributes``; so are the parents in its field paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from salesforce_bulk_simulator.data.ids import as_18
from salesforce_bulk_simulator.data.org_protocol import DataOrg
from salesforce_bulk_simulator.data.schema.model import SObject
from salesforce_bulk_simulator.data.values.database import Value
from salesforce_bulk_simulator.data.values.json import to_json
from salesforce_bulk_simulator.http.errors import RequestRefused
from salesforce_bulk_simulator.http.messages import Request
from salesforce_bulk_simulator.soql import syntax
from salesforce_bulk_simulator.soql.statement import Column, Statement, compile_query

POLYMORPHIC_TYPE = "Name"
"""The ``type`` of a polymorphic parent; its ``url`` has the actual object. As recorded (v29)."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows of a query: the record's id, then the ids of its parents, then the values of its columns."""

    sobject: SObject
    columns: list[Column]
    parent_paths: list[str]
    rows: list[tuple[Value, ...]]


def select(org: DataOrg, statement: Statement, *, rest: str = "", parameters: tuple[str, ...] = ()) -> Selection:
    """Run a query. ``rest`` is the SQL after its conditions. The caller holds the org's lock."""
    parents = {parent.path: parent.id_sql for column in statement.columns for parent in column.parents}
    columns = ", ".join(['t0."Id"', *parents.values(), *(column.sql for column in statement.columns)])
    sql = f"SELECT {columns} {statement.tail} {rest}"
    rows = org.store.select(sql, [*statement.parameters, *parameters]).fetchall()
    return Selection(statement.sobject, statement.columns, list(parents), rows)


def records_of(org: DataOrg, request: Request, selection: Selection, *, start: int, end: int) -> list[dict[str, Any]]:
    """Return rows in Salesforce's JSON."""
    by_prefix = {each.key_prefix: each for each in org.objects.values()}

    def record(row: tuple[Value, ...]) -> dict[str, Any]:
        own_address = attributes(selection.sobject, str(row[0]), request)
        record: dict[str, Any] = {"attributes": own_address}
        first_value = 1 + len(selection.parent_paths)
        ids = dict(zip(selection.parent_paths, row[1:first_value], strict=True))
        for column, value in zip(selection.columns, row[first_value:], strict=True):
            place, address = record, own_address
            for parent in column.parents:
                name = parent.path.rpartition(".")[2]
                if (parent_id := ids[parent.path]) is None:
                    place[name] = None
                    break
                address = attributes(by_prefix[str(parent_id)[:3]], str(parent_id), request)
                type_ = POLYMORPHIC_TYPE if parent.is_polymorphic else address["type"]
                place = place.setdefault(name, {"attributes": address | {"type": type_}})
            else:
                place[column.field.name] = to_json(column.field, value, url=address["url"])
        return record

    return [record(row) for row in selection.rows[start:end]]


def records_by_id(
    org: DataOrg, request: Request, sobject: SObject, *, ids: list[str], names: list[str]
) -> list[dict[str, Any] | None]:
    """Return the fields of records in the order of their ids, with None for each that does not exist.

    Raises:
        RequestRefused: INVALID_FIELD.
    """
    for name in names:
        if "." not in name and sobject.field(name) is None:
            raise RequestRefused(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {sobject.name}")
    paths = {name.lower(): syntax.FieldPath(tuple(name.split(".")), 0) for name in names}
    query = syntax.Query(text=",".join(names), select=tuple(paths.values()), sobject=sobject.name, sobject_at=0)
    statement = compile_query(query, objects=org.objects, today=org.clock.now().date(), include_deleted=False)
    wanted = tuple(str(as_18(each)) for each in ids)
    rest = f'AND t0."Id" IN ({", ".join("?" * len(wanted))})'
    with org.lock:
        selection = select(org, statement, rest=rest, parameters=wanted)
    records = records_of(org, request, selection, start=0, end=len(selection.rows))
    found = {row[0]: record for row, record in zip(selection.rows, records, strict=True)}
    return [found.get(each) for each in wanted]


def attributes(sobject: SObject, record_id: str, request: Request) -> dict[str, str]:
    """Return the ``attributes`` of a record in JSON."""
    url = f"/services/data/v{request.version}/sobjects/{sobject.name}/{record_id}"
    return {"type": sobject.name, "url": url}
