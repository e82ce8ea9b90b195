"""A SOQL query as one SQLite query over the org's tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from salesforce_bulk_simulator.errors import RequestRefused
from salesforce_bulk_simulator.ids import as_18
from salesforce_bulk_simulator.schema.model import Field, SObject

from . import syntax
from .date_literals import span_of
from .tokens import malformed

_NO_SUCH_COLUMN = (
    "No such column '{name}' on entity '{entity}'. If you are attempting to use a custom field, be sure to append the"
    " '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names."
)
_NO_SUCH_OBJECT = (
    "sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure to append the"
    " '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names."
)
_OPERATORS_OF_TYPE = {"multipicklist": ("=", "!="), "boolean": ("=", "!="), "base64": ()}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a result: its name as a CSV header has it, the SQL of its value, and the field it comes from."""

    name: str
    sql: str
    field: Field


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


@dataclass
class _Compiler:
    objects: dict[str, SObject]
    query: syntax.Query
    sobject: SObject
    today: date
    include_deleted: bool
    joins: dict[str, str] = field(default_factory=dict)
    parameters: list[Any] = field(default_factory=list)


def compile_query(query: syntax.Query, *, objects: dict[str, SObject], today: date, include_deleted: bool) -> Statement:
    """Return the SQL of a query without aggregates or subqueries.

    Raises:
        RequestRefused: INVALID_TYPE, INVALID_FIELD, INVALID_QUERY_FILTER_OPERATOR …
    """
    sobject = find_object(query, objects)
    compiler = _Compiler(objects, query, sobject, today, include_deleted)
    columns = [_column(compiler, item) for item in query.select if isinstance(item, syntax.FieldPath)]
    names = [column.name.lower() for column in columns]
    for item, name in zip(query.select, names, strict=False):
        if names.count(name) > 1 and isinstance(item, syntax.FieldPath):
            problem = f"duplicate field selected: {item.path[-1]}"
            raise malformed(query.text, at=item.at, problem=problem)
    where = [] if include_deleted or not sobject.has_recycle_bin else ['t0."IsDeleted" = 0']
    if query.where is not None:
        where.append(_condition(compiler, query.where))
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
    """Return the object that a query is about, or refuse."""
    sobject = objects.get(query.sobject.lower())
    if sobject is None:
        problem = _NO_SUCH_OBJECT.format(name=query.sobject)
        raise malformed(query.text, at=query.sobject_at, problem=problem, code="INVALID_TYPE")
    if not sobject.flag("queryable"):
        raise RequestRefused(400, "INVALID_TYPE_FOR_OPERATION", f"entity type {sobject.name} does not support query")
    return sobject


# --- fields and the joins that reach them -----------------------------------------------------------------------


def _column(compiler: _Compiler, item: syntax.FieldPath) -> Column:
    sql, target, names = _resolve(compiler, item)
    return Column(".".join(names), sql, target)


def _resolve(compiler: _Compiler, item: syntax.FieldPath) -> tuple[str, Field, list[str]]:
    """Return the SQL of a field, the field, and its path in describe's case."""
    query, path = compiler.query, item.path
    if len(path) > 1 and path[0].lower() in (query.sobject.lower(), (query.alias or query.sobject).lower()):
        path = path[1:]
    places = [("t0", compiler.sobject)]
    names: list[str] = []
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
    matches = [(table, found) for table, each in places if (found := each.field(path[-1]))]
    if not matches:
        entity = places[0][1].name if places else path[-2]
        problem = _NO_SUCH_COLUMN.format(name=path[-1], entity=entity)
        raise malformed(query.text, at=item.at, problem=problem, code="INVALID_FIELD")
    columns = [f'{table}."{found.name}"' for table, found in matches if not found.is_compound]
    sql = columns[0] if len(columns) == 1 else f"coalesce({', '.join(columns)})" if columns else "NULL"
    return sql, matches[0][1], [*names, matches[0][1].name]


