"""The syntax tree of a SOQL query."""

from __future__ import annotations

from dataclasses import dataclass

Path = tuple[str, ...]
"""A field, reached through parent relationships: ``("Account", "Owner", "Name")``."""


@dataclass(frozen=True, slots=True)
class FieldPath:
    """A field in a query, and its position in the text (an offset in characters)."""

    path: Path
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """An aggregate function, ``COUNT()`` or ``MAX(Amount)``."""

    function: str
    argument: FieldPath | None
    alias: str | None
    at: int


@dataclass(frozen=True, slots=True)
class Subquery:
    """A parent-to-child query in the SELECT list."""

    query: Query


@dataclass(frozen=True, slots=True)
class Literal:
    """A value in a condition.

    ``kind`` is string, number, boolean, null, date, datetime or date_literal; of the last ``value`` is the name, such
    as ``LAST_N_DAYS``, and ``n`` the number. ``like`` is a string as a LIKE pattern, with escaped wildcards.
    """

    kind: str
    value: str
    at: int
    n: int = 0
    like: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """``field operator value``; operator is one of = != < <= > >= LIKE."""

    field: FieldPath
    operator: str
    value: Literal


@dataclass(frozen=True, slots=True)
class Membership:
    """``field IN (…)``, ``NOT IN``, ``INCLUDES`` or ``EXCLUDES``."""

    field: FieldPath
    operator: str
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class SemiJoin:
    """``field IN (SELECT …)`` or ``NOT IN``."""

    field: FieldPath
    operator: str
    query: Query


@dataclass(frozen=True, slots=True)
class Not:
    condition: Condition


@dataclass(frozen=True, slots=True)
class And:
    """Conditions joined by AND."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Conditions joined by OR."""

    conditions: tuple[Condition, ...]


Condition = Comparison | Membership | SemiJoin | Not | And | Or


@dataclass(frozen=True, slots=True)
class Ordering:
    field: FieldPath
    is_descending: bool
    nulls_last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query. ``fields_group`` is ALL, STANDARD or CUSTOM for ``FIELDS(…)``."""

    text: str
    select: tuple[FieldPath | Call | Subquery, ...]
    sobject: str
    sobject_at: int
    alias: str | None = None
    where: Condition | None = None
    group_by: tuple[FieldPath, ...] = ()
    order_by: tuple[Ordering, ...] = ()
    limit: int | None = None
    offset: int | None = None
    fields_group: str | None = None
    has_typeof: bool = False

    @property
    def is_count(self) -> bool:
        """Whether the query is ``SELECT COUNT() FROM …``, answered by ``totalSize`` alone."""
        return len(self.select) == 1 and isinstance(self.select[0], Call) and self.select[0].argument is None

    @property
    def has_aggregates(self) -> bool:
        return bool(self.group_by) or any(isinstance(item, Call) for item in self.select)
