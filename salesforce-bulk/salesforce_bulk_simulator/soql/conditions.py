"""The conditions of a query as SQL."""

from __future__ import annotations

from salesforce_bulk_simulator.data.schema.model import Field

from . import syntax
from .date_literals import span_of
from .fields import Compiler, resolve
from .literals import database_value, wrong_literal
from .tokens import malformed

_OPERATORS_OF_TYPE = {"multipicklist": ("=", "!="), "boolean": ("=", "!="), "base64": ()}


def condition_sql(compiler: Compiler, condition: syntax.Condition) -> str:
    match condition:
        case syntax.And(conditions):
            return "(" + " AND ".join(condition_sql(compiler, each) for each in conditions) + ")"
        case syntax.Or(conditions):
            return "(" + " OR ".join(condition_sql(compiler, each) for each in conditions) + ")"
        case syntax.Not(inner):
            return f"NOT coalesce({condition_sql(compiler, inner)}, 0)"
        case syntax.Comparison():
            return _comparison(compiler, condition)
        case syntax.Membership():
            return _membership(compiler, condition)
        case syntax.SemiJoin():
            return _semi_join(compiler, condition)


def _filtered(compiler: Compiler, item: syntax.FieldPath) -> tuple[str, Field]:
    resolved = resolve(compiler, item)
    if not resolved.field.filterable:
        problem = f"field '{resolved.field.name}' can not be filtered in a query call"
        raise malformed(compiler.query.text, at=item.at, problem=problem, code="INVALID_FIELD")
    return resolved.sql, resolved.field


def _comparison(compiler: Compiler, condition: syntax.Comparison) -> str:
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
    value = database_value(compiler, target, literal)
    if value is None:
        return f"{sql} IS {'NOT ' if operator == '!=' else ''}NULL"
    if operator == "LIKE":
        compiler.parameters.append(literal.like)
        return f"{sql} LIKE ? ESCAPE '\\'"
    compiler.parameters.append(value)
    return f"{sql} IS NOT ?" if operator == "!=" else f"{sql} {operator} ?"


def _relative(compiler: Compiler, sql: str, target: Field, operator: str, literal: syntax.Literal) -> str:
    if target.type not in ("date", "datetime"):
        raise wrong_literal(compiler, target, literal)
    try:
        days = span_of(literal.value, n=literal.n, today=compiler.today)
    except OverflowError:
        problem = f"Invalid date literal: {literal.value}:{literal.n}"
        raise malformed(compiler.query.text, at=literal.at, problem=problem) from None
    first, after = (day.isoformat() + ("T00:00:00.000Z" if target.type == "datetime" else "") for day in days)
    if operator in ("=", "!="):
        compiler.parameters += [first, after]
        inside = f"({sql} >= ? AND {sql} < ?)"
        return inside if operator == "=" else f"NOT coalesce({inside}, 0)"
    compiler.parameters.append(first if operator in ("<", ">=") else after)
    return f"{sql} {'<' if operator in ('<', '<=') else '>='} ?"


def _membership(compiler: Compiler, condition: syntax.Membership) -> str:
    sql, target = _filtered(compiler, condition.field)
    if (target.type == "multipicklist") != (condition.operator in ("INCLUDES", "EXCLUDES")):
        problem = f"invalid operator on {target.type} field"
        raise malformed(
            compiler.query.text, at=condition.field.at, problem=problem, code="INVALID_QUERY_FILTER_OPERATOR"
        )
    values = [database_value(compiler, target, literal) for literal in condition.values]
    if target.type == "multipicklist":
        return _includes(compiler, sql, condition.operator, [str(value) for value in values])
    compiler.parameters += [value for value in values if value is not None]
    found = f"{sql} IN ({', '.join('?' for value in values if value is not None)})"
    if None in values:
        found = f"({found} OR {sql} IS NULL)"
    return found if condition.operator == "IN" else f"NOT coalesce({found}, 0)"


def _includes(compiler: Compiler, sql: str, operator: str, values: list[str]) -> str:
    """``'A;B'`` matches rows with both values; several literals match rows with any of them."""
    groups = []
    for value in values:
        parts = value.split(";")
        compiler.parameters += parts
        groups.append(" AND ".join([f"instr(';' || {sql} || ';', ';' || ? || ';')"] * len(parts)))
    found = "(" + " OR ".join(f"({group})" for group in groups) + ")"
    return found if operator == "INCLUDES" else f"NOT coalesce({found}, 0)"


def _semi_join(compiler: Compiler, condition: syntax.SemiJoin) -> str:
    sql, _ = _filtered(compiler, condition.field)
    columns, tail, parameters = compiler.inner(condition.query)
    if len(columns) != 1:
        raise malformed(compiler.query.text, at=condition.field.at, problem="a semi-join selects one field")
    # the inner query has its own aliases inside its parentheses, so they do not collide
    compiler.parameters += parameters
    found = f"{sql} IN (SELECT {columns[0]} {tail})"
    return found if condition.operator == "IN" else f"NOT coalesce({found}, 0)"