def _parents(compiler: _Compiler, table: str, reference: Field) -> list[tuple[str, SObject]]:
    """Join the objects that a reference points to; several, when it is polymorphic."""
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


def _ordering(compiler: _Compiler, item: syntax.Ordering) -> str:
    sql, target, _ = _resolve(compiler, item.field)
    if not target.sortable:
        problem = f"field '{target.name}' can not be sorted in a query call"
        raise malformed(compiler.query.text, at=item.field.at, problem=problem)
    return f"{sql} {'DESC' if item.is_descending else 'ASC'} NULLS {'LAST' if item.nulls_last else 'FIRST'}"


# --- conditions ---------------------------------------------------------------------------------------------------


def _condition(compiler: _Compiler, condition: syntax.Condition) -> str:
    match condition:
        case syntax.All(conditions):
            return "(" + " AND ".join(_condition(compiler, each) for each in conditions) + ")"
        case syntax.Some(conditions):
            return "(" + " OR ".join(_condition(compiler, each) for each in conditions) + ")"
        case syntax.Not(inner):
            return f"NOT coalesce({_condition(compiler, inner)}, 0)"
        case syntax.Comparison():
            return _comparison(compiler, condition)
        case syntax.Membership():
            return _membership(compiler, condition)
        case syntax.SemiJoin():
            return _semi_join(compiler, condition)


def _filtered(compiler: _Compiler, item: syntax.FieldPath) -> tuple[str, Field]:
    sql, target, _ = _resolve(compiler, item)
    if not target.filterable:
        problem = f"field '{target.name}' can not be filtered in a query call"
        raise malformed(compiler.query.text, at=item.at, problem=problem, code="INVALID_FIELD")
    return sql, target


def _comparison(compiler: _Compiler, condition: syntax.Comparison) -> str:
    sql, target = _filtered(compiler, condition.field)
    operator, literal = condition.operator, condition.value
    allowed = _OPERATORS_OF_TYPE.get(target.type, ("=", "!=", "<", "<=", ">", ">=", "LIKE"))
    is_like_on_other = operator == "LIKE" and not (target.is_text or target.type == "anyType")
    is_order_on_null = literal.kind == "null" and operator not in ("=", "!=")
    if operator not in allowed or is_like_on_other or is_order_on_null:
        problem = f"invalid operator on {target.type} field"
        raise malformed(
            compiler.query.text, at=condition.field.at, problem=problem, code="INVALID_QUERY_FILTER_OPERATOR"
        )
    if literal.kind == "date_literal":
        return _relative(compiler, sql, target, operator, literal)
    value = _value(compiler, target, literal)
    if value is None:
        return f"{sql} IS {'NOT ' if operator == '!=' else ''}NULL"
    if operator == "LIKE":
        compiler.parameters.append(literal.like)
        return f"{sql} LIKE ? ESCAPE '\\'"
    compiler.parameters.append(value)
    return f"{sql} IS NOT ?" if operator == "!=" else f"{sql} {operator} ?"


def _relative(compiler: _Compiler, sql: str, target: Field, operator: str, literal: syntax.Literal) -> str:
    if target.type not in ("date", "datetime"):
        raise _wrong_literal(compiler, target, literal)
    try:
        days = span_of(literal.value, n=literal.n, today=compiler.today)
    except OverflowError as error:
        raise malformed(compiler.query.text, at=literal.at, problem=str(error)) from error
    first, after = (day.isoformat() + ("T00:00:00.000Z" if target.type == "datetime" else "") for day in days)
    if operator in ("=", "!="):
        compiler.parameters += [first, after]
        inside = f"({sql} >= ? AND {sql} < ?)"
        return inside if operator == "=" else f"NOT coalesce({inside}, 0)"
    compiler.parameters.append(first if operator in ("<", ">=") else after)
    return f"{sql} {'<' if operator in ('<', '<=') else '>='} ?"


def _membership(compiler: _Compiler, condition: syntax.Membership) -> str:
    sql, target = _filtered(compiler, condition.field)
    if (target.type == "multipicklist") != (condition.operator in ("INCLUDES", "EXCLUDES")):
        problem = f"invalid operator on {target.type} field"
        raise malformed(
            compiler.query.text, at=condition.field.at, problem=problem, code="INVALID_QUERY_FILTER_OPERATOR"
        )
    values = [_value(compiler, target, literal) for literal in condition.values]
    if target.type == "multipicklist":
        return _includes(compiler, sql, condition.operator, [str(value) for value in values])
    compiler.parameters += [value for value in values if value is not None]
    found = f"{sql} IN ({', '.join('?' for value in values if value is not None)})"
    if None in values:
        found = f"({found} OR {sql} IS NULL)"
    return found if condition.operator == "IN" else f"NOT coalesce({found}, 0)"


def _includes(compiler: _Compiler, sql: str, operator: str, values: list[str]) -> str:
    """``'A;B'`` asks for rows that hold both; several values ask for any of them."""
    groups = []
    for value in values:
        parts = value.split(";")
        compiler.parameters += parts
        groups.append(" AND ".join([f"instr(';' || {sql} || ';', ';' || ? || ';')"] * len(parts)))
    found = "(" + " OR ".join(f"({group})" for group in groups) + ")"
    return found if operator == "INCLUDES" else f"NOT coalesce({found}, 0)"


def _semi_join(compiler: _Compiler, condition: syntax.SemiJoin) -> str:
    sql, _ = _filtered(compiler, condition.field)
    inner = compile_query(
        condition.query, objects=compiler.objects, today=compiler.today, include_deleted=compiler.include_deleted
    )
    if len(inner.columns) != 1 or len(condition.query.select) != 1:
        raise malformed(compiler.query.text, at=condition.field.at, problem="a semi-join selects one field")
    # the inner query's tables are named anew inside its own parentheses, so the aliases do not meet
    compiler.parameters += inner.parameters
    found = f"{sql} IN (SELECT {inner.columns[0].sql} {inner.tail})"
    return found if condition.operator == "IN" else f"NOT coalesce({found}, 0)"


# --- literals -----------------------------------------------------------------------------------------------------


def _value(compiler: _Compiler, target: Field, literal: syntax.Literal) -> Any:
    """Return what the database compares with; None for null and for the empty text, which Salesforce stores as null."""
    kind, text = literal.kind, literal.value
    if kind == "null":
        return None
    if target.type == "boolean" and kind == "boolean":
        return int(text == "true")
    if target.is_number and kind == "number":
        return float(text)
    if target.type == "date" and kind == "date":
        return _checked(compiler, literal, text)
    if target.type == "datetime" and kind == "datetime":
        return _checked(compiler, literal, text)
    if target.type == "time" and kind == "string":
        return text
    if target.type in ("id", "reference") and kind == "string":
        record_id = as_18(text)
        if record_id is None and text:
            problem = f"invalid ID field: {text}"
            raise malformed(compiler.query.text, at=literal.at, problem=problem, code="INVALID_QUERY_FILTER_OPERATOR")
        return record_id
    if (target.is_text or target.type == "anyType") and kind == "string":
        return text or None
    raise _wrong_literal(compiler, target, literal)


def _checked(compiler: _Compiler, literal: syntax.Literal, text: str) -> str:
    try:
        if literal.kind == "date":
            return date.fromisoformat(text).isoformat()
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise malformed(compiler.query.text, at=literal.at, problem=f"Invalid {literal.kind}: {text}") from error
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _wrong_literal(compiler: _Compiler, target: Field, literal: syntax.Literal) -> RequestRefused:
    kinds = {"datetime": "dateTime", "double": "double", "currency": "double", "percent": "double"}
    kind = "string" if target.is_text else kinds.get(target.type, target.type)
    quoted = "should be enclosed in quotes" if target.is_text else "should not be enclosed in quotes"
    problem = f"value of filter criterion for field '{target.name}' must be of type {kind} and {quoted}"
    return malformed(compiler.query.text, at=literal.at, problem=problem, code="INVALID_FIELD")
